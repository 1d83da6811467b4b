package core

import (
	"fmt"
	"testing"
)

// A walk over all sessions sees each that stays once, and holds up nobody:
// sessions come and go meanwhile.
func TestAWalkOverAllSessionsLeavesTheirLockFree(t *testing.T) {
	const n = 10 * fewSessions
	ns := new(Namespace)
	put := func(kind string, i int) {
		st := &session{client: fmt.Sprint(kind, i)}
		st.principal.Store(&Principal{})
		ns.sessions.put(st)
	}
	for i := range n {
		for _, kind := range []string{"stays", "goes"} {
			put(kind, i)
		}
	}
	seen := map[string]int{}
	ns.walkSessions(func(st *session) {
		if seen[st.client]++; !ns.mu.TryLock() {
			t.Fatal("the lock is held")
		}
		i := len(seen)
		ns.sessions.remove(sessionKey{client: fmt.Sprint("goes", i)})
		put("comes", i)
		ns.mu.Unlock()
	})
	for i := range n {
		if seen[fmt.Sprint("stays", i)] != 1 {
			t.Fatalf("session %d was seen %d times", i, seen[fmt.Sprint("stays", i)])
		}
	}
	for id, times := range seen {
		if times != 1 {
			t.Fatalf("%s was seen %d times", id, times)
		}
	}
}
