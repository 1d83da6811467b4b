package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// unknown takes a packet from an address that has no session. Nothing that it
// answers is larger than what it answers (X8).
func (e *endpoint) unknown(t *core.Turn, from origin, ty packet.Type, body []byte, out *adapters.Output) error {
	switch ty {
	case packet.PUBLISH:
		p, err := packet.ParsePublish(body)
		if err != nil {
			return err
		}
		if p.QoS == -1 {
			e.minusOne(from).publish(t, from, p, out)
			return nil
		}
	case packet.PINGREQ:
		p, err := packet.ParsePingReq(body)
		if err != nil {
			return err
		}
		if len(p.ClientID) > 0 {
			e.wakeElsewhere(t, from, p, out)
			return nil
		}
	case packet.CONNACK, packet.WILLTOPICREQ, packet.WILLMSGREQ, packet.SUBACK, packet.UNSUBACK,
		packet.PINGRESP, packet.WILLTOPICRESP, packet.WILLMSGRESP:
		return nil // another gateway's answers: two gateways must not talk for ever
	default:
		if _, err := packet.ParseBody(ty, body); err != nil {
			return err
		}
	}
	e.stranger(t.Now, from, out)
	return nil
}

// stranger tells an address that it has no session, so that a client connects
// again after our restart (X1, K5).
func (e *endpoint) stranger(now core.Time, to origin, out *adapters.Output) {
	if e.unsolicited(now, to, "disconnect") {
		answer(e, to, packet.Disconnect{}, out)
	}
}

// unsolicited uses up one of the answers that an address without session may
// get (unsolicited_rate).
func (e *endpoint) unsolicited(now core.Time, to origin, what string) bool {
	if !e.trusted(to.addr.Addr()) && !e.answers.Take(now, to.addr.Addr()) {
		e.metrics.unsolicited("limited")
		return false
	}
	e.metrics.unsolicited(what)
	return true
}

// onSearchGW answers the search for gateways (D2, D3, D5, D6).
func (e *endpoint) onSearchGW(t *core.Turn, from origin, body []byte, out *adapters.Output) error {
	if len(body) > 1 && body[1] == 2 {
		// V1: the CONNECT of MQTT-SN 2.0 has this type.
		e.drop("version_2")
		if e.unsolicited(t.Now, from, "connack") {
			answer(e, from, packet.Result{Of: packet.CONNACK, Code: packet.NotSupported}, out)
		}
		return nil
	}
	if _, err := packet.ParseSearchGW(body); err != nil {
		return err
	}
	if e.unsolicited(t.Now, from, "gwinfo") {
		answer(e, from, packet.GWInfo{GatewayID: e.cfg.GatewayID}, out)
	}
	return nil
}
