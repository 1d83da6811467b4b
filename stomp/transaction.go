package stomp

import (
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// transaction gathers the frames between BEGIN and COMMIT. They were checked
// when they arrived and take effect at COMMIT, in order (ST56).
type transaction struct {
	actions  []action
	receipts []string // of its frames, answered at COMMIT (ST57)
	payload  int      // octets held of bodies
	size     int      // and of all the rest
}

// action is one SEND, ACK or NACK of a transaction.
type action struct {
	topic   []byte // of a SEND, as Route takes it; shared with the connection, never written to
	message *core.Message
	settle  []settlement
	outcome core.Outcome
}

// enlist adds an action to the transaction that the frame names. False means
// that it names none.
func (c *conn) enlist(f *frame.Frame, make func(tx *transaction) (action, *failure)) (bool, *failure) {
	name, ok := f.Get("transaction")
	if !ok {
		return false, nil
	}
	tx := c.txs[string(name)]
	if tx == nil {
		return true, badTransaction(name)
	}
	if len(tx.actions) >= c.room.cfg.MaxTransactionFrames {
		return true, fromReason(core.Quota, "frames of a transaction")
	}
	a, bad := make(tx)
	if bad != nil {
		return true, bad
	}
	if a.message != nil {
		tx.payload += len(a.message.Payload)
		tx.size += a.message.Size() - len(a.message.Payload)
	}
	if max(tx.payload, tx.size) > c.room.cfg.MaxBody {
		return true, fromReason(core.Quota, "octets of a transaction")
	}
	tx.actions = append(tx.actions, a)
	if r, ok := f.Get("receipt"); ok {
		tx.receipts = append(tx.receipts, string(r))
	}
	return true, nil
}

func badTransaction(name []byte) *failure {
	return failed(core.ProtocolError, "Bad transaction", "There is no transaction '"+string(name)+"'") // ST55
}

func transactionName(f *frame.Frame) (string, *failure) {
	name := text(f, "transaction")
	if name == "" {
		return "", failed(core.ProtocolError, "Missing header", "'transaction' is required")
	}
	return name, nil
}

func (c *conn) begin(f *frame.Frame) *failure {
	name, bad := transactionName(f)
	switch {
	case bad != nil:
		return bad
	case c.txs[name] != nil:
		return failed(core.ProtocolError, "Transaction already open", "'"+name+"' is open")
	case len(c.txs) >= c.room.cfg.MaxTransactions:
		return fromReason(core.Quota, "transactions")
	case c.txs == nil:
		c.txs = map[string]*transaction{}
	}
	c.txs[name] = new(transaction)
	return nil
}

func (c *conn) commit(t *core.Turn, f *frame.Frame) (mark, *failure) {
	name, bad := transactionName(f)
	if bad != nil {
		return mark{}, bad
	}
	tx := c.txs[name]
	if tx == nil {
		return mark{}, badTransaction([]byte(name))
	}
	delete(c.txs, name)
	if bad := c.check(t, tx); bad != nil {
		return mark{}, bad
	}
	m, bad := c.apply(t, tx)
	if bad != nil {
		return mark{}, bad
	}
	for _, r := range tx.receipts { // all of them before COMMIT's own
		c.receipts.add(m, r)
	}
	return m, nil
}

// check asks for everything that could refuse a SEND before the first takes
// effect, so that a transaction happens as a whole or not at all.
func (c *conn) check(t *core.Turn, tx *transaction) *failure {
	messages, bytes := 0, int64(0)
	for i := range tx.actions {
		a := &tx.actions[i]
		if a.message == nil {
			continue
		}
		mt, r := c.session.Route(t, a.topic)
		if r == core.OK {
			messages, bytes = messages+1, bytes+int64(a.message.Size()+len(a.topic))
			r = c.session.Admits(t, mt, a.message, messages, bytes)
		}
		if r != core.OK {
			return fromReason(r, string(a.topic))
		}
	}
	return nil
}

// apply makes the transaction happen within this turn, so that what of it is
// durable becomes so in one batch.
func (c *conn) apply(t *core.Turn, tx *transaction) (mark, *failure) {
	var m mark
	settles := false
	for i := range tx.actions {
		a := &tx.actions[i]
		var next mark
		if a.message != nil {
			var bad *failure
			if next, bad = c.publish(t, a.topic, a.message); bad != nil {
				return mark{}, bad
			}
		} else {
			next = c.settle(t, a.settle, a.outcome)
			settles = true
		}
		m = later(m, next)
	}
	if settles {
		seq, pending := c.session.Barrier(t)
		m = later(m, mark{seq: seq, pending: pending})
	}
	return m, nil
}

func (c *conn) abort(f *frame.Frame) *failure {
	name, bad := transactionName(f)
	if bad != nil {
		return bad
	}
	tx := c.txs[name]
	if tx == nil {
		return badTransaction([]byte(name))
	}
	delete(c.txs, name)
	for _, a := range tx.actions { // deliveries acked inside stay unsettled (ST56)
		for _, s := range a.settle {
			s.sub.unmark(s.n)
		}
	}
	return nil
}
