package infrastructure

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	reasonUnreachable = "CloudUnreachable"
	// maxProblems is how many a condition tells in words; the report has all of them.
	maxProblems = 3
)

// unreachable is the outcome of a pass in which the cloud could not be asked.
func unreachable(err error) error {
	e := &reconcile.Error{Kind: reconcile.KindRetry, Reason: reasonUnreachable, Message: err.Error(), Err: err}
	if known := passing(err); known != nil && known.After > 0 {
		e.After = max(known.After, firstRetry)
	}
	return e
}

// problem is what a person has to change, or nil.
func (s *scope) problem() error {
	first := s.inspection.report.Problem()
	if first == nil {
		return nil
	}
	var words []string
	more := 0
	for _, c := range s.inspection.report.Checks {
		if c.Result != Failed {
			continue
		}
		if len(words) == maxProblems {
			more++
			continue
		}
		words = append(words, c.Found+": "+c.Do)
	}
	message := strings.Join(words, "; ")
	if more > 0 {
		message += fmt.Sprintf("; and %d more: see 'marina infrastructure check %s'", more, s.infra.Name)
	}
	e := &reconcile.Error{Kind: reconcile.KindUser, Reason: first.Reason, Message: message, After: problemInterval}
	if ofCredentials(e) {
		e.After = interval
	}
	return e
}

// ofCredentials reports whether an outcome is of the Secret or of what it holds, and not
// of what the spec asks for.
func ofCredentials(e *reconcile.Error) bool {
	switch e.Reason {
	case "SecretNotFound", "SecretIncomplete", "CredentialsInvalid", "CredentialsMismatch", string(openstack.Unauthorized):
		return true
	}
	return false
}

// writeStatus computes the status from one pass.
func writeStatus(s *scope, err error) {
	status, generation := &s.infra.Status, s.infra.Generation
	set := func(conditionType string, err error, done string) {
		reconcile.SetCondition(&status.Conditions, conditionType, generation, err, done)
	}
	e := reconcile.As(err)
	if e != nil && e.Reason == reasonUnreachable {
		// It says nothing of what was found before, but of a spec that was not looked at yet.
		set(v1alpha1.ConditionReachable, err, "")
		for _, conditionType := range []string{v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionSpecAccepted, v1alpha1.ConditionReady} {
			s.notLooked(conditionType, "the cloud cannot be asked: see the condition Reachable")
		}
		return
	}
	switch {
	case e != nil && ofCredentials(e):
		set(v1alpha1.ConditionCredentialsValid, err, "")
		s.notLooked(v1alpha1.ConditionSpecAccepted, "the cloud cannot be asked without credentials")
	case s.inspection.client == nil:
		// It is the address or the certificate that is wrong: the credentials were not judged.
		s.notLooked(v1alpha1.ConditionCredentialsValid, "nobody has logged in yet: see the condition SpecAccepted")
		set(v1alpha1.ConditionSpecAccepted, err, "")
	default:
		set(v1alpha1.ConditionCredentialsValid, nil, "the cloud lets the credentials in")
		set(v1alpha1.ConditionSpecAccepted, err, "the cloud has all that the spec names")
	}
	if e == nil || s.inspection.report.Checks != nil {
		set(v1alpha1.ConditionReachable, nil, "the cloud answers")
	} else {
		s.notLooked(v1alpha1.ConditionReachable, "the cloud cannot be asked without credentials")
	}
	set(v1alpha1.ConditionReady, err, "clusters may have nodes here")
	if s.looked {
		status.ExternalNetworkID = s.inspection.found.ExternalNetworkID
		status.Images, status.Flavors = s.inspection.found.Images, s.inspection.found.Flavors
		status.ObservedGeneration = generation
	}
}

// notLooked makes a condition Unknown, unless it is already about this generation.
func (s *scope) notLooked(conditionType, message string) {
	known := meta.FindStatusCondition(s.infra.Status.Conditions, conditionType)
	if known != nil && known.ObservedGeneration == s.infra.Generation {
		return
	}
	meta.SetStatusCondition(&s.infra.Status.Conditions, metav1.Condition{
		Type: conditionType, Status: metav1.ConditionUnknown, Reason: "NotChecked", Message: message, ObservedGeneration: s.infra.Generation,
	})
}
