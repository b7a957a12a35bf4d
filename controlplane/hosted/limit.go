package hosted

import "net/http"

// maxAnswer is how much of an answer Marina reads from a tenant. What it asks for is
// small; what is in a tenant is for its administrators to say, and must not fill the
// memory of the one who serves all.
const maxAnswer = 8 << 20

// limited fails to read what is longer than maxAnswer. A watch is not one answer.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err != nil || r.URL.Query().Get("watch") != "" {
		return response, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	return response, nil
}
