package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A restart hands its token to one component after the other, and only while nothing
// else is amiss.
func TestRestartsGoOneComponentAtATime(t *testing.T) {
	const token = "uid-of-r"
	api, controllers, all := map[string]string{rolled[0]: token}, map[string]string{rolled[0]: token, rolled[1]: token},
		map[string]string{rolled[0]: token, rolled[1]: token, rolled[2]: token}
	with := func(components []v1alpha1.ComponentStatus, change func([]v1alpha1.ComponentStatus)) []v1alpha1.ComponentStatus {
		change(components)
		return components
	}
	second := func(ready int32) []v1alpha1.ComponentStatus {
		return with(firstRestarted(3), func(c []v1alpha1.ComponentStatus) { c[1].Restart, c[1].Ready = token, ready })
	}
	cases := map[string]struct {
		given      map[string]string
		components []v1alpha1.ComponentStatus
		cancelled  bool
		want       map[string]string
	}{
		"API servers first":                      {nil, threeTimes(oldVersion, "", 3), false, api},
		"not while a replica is missing":         {nil, threeTimes(oldVersion, "", 2), false, nil},
		"given and not taken up yet":             {api, threeTimes(oldVersion, "", 3), false, api},
		"the first is not done":                  {api, firstRestarted(2), false, api},
		"then the controller-managers":           {api, firstRestarted(3), false, controllers},
		"they are not done":                      {controllers, second(2), false, controllers},
		"then the schedulers":                    {controllers, second(3), false, all},
		"cancelled before the first":             {nil, threeTimes(oldVersion, "", 3), true, nil},
		"cancelled after the first":              {api, firstRestarted(3), true, api},
		"an older token is replaced":             {map[string]string{rolled[0]: "older"}, threeTimes(oldVersion, "older", 3), false, api},
		"not while another component is unready": {api, with(firstRestarted(3), func(c []v1alpha1.ComponentStatus) { c[2].Ready = 1 }), false, api},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := given{restarts: tc.given, components: tc.components}.situation()
			if diff := cmp.Diff(tc.want, restarts(s.hcp, token, tc.cancelled)); diff != "" {
				t.Errorf("tokens (-want +got):\n%s", diff)
			}
		})
	}
}

// What an Operation has asked for stays when it has ended: to take it back would roll
// the replicas again.
func TestWhatWasAskedForStays(t *testing.T) {
	since := metav1.NewTime(noon)
	s := given{restarts: map[string]string{rolled[0]: "token"}}.situation()
	s.hcp.Spec.Resync, s.hcp.Spec.CertificatesNotBefore = "resync", &since
	want := s.hcp.Spec
	got := withActions(desiredControlPlane(s.cluster, nil).Spec, s, nil)
	got.ClusterRef, want.ClusterRef = v1alpha1.ClusterReference{}, v1alpha1.ClusterReference{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the spec of the control plane (-before +after):\n%s", diff)
	}
	rotating := running(op(v1alpha1.OperationRotateCertificates, "c"), 1)
	if got := withActions(want, s, rotating); !got.CertificatesNotBefore.Equal(rotating.Status.StartedAt) {
		t.Errorf("certificates not before %v, want since the start of the rotation", got.CertificatesNotBefore)
	}
	stopping := cancel(running(upgradeTo(newVersion, "u"), 1))
	if got := withActions(want, s, stopping); !got.Paused {
		t.Error("a cancelled upgrade goes on")
	}
}
