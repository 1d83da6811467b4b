package wire

// Class queue (specification 1.7).
type (
	// QueueDeclare is 50.10 queue.declare.
	QueueDeclare struct {
		Queue                                           string
		Passive, Durable, Exclusive, AutoDelete, NoWait bool
		Arguments                                       Table
	}
	// QueueDeclareOk is 50.11 queue.declare-ok.
	QueueDeclareOk struct {
		Queue                       string
		MessageCount, ConsumerCount uint32
	}
	// QueueBind is 50.20 queue.bind.
	QueueBind struct {
		Queue, Exchange, RoutingKey string
		NoWait                      bool
		Arguments                   Table
	}
	// QueueBindOk is 50.21 queue.bind-ok.
	QueueBindOk struct{}
	// QueuePurge is 50.30 queue.purge.
	QueuePurge struct {
		Queue  string
		NoWait bool
	}
	// QueuePurgeOk is 50.31 queue.purge-ok.
	QueuePurgeOk struct {
		MessageCount uint32
	}
	// QueueDelete is 50.40 queue.delete.
	QueueDelete struct {
		Queue                     string
		IfUnused, IfEmpty, NoWait bool
	}
	// QueueDeleteOk is 50.41 queue.delete-ok.
	QueueDeleteOk struct {
		MessageCount uint32
	}
	// QueueUnbind is 50.50 queue.unbind.
	QueueUnbind struct {
		Queue, Exchange, RoutingKey string
		Arguments                   Table
	}
	// QueueUnbindOk is 50.51 queue.unbind-ok.
	QueueUnbindOk struct{}
)

// ID implements Method.
func (*QueueDeclare) ID() ID { return IDQueueDeclare }

// ID implements Method.
func (*QueueDeclareOk) ID() ID { return IDQueueDeclareOk }

// ID implements Method.
func (*QueueBind) ID() ID { return IDQueueBind }

// ID implements Method.
func (*QueueBindOk) ID() ID { return IDQueueBindOk }

// ID implements Method.
func (*QueuePurge) ID() ID { return IDQueuePurge }

// ID implements Method.
func (*QueuePurgeOk) ID() ID { return IDQueuePurgeOk }

// ID implements Method.
func (*QueueDelete) ID() ID { return IDQueueDelete }

// ID implements Method.
func (*QueueDeleteOk) ID() ID { return IDQueueDeleteOk }

// ID implements Method.
func (*QueueUnbind) ID() ID { return IDQueueUnbind }

// ID implements Method.
func (*QueueUnbindOk) ID() ID { return IDQueueUnbindOk }

func (m *QueueDeclare) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Queue)
	a.bits(&m.Passive, &m.Durable, &m.Exclusive, &m.AutoDelete, &m.NoWait)
	a.table(&m.Arguments)
}

func (m *QueueDeclareOk) args(a *args) {
	a.shortstr(&m.Queue)
	a.long(&m.MessageCount)
	a.long(&m.ConsumerCount)
}

func (m *QueueBind) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Queue)
	a.shortstr(&m.Exchange)
	a.shortstr(&m.RoutingKey)
	a.bits(&m.NoWait)
	a.table(&m.Arguments)
}

func (*QueueBindOk) args(*args) {}

func (m *QueuePurge) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Queue)
	a.bits(&m.NoWait)
}

func (m *QueuePurgeOk) args(a *args) {
	a.long(&m.MessageCount)
}

func (m *QueueDelete) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Queue)
	a.bits(&m.IfUnused, &m.IfEmpty, &m.NoWait)
}

func (m *QueueDeleteOk) args(a *args) {
	a.long(&m.MessageCount)
}

func (m *QueueUnbind) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Queue)
	a.shortstr(&m.Exchange)
	a.shortstr(&m.RoutingKey)
	a.table(&m.Arguments)
}

func (*QueueUnbindOk) args(*args) {}
