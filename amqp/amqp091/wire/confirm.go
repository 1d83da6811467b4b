package wire

// Classes confirm (RabbitMQ's) and tx (specification 1.9).
type (
	// ConfirmSelect is 85.10 confirm.select.
	ConfirmSelect struct {
		NoWait bool
	}
	// ConfirmSelectOk is 85.11 confirm.select-ok.
	ConfirmSelectOk struct{}
	// TxSelect is 90.10 tx.select.
	TxSelect struct{}
	// TxSelectOk is 90.11 tx.select-ok.
	TxSelectOk struct{}
	// TxCommit is 90.20 tx.commit.
	TxCommit struct{}
	// TxCommitOk is 90.21 tx.commit-ok.
	TxCommitOk struct{}
	// TxRollback is 90.30 tx.rollback.
	TxRollback struct{}
	// TxRollbackOk is 90.31 tx.rollback-ok.
	TxRollbackOk struct{}
)

// ID implements Method.
func (*ConfirmSelect) ID() ID { return IDConfirmSelect }

// ID implements Method.
func (*ConfirmSelectOk) ID() ID { return IDConfirmSelectOk }

// ID implements Method.
func (*TxSelect) ID() ID { return IDTxSelect }

// ID implements Method.
func (*TxSelectOk) ID() ID { return IDTxSelectOk }

// ID implements Method.
func (*TxCommit) ID() ID { return IDTxCommit }

// ID implements Method.
func (*TxCommitOk) ID() ID { return IDTxCommitOk }

// ID implements Method.
func (*TxRollback) ID() ID { return IDTxRollback }

// ID implements Method.
func (*TxRollbackOk) ID() ID { return IDTxRollbackOk }

func (m *ConfirmSelect) args(a *args) {
	a.bits(&m.NoWait)
}

func (*ConfirmSelectOk) args(*args) {}

func (*TxSelect) args(*args) {}

func (*TxSelectOk) args(*args) {}

func (*TxCommit) args(*args) {}

func (*TxCommitOk) args(*args) {}

func (*TxRollback) args(*args) {}

func (*TxRollbackOk) args(*args) {}
