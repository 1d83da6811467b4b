package packet

// Parse reads a datagram into the struct of its type. It allocates for the
// interface: tools and tests use it, a gateway calls Open and the Parse
// function of the type.
func Parse(datagram []byte) (Packet, error) {
	t, body, rest, err := Cut(datagram)
	switch {
	case err != nil:
		return nil, err
	case t == FRWDENCAP:
		return wrap(ParseForward(datagram))
	case len(rest) != 0:
		return nil, ErrLength
	}
	return ParseBody(t, body)
}

// ParseBody reads the body of a packet of type t, other than FRWDENCAP. Like
// Parse it allocates.
func ParseBody(t Type, b []byte) (Packet, error) {
	switch t {
	case ADVERTISE:
		return wrap(ParseAdvertise(b))
	case SEARCHGW:
		return wrap(ParseSearchGW(b))
	case GWINFO:
		return wrap(ParseGWInfo(b))
	case AUTH:
		return wrap(ParseAuth(b))
	case CONNECT:
		return wrap(ParseConnect(b))
	case CONNACK, WILLTOPICRESP, WILLMSGRESP:
		return wrap(ParseResult(t, b))
	case WILLTOPICREQ, WILLMSGREQ, PINGRESP:
		return wrap(ParseBare(t, b))
	case WILLTOPIC, WILLTOPICUPD:
		return wrap(ParseWillTopic(t, b))
	case WILLMSG, WILLMSGUPD:
		return wrap(ParseWillMsg(t, b))
	case REGISTER:
		return wrap(ParseRegister(b))
	case PUBLISH:
		return wrap(ParsePublish(b))
	case REGACK, PUBACK:
		return wrap(ParseTopicAck(t, b))
	case PUBCOMP, PUBREC, PUBREL, UNSUBACK:
		return wrap(ParseAck(t, b))
	case SUBSCRIBE:
		return wrap(ParseSubscribe(b))
	case SUBACK:
		return wrap(ParseSubAck(b))
	case UNSUBSCRIBE:
		return wrap(ParseUnsubscribe(b))
	case PINGREQ:
		return wrap(ParsePingReq(b))
	case DISCONNECT:
		return wrap(ParseDisconnect(b))
	}
	return nil, ErrType
}

func wrap[P Packet](p P, err error) (Packet, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}
