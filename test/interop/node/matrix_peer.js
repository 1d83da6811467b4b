// MQTT 5 over WebSocket: the mqtt package of npm behind the line protocol of process_test.go.
'use strict'
const mqtt = require('mqtt')
const readline = require('readline')

const url = process.argv[2]
const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n')
const connect = () => mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, keepalive: 30 }, false)

let sender
const receivers = new Map()

async function subscribe (m) {
  const c = await connect()
  c.on('message', (topic, payload, packet) => {
    const p = packet.properties || {}
    say({
      id: m.id,
      address: topic,
      payload: payload.toString('hex'),
      qos: packet.qos,
      retain: packet.retain,
      properties: {
        'content-type': p.contentType,
        'reply-to': p.responseTopic,
        'correlation-id': p.correlationData && p.correlationData.toString(),
        expiry: p.messageExpiryInterval,
        headers: p.userProperties && Object.assign({}, p.userProperties)
      }
    })
  })
  await c.subscribeAsync(m.address, { qos: m.qos })
  receivers.set(m.id, c)
}

async function publish (m) {
  sender = sender || connect()
  const properties = {}
  if (m['content-type']) properties.contentType = m['content-type']
  if (m['reply-to']) properties.responseTopic = m['reply-to']
  if (m['correlation-id']) properties.correlationData = Buffer.from(m['correlation-id'])
  if (m.expiry) properties.messageExpiryInterval = m.expiry
  if (m.headers && m.headers.length) properties.userProperties = Object.fromEntries(m.headers)
  await (await sender).publishAsync(m.address, Buffer.from(m.payload, 'hex'), { qos: m.qos, retain: m.retain, properties })
}

async function one (m) {
  try {
    if (m.op === 'subscribe') await subscribe(m)
    else if (m.op === 'close') {
      await receivers.get(m.id).endAsync()
      receivers.delete(m.id)
    } else await publish(m)
    say({ seq: m.seq })
  } catch (e) {
    say({ seq: m.seq, error: String(e) })
  }
}

let last = Promise.resolve() // one request after the other
readline.createInterface({ input: process.stdin }).on('line', (line) => { last = last.then(() => one(JSON.parse(line))) }).on('close', () => process.exit(0))
