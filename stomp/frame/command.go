package frame

// Command is the first line of a frame.
type Command uint8

// The commands of the three specifications. SUB, UNSUB and KEEPALIVE are
// spellings that old ActiveMQ clients use.
const (
	Unknown Command = iota
	Connect
	Stomp
	Send
	Subscribe
	Unsubscribe
	Ack
	Nack
	Begin
	Commit
	Abort
	Disconnect
	Connected
	Message
	Receipt
	Error
	Sub
	Unsub
	KeepAlive
	numCommands
)

var commandNames = [numCommands]string{
	Connect: "CONNECT", Stomp: "STOMP", Send: "SEND", Subscribe: "SUBSCRIBE",
	Unsubscribe: "UNSUBSCRIBE", Ack: "ACK", Nack: "NACK", Begin: "BEGIN",
	Commit: "COMMIT", Abort: "ABORT", Disconnect: "DISCONNECT",
	Connected: "CONNECTED", Message: "MESSAGE", Receipt: "RECEIPT", Error: "ERROR",
	Sub: "SUB", Unsub: "UNSUB", KeepAlive: "KEEPALIVE",
}

// String returns the command as it stands on the wire, "" for Unknown.
func (c Command) String() string {
	if c >= numCommands {
		return ""
	}
	return commandNames[c]
}

// lookupCommand is case sensitive, STOMP 1.2 "STOMP Frames" (ST2).
func lookupCommand(b []byte) Command {
	switch string(b) {
	case "SEND":
		return Send
	case "ACK":
		return Ack
	case "MESSAGE":
		return Message
	case "RECEIPT":
		return Receipt
	}
	for c := Connect; c < numCommands; c++ {
		if string(b) == commandNames[c] {
			return c
		}
	}
	return Unknown
}

// HasBody says whether the frame may carry a body: "Only the SEND, MESSAGE,
// and ERROR frames MAY have a body" (STOMP 1.2, "Body").
func (c Command) HasBody() bool { return c == Send || c == Message || c == Error }

// plain says that the frame is never escaped, in any version, for
// compatibility with 1.0 (STOMP 1.2, "Value Encoding").
func (c Command) plain() bool { return c == Connect || c == Stomp || c == Connected }
