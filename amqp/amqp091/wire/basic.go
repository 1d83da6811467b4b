package wire

// Class basic (specification 1.8; nack is RabbitMQ's).
type (
	// BasicQos is 60.10 basic.qos.
	BasicQos struct {
		PrefetchSize  uint32
		PrefetchCount uint16
		Global        bool
	}
	// BasicQosOk is 60.11 basic.qos-ok.
	BasicQosOk struct{}
	// BasicConsume is 60.20 basic.consume.
	BasicConsume struct {
		Queue, ConsumerTag                string
		NoLocal, NoAck, Exclusive, NoWait bool
		Arguments                         Table
	}
	// BasicConsumeOk is 60.21 basic.consume-ok.
	BasicConsumeOk struct {
		ConsumerTag string
	}
	// BasicCancel is 60.30 basic.cancel.
	BasicCancel struct {
		ConsumerTag string
		NoWait      bool
	}
	// BasicCancelOk is 60.31 basic.cancel-ok.
	BasicCancelOk struct {
		ConsumerTag string
	}
	// BasicPublish is 60.40 basic.publish.
	BasicPublish struct {
		Exchange, RoutingKey []byte
		Mandatory, Immediate bool
	}
	// BasicReturn is 60.50 basic.return.
	BasicReturn struct {
		Code                       uint16
		Text, Exchange, RoutingKey string
	}
	// BasicDeliver is 60.60 basic.deliver.
	BasicDeliver struct {
		ConsumerTag          string
		DeliveryTag          uint64
		Redelivered          bool
		Exchange, RoutingKey string
	}
	// BasicGet is 60.70 basic.get.
	BasicGet struct {
		Queue string
		NoAck bool
	}
	// BasicGetOk is 60.71 basic.get-ok.
	BasicGetOk struct {
		DeliveryTag          uint64
		Redelivered          bool
		Exchange, RoutingKey string
		MessageCount         uint32
	}
	// BasicGetEmpty is 60.72 basic.get-empty.
	BasicGetEmpty struct{}
	// BasicAck is 60.80 basic.ack.
	BasicAck struct {
		DeliveryTag uint64
		Multiple    bool
	}
	// BasicReject is 60.90 basic.reject.
	BasicReject struct {
		DeliveryTag uint64
		Requeue     bool
	}
	// BasicRecoverAsync is 60.100 basic.recover-async.
	BasicRecoverAsync struct {
		Requeue bool
	}
	// BasicRecover is 60.110 basic.recover.
	BasicRecover struct {
		Requeue bool
	}
	// BasicRecoverOk is 60.111 basic.recover-ok.
	BasicRecoverOk struct{}
	// BasicNack is 60.120 basic.nack.
	BasicNack struct {
		DeliveryTag       uint64
		Multiple, Requeue bool
	}
)

// ID implements Method.
func (*BasicQos) ID() ID { return IDBasicQos }

// ID implements Method.
func (*BasicQosOk) ID() ID { return IDBasicQosOk }

// ID implements Method.
func (*BasicConsume) ID() ID { return IDBasicConsume }

// ID implements Method.
func (*BasicConsumeOk) ID() ID { return IDBasicConsumeOk }

// ID implements Method.
func (*BasicCancel) ID() ID { return IDBasicCancel }

// ID implements Method.
func (*BasicCancelOk) ID() ID { return IDBasicCancelOk }

// ID implements Method.
func (*BasicPublish) ID() ID { return IDBasicPublish }

// ID implements Method.
func (*BasicReturn) ID() ID { return IDBasicReturn }

// ID implements Method.
func (*BasicDeliver) ID() ID { return IDBasicDeliver }

// ID implements Method.
func (*BasicGet) ID() ID { return IDBasicGet }

// ID implements Method.
func (*BasicGetOk) ID() ID { return IDBasicGetOk }

// ID implements Method.
func (*BasicGetEmpty) ID() ID { return IDBasicGetEmpty }

// ID implements Method.
func (*BasicAck) ID() ID { return IDBasicAck }

// ID implements Method.
func (*BasicReject) ID() ID { return IDBasicReject }

// ID implements Method.
func (*BasicRecoverAsync) ID() ID { return IDBasicRecoverAsync }

// ID implements Method.
func (*BasicRecover) ID() ID { return IDBasicRecover }

// ID implements Method.
func (*BasicRecoverOk) ID() ID { return IDBasicRecoverOk }

// ID implements Method.
func (*BasicNack) ID() ID { return IDBasicNack }

func (m *BasicQos) args(a *args) {
	a.long(&m.PrefetchSize)
	a.short(&m.PrefetchCount)
	a.bits(&m.Global)
}

func (*BasicQosOk) args(*args) {}

func (m *BasicConsume) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Queue)
	a.shortstr(&m.ConsumerTag)
	a.bits(&m.NoLocal, &m.NoAck, &m.Exclusive, &m.NoWait)
	a.table(&m.Arguments)
}

func (m *BasicConsumeOk) args(a *args) {
	a.shortstr(&m.ConsumerTag)
}

func (m *BasicCancel) args(a *args) {
	a.shortstr(&m.ConsumerTag)
	a.bits(&m.NoWait)
}

func (m *BasicCancelOk) args(a *args) {
	a.shortstr(&m.ConsumerTag)
}

func (m *BasicPublish) args(a *args) {
	a.reservedShort()
	a.shortView(&m.Exchange)
	a.shortView(&m.RoutingKey)
	a.bits(&m.Mandatory, &m.Immediate)
}

func (m *BasicReturn) args(a *args) {
	a.short(&m.Code)
	a.shortstr(&m.Text)
	a.shortstr(&m.Exchange)
	a.shortstr(&m.RoutingKey)
}

func (m *BasicDeliver) args(a *args) {
	a.shortstr(&m.ConsumerTag)
	a.longlong(&m.DeliveryTag)
	a.bits(&m.Redelivered)
	a.shortstr(&m.Exchange)
	a.shortstr(&m.RoutingKey)
}

func (m *BasicGet) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Queue)
	a.bits(&m.NoAck)
}

func (m *BasicGetOk) args(a *args) {
	a.longlong(&m.DeliveryTag)
	a.bits(&m.Redelivered)
	a.shortstr(&m.Exchange)
	a.shortstr(&m.RoutingKey)
	a.long(&m.MessageCount)
}

func (*BasicGetEmpty) args(a *args) {
	a.reservedShortstr()
}

func (m *BasicAck) args(a *args) {
	a.longlong(&m.DeliveryTag)
	a.bits(&m.Multiple)
}

func (m *BasicReject) args(a *args) {
	a.longlong(&m.DeliveryTag)
	a.bits(&m.Requeue)
}

func (m *BasicRecoverAsync) args(a *args) {
	a.bits(&m.Requeue)
}

func (m *BasicRecover) args(a *args) {
	a.bits(&m.Requeue)
}

func (*BasicRecoverOk) args(*args) {}

func (m *BasicNack) args(a *args) {
	a.longlong(&m.DeliveryTag)
	a.bits(&m.Multiple, &m.Requeue)
}
