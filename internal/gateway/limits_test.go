package gateway

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/overload"
)

// TestSecurity_L1_L24_EveryKeyHasItsDefaultAndReachesWhoKeepsIt is the table of the section `limits`: the key, what the
// configuration shows without it, and which field of core.Limits or adapters.Limits another value changes.
func TestSecurity_L1_L24_EveryKeyHasItsDefaultAndReachesWhoKeepsIt(t *testing.T) {
	t.Parallel()
	rows := []struct{ id, key, value, other, field string }{
		{"L1", "preauth.deadline", "5s", "7s", "PreauthDeadline"},
		{"L2", "preauth.exchange", "5s", "7s", "PreauthExchange"},
		{"L3", "preauth.bytes", "64KiB", "32KiB", "PreauthBytes"},
		{"L4", "preauth.connections.process", "1024", "7", "PreauthConnections"},
		{"L4", "preauth.connections.address", "64", "7", "PreauthPerAddress"},
		{"L5", "connections", "100000", "7", "Connections"},
		{"L6", "accept_rate.listener", "20000/s", "7/s", "AcceptRate"},
		{"L6", "accept_rate.address", "1000/s", "7/s", "AcceptRateAddress"},
		{"L7", "message_bytes", "16MiB", "1MiB", "MessageBytes"},
		{"L8", "topic_bytes", "65535", "7", "TopicBytes"},
		{"L8", "topic_levels", "128", "7", "TopicLevels"},
		{"L9", "client_id_bytes", "1024", "64", "ClientIDBytes"},
		{"L9", "username_bytes", "1024", "7", "UsernameBytes"},
		{"L9", "password_bytes", "8192", "7", "PasswordBytes"},
		{"L10", "properties", "256", "7", "Properties"},
		{"L10", "property_bytes", "64KiB", "7KiB", "PropertyBytes"},
		{"L11", "subscriptions", "10000", "7", "Subscriptions"},
		{"L11", "subscriptions.bytes", "4MiB", "7KiB", "SubscriptionBytes"},
		{"L14", "queue_messages", "1000000", "7", "QueueMessages"},
		{"L14", "queue_bytes", "1GiB", "7KiB", "QueueBytes"},
		{"L15", "memory_window.messages", "256", "17", "WindowMessages"},
		{"L15", "memory_window.bytes", "1MiB", "7KiB", "WindowBytes"},
		{"L16", "write_buffer.bytes", "1MiB", "64KiB", "WriteBuffer"},
		{"L16", "write_buffer.stalled", "30s", "7s", "WriteStall"},
		{"L17", "sessions_offline.namespace", "1000000", "7", "Sessions"},
		{"L17", "sessions_offline.principal", "10000", "7", "PrincipalSessions"},
		{"L19", "retained.namespace", "1000000", "7", "Retained"},
		{"L19", "retained.principal", "100000", "7", "PrincipalRetained"},
		{"L19", "retained_bytes", "1GiB", "7KiB", "RetainedBytes"},
		{"L18", "session_expiry_max", "7d", "1h", "SessionExpiryMS"},
		{"L20", "queues.namespace", "10000", "7", "Queues"},
		{"L20", "queues.bindings", "1000", "7", "Bindings"},
		{"L22", "publish_rate", "unlimited", "7/s", "PublishRate"},
		{"L22", "publish_bytes_rate", "unlimited", "7KiB", "PublishBytesRate"},
		{"L24", "udp.peers", "100000", "7", "UDPPeers"},
		{"L24", "udp.peers_per_address", "1000", "7", "UDPPeersPerAddress"},
		{"", "trusted", "", "[192.0.2.0/24]", "Trusted"},
	}
	was := fieldsOf(DefaultLimits())
	for _, r := range rows {
		t.Run(strings.TrimSpace(r.id+" "+r.key), func(t *testing.T) {
			if r.value != "" {
				if got := fieldsOf(load(t, "limits."+r.key+"="+r.value)); !reflect.DeepEqual(got, was) {
					t.Errorf("%s is not the default", r.value)
				}
			}
			got := fieldsOf(load(t, "limits."+r.key+"="+r.other))
			for name := range was {
				if changed := !reflect.DeepEqual(was[name], got[name]); changed != (name == r.field) {
					t.Errorf("%s=%s: %s is %v, was %v", r.key, r.other, name, got[name], was[name])
				}
			}
		})
	}
}

func load(t *testing.T, set string) *Limits {
	t.Helper()
	in := config.Input{Set: []string{"node.data=memory", set}, Sections: Sections(), Protocols: Protocols()}
	if _, err := config.Load(in); err != nil {
		t.Fatal(err)
	}
	return in.Sections["limits"].(*Limits)
}

// fieldsOf are what the loops, the rooms and core are told.
func fieldsOf(l *Limits) map[string]any {
	all := map[string]any{}
	for _, v := range []reflect.Value{reflect.ValueOf(l.adapters()), reflect.ValueOf(l.core())} {
		for i := range v.NumField() {
			all[v.Type().Field(i).Name] = v.Field(i).Interface()
		}
	}
	return all
}

func TestSecurity_O2_O4_TheKeysOfTheLadder(t *testing.T) {
	t.Parallel()
	steps := func(set string) overload.Steps { return load(t, "limits.overload."+set).Overload.steps() }
	was := overload.DefaultSteps()
	for _, set := range []string{"memory.shed=70%", "memory.brake=80%", "memory.refuse=90%", "cpu.shed=250ms", "cpu.brake=1s", "cpu.refuse=2s", "cpu=true", "memory.enabled=true"} {
		if got := steps(set); !reflect.DeepEqual(got, was) {
			t.Errorf("%s is not the default: %v", set, got)
		}
	}
	for set, want := range map[string]overload.Steps{
		"cpu=false":         {Memory: was.Memory},
		"memory=false":      {CPU: was.CPU},
		"memory.shed=50%":   {Memory: []float64{50, 80, 90}, CPU: was.CPU},
		"memory.brake=85%":  {Memory: []float64{70, 85, 90}, CPU: was.CPU},
		"memory.refuse=80%": {Memory: []float64{70, 80, 80}, CPU: was.CPU},
		"cpu.refuse=5s":     {Memory: was.Memory, CPU: []time.Duration{was.CPU[0], was.CPU[1], 5 * time.Second}},
	} {
		if got := steps(set); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", set, got, want)
		}
	}
	for set, want := range map[string]string{
		"memory.shed=81%":   "limits: overload.memory: shed, brake and refuse ascend",
		"memory.refuse=79%": "limits: overload.memory: shed, brake and refuse ascend",
		"cpu.shed=1001ms":   "limits: overload.cpu: shed, brake and refuse ascend",
		"cpu.brake=3s":      "limits: overload.cpu: shed, brake and refuse ascend",
		"cpu.shed=9ms":      "between 10ms and 1h",
		"memory.shed=0%":    "at least 1%",
		"memory.refuse=101": "a share is written 80%",
	} {
		in := config.Input{Set: []string{"limits.overload." + set}, Sections: Sections(), Protocols: Protocols()}
		if _, err := config.Load(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}
