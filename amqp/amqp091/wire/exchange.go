package wire

// Class exchange (specification 1.6; bind and unbind are RabbitMQ's).
type (
	// ExchangeDeclare is 40.10 exchange.declare.
	ExchangeDeclare struct {
		Exchange, Type                                 string
		Passive, Durable, AutoDelete, Internal, NoWait bool
		Arguments                                      Table
	}
	// ExchangeDeclareOk is 40.11 exchange.declare-ok.
	ExchangeDeclareOk struct{}
	// ExchangeDelete is 40.20 exchange.delete.
	ExchangeDelete struct {
		Exchange         string
		IfUnused, NoWait bool
	}
	// ExchangeDeleteOk is 40.21 exchange.delete-ok.
	ExchangeDeleteOk struct{}
	// ExchangeBind is 40.30 exchange.bind.
	ExchangeBind struct {
		Destination, Source, RoutingKey string
		NoWait                          bool
		Arguments                       Table
	}
	// ExchangeBindOk is 40.31 exchange.bind-ok.
	ExchangeBindOk struct{}
	// ExchangeUnbind is 40.40 exchange.unbind.
	ExchangeUnbind struct {
		Destination, Source, RoutingKey string
		NoWait                          bool
		Arguments                       Table
	}
	// ExchangeUnbindOk is 40.51 exchange.unbind-ok.
	ExchangeUnbindOk struct{}
)

// ID implements Method.
func (*ExchangeDeclare) ID() ID { return IDExchangeDeclare }

// ID implements Method.
func (*ExchangeDeclareOk) ID() ID { return IDExchangeDeclareOk }

// ID implements Method.
func (*ExchangeDelete) ID() ID { return IDExchangeDelete }

// ID implements Method.
func (*ExchangeDeleteOk) ID() ID { return IDExchangeDeleteOk }

// ID implements Method.
func (*ExchangeBind) ID() ID { return IDExchangeBind }

// ID implements Method.
func (*ExchangeBindOk) ID() ID { return IDExchangeBindOk }

// ID implements Method.
func (*ExchangeUnbind) ID() ID { return IDExchangeUnbind }

// ID implements Method.
func (*ExchangeUnbindOk) ID() ID { return IDExchangeUnbindOk }

func (m *ExchangeDeclare) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Exchange)
	a.shortstr(&m.Type)
	a.bits(&m.Passive, &m.Durable, &m.AutoDelete, &m.Internal, &m.NoWait)
	a.table(&m.Arguments)
}

func (*ExchangeDeclareOk) args(*args) {}

func (m *ExchangeDelete) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Exchange)
	a.bits(&m.IfUnused, &m.NoWait)
}

func (*ExchangeDeleteOk) args(*args) {}

func (m *ExchangeBind) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Destination)
	a.shortstr(&m.Source)
	a.shortstr(&m.RoutingKey)
	a.bits(&m.NoWait)
	a.table(&m.Arguments)
}

func (*ExchangeBindOk) args(*args) {}

func (m *ExchangeUnbind) args(a *args) {
	a.reservedShort()
	a.shortstr(&m.Destination)
	a.shortstr(&m.Source)
	a.shortstr(&m.RoutingKey)
	a.bits(&m.NoWait)
	a.table(&m.Arguments)
}

func (*ExchangeUnbindOk) args(*args) {}
