package abuse

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSECURITY_R9_Soak churns for a second, or as long as ABUSE_SOAK says: conversations, whole, cut and damaged, of every protocol. Nothing
// may be left of them.
func TestSECURITY_R9_Soak(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("ABUSE_SOAK"))
	if err != nil {
		long = time.Second
	}
	attack{held: 64 << 20}.run(t, func(g *target) {
		g.open(t)
		all := append(append([]conversation{}, streamed...), thrown...)
		for round, end := uint64(0), time.Now().Add(long); time.Now().Before(end); round++ {
			r := rand.New(rand.NewPCG(9, round))
			var jobs []func() error
			for _, c := range all {
				for range 8 {
					parts := c.parts
					if r.IntN(2) == 0 {
						parts = mutated(r, c)
					}
					jobs = append(jobs, func() error { return g.say(c.on, parts) })
				}
			}
			pool(t, jobs)
			if g.sane(t, false); t.Failed() {
				t.Fatalf("round %d", round)
			}
		}
		g.shut()
	})
}

// TestSECURITY_R12_PlantedSecretsAreFoundNowhere: passwords of users, of clients that are let in and of those that are not, a
// token and a key, in every place where somebody reads.
func TestSECURITY_R12_PlantedSecretsAreFoundNowhere(t *testing.T) {
	const word = "pLaNtEd"
	file := users("limits: {auth_failures: 1000000/min}\nauth: {jwt: {secret: \"" + word + "-key-of-thirty-two-octets......\"}, http: {url: \"http://127.0.0.1:1/\", hmac: " + word + "-hmac}}\n")
	attack{file: file, moved: []string{"connects refused"}, logged: []string{"auth.denied"}}.run(t, func(g *target) {
		for _, pass := range []string{word, word + "\x00", "eyJ" + word + ".eyJ.x", strings.Repeat(word, 2000)} {
			for _, user := range []string{"dev", "nobody", "jwt", ""} {
				for on, say := range map[string]string{
					"mqtt": login5(2, "r12", user, pass, "") + over, "stomp": st("CONNECT", "accept-version:1.2\nlogin:"+user+"\npasscode:"+pass, "") + bye,
					"amqp": amqpHeader + method(0, 10, 11, u32(0)+short("PLAIN")+long("\x00"+user+"\x00"+pass)+short("en_US")) + tuneOk + openOk + closing,
				} {
					got, err := g.ask(on, say)
					if err != nil || strings.Contains(got, word) {
						t.Errorf("%s: it said %q, %v", on, got, err)
					}
				}
			}
		}
		for _, path := range []string{"/metrics", "/readyz?verbose", "/healthz", "/nowhere?p=" + word, "/debug/pprof/", "/debug/vars"} {
			for _, pass := range []string{"secret", word} {
				if status, body := g.Ask(path, "boss", pass); strings.Contains(body, word) {
					t.Errorf("%s: %d %s", path, status, brief(body))
				}
			}
		}
		for line := range strings.Lines(g.Log.Text()) {
			if strings.Contains(line, word) {
				t.Errorf("the log has %s", line)
			}
		}
	})
}
