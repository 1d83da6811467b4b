package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
)

func options(t *testing.T, url string) Options {
	t.Helper()
	a, err := config.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Address: a}
}

func TestThePathOfAWebSocketChoosesTheProtocol(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"mqtt://h": "mqtt", "ws://h": "mqtt", "ws://h/mqtt": "mqtt", "ws://h/stomp": "stomp", "coap://h": "coap", "mqttsn://h": "mqttsn", "amqp://h": "amqp",
	} {
		if got := options(t, url).Protocol(); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}

func TestSchemesWithoutAClientAreUsageErrors(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://127.0.0.1", "coap+tcp://127.0.0.1", "coaps+tcp://127.0.0.1"} {
		if _, err := Dial(t.Context(), options(t, url)); KindOf(err) != Usage {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestFailuresAreSortedByTheirMeaning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, Unreachable},
		{fmt.Errorf("x: %w", &net.DNSError{Name: "h"}), Unreachable},
		{context.DeadlineExceeded, Unreachable},
		{fmt.Errorf("x: %w", os.ErrDeadlineExceeded), Unreachable},
		{io.EOF, Unreachable},
		{net.ErrClosed, Unreachable},
		{fmt.Errorf("x: %w", &Error{Denied, errors.New("no")}), Denied},
		{errors.New("anything"), Failed},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
	if classify(nil) != nil {
		t.Error("no error became one")
	}
}

func TestAbilitiesRefuseWhatAProtocolCannotSay(t *testing.T) {
	t.Parallel()
	full := Message{QoS: 1, Retain: true, Headers: []Header{{"k", "v"}}, ContentType: "a/b", Expiry: time.Second, ReplyTo: "r", Correlation: []byte("c")}
	for _, c := range []struct {
		protocol, version string
		message           Message
		ok                bool
	}{
		{"mqtt", "", full, true},
		{"mqtt", "5", full, true},
		{"mqtt", "3.1.1", full, false},
		{"mqtt", "3.1.1", Message{QoS: 2, Retain: true}, true},
		{"mqttsn", "", Message{QoS: -1}, true},
		{"mqttsn", "", Message{ContentType: "a/b"}, false},
		{"coap", "", Message{QoS: 2}, false},
		{"stomp", "1.2", full, true},
		{"amqp", "", full, true},
		{"amqp", "", Message{QoS: -1}, false},
		{"none", "", Message{Retain: true}, false},
	} {
		if err := Abilities(c.protocol, c.version).Check(c.protocol, c.message); (err == nil) != c.ok || err != nil && KindOf(err) != Usage {
			t.Errorf("%s %s %+v: %v", c.protocol, c.version, c.message, err)
		}
	}
}

// silent is a connection that never acknowledges.
type silent struct{ Conn }

func (silent) Publish(context.Context, Message, func(error)) {}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Send(ctx, silent{}, Message{}); KindOf(err) != Unreachable {
		t.Error(err)
	}
}
