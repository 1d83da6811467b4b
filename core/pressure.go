package core

// Level is how much the gateway holds back because a resource runs short.
// Each level does what those below it do.
type Level uint8

// The levels, O1 to O4 of the ladder in docs/operations.md.
const (
	LevelNormal Level = iota
	LevelShed         // QoS 0 to receivers that lag is dropped
	LevelBrake        // publishers are slowed down
	LevelRefuse       // what would grow is refused: new sessions, subscriptions, retained and durable writes
	levels
)

// String is the level in words, as logs, health and $SYS show it.
func (l Level) String() string {
	return [levels]string{"normal", "shed", "brake", "refuse"}[min(l, levels-1)]
}

// Pressure is the gateway's state of overload.
type Pressure struct {
	Level Level
	// DiskFull tells that the data directory is down to its reserve: nothing
	// more is stored, and the reason is named.
	DiskFull bool
}

const diskFullBit = 1 << 8

// SetPressure tells the router how much to hold back. It holds for turns that
// begin afterwards. Any goroutine may call it.
func (r *Router) SetPressure(p Pressure) {
	bits := uint32(min(p.Level, LevelRefuse))
	if p.DiskFull {
		bits |= diskFullBit
	}
	r.pressure.Store(bits)
}

// Pressure is what SetPressure said last.
// A store that found the disk full counts as well.
func (r *Router) Pressure() Pressure {
	bits := r.pressure.Load()
	return Pressure{Level: Level(bits & 0xff), DiskFull: bits&diskFullBit != 0 || r.unwritable() == DiskFull}
}

// Level is the level that the turn began with.
func (t *Turn) Level() Level { return Level(t.pressure & 0xff) }

// Pressed tells whether more than n publishes of this call of the loop are too
// many: the loop set n by Allow.
func (t *Turn) Pressed() bool { return t.routed >= t.allowed }

// Unbounded allows any number of publishes.
const Unbounded = int(^uint(0) >> 1)

// Allow sets how many publishes a connection may make before the loop stops
// reading it, and starts to count them.
func (t *Turn) Allow(publishes int) { t.routed, t.allowed, t.publisher = 0, publishes, nil }

// Routed counts the publishes since Allow.
func (t *Turn) Routed() int { return t.routed }

// refusesMore is why nothing new may be made in this turn; stored tells that
// it would be written to the store.
func (t *Turn) refusesMore(stored bool) Reason {
	if stored {
		if why := t.router.unwritable(); why != OK { // [SECURITY O7]
			return why
		}
	}
	return t.holdsBack(stored)
}

// holdsBack is refusesMore without a look at the store.
func (t *Turn) holdsBack(stored bool) Reason {
	switch {
	case t.pressure == 0:
	case t.Level() >= LevelRefuse:
		return Busy
	case stored && t.pressure&diskFullBit != 0:
		return DiskFull
	}
	return OK
}

// refusesMessage is the same for a publish of a client. What is neither stored
// nor retained goes on, and so does what clears a retained message.
func (t *Turn) refusesMessage(m *Message) Reason {
	if m.QoS == 0 && (!m.Retain || len(m.Payload) == 0) {
		return OK
	}
	if m.Retain && len(m.Payload) == 0 {
		return t.router.unwritable()
	}
	return t.refusesMore(true)
}

// What a queue may be behind before it counts as lagging, by level.
const (
	lagShed  = 1024
	lagBrake = 64
)

// sheds tells that a message of QoS 0 is not put behind so many others. A
// named queue says no itself when it is full.
func (q *Queue) sheds(t *Turn) bool {
	if q.kind == namedQueue {
		return false
	}
	lag := lagShed
	if t.Level() >= LevelBrake {
		lag = lagBrake
	}
	return q.waitingCount() >= lag
}
