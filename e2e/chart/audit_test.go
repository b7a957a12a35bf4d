package chart

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// request is what the audit log tells of one.
type request struct {
	Verb, UserAgent string
	User            struct{ Username string }
	// ObjectRef is what it was about; nil for a path.
	ObjectRef      *struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	ResponseStatus struct{ Code int }
}

// right is what somebody must be allowed for a request.
func (r request) right() right {
	resource := r.ObjectRef.Resource
	if r.ObjectRef.Subresource != "" {
		resource += "/" + r.ObjectRef.Subresource
	}
	return right{group: r.ObjectRef.APIGroup, resource: resource, verb: r.Verb}
}

// writes reports whether a request changes something that is kept, besides who works:
// the Lease, and the event on it. What somebody may do is asked by creating what is not
// kept.
func (r request) writes() bool {
	return !slices.Contains([]string{"get", "list", "watch"}, r.Verb) &&
		!slices.Contains([]string{"leases", "tokenreviews", "subjectaccessreviews"}, r.ObjectRef.Resource) &&
		r.right() != right{"", "events", "create"}
}

// right is a verb on a resource.
type right struct{ group, resource, verb string }

// requests are those of the manager since some were made.
func (s *server) requests(t testing.TB, since int) (found []request, end int) {
	t.Helper()
	log, err := os.Open(s.auditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if end++; end <= since {
			continue
		}
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			// The last one is being written.
			return found, end - 1
		}
		if r.User.Username == managerUser && r.ObjectRef != nil {
			found = append(found, r)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return found, end
}
