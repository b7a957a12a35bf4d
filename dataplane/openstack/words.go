package openstack

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
)

// maxWords is how much of an answer is kept: a status has room for so much.
const maxWords = 400

var (
	heading = regexp.MustCompile(`(?is)<head>.*?</head>|<h1>.*?</h1>`)
	tag     = regexp.MustCompile(`(?s)<[^>]*>`)
	// blob is what somebody has sent in base64, such as user data, which hold secrets: Nova says
	// again what it does not take.
	blob      = regexp.MustCompile(`[A-Za-z0-9+/]{80,}={0,2}`)
	requestID = regexp.MustCompile(`\s*\(?(?:Request-ID: )?req-[0-9a-f-]{32,36}\)?`)
)

// words are the type and the message of an error, in the dialect of any service:
//
//	Nova, Cinder   {"forbidden": {"code": 403, "message": "..."}}
//	Keystone       {"error": {"code": 401, "message": "...", "title": "..."}}
//	Neutron        {"NeutronError": {"type": "...", "message": "...", "detail": ""}}
//	Octavia        {"faultcode": "Client", "faultstring": "..."}
//	Glance         {"message": "...<br />", "code": "404 Not Found", "title": "Not Found"}
//
// which is that of all where there is no such path too, and the text or HTML of a proxy in
// front of it.
func words(body []byte) (what, message string) {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return "", tidy(html.UnescapeString(tag.ReplaceAllString(heading.ReplaceAllString(string(body), " "), " ")))
	}
	if json.Unmarshal(object["faultstring"], &message) == nil && message != "" {
		return "", tidy(message)
	}
	if json.Unmarshal(object["message"], &message) == nil && message != "" {
		return "", tidy(html.UnescapeString(tag.ReplaceAllString(message, " ")))
	}
	message = ""
	for _, value := range object {
		var inner struct{ Type, Message string }
		if json.Unmarshal(value, &inner) == nil && inner.Message != "" {
			return inner.Type, tidy(inner.Message)
		}
		if len(object) == 1 && json.Unmarshal(value, &message) == nil {
			return "", tidy(message)
		}
	}
	return "", ""
}

// tidy is one line without what differs from one answer to the next.
func tidy(s string) string {
	s = strings.Join(strings.Fields(blob.ReplaceAllString(requestID.ReplaceAllString(s, ""), "…")), " ")
	if r := []rune(s); len(r) > maxWords {
		s = string(r[:maxWords]) + "…"
	}
	return s
}
