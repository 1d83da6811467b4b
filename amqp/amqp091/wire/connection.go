package wire

// Class connection (specification 1.4).
type (
	// ConnectionStart is 10.10 connection.start.
	ConnectionStart struct {
		VersionMajor, VersionMinor uint8
		ServerProperties           Table
		Mechanisms, Locales        string
	}
	// ConnectionStartOk is 10.11 connection.start-ok.
	ConnectionStartOk struct {
		ClientProperties Table
		Mechanism        string
		Response         []byte
		Locale           string
	}
	// ConnectionSecure is 10.20 connection.secure.
	ConnectionSecure struct {
		Challenge []byte
	}
	// ConnectionSecureOk is 10.21 connection.secure-ok.
	ConnectionSecureOk struct {
		Response []byte
	}
	// ConnectionTune is 10.30 connection.tune.
	ConnectionTune struct {
		ChannelMax uint16
		FrameMax   uint32
		Heartbeat  uint16
	}
	// ConnectionTuneOk is 10.31 connection.tune-ok.
	ConnectionTuneOk struct {
		ChannelMax uint16
		FrameMax   uint32
		Heartbeat  uint16
	}
	// ConnectionOpen is 10.40 connection.open.
	ConnectionOpen struct {
		VirtualHost string
	}
	// ConnectionOpenOk is 10.41 connection.open-ok.
	ConnectionOpenOk struct{}
	// ConnectionClose is 10.50 connection.close.
	ConnectionClose struct {
		Code              uint16
		Text              string
		ClassID, MethodID uint16
	}
	// ConnectionCloseOk is 10.51 connection.close-ok.
	ConnectionCloseOk struct{}
	// ConnectionBlocked is 10.60 connection.blocked.
	ConnectionBlocked struct {
		Reason string
	}
	// ConnectionUnblocked is 10.61 connection.unblocked.
	ConnectionUnblocked struct{}
	// ConnectionUpdateSecret is 10.70 connection.update-secret.
	ConnectionUpdateSecret struct {
		NewSecret []byte
		Reason    string
	}
	// ConnectionUpdateSecretOk is 10.71 connection.update-secret-ok.
	ConnectionUpdateSecretOk struct{}
)

// ID implements Method.
func (*ConnectionStart) ID() ID { return IDConnectionStart }

// ID implements Method.
func (*ConnectionStartOk) ID() ID { return IDConnectionStartOk }

// ID implements Method.
func (*ConnectionSecure) ID() ID { return IDConnectionSecure }

// ID implements Method.
func (*ConnectionSecureOk) ID() ID { return IDConnectionSecureOk }

// ID implements Method.
func (*ConnectionTune) ID() ID { return IDConnectionTune }

// ID implements Method.
func (*ConnectionTuneOk) ID() ID { return IDConnectionTuneOk }

// ID implements Method.
func (*ConnectionOpen) ID() ID { return IDConnectionOpen }

// ID implements Method.
func (*ConnectionOpenOk) ID() ID { return IDConnectionOpenOk }

// ID implements Method.
func (*ConnectionClose) ID() ID { return IDConnectionClose }

// ID implements Method.
func (*ConnectionCloseOk) ID() ID { return IDConnectionCloseOk }

// ID implements Method.
func (*ConnectionBlocked) ID() ID { return IDConnectionBlocked }

// ID implements Method.
func (*ConnectionUnblocked) ID() ID { return IDConnectionUnblocked }

// ID implements Method.
func (*ConnectionUpdateSecret) ID() ID { return IDConnectionUpdateSecret }

// ID implements Method.
func (*ConnectionUpdateSecretOk) ID() ID { return IDConnectionUpdateSecretOk }

func (m *ConnectionStart) args(a *args) {
	a.octet(&m.VersionMajor)
	a.octet(&m.VersionMinor)
	a.table(&m.ServerProperties)
	a.longstr(&m.Mechanisms)
	a.longstr(&m.Locales)
}

func (m *ConnectionStartOk) args(a *args) {
	a.table(&m.ClientProperties)
	a.shortstr(&m.Mechanism)
	a.longView(&m.Response)
	a.shortstr(&m.Locale)
}

func (m *ConnectionSecure) args(a *args) {
	a.longView(&m.Challenge)
}

func (m *ConnectionSecureOk) args(a *args) {
	a.longView(&m.Response)
}

func (m *ConnectionTune) args(a *args) {
	a.short(&m.ChannelMax)
	a.long(&m.FrameMax)
	a.short(&m.Heartbeat)
}

func (m *ConnectionTuneOk) args(a *args) {
	a.short(&m.ChannelMax)
	a.long(&m.FrameMax)
	a.short(&m.Heartbeat)
}

func (m *ConnectionOpen) args(a *args) {
	a.shortstr(&m.VirtualHost)
	a.reservedShortstr()
	a.reservedBit()
}

func (*ConnectionOpenOk) args(a *args) {
	a.reservedShortstr()
}

func (m *ConnectionClose) args(a *args) {
	a.short(&m.Code)
	a.shortstr(&m.Text)
	a.short(&m.ClassID)
	a.short(&m.MethodID)
}

func (*ConnectionCloseOk) args(*args) {}

func (m *ConnectionBlocked) args(a *args) {
	a.shortstr(&m.Reason)
}

func (*ConnectionUnblocked) args(*args) {}

func (m *ConnectionUpdateSecret) args(a *args) {
	a.longView(&m.NewSecret)
	a.shortstr(&m.Reason)
}

func (*ConnectionUpdateSecretOk) args(*args) {}
