"""STOMP peer of test/interop: python3-stomp behind the line protocol of process_test.go."""
import json
import sys
import threading

import stomp

host, port = sys.argv[1], int(sys.argv[2])
out = threading.Lock()


def say(answer):
    with out:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class Listener(stomp.ConnectionListener):
    def __init__(self, number=None):
        self.number = number
        self.receipts = {}
        self.failure = None
        self.moved = threading.Condition()

    def on_receipt(self, frame):
        with self.moved:
            self.receipts[frame.headers["receipt-id"]] = True
            self.moved.notify_all()

    def on_error(self, frame):
        with self.moved:
            self.failure = frame.headers.get("message", "") + " " + str(frame.body)
            self.moved.notify_all()

    def wait(self, receipt):
        with self.moved:
            done = self.moved.wait_for(lambda: receipt in self.receipts or self.failure, 10)
            if self.failure or not done:
                raise RuntimeError(self.failure or "no receipt")

    def on_message(self, frame):
        body = frame.body if isinstance(frame.body, bytes) else frame.body.encode()
        say({"id": self.number, "address": frame.headers["destination"], "payload": body.hex(),
             "properties": frame.headers})


def connect(listener):
    # Binary bodies come as bytes only when nothing is decoded.
    c = stomp.Connection12([(host, port)], auto_decode=False, heartbeats=(0, 0))
    c.set_listener("", listener)
    c.connect(wait=True)
    return c


receivers = {}
sender = None
count = 0
for line in sys.stdin:
    m = json.loads(line)
    try:
        if m["op"] == "subscribe":
            listener = Listener(m["id"])
            c = connect(listener)
            c.subscribe(m["address"], id="1", ack="auto" if m["qos"] == 0 else "client-individual", headers={"receipt": "sub"})
            listener.wait("sub")
            receivers[m["id"]] = c
        elif m["op"] == "close":
            receivers.pop(m["id"]).disconnect()
        else:
            if sender is None:
                said = Listener()
                sender = connect(said)
            count += 1
            headers = dict(m["headers"] or [])
            for key in ("reply-to", "correlation-id", "expiration"):
                if m.get(key):
                    headers[key] = m[key]
            if m["qos"] > 0:  # a receipt makes QoS 1 of a message
                headers["receipt"] = str(count)
            if m["retain"]:
                headers["retain"] = "true"
            sender.send(m["address"], bytes.fromhex(m["payload"]), content_type=m.get("content-type"), headers=headers)
            if m["qos"] > 0:
                said.wait(str(count))
        say({"seq": m["seq"]})
    except Exception as e:
        say({"seq": m["seq"], "error": "%s: %s" % (type(e).__name__, e)})
