"""AMQP 0-9-1 peer of test/interop: python3-pika behind the line protocol of process_test.go."""
import json
import sys
import threading

import pika

host, port = sys.argv[1], int(sys.argv[2])
out = threading.Lock()


def say(answer):
    with out:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def connect():
    return pika.BlockingConnection(pika.ConnectionParameters(host, port, heartbeat=30))


class Receiver(threading.Thread):
    def __init__(self, number, key, qos):
        super().__init__(daemon=True)
        self.number = number
        self.connection = connect()
        self.channel = self.connection.channel()
        queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(queue, "amq.topic", key, arguments={"x-retained": True})
        self.channel.basic_consume(queue, self.message, auto_ack=qos == 0)
        self.acks = qos > 0
        self.start()

    def message(self, channel, method, properties, body):
        p = {k: v for k, v in vars(properties).items() if isinstance(v, (str, int))}
        p["headers"] = {k: v for k, v in (properties.headers or {}).items() if isinstance(v, (str, int, bool))}
        say({"id": self.number, "address": method.routing_key, "payload": body.hex(), "properties": p})
        if self.acks:
            channel.basic_ack(method.delivery_tag)

    def run(self):
        try:
            self.channel.start_consuming()
        except pika.exceptions.AMQPError:
            pass

    def close(self):
        self.connection.add_callback_threadsafe(self.channel.stop_consuming)
        self.join(10)
        self.connection.close()


receivers = {}
senders = {}
for line in sys.stdin:
    m = json.loads(line)
    try:
        if m["op"] == "subscribe":
            receivers[m["id"]] = Receiver(m["id"], m["address"], m["qos"])
        elif m["op"] == "close":
            receivers.pop(m["id"]).close()
        else:
            sure = m["qos"] > 0  # a channel with confirms makes QoS 1 of every message
            if sure not in senders or senders[sure].is_closed:
                senders[sure] = connect().channel()
                if sure:
                    senders[sure].confirm_delivery()
            headers = dict(m["headers"] or [])
            if m["retain"]:
                headers["x-retain"] = True
            if m.get("reply-to"):
                headers["x-reply-to-topic"] = m["reply-to"]
            senders[sure].basic_publish("amq.topic", m["address"], bytes.fromhex(m["payload"]), pika.BasicProperties(
                content_type=m.get("content-type"), headers=headers or None, correlation_id=m.get("correlation-id"),
                expiration=m.get("expiration"), delivery_mode=2 if m["qos"] > 0 else 1))
        say({"seq": m["seq"]})
    except Exception as e:
        say({"seq": m["seq"], "error": "%s: %s" % (type(e).__name__, e)})
