package dial

import "fmt"

// Ability is what a protocol can say about a message. What it cannot say is refused before anything is sent, never
// dropped in silence.
type Ability struct {
	MinQoS, MaxQoS int
	Retain         bool
	Headers        bool
	ContentType    bool
	Expiry         bool
	ReplyTo        bool
	Correlation    bool
}

// Abilities of a protocol in a version; the version matters to MQTT only.
func Abilities(protocol, version string) Ability {
	switch protocol {
	case "mqtt":
		five := version == "" || version == "5" || version == "5.0"
		return Ability{MaxQoS: 2, Retain: true, Headers: five, ContentType: five, Expiry: five, ReplyTo: five, Correlation: five}
	case "mqttsn":
		return Ability{MinQoS: -1, MaxQoS: 2, Retain: true}
	case "coap":
		return Ability{MaxQoS: 1, Retain: true, ContentType: true, Expiry: true, ReplyTo: true, Correlation: true}
	case "stomp":
		ten := version == "1.0"
		return Ability{MaxQoS: 1, Retain: true, Headers: true, ContentType: !ten, Expiry: true, ReplyTo: true, Correlation: true}
	case "amqp":
		return Ability{MaxQoS: 1, Retain: true, Headers: true, ContentType: true, Expiry: true, ReplyTo: true, Correlation: true}
	}
	return Ability{}
}

// Check returns an error of kind Usage that names the first thing the protocol cannot say.
func (a Ability) Check(protocol string, m Message) error {
	for _, c := range []struct {
		lacks bool
		what  string
	}{
		{m.QoS < a.MinQoS || m.QoS > a.MaxQoS, fmt.Sprintf("QoS %d (it has %d to %d)", m.QoS, a.MinQoS, a.MaxQoS)},
		{m.Retain && !a.Retain, "retained messages"},
		{len(m.Headers) > 0 && !a.Headers, "headers"},
		{m.ContentType != "" && !a.ContentType, "content types"},
		{m.Expiry != 0 && !a.Expiry, "an expiry"},
		{m.ReplyTo != "" && !a.ReplyTo, "a reply topic"},
		{len(m.Correlation) > 0 && !a.Correlation, "correlation data"},
	} {
		if c.lacks {
			return &Error{Usage, fmt.Errorf("%s has no %s", protocol, c.what)}
		}
	}
	return nil
}
