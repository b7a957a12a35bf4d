package api

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// setStatus merges JSON into the status, as the controller does.
func setStatus(t testing.TB, s *server, o *unstructured.Unstructured, status string) {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"status": `+status+`}`))
	if err := s.client.Status().Patch(t.Context(), o, patch, client.FieldOwner("marina")); err != nil {
		t.Fatalf("the controller cannot write the status %s: %v", status, err)
	}
}

// TestRule13ChangeOfVersion has the rules of what may follow what, and when.
func TestRule13ChangeOfVersion(t *testing.T) {
	wait := says("spec.version: Invalid value: ", "only while the cluster is Active and has taken up its last change", "kubectl wait", "status.accepted.version")
	downgrade := says("spec.version: Invalid value: ", "cannot be downgraded", "its present version or a newer one", "kubectl get kubernetesreleases")
	skip := says("spec.version: Invalid value: ", "one minor version at a time", "upgrade to the next minor version first")
	active := func(accepted string) string {
		return fmt.Sprintf(`{"phase": "Active", "accepted": {"version": %q}}`, accepted)
	}
	in := func(phase, accepted string) string {
		return fmt.Sprintf(`{"phase": %q, "accepted": {"version": %q}, "readySince": "2026-01-01T00:00:00Z"}`, phase, accepted)
	}
	neverReady := func(phase string) string {
		return fmt.Sprintf(`{"phase": %q, "accepted": {"version": "1.37.1-1"}}`, phase)
	}
	upgrading := func(phase string) string {
		return fmt.Sprintf(`{"phase": %q, "accepted": {"version": "1.37.1-1"}, "version": "1.36.4-2", "readySince": "2026-01-01T00:00:00Z"}`, phase)
	}
	const committed = `{"phase": "Upgrading", "accepted": {"version": "1.37.1-1"}, "version": "1.36.4-2", "committed": "1.37.1-1", "readySince": "2026-01-01T00:00:00Z"}`
	// Going back was asked for and taken up just before that was written.
	const overtaken = `{"phase": "Degraded", "accepted": {"version": "1.36.4-2"}, "version": "1.36.4-2", "committed": "1.37.1-1", "readySince": "2026-01-01T00:00:00Z"}`
	cases := map[string]struct {
		was, status, to string
		want            []string
	}{
		"NextBuild":                   {was: "1.36.4-1", status: active("1.36.4-1"), to: "1.36.4-2"},
		"BuildNineToTen":              {was: "1.36.4-9", status: active("1.36.4-9"), to: "1.36.4-10"},
		"NextPatch":                   {was: "1.36.4-10", status: active("1.36.4-10"), to: "1.36.5-1"},
		"PatchFiveToTen":              {was: "1.36.5-1", status: active("1.36.5-1"), to: "1.36.10-1"},
		"NextMinor":                   {was: "1.36.4-1", status: active("1.36.4-1"), to: "1.37.1-1"},
		"NextMinorLowerPatchAndBuild": {was: "1.36.4-10", status: active("1.36.4-10"), to: "1.37.0-1"},
		"MinorNineToTen":              {was: "1.9.9-1", status: active("1.9.9-1"), to: "1.10.0-1"},
		"OlderBuild":                  {was: "1.36.4-2", status: active("1.36.4-2"), to: "1.36.4-1", want: downgrade},
		"BuildTenToNine":              {was: "1.37.1-10", status: active("1.37.1-10"), to: "1.37.1-9", want: downgrade},
		"OlderPatch":                  {was: "1.37.1-1", status: active("1.37.1-1"), to: "1.37.0-1", want: downgrade},
		"OlderPatchNewerBuild":        {was: "1.36.5-1", status: active("1.36.5-1"), to: "1.36.4-10", want: downgrade},
		"PatchTenToFive":              {was: "1.36.10-1", status: active("1.36.10-1"), to: "1.36.5-1", want: downgrade},
		"OlderMinor":                  {was: "1.37.1-1", status: active("1.37.1-1"), to: "1.36.10-1", want: downgrade},
		"MinorTenToNine":              {was: "1.10.0-1", status: active("1.10.0-1"), to: "1.9.9-1", want: downgrade},
		"OlderMajor":                  {was: "2.0.0-1", status: active("2.0.0-1"), to: "1.38.0-1", want: downgrade},
		"SkippingAMinor":              {was: "1.36.4-1", status: active("1.36.4-1"), to: "1.38.0-1", want: skip},
		"NextMajor":                   {was: "1.38.0-1", status: active("1.38.0-1"), to: "2.0.0-1", want: skip},
		"NextMajorSameMinor":          {was: "1.36.4-1", status: active("1.36.4-1"), to: "2.36.5-1", want: skip},
		"LargestNumbers":              {was: "1.36.4-1", status: active("1.36.4-1"), to: "99999.99999.99999-99999", want: skip},

		"BeforeAnythingIsAccepted":         {was: "1.37.1-1", status: `{}`, to: "1.36.4-1"},
		"PendingBeforeAnythingIsAccepted":  {was: "1.37.1-1", status: `{"phase": "Pending"}`, to: "1.36.4-1"},
		"AcceptedWithoutAVersion":          {was: "1.37.1-1", status: `{"phase": "Pending", "accepted": {}}`, to: "1.36.4-1"},
		"WhilePending":                     {was: "1.36.4-1", status: in("Pending", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WhileCreating":                    {was: "1.36.4-1", status: in("Creating", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WhileUpdating":                    {was: "1.36.4-1", status: in("Updating", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WhileScaling":                     {was: "1.36.4-1", status: in("Scaling", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WhileUpgrading":                   {was: "1.36.4-1", status: in("Upgrading", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WhileDegraded":                    {was: "1.36.4-1", status: in("Degraded", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WhileDeleting":                    {was: "1.36.4-1", status: in("Deleting", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WhileInError":                     {was: "1.36.4-1", status: in("Error", "1.36.4-1"), to: "1.36.5-1", want: wait},
		"WithoutAPhase":                    {was: "1.36.4-1", status: `{"accepted": {"version": "1.36.4-1"}}`, to: "1.36.5-1", want: wait},
		"BeforeTheLastChangeIsTakenUp":     {was: "1.36.4-2", status: active("1.36.4-1"), to: "1.36.5-1", want: wait},
		"BackBeforeTheChangeIsTakenUp":     {was: "1.36.4-2", status: active("1.36.4-1"), to: "1.36.4-1"},
		"BackFromAChangeThatWasRefused":    {was: "1.37.1-1", status: in("Degraded", "1.36.4-1"), to: "1.36.4-1"},
		"BackWhenTheFirstOneFailed":        {was: "1.37.1-1", status: in("Error", "1.36.4-1"), to: "1.36.4-1"},
		"NotFurtherBackThanAccepted":       {was: "1.37.1-1", status: in("Degraded", "1.36.4-2"), to: "1.36.4-1", want: says("only while", "cannot be downgraded")},
		"DowngradeWhileUpgradingIsTwofold": {was: "1.37.1-1", status: in("Upgrading", "1.37.1-1"), to: "1.36.4-1", want: says("only while", "cannot be downgraded")},
		"CorrectionOfWhatNeverCameUp":      {was: "1.37.1-1", status: neverReady("Creating"), to: "1.36.4-1"},
		"CorrectionOfTheFirstError":        {was: "1.37.1-1", status: neverReady("Error"), to: "1.38.0-1"},
		"BackToWhatRunsWhileUpgrading":     {was: "1.37.1-1", status: upgrading("Upgrading"), to: "1.36.4-2"},
		"BackToWhatRunsWhileDegraded":      {was: "1.37.1-1", status: upgrading("Degraded"), to: "1.36.4-2"},
		"NotBackFromWhatIsCommitted":       {was: "1.37.1-1", status: committed, to: "1.36.4-2", want: says("only while", "cannot be downgraded: the older version may not read what has been stored")},
		"OnToWhatIsCommitted":              {was: "1.36.4-2", status: committed, to: "1.37.1-1"},
		"OnToWhatWasCommittedMeanwhile":    {was: "1.36.4-2", status: overtaken, to: "1.37.1-1"},
		"NotOnToAnotherThanCommitted":      {was: "1.36.4-2", status: overtaken, to: "1.37.1-2", want: wait},
		"NotFurtherBackThanWhatRuns":       {was: "1.37.1-1", status: upgrading("Degraded"), to: "1.36.4-1", want: says("only while", "cannot be downgraded")},
		"NotOnToAnotherWhileDegraded":      {was: "1.37.1-1", status: upgrading("Degraded"), to: "1.37.1-2", want: wait},
		"OtherChangesAreAlwaysAllowed":     {was: "1.37.1-1", status: in("Upgrading", "1.36.4-1"), to: "1.37.1-1"},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			for way, write := range writes {
				t.Run(name+"/"+way, func(t *testing.T) {
					was := applied(t, s, object("Cluster", newName(), fmt.Sprintf("{version: %s}", tc.was)))
					setStatus(t, s, was, tc.status)
					spec := fmt.Sprintf("{version: %s, access: {certSANs: [a.example.com]}}", tc.to)
					judge(t, write(t.Context(), s, live(t, s, was), spec), tc.want)
				})
			}
		}
	})
}

// Two quick upgrades must not both start, whatever the controller has seen of the
// first one.
func TestRule03SecondOfTwoQuickUpgradesIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		for way, write := range writes {
			t.Run(way, func(t *testing.T) {
				o := applied(t, s, object("Cluster", newName(), "{version: 1.36.4-1}"))
				setStatus(t, s, o, `{"phase": "Active", "accepted": {"version": "1.36.4-1"}}`)
				judge(t, write(t.Context(), s, live(t, s, o), "{version: 1.36.4-2}"), nil)
				judge(t, write(t.Context(), s, live(t, s, o), "{version: 1.36.5-1}"), says("only while the cluster is Active and has taken up its last change"))
				setStatus(t, s, o, `{"accepted": {"version": "1.36.4-2"}}`)
				judge(t, write(t.Context(), s, live(t, s, o), "{version: 1.36.5-1}"), nil)
			})
		}
	})
}
