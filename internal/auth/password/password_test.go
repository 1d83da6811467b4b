package password

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsMadeIsVerified(t *testing.T) {
	for name, make := range map[string]func([]byte) (*Hash, error){
		"argon2id": func(p []byte) (*Hash, error) { return New(p), nil }, "bcrypt": NewBcrypt, "scram": NewSCRAM,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := make([]byte("sesame \u00e9"))
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(h.Text())
			if err != nil {
				t.Fatal(err)
			}
			if !again.Verify([]byte("sesame \u00e9")) || again.Verify([]byte("sesame e")) || again.Verify(nil) || again.Weak() {
				t.Errorf("%s", h.Text())
			}
			other, _ := make([]byte("sesame \u00e9"))
			if other.Text() == h.Text() {
				t.Error("no salt")
			}
		})
	}
}

func TestTheHashesOfMosquittoAreVerified(t *testing.T) {
	path, err := exec.LookPath("mosquitto_passwd")
	if err != nil {
		t.Fatal("mosquitto_passwd is missing: apt-get install mosquitto")
	}
	file := filepath.Join(t.TempDir(), "pw")
	if out, err := exec.Command(path, "-c", "-b", file, "joe", "secret").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, hash, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	h, err := Parse(hash)
	if err != nil {
		t.Fatal(err)
	}
	if !h.Verify([]byte("secret")) || h.Verify([]byte("Secret")) || !h.Weak() {
		t.Errorf("%s", hash)
	}
}

// The example of RFC 7677, section 3, as PostgreSQL would store it.
func TestTheExampleOfRFC7677(t *testing.T) {
	h, err := Parse("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
	if err != nil {
		t.Fatal(err)
	}
	if !h.Verify([]byte("pencil")) || h.Verify([]byte("Pencil")) {
		t.Error("the password is pencil")
	}
	if c, ok := h.SCRAM(); !ok || c.Iterations != 4096 {
		t.Error("it has no credential")
	}
	if _, ok := New([]byte("pencil")).SCRAM(); ok {
		t.Error("argon2id has a credential of SCRAM")
	}
}

func TestSaltedSHA(t *testing.T) {
	for _, c := range []struct{ hash, password string }{
		// SHA-512 of "secret" and a salt of twelve bytes, as mosquitto 1.6 writes it.
		{"$6$c2FsdHNhbHRzYWx0$3aiBbchfIZo+1WYrkPzJjQxZ79F/NmwLQ+wF073kTd+6ANhaic8G/jWF/X4sqSFUKpLNdm1FZjBck6HQ8knM3A==", "secret"},
		// The example of RabbitMQ's documentation: salt 908D C60A, password test12.
		{"$rabbitmq-sha256$kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "test12"},
	} {
		h, err := Parse(c.hash)
		if err != nil {
			t.Fatalf("%s: %v", c.hash, err)
		}
		if !h.Verify([]byte(c.password)) || h.Verify([]byte("x")) || !h.Weak() {
			t.Errorf("%s", c.hash)
		}
	}
}

func TestSecurity_BoundsOfForeignHashes(t *testing.T) {
	for _, s := range []string{
		"", "secret", "$1$x$y", "$argon2id$v=19$m=65537,t=1,p=1$c2FsdHNhbHRzYWx0$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=19456,t=5,p=1$c2FsdHNhbHRzYWx0$" + strings.Repeat("A", 43), "$argon2id$v=19$m=0,t=0,p=0$c2FsdHNhbHRzYWx0$AAAA",
		"$argon2id$v=18$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$" + strings.Repeat("A", 43), "$argon2id$v=19$m=19456,t=2,p=1$$",
		"$2b$13$" + strings.Repeat("a", 53), "$2b$12$short", "$7$0$c2FsdA==$AA==", "$7$99999999$c2FsdA==$AA==", "$7$x", "$6$x", "$6$c2FsdA==$AA==",
		"SCRAM-SHA-256$1:c2FsdA==$AA==:AA==", "SCRAM-SHA-256$100001:c2FsdA==$AA==:AA==", "SCRAM-SHA-256$4096", "$rabbitmq-sha256$AA==",
	} {
		if h, err := Parse(s); err == nil {
			t.Errorf("%q is accepted as %T", s, h.scheme)
		} else if len(s) > 8 && strings.Contains(err.Error(), s[8:]) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

func TestSecurity_S10_AHashIsNeverPrinted(t *testing.T) {
	h := New([]byte("x"))
	j, _ := json.Marshal(map[string]any{"h": h})
	for _, s := range []string{fmt.Sprint(h), fmt.Sprintf("%v %+v %#v %s %q", h, h, h, h, h), string(j)} {
		if strings.Contains(s, "argon2") {
			t.Errorf("%s", s)
		}
	}
}

func TestTheDecoyHasNoPassword(t *testing.T) {
	if Decoy.Verify(nil) || Decoy.Verify([]byte("x")) {
		t.Error("the decoy lets somebody in")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHRzYWx0$RK7PC/5vYd0qVIUnTzbmhPY0vDvRLyPlOJ8AQqCRcOk")
	f.Add("$7$101$c2FsdA==$AA==")
	f.Add("SCRAM-SHA-256$4096:c2FsdA==$AA==:AA==")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := Parse(s); err == nil && h.Text() != s {
			t.Fatalf("%q became %q", s, h.Text())
		}
	})
}
