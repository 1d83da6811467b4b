package mqtt

import (
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// A reasonRow turns one neutral reason into the codes of the packets that can
// carry it.
type reasonRow struct {
	connack    packet.Code
	connack3   packet.Code // 3.x; closes: no packet
	puback     packet.Code // PUBACK and PUBREC
	suback     packet.Code
	disconnect packet.Code
}

const (
	unspecified = packet.UnspecifiedError
	unavailable = packet.ServerUnavailable3
	closes      = packet.Accepted3
)

// reasons is the table of section 2.5 of the page; a reason without a row of
// its own is "anything unforeseen". OK and NoReceiver are successes.
var reasons = map[core.Reason]reasonRow{
	core.OK:               {packet.Success, packet.Accepted3, packet.Success, packet.Success, packet.Success},
	core.NoReceiver:       {packet.Success, packet.Accepted3, packet.NoMatchingSubscribers, packet.Success, packet.Success},
	core.NotAuthenticated: {packet.BadUserNameOrPassword, packet.BadUserPassword3, packet.NotAuthorized, packet.NotAuthorized, packet.NotAuthorized},
	core.NotAuthorized:    {packet.NotAuthorized, packet.NotAuthorized3, packet.NotAuthorized, packet.NotAuthorized, packet.NotAuthorized},
	core.BadClientID:      {packet.ClientIdentifierNotValid, packet.IdentifierRejected3, unspecified, unspecified, unspecified},
	core.BadTopic:         {packet.TopicNameInvalid, closes, packet.TopicNameInvalid, packet.TopicFilterInvalid, packet.TopicNameInvalid},
	core.BadFilter:        {packet.TopicNameInvalid, closes, packet.TopicNameInvalid, packet.TopicFilterInvalid, packet.TopicNameInvalid},
	core.BadPayload:       {packet.PayloadFormatInvalid, closes, packet.PayloadFormatInvalid, unspecified, packet.PayloadFormatInvalid},
	core.NotFound:         {unspecified, unavailable, unspecified, unspecified, unspecified},
	core.Locked:           {packet.NotAuthorized, packet.NotAuthorized3, packet.NotAuthorized, packet.NotAuthorized, packet.NotAuthorized},
	core.TooLarge:         {packet.PacketTooLarge, closes, packet.QuotaExceeded, packet.QuotaExceeded, packet.PacketTooLarge},
	core.Malformed:        {packet.MalformedPacket, closes, unspecified, unspecified, packet.MalformedPacket},
	core.ProtocolError:    {packet.ProtocolError, closes, unspecified, unspecified, packet.ProtocolError},
	core.NotSupported:     {packet.ImplementationSpecificError, unavailable, packet.ImplementationSpecificError, packet.ImplementationSpecificError, packet.ImplementationSpecificError},
	core.Quota:            {packet.QuotaExceeded, unavailable, packet.QuotaExceeded, packet.QuotaExceeded, packet.QuotaExceeded},
	core.QueueFull:        {packet.QuotaExceeded, unavailable, packet.QuotaExceeded, packet.QuotaExceeded, packet.QuotaExceeded},
	core.RateExceeded:     {packet.ConnectionRateExceeded, unavailable, packet.QuotaExceeded, packet.QuotaExceeded, packet.MessageRateTooHigh},
	core.Busy:             {packet.ServerBusy, unavailable, packet.QuotaExceeded, packet.QuotaExceeded, packet.ServerBusy},
	core.Unavailable:      {packet.ServerUnavailable, unavailable, packet.QuotaExceeded, packet.QuotaExceeded, packet.ServerBusy},
	core.DiskFull:         {packet.QuotaExceeded, unavailable, packet.QuotaExceeded, packet.QuotaExceeded, packet.ServerBusy},
	core.TakenOver:        {unspecified, unavailable, unspecified, unspecified, packet.SessionTakenOver},
	core.Kicked:           {packet.Banned, unavailable, unspecified, unspecified, packet.AdministrativeAction},
	core.ShuttingDown:     {packet.ServerUnavailable, unavailable, unspecified, unspecified, packet.ServerShuttingDown},
	core.Moved:            {packet.UseAnotherServer, unavailable, unspecified, unspecified, packet.UseAnotherServer},
	core.SlowConsumer:     {packet.QuotaExceeded, unavailable, unspecified, unspecified, packet.QuotaExceeded},
	core.IdleTimeout:      {unspecified, unavailable, unspecified, unspecified, packet.KeepAliveTimeout},
	core.LoginExpired:     {packet.BadUserNameOrPassword, packet.BadUserPassword3, packet.NotAuthorized, packet.NotAuthorized, packet.NotAuthorized},
}

var unforeseen = reasonRow{unspecified, unavailable, unspecified, unspecified, unspecified}

func codesOf(r core.Reason) *reasonRow { return &reasonRows[r] }

// reasonRows is reasons with a row for everything: each publish looks.
var reasonRows = func() (all [256]reasonRow) {
	for r := range all {
		all[r] = unforeseen
		if row, ok := reasons[core.Reason(r)]; ok {
			all[r] = row
		}
	}
	return all
}()

// neutral is the reason that logs and metrics show for a wire error.
func neutral(c packet.Code) core.Reason {
	switch c {
	case packet.MalformedPacket:
		return core.Malformed
	case packet.PacketTooLarge:
		return core.TooLarge
	case packet.TopicNameInvalid:
		return core.BadTopic
	case packet.PayloadFormatInvalid:
		return core.BadPayload
	case packet.ClientIdentifierNotValid:
		return core.BadClientID
	case packet.BadUserNameOrPassword:
		return core.NotAuthenticated
	case packet.QoSNotSupported, packet.RetainNotSupported, packet.UnsupportedProtocolVersion, packet.BadAuthenticationMethod:
		return core.NotSupported
	}
	return core.ProtocolError
}

// connack3 is the return code of 3.1 and 3.1.1 for a refused CONNECT; ok is
// false where those versions close without a word.
func connack3(c packet.Code) (code packet.Code, ok bool) {
	switch c {
	case packet.UnsupportedProtocolVersion:
		return packet.UnacceptableVersion3, true
	case packet.ClientIdentifierNotValid:
		return packet.IdentifierRejected3, true
	case packet.BadUserNameOrPassword:
		return packet.BadUserPassword3, true
	}
	return 0, false
}
