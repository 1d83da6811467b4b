package client

import (
	"bytes"
	"errors"

	coap "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/pool"

	"github.com/entrepot/entrepot/coap/message"
)

// builder makes the request of a transfer, anew for each block.
type builder func() (*pool.Message, error)

// limits of a body that is fetched.
const (
	maxBody  = 64 << 20
	restarts = 3 // when the value changes under the transfer
)

var (
	errBlock   = errors.New("coap: the server sent another block than it was asked for")
	errChanges = errors.New("coap: the value changes faster than it can be read")
	errTooLong = errors.New("coap: the body is too large")
)

// part is one answer.
type part struct {
	body     []byte
	etag     string
	block    message.Block
	hasBlock bool
	code     message.Code
}

// exchange sends one request and waits for its answer; an *Error if that is one.
func (c *Client) exchange(req *pool.Message, number coap.OptionID) (part, error) {
	defer c.conn.ReleaseMessage(req)
	resp, err := c.conn.Do(req)
	if err != nil {
		return part{}, err
	}
	defer c.conn.ReleaseMessage(resp)
	return partOf(resp, number)
}

// partOf reads an answer or a notification with its Block1 or Block2.
func partOf(m *pool.Message, number coap.OptionID) (p part, err error) {
	if p.body, err = bodyOf(m); err != nil {
		return p, err
	}
	p.code = message.Code(m.Code())
	if v, err := m.GetOptionUint32(number); err == nil {
		p.block, p.hasBlock = message.MakeBlock(v), true
	}
	if e, err := m.ETag(); err == nil {
		p.etag = string(e)
	}
	return p, failure(m, p.body)
}

// send sends a body, in blocks if it is larger than one (RFC 7959, section
// 2.5), the size of which the server may reduce.
func (c *Client) send(build builder, body []byte) error {
	szx, whole := uint8(message.MaxSZX), len(body) <= message.MaxBlockSize
	for at := 0; ; {
		req, err := build()
		if err != nil {
			return err
		}
		req.SetType(coap.Confirmable)
		b := message.Block{Num: uint32(at >> (szx + 4)), SZX: szx}
		end := min(at+b.Size(), len(body))
		b.More = end < len(body)
		if !whole {
			req.SetOptionUint32(coap.Block1, b.Value())
		}
		if end > at {
			req.SetBody(bytes.NewReader(body[at:end]))
		}
		p, err := c.exchange(req, coap.Block1)
		if err != nil || !b.More {
			return err
		}
		if p.hasBlock && p.block.SZX < szx {
			szx = p.block.SZX
		}
		at = end
	}
}

// fetch reads a body of any size.
func (c *Client) fetch(build builder) ([]byte, error) {
	req, err := build()
	if err != nil {
		return nil, err
	}
	first, err := c.exchange(req, coap.Block2)
	if err != nil {
		return nil, err
	}
	return c.rest(build, first)
}

// rest reads the blocks behind the first one; when the value changes on the
// way, from the beginning.
func (c *Client) rest(build builder, first part) ([]byte, error) {
	p, body := first, append([]byte(nil), first.body...)
	for changed := 0; p.hasBlock && p.block.More; {
		req, err := build()
		if err != nil {
			return nil, err
		}
		next := message.Block{Num: uint32(len(body) >> (p.block.SZX + 4)), SZX: p.block.SZX}
		req.SetOptionUint32(coap.Block2, next.Value())
		q, err := c.exchange(req, coap.Block2)
		switch {
		case err != nil:
			return nil, err
		case q.etag != p.etag:
			if changed++; changed > restarts {
				return nil, errChanges
			}
			if q, err = c.again(build, next.SZX); err != nil {
				return nil, err
			}
			body = body[:0]
		case !q.hasBlock || q.block.Offset() != len(body):
			return nil, errBlock
		}
		if body = append(body, q.body...); len(body) > maxBody {
			return nil, errTooLong
		}
		p = q
	}
	return body, nil
}

// again reads block 0.
func (c *Client) again(build builder, szx uint8) (part, error) {
	req, err := build()
	if err != nil {
		return part{}, err
	}
	req.SetOptionUint32(coap.Block2, message.Block{SZX: szx}.Value())
	return c.exchange(req, coap.Block2)
}
