package coap

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/coap/message"
)

func queryOptions(pairs ...string) (o message.Options) {
	for _, p := range pairs {
		o.Add(message.URIQuery, []byte(p))
	}
	return o
}

func TestCoAP_R11_QueryKeysAndTheirShortForms(t *testing.T) {
	t.Parallel()
	var q query
	if bad := q.parse(queryOptions("q=2", "r=true", "expiry=90", "nl", "rh=1", "c=id", "u=me", "p=x=y", "env=cbor",
		"reply=a/b", "cid=7", "ct=text/csv", "up.unit=C", "up.other=1", "whatever"), []string{"unit"}); bad != "" {
		t.Fatal(bad)
	}
	if q.qos != 2 || q.retain != 1 || q.expiry != 90*time.Second || !q.noLocal || q.retainHandling != 1 || q.clientID != "id" ||
		q.user != "me" || q.password != "x=y" || !q.hasUser || !q.cbor || q.replyTo != "a/b" || q.correlation != "7" ||
		q.contentType != "text/csv" || len(q.properties) != 1 || q.properties[0].Name != "unit" || q.unknown != 2 {
		t.Fatalf("%+v", q)
	}
}

func TestCoAP_R11_BadValueIsNamed(t *testing.T) {
	t.Parallel()
	var q query
	for _, p := range []string{"qos=3", "qos=", "q=11", "retain=maybe", "rh=3", "expiry=-1", "expiry=4294967296", "env=xml", "nl=2"} {
		if bad := q.parse(queryOptions("x=1", p), nil); bad == "" {
			t.Errorf("%s is taken", p)
		}
	}
}

func TestCoAP_R11_TheLastOfARepeatedKeyCounts(t *testing.T) {
	t.Parallel()
	var q query
	if bad := q.parse(queryOptions("qos=2", "q=0", "retain=true", "r=false"), nil); bad != "" || q.qos != 0 || q.retain != 0 {
		t.Fatalf("%q %+v", bad, q)
	}
}
