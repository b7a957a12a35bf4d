package project

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Credentials that were refused are tried once in ten minutes, however many ask for them,
// and at once when they are others or for somewhere else.
func TestRefused(t *testing.T) {
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	o := &Opener{Now: clock.Now}
	open := func(secret, version, ca string) *Project {
		return &Project{
			opener: o, secret: types.NamespacedName{Name: secret}, version: version,
			Infrastructure: &v1alpha1.Infrastructure{Spec: v1alpha1.InfrastructureSpec{AuthURL: "https://cloud", CABundle: ca}},
		}
	}
	refuse := func() {
		if err := open("mine", "1", "").Outcome(&openstack.Error{Kind: openstack.Unauthorized, Message: "no"}, "logging in"); err == nil {
			t.Fatal("no error of a refusal")
		}
	}
	refuse()
	for name, tc := range map[string]struct {
		project *Project
		want    bool
	}{
		"the same":               {open("mine", "1", ""), true},
		"replaced":               {open("mine", "2", ""), false},
		"another Secret":         {open("yours", "1", ""), false},
		"another trusted CA now": {open("mine", "1", "ca"), false},
	} {
		if err := o.wasRefused(tc.project); (err != nil) != tc.want {
			t.Errorf("%s: %v, want a refusal: %v", name, err, tc.want)
		}
	}
	clock.Step(9 * time.Minute)
	refuse() // of somebody who has been told so now
	if o.wasRefused(open("mine", "1", "")) == nil {
		t.Error("it is tried after 9 minutes")
	}
	clock.Step(time.Minute)
	if err := o.wasRefused(open("mine", "1", "")); err != nil {
		t.Errorf("after 10 minutes: %v, want another try", err)
	}
	refuse()
	if o.wasRefused(open("mine", "1", "")) == nil {
		t.Error("a second refusal is not remembered")
	}
}
