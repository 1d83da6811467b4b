package bench

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

// MinSize is the smallest payload:
//
//	|  0..7  intended time of sending, ns since the start of the run |
//	|  8..11 publisher | 12..19 sequence number from 0 | 20.. zeros  |
const MinSize = 20

type publisher struct {
	run     *run
	index   int
	conn    dial.Conn
	topic   string
	qos     int
	seq     atomic.Uint64 // messages sent so far
	credits chan struct{} // one for each message on its way, where nothing paces
}

func newPublisher(r *run, i int, c dial.Conn) *publisher {
	p := &publisher{run: r, index: i, conn: c, topic: r.topic(i), credits: make(chan struct{}, r.Window)}
	p.qos = min(r.QoS, dial.Abilities(r.From.Protocol(), r.From.Version).MaxQoS)
	for range r.Window {
		p.credits <- struct{}{}
	}
	return p
}

// send publishes until the context ends. What it was in the middle of is finished.
func (p *publisher) send(ctx context.Context) {
	var gap time.Duration
	if p.run.Rate > 0 {
		gap = time.Duration(float64(time.Second) * float64(p.run.Pubs) / p.run.Rate)
	}
	// Publishers start spread over one gap, so that a paced load is even.
	next := time.Now().Add(gap * time.Duration(p.index) / time.Duration(p.run.Pubs))
	for ctx.Err() == nil {
		intended := time.Now()
		if gap > 0 {
			if !sleepUntil(ctx, next) {
				return
			}
			intended, next = next, next.Add(gap)
		} else {
			select {
			case <-p.credits:
			case <-ctx.Done():
				return
			case <-p.conn.Done():
				return
			}
			intended = time.Now()
		}
		p.one(ctx, intended)
	}
}

func (p *publisher) one(ctx context.Context, intended time.Time) {
	payload := make([]byte, p.run.Size)
	n := p.seq.Add(1) - 1
	binary.BigEndian.PutUint64(payload, uint64(intended.Sub(p.run.start)))
	binary.BigEndian.PutUint32(payload[8:], uint32(p.index))
	binary.BigEndian.PutUint64(payload[12:], n)
	p.run.allSent.Add(1)
	if p.run.counting.Load() {
		p.run.sent.Add(1)
	}
	p.conn.Publish(context.WithoutCancel(ctx), dial.Message{Topic: p.topic, Payload: payload, QoS: p.qos}, func(err error) {
		if err != nil {
			p.run.refused.Add(1)
		}
		if err != nil || p.run.Subs == 0 {
			p.credit()
		}
	})
}

// credit says that a message is no longer on its way.
func (p *publisher) credit() {
	select {
	case p.credits <- struct{}{}:
	default: // a duplicate, or paced
	}
}

// sleepUntil waits for an instant; false when the run ended before.
func sleepUntil(ctx context.Context, at time.Time) bool {
	d := time.Until(at)
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
