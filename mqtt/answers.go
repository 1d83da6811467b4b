package mqtt

import "github.com/entrepot/entrepot/mqtt/packet"

// An answer is an acknowledgement that waits until what it confirms is safe.
type answer struct {
	seq   uint64 // of the session's watermark; 0: waits for those before it only
	kind  packet.Type
	id    uint16
	code  packet.Code
	codes []byte // SUBACK and UNSUBACK: a code each
	text  string // Reason String of a refusal; 5.0
}

// answers is the queue of acknowledgements, in the order of what they answer.
// [MQTT-4.6.0-2] [MQTT-4.6.0-3]
type answers struct {
	list []answer
	head int
}

func (q *answers) empty() bool { return q.head == len(q.list) }

func (q *answers) push(a answer) { q.list = append(q.list, a) }

// pop takes the first answer if the watermark has reached it.
func (q *answers) pop(safe uint64) (answer, bool) {
	if q.empty() || q.list[q.head].seq > safe {
		return answer{}, false
	}
	a := q.list[q.head]
	q.list[q.head] = answer{}
	q.head++
	if q.empty() {
		q.list, q.head = q.list[:0], 0
		if cap(q.list) > 64 {
			q.list = nil
		}
	}
	return a, true
}
