package packet

// A Publish is a PUBLISH. MQTT 5.0, 3.3.
//
//	+-------------------+-----------------------+---------+-----------------+
//	| topic (string)    | [packet id, QoS > 0]  | props P | payload: rest   |
//	+-------------------+-----------------------+---------+-----------------+
type Publish struct {
	Dup        bool
	QoS        byte
	Retain     bool
	ID         uint16 // 0 with QoS 0
	Topic      []byte // empty when a Topic Alias stands for it
	Payload    []byte
	Properties Properties

	// Known is a topic that has been checked before, which Parse does not check
	// again; "": none.
	Known string
}

var (
	errQoS3      = malformed("MP2 QoS 3")
	errDup0      = malformed("MP2 DUP with QoS 0")
	errTopicName = &Error{Code: TopicNameInvalid, Rule: "MP1 topic name with a wildcard or control character"}
	errNoTopic   = protocol("MP1 empty topic name without alias")
)

// Flags of a PUBLISH header.
const (
	FlagDup    = 8
	FlagRetain = 1
)

// Kind returns PUBLISH.
func (p *Publish) Kind() Type { return PUBLISH }

// Parse reads the body of a PUBLISH. It allocates only for User Properties and
// Subscription Identifiers, and those once.
func (p *Publish) Parse(rules *Rules, v Version, flags byte, body []byte) error {
	rules = rules.orDefault()
	p.Dup, p.QoS, p.Retain = flags&FlagDup != 0, flags>>1&3, flags&FlagRetain != 0
	switch {
	case p.QoS == 3:
		return errQoS3 // [MQTT-3.3.1-4] [3: MQTT-3.3.1-4]
	case p.Dup && p.QoS == 0:
		return errDup0 // [MQTT-3.3.1-2] [3: MQTT-3.3.1-2]
	}
	r := reader{b: body}
	p.Topic = r.binary()
	p.ID = 0
	if p.QoS > 0 {
		p.ID = r.id() // [MQTT-2.2.1-2] [MQTT-2.2.1-3] [3: MQTT-2.3.1-5]
	}
	if v >= V5 {
		at := inPublishC
		if rules.From == Server {
			at = inPublishS
		}
		p.Properties.parse(&r, rules, at)
	} else {
		p.Properties.Reset()
	}
	p.Payload = r.b
	if r.err != nil {
		return r.err
	}
	return p.checkTopic(rules)
}

func (p *Publish) checkTopic(rules *Rules) error {
	if len(p.Topic) == 0 {
		if p.Properties.Has(TopicAlias) {
			return nil
		}
		return errNoTopic // [MQTT-4.7.3-1] [3: MQTT-4.7.3-1]
	}
	if len(p.Topic) == len(p.Known) && string(p.Topic) == p.Known {
		return nil
	}
	bad, err := checkName(p.Topic, rules.StrictUTF8) // [MQTT-3.3.2-1]
	switch {
	case err != nil:
		return err
	case bad:
		return errTopicName // [MQTT-3.3.2-2]
	}
	return nil
}

// PublishFlags returns the header flags of a PUBLISH.
func PublishFlags(qos byte, dup, retain bool) byte {
	f := qos << 1
	if dup {
		f |= FlagDup
	}
	if retain {
		f |= FlagRetain
	}
	return f
}

// Len returns the bytes that AppendTo appends.
func (p *Publish) Len(v Version) int {
	n := p.bodyLen(v)
	return 1 + VarintLen(uint32(n)) + n
}

func (p *Publish) bodyLen(v Version) int {
	n := 2 + len(p.Topic) + p.Properties.size(v) + len(p.Payload)
	if p.QoS > 0 {
		n += 2
	}
	return n
}

// AppendTo appends the packet.
func (p *Publish) AppendTo(dst []byte, v Version) []byte {
	dst = append(dst, byte(PUBLISH)<<4|PublishFlags(p.QoS, p.Dup, p.Retain))
	dst = AppendString(AppendVarint(dst, uint32(p.bodyLen(v))), p.Topic)
	if p.QoS > 0 {
		dst = appendU16(dst, p.ID)
	}
	return append(p.Properties.appendTo(dst, v), p.Payload...)
}

// AppendPublishHead appends a PUBLISH up to where its properties begin: what
// differs between the receivers of one message. rest is the bytes that follow:
// property length, properties and payload. id is left out when qos is 0.
func AppendPublishHead[T ~string | ~[]byte](dst []byte, flags byte, topic T, id uint16, rest int) []byte {
	n := 2 + len(topic) + rest
	if flags&6 != 0 {
		n += 2
	}
	dst = AppendString(AppendVarint(append(dst, byte(PUBLISH)<<4|flags), uint32(n)), topic)
	if flags&6 != 0 {
		dst = appendU16(dst, id)
	}
	return dst
}
