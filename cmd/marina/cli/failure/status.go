package failure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// explainStatus puts the API server's refusals in words. They are written for
// people already, by CEL rules and admission policies; what has to go is the
// machinery around them.
func explainStatus(err error, status metav1.Status) *Error {
	e := &Error{Message: status.Message, Err: err}
	object := objectOf(status)
	switch status.Reason {
	case metav1.StatusReasonInvalid:
		e.Message = object + " is refused"
		e.Causes = causes(status)
		if len(e.Causes) == 0 {
			e.Causes = []string{status.Message}
		}
	case metav1.StatusReasonForbidden:
		e.Do = "ask for the right to do so, or choose other credentials with --kubeconfig or --context"
		if reason, denied := afterDenied(status.Message); denied {
			e.Message, e.Causes, e.Do = object+" is refused", []string{reason}, ""
		}
	case metav1.StatusReasonUnauthorized:
		e.Message = "the API server does not accept the credentials"
		e.Do = "they may have expired: get new ones, or choose others with --kubeconfig or --context"
	case metav1.StatusReasonAlreadyExists:
		e.Message = object + " exists already"
		e.Do = fmt.Sprintf("choose another name, or look at it with '%s get'", commandsOn(status))
	case metav1.StatusReasonNotFound:
		if isNotServed(status) {
			e.Message = "the management cluster does not serve marina.dev/v1alpha1"
			e.Do = "check that --kubeconfig and --context name a management cluster, or start one with 'marina up'"
			break
		}
		e.Message = "no " + object
		e.Do = fmt.Sprintf("'%s list --all-namespaces' shows what there is", commandsOn(status))
		if status.Details.Kind == "namespaces" {
			e.Do = fmt.Sprintf("create it with 'kubectl create namespace %s', or choose another with -n", status.Details.Name)
		}
	case metav1.StatusReasonTimeout, metav1.StatusReasonServerTimeout:
		e.Message = "the management cluster does not answer in time: it may have lost its store"
		e.Do = StartAgain
	case metav1.StatusReasonConflict:
		e.Message = object + " was changed by somebody else at the same time"
		e.Do = "try again"
	default:
		if CannotServe(err) {
			e.Message = "the management cluster cannot serve the request: " + status.Message
			e.Do = StartAgain
		}
	}
	return e
}

// StartAgain is what to do about a management cluster that is there and does not
// serve: its API server outlives a 'marina up' that was killed.
const StartAgain = "check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile"

// CannotServe tells whether err is the answer of an API server that is not able to
// serve, mostly because it does not reach its store.
func CannotServe(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError ||
		apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
}

// NotServed tells whether err means that the server does not know the kind.
func NotServed(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && isNotServed(status.Status())
}

// isNotServed tells a missing kind from a missing object. An API server answers
// for a path that it does not know with plain text, which client-go passes on as
// an unexpected response, with the object's name nevertheless.
func isNotServed(status metav1.Status) bool {
	if status.Details == nil || status.Details.Name == "" {
		return true
	}
	return slices.ContainsFunc(status.Details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeUnexpectedServerResponse
	})
}

// objectOf names what a status is about: cluster "demo".
func objectOf(status metav1.Status) string {
	if status.Details == nil {
		return "the request"
	}
	kind := kindOf(status)
	if kind == "" {
		kind = "object"
	}
	if status.Details.Name == "" {
		return kind
	}
	return fmt.Sprintf("%s %q", kind, status.Details.Name)
}

// kindOf is the word for one object of the kind: the server gives the kind when it
// validates and the resource otherwise.
func kindOf(status metav1.Status) string {
	return strings.TrimSuffix(strings.ToLower(status.Details.Kind), "s")
}

// commandsOn are the commands that show objects of the kind that a status is about.
func commandsOn(status metav1.Status) string {
	if status.Details != nil && kindOf(status) == "nodepool" {
		return "marina nodepool"
	}
	return "marina cluster"
}

// causes lists what is wrong, each cause once, as "field: message".
func causes(status metav1.Status) []string {
	if status.Details == nil {
		return nil
	}
	var lines []string
	for _, cause := range status.Details.Causes {
		message := readable(cause.Message)
		if reason, denied := afterDenied(message); denied {
			message = reason
		}
		// Said in addition to the errors that kept the rules from being checked.
		if strings.HasPrefix(message, "some validation rules were not checked") && len(status.Details.Causes) > 1 {
			continue
		}
		if field := strings.TrimPrefix(cause.Field, "<nil>"); field != "" {
			message = field + ": " + message
		}
		if !slices.Contains(lines, message) {
			lines = append(lines, message)
		}
	}
	return lines
}

// pattern is what Kubernetes adds to the rules of names.
var pattern = regexp.MustCompile(`,? ?regex used for validation is '[^']*'`)

// readable removes what a sentence of validation carries for programmers: the
// value, which for a rule on an object is the word "object" or all of its JSON,
// and regular expressions.
func readable(message string) string {
	message = pattern.ReplaceAllString(message, "")
	rest, found := strings.CutPrefix(message, "Invalid value: ")
	if !found {
		return message
	}
	decoder := json.NewDecoder(strings.NewReader(rest))
	var value any
	if decoder.Decode(&value) == nil {
		if sentence, found := strings.CutPrefix(rest[decoder.InputOffset():], ": "); found {
			return sentence
		}
	}
	return rest
}

// afterDenied is the sentence of a ValidatingAdmissionPolicy without the names of
// the policy and its binding.
func afterDenied(message string) (string, bool) {
	if !strings.Contains(message, "ValidatingAdmissionPolicy") {
		return message, false
	}
	_, reason, found := strings.Cut(message, "denied request: ")
	return reason, found
}
