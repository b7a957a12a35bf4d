package openstack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
)

func refusal(status int, body string) error {
	return gophercloud.ErrUnexpectedResponseCode{Actual: status, Body: []byte(body), ResponseHeader: http.Header{}}
}

// What a running OpenStack of the release Zed has answered.
func TestAnswersOfARealCloud(t *testing.T) {
	const gone = `{"error":{"code":404,"message":"Could not find Application Credential: 6ae0.","title":"Not Found"}}`
	userData := strings.Repeat("c2VjcmV0", 100)
	for name, test := range map[string]struct {
		service string
		err     error
		kind    Kind
		words   string
	}{
		"login by a deleted credential": {Identity, refusal(404, gone), Unauthorized, "Could not find Application Credential: 6ae0."},
		"a new token, by a deleted credential": {
			Compute, &gophercloud.ErrUnableToReauthenticate{ErrOriginal: refusal(401, ""), ErrReauth: refusal(404, gone)}, Unauthorized, "Could not find Application Credential: 6ae0.",
		},
		"a new token, where Keystone is not any more": {
			Compute, &gophercloud.ErrUnableToReauthenticate{ErrOriginal: refusal(401, ""), ErrReauth: refusal(404, "no such page")}, Unavailable, "no such page",
		},
		"Glance, to who takes JSON": {
			Image, refusal(404, `{"message": "No image found with ID nothing<br /><br />\n\n\n", "code": "404 Not Found", "title": "Not Found"}`), NotFound, "No image found with ID nothing",
		},
		"user data that Nova does not take": {
			Compute, refusal(400, `{"badRequest": {"code": 400, "message": "Invalid input for field/attribute user_data. Value: `+userData+`. '`+userData+`' is too long"}}`),
			BadRequest, "Invalid input for field/attribute user_data. Value: …. '…' is too long",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := As(Classify(test.service, test.err))
			if e == nil || e.Kind != test.kind || e.Message != test.words {
				t.Errorf("got %+v, want %s %q", e, test.kind, test.words)
			}
		})
	}
}
