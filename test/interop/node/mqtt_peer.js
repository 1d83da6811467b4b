// MQTT peer of test/interop: the mqtt package of npm behind the line protocol of mqtt_protocol_test.go.
'use strict'
const mqtt = require('mqtt')
const readline = require('readline')

const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n')
const hex = (b) => (b ? b.toString('hex') : '')

function messageProperties (m) {
  const p = {}
  if (m.content_type) p.contentType = m.content_type
  if (m.response_topic) p.responseTopic = m.response_topic
  if (m.correlation) p.correlationData = Buffer.from(m.correlation, 'hex')
  if (m.message_expiry) p.messageExpiryInterval = m.message_expiry
  if (m.topic_alias) p.topicAlias = m.topic_alias
  if (m.user) { // the package takes an object; order holds for names that are no numbers
    p.userProperties = {}
    for (const [name, value] of m.user) {
      const before = p.userProperties[name]
      p.userProperties[name] = before === undefined ? value : [].concat(before, value)
    }
  }
  return p
}

function userProperties (p) {
  const all = []
  for (const [name, value] of Object.entries(p.userProperties || {})) for (const one of [].concat(value)) all.push([name, one])
  return all
}

class Client {
  constructor (m) {
    this.name = m.client
    this.v5 = m.version === 5
    this.codes = new Map() // of acknowledgements, by packet identifier
    const o = {
      protocolVersion: m.version,
      protocolId: m.version === 3 ? 'MQIsdp' : 'MQTT',
      clientId: m.id || '',
      clean: m.clean,
      keepalive: m.keepalive,
      reconnectPeriod: m.reconnect ? 50 : 0,
      connectTimeout: 50000,
      properties: {}
    }
    if (m.expiry) o.properties.sessionExpiryInterval = m.expiry
    if (m.receive_maximum) o.properties.receiveMaximum = m.receive_maximum
    if (m.topic_alias_maximum) o.properties.topicAliasMaximum = m.topic_alias_maximum
    if (m.will) {
      o.will = { topic: m.will.topic, payload: Buffer.from(m.will.payload, 'hex'), qos: m.will.qos, retain: m.will.retain }
      if (this.v5) {
        o.will.properties = messageProperties(m.will)
        if (m.will.delay) o.will.properties.willDelayInterval = m.will.delay
      }
    }
    this.c = mqtt.connect(m.url, o)
  }

  opened () {
    return new Promise((resolve, reject) => {
      let done = false
      let lostCode = 0
      this.c.on('connect', (p) => {
        if (done) return say({ client: this.name, event: 'up' })
        done = true
        const props = p.properties || {}
        resolve({ code: 0, present: p.sessionPresent, assigned: props.assignedClientIdentifier, server_keepalive: props.serverKeepAlive })
      })
      this.c.on('error', (e) => {
        if (done) return
        done = true
        this.ended = true
        if (typeof e.code === 'number') resolve({ code: e.code })
        else reject(e)
      })
      this.c.on('disconnect', (p) => { lostCode = p.reasonCode || 0 })
      this.c.on('close', () => {
        if (!done || this.ended) return
        if (!this.c.options.reconnectPeriod) this.ended = true
        say({ client: this.name, event: 'lost', code: lostCode })
        lostCode = 0
      })
      this.c.on('packetreceive', (p) => {
        if (p.cmd === 'puback' || p.cmd === 'pubrec') this.codes.set(p.messageId, p.reasonCode || 0)
        if (p.cmd === 'suback' || p.cmd === 'unsuback') this.granted = p.granted || []
      })
      this.c.on('message', (topic, payload, packet) => {
        const p = packet.properties || {}
        say({
          client: this.name,
          event: 'message',
          topic,
          payload: payload.toString('hex'),
          qos: packet.qos,
          retain: packet.retain,
          dup: packet.dup,
          content_type: p.contentType,
          response_topic: p.responseTopic,
          correlation: hex(p.correlationData),
          message_expiry: p.messageExpiryInterval,
          user: userProperties(p),
          topic_alias: p.topicAlias,
          identifiers: p.subscriptionIdentifier === undefined ? [] : [].concat(p.subscriptionIdentifier)
        })
      })
    })
  }

  async publish (m) {
    const base = Buffer.from(m.payload, 'hex')
    const payloads = m.count ? Array.from({ length: m.count }, (_, i) => Buffer.concat([base, Buffer.from(String((m.from || 0) + i))])) : [base]
    const o = { qos: m.qos, retain: m.retain }
    if (this.v5) o.properties = messageProperties(m)
    const all = await Promise.all(payloads.map((p) => new Promise((resolve, reject) => {
      this.c.publish(m.topic || '', p, Object.assign({}, o, { properties: o.properties && Object.assign({}, o.properties) }), (e, packet) => {
        if (e && typeof e.code === 'number') resolve(e.code)
        else if (e) reject(e)
        else resolve(packet && this.codes.get(packet.messageId))
      })
    })))
    return { code: all[0] || 0 }
  }

  async subscribe (m) {
    const o = { qos: m.qos }
    if (this.v5) {
      Object.assign(o, { nl: !!m.no_local, rap: !!m.retain_as_published, rh: m.retain_handling || 0 })
      if (m.identifier) o.properties = { subscriptionIdentifier: m.identifier }
    }
    this.granted = null
    try {
      await this.c.subscribeAsync(m.filters, o)
    } catch (e) {
      if (!this.granted) throw e
    }
    return { codes: this.granted }
  }

  async unsubscribe (m) {
    this.granted = null
    await this.c.unsubscribeAsync(m.filters)
    return { codes: this.granted }
  }

  async disconnect () {
    this.ended = true
    await this.c.endAsync()
    return {}
  }
}

const clients = new Map()
async function one (m) {
  try {
    let answer
    if (m.op === 'connect') {
      const c = new Client(m)
      clients.set(m.client, c)
      answer = await c.opened()
    } else answer = await clients.get(m.client)[m.op](m)
    say(Object.assign({ seq: m.seq }, answer))
  } catch (e) {
    say({ seq: m.seq, error: String(e) })
  }
}

const last = new Map() // of each client one request after the other
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const m = JSON.parse(line)
  last.set(m.client, (last.get(m.client) || Promise.resolve()).then(() => one(m)))
}).on('close', () => process.exit(0))
