package infrastructure

import (
	"errors"
	"fmt"
	"slices"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Result is how a check ended.
type Result string

const (
	// OK means that it is as it has to be.
	OK Result = "OK"
	// Warning means that clusters work, and something of them does not, or soon not any more.
	Warning Result = "Warning"
	// Failed means that there are no nodes with it.
	Failed Result = "Failed"
)

// Check is one thing that was looked at.
type Check struct {
	// Name is what was looked at, such as "image 1.37.1-1".
	Name   string `json:"name"`
	Result Result `json:"result"`
	// Reason is a word for programs, of what is not OK.
	Reason string `json:"reason,omitempty"`
	// Found is what is there.
	Found string `json:"found"`
	// Do is what to do about it.
	Do string `json:"do,omitempty"`
}

// Report is what was found, in the order in which it was looked at.
type Report struct {
	Checks []Check `json:"checks"`
}

// Failed reports whether any check has.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Result == Failed })
}

// Problem is the first check that has failed, or nil.
func (r *Report) Problem() *Check {
	for i := range r.Checks {
		if r.Checks[i].Result == Failed {
			return &r.Checks[i]
		}
	}
	return nil
}

func (r *Report) ok(name, format string, args ...any) {
	r.Checks = append(r.Checks, Check{Name: name, Result: OK, Found: fmt.Sprintf(format, args...)})
}

func (r *Report) fail(name, reason, found, do string) {
	r.Checks = append(r.Checks, Check{Name: name, Result: Failed, Reason: reason, Found: found, Do: do})
}

func (r *Report) warn(name, reason, found, do string) {
	r.Checks = append(r.Checks, Check{Name: name, Result: Warning, Reason: reason, Found: found, Do: do})
}

// Found is what the names of a spec stand for in the cloud.
type Found struct {
	ExternalNetworkID string
	Images            []v1alpha1.InfrastructureImage
	Flavors           []v1alpha1.InfrastructureFlavor
}

// refused adds a check for what a service has refused, and returns the error of one that
// says nothing of what was looked for: the cloud was not there, or too busy.
func (r *Report) refused(name string, err error) error {
	e := openstack.As(err)
	if e == nil || e.Passing() {
		return err
	}
	do := "ask whoever runs the cloud"
	switch e.Kind {
	case openstack.Unauthorized:
		do = "replace the credentials: they are wrong, expired or revoked"
	case openstack.Forbidden:
		do = "give the credentials a role that may look at it: reader or member"
	case openstack.NotFound:
		do = "check the address of Keystone, spec.authURL, and the endpoints in its catalogue: there is no such service there"
	case openstack.Untrusted:
		do = "put the CA of the cloud into spec.caBundle of the Infrastructure"
	}
	r.fail(name, string(e.Kind), e.Error(), do)
	return nil
}

// passing reports whether err is of a cloud that was not there, or too busy.
func passing(err error) *openstack.Error {
	var e *openstack.Error
	if errors.As(err, &e) && e.Passing() {
		return e
	}
	return nil
}
