package wire

// Classes channel and access (specification 1.5; access is RabbitMQ's leftover of 0-8).
type (
	// ChannelOpen is 20.10 channel.open.
	ChannelOpen struct{}
	// ChannelOpenOk is 20.11 channel.open-ok.
	ChannelOpenOk struct{}
	// ChannelFlow is 20.20 channel.flow.
	ChannelFlow struct {
		Active bool
	}
	// ChannelFlowOk is 20.21 channel.flow-ok.
	ChannelFlowOk struct {
		Active bool
	}
	// ChannelClose is 20.40 channel.close.
	ChannelClose struct {
		Code              uint16
		Text              string
		ClassID, MethodID uint16
	}
	// ChannelCloseOk is 20.41 channel.close-ok.
	ChannelCloseOk struct{}
	// AccessRequest is 30.10 access.request.
	AccessRequest struct {
		Realm                                   string
		Exclusive, Passive, Active, Write, Read bool
	}
	// AccessRequestOk is 30.11 access.request-ok.
	AccessRequestOk struct {
		Ticket uint16
	}
)

// ID implements Method.
func (*ChannelOpen) ID() ID { return IDChannelOpen }

// ID implements Method.
func (*ChannelOpenOk) ID() ID { return IDChannelOpenOk }

// ID implements Method.
func (*ChannelFlow) ID() ID { return IDChannelFlow }

// ID implements Method.
func (*ChannelFlowOk) ID() ID { return IDChannelFlowOk }

// ID implements Method.
func (*ChannelClose) ID() ID { return IDChannelClose }

// ID implements Method.
func (*ChannelCloseOk) ID() ID { return IDChannelCloseOk }

// ID implements Method.
func (*AccessRequest) ID() ID { return IDAccessRequest }

// ID implements Method.
func (*AccessRequestOk) ID() ID { return IDAccessRequestOk }

func (*ChannelOpen) args(a *args) {
	a.reservedShortstr()
}

func (*ChannelOpenOk) args(a *args) {
	a.reservedLongstr()
}

func (m *ChannelFlow) args(a *args) {
	a.bits(&m.Active)
}

func (m *ChannelFlowOk) args(a *args) {
	a.bits(&m.Active)
}

func (m *ChannelClose) args(a *args) {
	a.short(&m.Code)
	a.shortstr(&m.Text)
	a.short(&m.ClassID)
	a.short(&m.MethodID)
}

func (*ChannelCloseOk) args(*args) {}

func (m *AccessRequest) args(a *args) {
	a.shortstr(&m.Realm)
	a.bits(&m.Exclusive, &m.Passive, &m.Active, &m.Write, &m.Read)
}

func (m *AccessRequestOk) args(a *args) {
	a.short(&m.Ticket)
}
