package listen_test

import "testing"

// A member of a group whose peer does not read has what it was woken for go to
// one that reads.
func TestMQTT_MG7_AStalledMemberGetsNothingWhileAnotherCanTake(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		stalled := r.client(t, i).login("stalled")
		stalled.send("SUB $share/g/x\nECHO in\n")
		stalled.expect("OK", "in")
		stalled.send("SPAM 100000\n") // 100 MB, none of which is read
		written, same := uint64(0), 0
		until(t, "it is stalled, with every buffer full", func() bool {
			now := r.count("bytes_total", "line", "out") - r.count("write_waiting_bytes", "line")
			if same++; now != written || int64(r.count("write_waiting_bytes", "line")) <= 64<<10 {
				written, same = now, 0
			}
			return same > 20
		})
		reads, p := r.client(t, i).login("reads"), r.client(t, i).login("p")
		reads.send("SUB $share/g/x\nECHO in\n")
		reads.expect("OK", "in")
		for range 3 {
			p.send("PUB x m\n")
			p.expect("OK")
			reads.expect("MSG x m")
		}
		stalled.nc.Close()
	})
}
