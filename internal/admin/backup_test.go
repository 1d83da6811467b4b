package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func post(t *testing.T, s *httptest.Server, header ...string) (status int, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/store/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func TestABackupIsForAdministratorsOfTheSameOrigin(t *testing.T) {
	t.Parallel()
	var asked Level
	verdict := Granted
	made := 0
	o := Options{State: &state{}, Admit: func(_ *http.Request, l Level) Verdict { asked = l; return verdict },
		Backup: func(w io.Writer) error { made++; _, err := io.WriteString(w, "store"); return err }}
	s := httptest.NewServer(Handler(o))
	defer s.Close()
	if status, body, err := post(t, s); status != 200 || body != "store" || err != nil || asked != Administrator {
		t.Errorf("%d %q %v, level %d", status, body, err, asked)
	}
	if status, _, _ := post(t, s, "Origin", "http://elsewhere.example"); status != 403 {
		t.Errorf("a page elsewhere: %d", status)
	}
	for v, want := range map[Verdict]int{Nameless: 401, Refused: 403, Busy: 503} {
		verdict = v
		if status, _, _ := post(t, s); status != want {
			t.Errorf("verdict %d: %d", v, status)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

func TestABackupThatFailsIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		backup func(io.Writer) error
		status int // 0: the answer breaks off
		text   string
	}{
		"busy":   {func(io.Writer) error { return ErrBusy }, 409, "another backup"},
		"failed": {func(io.Writer) error { return errors.New("no space") }, 500, "no space"},
		"amid": {func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte("x"), 1<<20))
			return errors.Join(err, errors.New("no space"))
		}, 0, ""},
		"memory": {nil, 404, "nothing on disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(Handler(Options{State: &state{}, Backup: x.backup}))
			defer s.Close()
			status, body, err := post(t, s)
			if x.status == 0 {
				if err == nil {
					t.Errorf("%d, %d bytes look whole", status, len(body))
				}
				return
			}
			if status != x.status || !strings.Contains(body, x.text) || err != nil {
				t.Errorf("%d %q %v", status, body, err)
			}
		})
	}
}
