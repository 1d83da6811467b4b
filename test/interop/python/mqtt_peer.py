"""MQTT peer of test/interop: python3-paho-mqtt behind the line protocol of mqtt_protocol_test.go."""
import json
import queue
import sys
import threading
import urllib.parse

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PATIENCE = 50
out = threading.Lock()


def say(answer):
    with out:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def code(rc):
    return rc.value if hasattr(rc, "value") else rc


def put(properties, **values):
    for name, value in values.items():
        if value:
            setattr(properties, name, value)


def message_properties(kind, m):
    p = Properties(kind)
    put(p, ContentType=m.get("content_type"), ResponseTopic=m.get("response_topic"), TopicAlias=m.get("topic_alias"),
        CorrelationData=bytes.fromhex(m.get("correlation") or ""), MessageExpiryInterval=m.get("message_expiry"))
    for name, value in m.get("user") or []:
        p.UserProperty = (name, value)
    return p


class Client:
    def __init__(self, m):
        self.name, self.v5 = m["client"], m["version"] == 5
        self.reconnect = m["reconnect"]
        self.moved = threading.Condition()
        self.connack = None
        self.closed = False
        self.acked, self.granted = set(), {}
        self.aliases = {}
        url = urllib.parse.urlparse(m["url"])
        kind = {"transport": "websockets"} if url.scheme == "ws" else {}
        if not self.v5:
            kind["clean_session"] = m["clean"]
        c = self.c = mqtt.Client(m.get("id") or "", protocol=m["version"], **kind)
        if url.scheme == "ws":
            c.ws_set_options(path=url.path)
        c.max_inflight_messages_set(1000)
        c.reconnect_delay_set(0.05, 0.2)
        c.on_connect, c.on_disconnect, c.on_message = self.on_connect, self.on_disconnect, self.on_message
        c.on_publish, c.on_subscribe, c.on_unsubscribe = self.on_publish, self.on_subscribe, self.on_unsubscribe
        will = m.get("will")
        if will:
            p = None
            if self.v5:
                p = message_properties(PacketTypes.WILLMESSAGE, will)
                put(p, WillDelayInterval=will.get("delay"))
            c.will_set(will["topic"], bytes.fromhex(will["payload"]), will["qos"], will["retain"], p)
        more = {}
        if self.v5:
            p = Properties(PacketTypes.CONNECT)
            put(p, SessionExpiryInterval=m.get("expiry"), ReceiveMaximum=m.get("receive_maximum"), TopicAliasMaximum=m.get("topic_alias_maximum"))
            more = {"clean_start": mqtt.MQTT_CLEAN_START_FIRST_ONLY if m["clean"] else False, "properties": p}
        c.connect(url.hostname, url.port, m["keepalive"], **more)
        c.loop_start()

    def wait(self, done):
        with self.moved:
            if not self.moved.wait_for(done, PATIENCE):
                raise RuntimeError("the gateway does not answer")

    def opened(self):
        self.wait(lambda: self.connack is not None)
        flags, rc, p = self.connack
        if rc:
            self.c.loop_stop()
        return {"code": rc, "present": bool(flags["session present"]), "assigned": getattr(p, "AssignedClientIdentifier", ""),
                "server_keepalive": getattr(p, "ServerKeepAlive", 0)}

    def on_connect(self, c, userdata, flags, rc, properties=None):
        with self.moved:
            again = self.connack is not None
            self.connack = (flags, code(rc), properties)
            self.aliases = {}
            self.moved.notify_all()
        if again:
            say({"client": self.name, "event": "up"})
        elif code(rc):
            c.disconnect()

    def on_disconnect(self, c, userdata, rc, properties=None):
        with self.moved:
            expected = self.closed
            self.closed = self.closed or not self.reconnect
            self.moved.notify_all()
        if not self.reconnect:
            c.disconnect()
        if not expected and self.connack is not None:
            say({"client": self.name, "event": "lost", "code": code(rc) if rc is not None and code(rc) >= 128 else 0})

    def on_message(self, c, userdata, m):
        p = getattr(m, "properties", None)
        topic = m.topic
        alias = getattr(p, "TopicAlias", 0)
        if alias:
            if topic:
                self.aliases[alias] = topic
            topic = self.aliases.get(alias, "unknown alias %d" % alias)
        say({"client": self.name, "event": "message", "topic": topic, "payload": m.payload.hex(), "qos": m.qos, "retain": bool(m.retain),
             "dup": bool(m.dup), "content_type": getattr(p, "ContentType", ""), "response_topic": getattr(p, "ResponseTopic", ""),
             "correlation": getattr(p, "CorrelationData", b"").hex(), "message_expiry": getattr(p, "MessageExpiryInterval", 0),
             "user": getattr(p, "UserProperty", []), "topic_alias": alias, "identifiers": getattr(p, "SubscriptionIdentifier", [])})

    def on_publish(self, c, userdata, mid):
        with self.moved:
            self.acked.add(mid)
            self.moved.notify_all()

    def on_subscribe(self, c, userdata, mid, granted, properties=None):
        with self.moved:
            self.granted[mid] = [code(g) for g in granted]
            self.moved.notify_all()

    def on_unsubscribe(self, c, userdata, mid, properties=None, codes=None):
        with self.moved:
            codes = codes if isinstance(codes, list) else [codes] if codes is not None else []
            self.granted[mid] = [code(g) for g in codes]
            self.moved.notify_all()

    def publish(self, m):
        payload = bytes.fromhex(m["payload"])
        all = [payload + str(m.get("from", 0) + i).encode() for i in range(m["count"])] if m.get("count") else [payload]
        p = message_properties(PacketTypes.PUBLISH, m) if self.v5 else None
        mids = {self.c.publish(m.get("topic", ""), one, m["qos"], m["retain"], p).mid for one in all}
        self.wait(lambda: mids <= self.acked or self.closed)
        with self.moved:
            done = mids <= self.acked
            self.acked -= mids
        if not done:
            raise RuntimeError("connection lost")
        return {"code": 0}

    def subscribe(self, m):
        if self.v5:
            o = SubscribeOptions(m["qos"], m.get("no_local", False), m.get("retain_as_published", False), m.get("retain_handling", 0))
            p = Properties(PacketTypes.SUBSCRIBE)
            put(p, SubscriptionIdentifier=m.get("identifier"))
            rc, mid = self.c.subscribe([(f, o) for f in m["filters"]], properties=p)
        else:
            rc, mid = self.c.subscribe([(f, m["qos"]) for f in m["filters"]])
        return self.acknowledged(rc, mid)

    def unsubscribe(self, m):
        return self.acknowledged(*self.c.unsubscribe(m["filters"]))

    def acknowledged(self, rc, mid):
        if rc:
            raise RuntimeError(mqtt.error_string(rc))
        self.wait(lambda: mid in self.granted or self.closed)
        if mid not in self.granted:
            raise RuntimeError("connection lost")
        return {"codes": self.granted.pop(mid)}

    def disconnect(self, m):
        with self.moved:
            self.closed = True
        self.c.disconnect()
        self.c.loop_stop()
        return {}


class Worker(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.work = queue.Queue()
        self.client = None
        self.start()

    def run(self):
        while True:
            m = self.work.get()
            try:
                if m["op"] == "connect":
                    self.client = Client(m)
                    answer = self.client.opened()
                else:
                    answer = getattr(self.client, m["op"])(m)
            except Exception as e:
                answer = {"error": "%s: %s" % (type(e).__name__, e)}
            say({"seq": m["seq"], **answer})


workers = {}
for line in sys.stdin:
    request = json.loads(line)
    if request["client"] not in workers:
        workers[request["client"]] = Worker()
    workers[request["client"]].work.put(request)
