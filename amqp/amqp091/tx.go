package amqp091

import (
	"bytes"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// transaction is what a channel did since tx.select or the last commit: it
// takes effect at the next (AQ43).
type transaction struct {
	publishes []publication
	settles   []settlement
	bytes     int
}

type settlement struct {
	tag      uint64
	multiple bool
	outcome  core.Outcome
}

// publish keeps a publish for the commit.
func (tx *transaction) publish(ch *channel, p publication) error {
	limit := 4 * ch.c.l.config.MaxMessage
	if tx.bytes += len(p.body) + len(p.properties) + 256; tx.bytes > limit {
		return tx.full(wire.IDBasicPublish)
	}
	if !p.owned {
		p.body, p.owned = bytes.Clone(p.body), true
	}
	at := *p.place
	p.place = &at
	p.properties = bytes.Clone(p.properties)
	p.props = wire.Properties{}
	tx.publishes = append(tx.publishes, p)
	return tx.bounded(ch, wire.IDBasicPublish)
}

// settle keeps an acknowledgement for the commit.
func (tx *transaction) settle(ch *channel, tag uint64, multiple bool, o core.Outcome) error {
	tx.settles = append(tx.settles, settlement{tag, multiple, o})
	return tx.bounded(ch, 0)
}

func (tx *transaction) bounded(ch *channel, id wire.ID) error {
	if len(tx.publishes)+len(tx.settles) > ch.c.l.config.MaxTx {
		return tx.full(id)
	}
	return nil
}

func (tx *transaction) full(id wire.ID) error {
	return &wire.Error{Code: wire.PreconditionFailed, Text: "transaction is too large", ID: id}
}

// txSelect: repeated is fine, on a confirming channel it is not.
func (ch *channel) txSelect() error {
	if ch.confirms.selected {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "cannot switch from confirm to tx mode"}
	}
	if ch.tx == nil {
		ch.tx = &transaction{}
	}
	ch.send(&wire.TxSelectOk{})
	return nil
}

func (ch *channel) needTx() error {
	if ch.tx == nil {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "channel is not transactional"}
	}
	return nil
}

// txCommit routes and settles in one turn, which is one batch of the store,
// and answers when that is safe.
func (ch *channel) txCommit() error {
	if err := ch.needTx(); err != nil {
		return err
	}
	tx := ch.tx
	ch.tx = &transaction{}
	var last uint64
	waits := false
	for i := range tx.publishes {
		p := &tx.publishes[i]
		if err := p.props.Parse(p.properties); err != nil {
			return early(err)
		}
		seq, pending, r := ch.route(p)
		switch {
		case r == core.NoReceiver && p.mandatory:
			ch.giveBack(p)
		case r != core.OK && r != core.NoReceiver:
			return refusal(r, "publish to exchange '"+p.place.exchange+"' in a transaction")
		}
		if pending {
			last, waits = seq, true
		}
	}
	for _, s := range tx.settles {
		ch.apply(s.tag, s.multiple, s.outcome)
	}
	if len(tx.settles) > 0 {
		last, waits = ch.c.session.Barrier(ch.c.t)
	}
	ch.c.wait(last, waits, func(failed bool) {
		if failed {
			ch.fault(&wire.Error{Code: wire.PreconditionFailed, Text: "transaction could not be stored", ID: wire.IDTxCommit})
			return
		}
		ch.send(&wire.TxCommitOk{})
	})
	return nil
}

// txRollback drops the publishes; deliveries stay unacknowledged.
func (ch *channel) txRollback() error {
	if err := ch.needTx(); err != nil {
		return err
	}
	ch.tx = &transaction{}
	ch.unacked.withdraw()
	ch.send(&wire.TxRollbackOk{})
	return nil
}
