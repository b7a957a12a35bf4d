package hosted

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnAnswerThatIsTooLongIsNotRead(t *testing.T) {
	for name, tc := range map[string]struct {
		query  string
		length int
		whole  bool
	}{
		"as long as may be": {"", maxAnswer, true},
		"longer":            {"", maxAnswer + 1, false},
		"a watch":           {"?watch=true", maxAnswer + 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, strings.Repeat("x", tc.length))
			}))
			defer server.Close()
			response, err := (&http.Client{Transport: limited{http.DefaultTransport}}).Get(server.URL + tc.query)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			read, err := io.Copy(io.Discard, response.Body)
			var long *http.MaxBytesError
			if tc.whole != (err == nil) || err != nil && !errors.As(err, &long) {
				t.Errorf("read %d bytes: %v", read, err)
			}
		})
	}
}
