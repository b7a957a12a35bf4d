package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	oldVersion = "1.36.4-1"
	newVersion = "1.37.1-1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// given is a Cluster, its control plane and its history, as a test describes them.
type given struct {
	deleting, neverReady bool
	// spec is the version that is asked for, runs the one that the control plane runs,
	// and told the one that the control plane was told to run; empty is oldVersion.
	spec, runs, told string
	generation       int64 // 1 unless given
	accepted         int64 // 1 unless given
	paused           bool
	restarts         map[string]string
	components       []v1alpha1.ComponentStatus
	refused          string
	operations       []*v1alpha1.Operation
}

func orElse[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (g given) situation() situation {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "project", Name: "shop", UID: "uid", Generation: orElse(g.generation, 1)}}
	c.Spec.Version = orElse(g.spec, oldVersion)
	c.Status.Version = orElse(g.runs, oldVersion)
	c.Status.Accepted = &v1alpha1.AcceptedSpec{Generation: orElse(g.accepted, 1)}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}
	hcp := &v1alpha1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
	hcp.Spec = v1alpha1.HostedControlPlaneSpec{Version: orElse(g.told, oldVersion), Paused: g.paused, Restarts: g.restarts}
	hcp.Status = v1alpha1.HostedControlPlaneStatus{Version: c.Status.Version, ObservedGeneration: 1, Components: g.components}
	if g.components == nil {
		hcp.Status.Components = threeTimes(hcp.Spec.Version, "", 3)
	}
	upToDate := metav1.Condition{Type: v1alpha1.ConditionUpToDate, Status: metav1.ConditionTrue, ObservedGeneration: 1}
	for _, component := range hcp.Status.Components {
		if !settled(component) {
			upToDate.Status = metav1.ConditionFalse
		}
	}
	if g.deleting {
		now := metav1.NewTime(noon)
		c.DeletionTimestamp = &now
	}
	if g.neverReady {
		c.Status.Version, c.Status.Accepted, hcp.Status.Version = "", nil, ""
		ready.Status = metav1.ConditionUnknown
	} else {
		since := metav1.NewTime(noon.Add(-time.Hour))
		c.Status.ReadySince = &since
	}
	hcp.Status.Conditions = []metav1.Condition{ready, upToDate}
	s := situation{cluster: c, hcp: hcp, operations: g.operations, now: noon}
	if g.refused != "" {
		s.refused = reconcile.UserError("Refused", "%s", g.refused)
	}
	return s
}

// threeTimes are the three components with a version, a restart token, and so many
// replicas that have been replaced and are ready.
func threeTimes(version, restart string, ready int32) (all []v1alpha1.ComponentStatus) {
	for _, name := range rolled {
		all = append(all, v1alpha1.ComponentStatus{Name: name, Version: version, Restart: restart, Replicas: 3, Ready: ready, Updated: ready})
	}
	return all
}

// op is an Operation as users create it; running and ended make others of it.
func op(kind v1alpha1.OperationType, name string) *v1alpha1.Operation {
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "project", Name: name, UID: types.UID("uid-of-" + name)}}
	o.Spec = v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: "shop"}, Type: kind}
	return o
}

func upgradeTo(version, name string) *v1alpha1.Operation {
	o := op(v1alpha1.OperationUpgrade, name)
	o.Spec.Version = version
	return o
}

func running(o *v1alpha1.Operation, generation int64) *v1alpha1.Operation {
	started := metav1.NewTime(noon.Add(-time.Minute))
	o.Status = v1alpha1.OperationStatus{Phase: v1alpha1.OperationRunning, StartedAt: &started, Generation: generation}
	return o
}

func ended(o *v1alpha1.Operation, phase v1alpha1.OperationPhase, generation int64) *v1alpha1.Operation {
	o = running(o, generation)
	finished := metav1.NewTime(noon.Add(-time.Second))
	o.Status.Phase, o.Status.FinishedAt = phase, &finished
	return o
}

func cancel(o *v1alpha1.Operation) *v1alpha1.Operation {
	o.Spec.Cancel = true
	return o
}

func retryOf(o *v1alpha1.Operation, name string) *v1alpha1.Operation {
	o.Spec.RetryOf = name
	return o
}

func TestDecide(t *testing.T) {
	const (
		create  = v1alpha1.OperationCreate
		update  = v1alpha1.OperationUpdate
		upgrade = v1alpha1.OperationUpgrade
		remove  = v1alpha1.OperationDelete
		resync  = v1alpha1.OperationResync
		restart = v1alpha1.OperationRestart
		rotate  = v1alpha1.OperationRotateCertificates

		succeeded = v1alpha1.OperationSucceeded
		failed    = v1alpha1.OperationFailed
		cancelled = v1alpha1.OperationCancelled
	)
	cases := map[string]struct {
		given
		// want is what runs: "new TYPE" is recorded, "begins NAME" was there, "NAME"
		// goes on; empty is nothing.
		want string
		// ends are those that end, as "NAME Phase", and says words of the message of
		// the first of them.
		ends []string
		says string
	}{
		"a new cluster is created":                        {given: given{neverReady: true}, want: "new Create"},
		"a creation that was recorded begins":             {given: given{neverReady: true, operations: ops(op(create, "c"))}, want: "begins c"},
		"a creation goes on":                              {given: given{neverReady: true, operations: ops(running(op(create, "c"), 1))}, want: "c"},
		"a creation goes on with a spec that has changed": {given: given{neverReady: true, generation: 2, operations: ops(running(op(create, "c"), 1))}, want: "c"},
		"a creation ends when the cluster is ready":       {given: given{operations: ops(running(op(create, "c"), 1))}, ends: []string{"c Succeeded"}},
		"a creation that is refused has failed": {given: given{neverReady: true, refused: "no such release", operations: ops(running(op(create, "c"), 1))},
			ends: []string{"c Failed"}, says: "no such release"},
		"one that has failed is not begun again while it is refused":     {given: given{neverReady: true, refused: "no", operations: ops(ended(op(create, "c"), failed, 1))}},
		"it is begun again when the cause is gone":                       {given: given{neverReady: true, operations: ops(ended(op(create, "c"), failed, 1))}, want: "new Create retrying c"},
		"it is begun again with a corrected spec":                        {given: given{neverReady: true, generation: 2, refused: "no", operations: ops(ended(op(create, "c"), failed, 1))}, want: "new Create"},
		"what was created is not created again when the cache is behind": {given: given{neverReady: true, operations: ops(ended(op(create, "c"), succeeded, 1))}},

		"nothing is to be done": {given: given{operations: ops(ended(op(create, "c"), succeeded, 1))}},

		"a change of the spec is an update":                    {given: given{generation: 2}, want: "new Update"},
		"an update ends when the control plane is as asked":    {given: given{generation: 2, accepted: 2, operations: ops(running(op(update, "u"), 2))}, ends: []string{"u Succeeded"}},
		"it does not end before":                               {given: given{generation: 2, accepted: 2, components: threeTimes(oldVersion, "", 2), operations: ops(running(op(update, "u"), 2))}, want: "u"},
		"it is overtaken by the next":                          {given: given{generation: 3, accepted: 2, components: threeTimes(oldVersion, "", 2), operations: ops(running(op(update, "u"), 2))}, want: "new Update", ends: []string{"u Cancelled"}, says: "overtaken"},
		"it fails with a spec that is refused":                 {given: given{generation: 2, refused: "no", operations: ops(running(op(update, "u"), 2))}, ends: []string{"u Failed"}},
		"an update that has ended is not begun again":          {given: given{generation: 2, operations: ops(ended(op(update, "u"), succeeded, 2))}},
		"an update that has failed is not while it is refused": {given: given{generation: 2, refused: "no", operations: ops(ended(op(update, "u"), failed, 2))}},

		"a change of the version is an upgrade":             {given: given{generation: 2, spec: newVersion}, want: "new Upgrade"},
		"an upgrade goes on":                                {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, operations: ops(running(upgradeTo(newVersion, "u"), 2))}, want: "u"},
		"it goes on while its replicas are not settled":     {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, runs: newVersion, components: threeTimes(newVersion, "", 2), operations: ops(running(upgradeTo(newVersion, "u"), 2))}, want: "u"},
		"it ends when everything runs the new version":      {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, runs: newVersion, operations: ops(running(upgradeTo(newVersion, "u"), 2))}, ends: []string{"u Succeeded"}, says: newVersion},
		"it fails when it is refused":                       {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, refused: "not built", operations: ops(running(upgradeTo(newVersion, "u"), 2))}, ends: []string{"u Failed"}, says: "not built"},
		"one that has failed waits while it is refused":     {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, refused: "not built", operations: ops(ended(upgradeTo(newVersion, "u"), failed, 2))}},
		"and begins again when the cause is gone":           {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, operations: ops(ended(upgradeTo(newVersion, "u"), failed, 2))}, want: "new Upgrade retrying u"},
		"going back overtakes it":                           {given: given{generation: 3, accepted: 2, spec: oldVersion, told: newVersion, operations: ops(running(upgradeTo(newVersion, "u"), 2))}, want: "new Upgrade", ends: []string{"u Cancelled"}, says: "spec.version is now " + oldVersion},
		"the same version again after going back is new":    {given: given{generation: 4, accepted: 3, spec: newVersion, operations: ops(ended(upgradeTo(newVersion, "u"), succeeded, 2), ended(upgradeTo(oldVersion, "v"), succeeded, 3))}, want: "new Upgrade"},
		"a change of the rest waits for it":                 {given: given{generation: 3, accepted: 2, spec: newVersion, told: newVersion, operations: ops(running(upgradeTo(newVersion, "u"), 2))}, want: "u"},
		"a cancelled one goes on until it is safe":          {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, paused: true, components: threeTimes(newVersion, "", 2), operations: ops(cancel(running(upgradeTo(newVersion, "u"), 2)))}, want: "u"},
		"a cancelled one waits for the control plane":       {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, operations: ops(cancel(running(upgradeTo(newVersion, "u"), 2)))}, want: "u"},
		"then it is cancelled and tells what was left":      {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, paused: true, components: threeTimes(oldVersion, "", 3), operations: ops(cancel(running(upgradeTo(newVersion, "u"), 2)))}, ends: []string{"u Cancelled"}, says: "not done: kube-apiserver as 1.36, kube-controller-manager as 1.36, kube-scheduler as 1.36, kube-apiserver, kube-controller-manager, kube-scheduler: 'marina operation retry u' goes on, spec.version 1.36.4-1 goes back"},
		"what was cancelled is not begun again by itself":   {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, paused: true, operations: ops(cancel(ended(upgradeTo(newVersion, "u"), cancelled, 2)))}},
		"not even without its history":                      {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, paused: true}},
		"a cancelled one that gets stuck has failed":        {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, paused: true, refused: "stuck", components: threeTimes(newVersion, "", 2), operations: ops(cancel(running(upgradeTo(newVersion, "u"), 2)))}, ends: []string{"u Failed"}, says: "stuck"},
		"and is not begun again when it is mended":          {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, paused: true, operations: ops(cancel(ended(upgradeTo(newVersion, "u"), failed, 2)))}},
		"not even if it had not begun":                      {given: given{generation: 2, accepted: 2, spec: newVersion, paused: true}},
		"but by a retry":                                    {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, paused: true, operations: ops(cancel(ended(upgradeTo(newVersion, "u"), cancelled, 2)), retryOf(upgradeTo(newVersion, "r"), "u"))}, want: "begins r"},
		"a spec that changes besides is taken up":           {given: given{generation: 3, accepted: 2, spec: newVersion, told: newVersion, paused: true, operations: ops(cancel(ended(upgradeTo(newVersion, "u"), cancelled, 2)))}, want: "new Update"},
		"a version that was cancelled long ago begins anew": {given: given{generation: 4, accepted: 3, spec: newVersion, operations: ops(cancel(ended(upgradeTo(newVersion, "u"), cancelled, 2)), ended(upgradeTo(oldVersion, "v"), succeeded, 3))}, want: "new Upgrade"},
		"a retry of nothing leaves what was stopped":        {given: given{generation: 3, accepted: 3, spec: newVersion, told: newVersion, paused: true, operations: ops(cancel(ended(upgradeTo(newVersion, "u"), cancelled, 2)), retryOf(upgradeTo(newVersion, "r"), "x"))}, ends: []string{"r Failed"}, says: "no operation x"},
		"so does a retry that is cancelled at once":         {given: given{generation: 3, accepted: 3, spec: newVersion, told: newVersion, paused: true, operations: ops(cancel(ended(upgradeTo(newVersion, "u"), cancelled, 2)), cancel(retryOf(upgradeTo(newVersion, "r"), "u")))}, ends: []string{"r Cancelled"}},
		"an upgrade that is cancelled before it began":      {given: given{generation: 2, accepted: 1, spec: newVersion, operations: ops(cancel(upgradeTo(newVersion, "u")))}, ends: []string{"u Cancelled"}},
		"a cancelled one that has come to its end":          {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, components: threeTimes(newVersion, "", 3), operations: ops(cancel(running(upgradeTo(newVersion, "u"), 2)))}, want: "u"},
		"a failure of later by the clock is no news":        {given: given{neverReady: true, generation: 3, refused: "no", operations: ops(ended(op(create, "now"), failed, 3), ended(op(create, "ahead"), failed, 2))}},
		"an update that takes too long has failed":          {given: given{generation: 2, accepted: 2, components: threeTimes(oldVersion, "", 0), operations: ops(long(running(op(update, "u"), 2)))}, ends: []string{"u Failed"}, says: "not done within 10m"},
		"a retry of another version is refused":             {given: given{operations: ops(ended(upgradeTo(newVersion, "u"), failed, 2), retryOf(upgradeTo(newVersion, "r"), "u"))}, ends: []string{"r Failed"}, says: "its spec asks for 1.36.4-1"},

		"an action begins": {given: given{operations: ops(op(restart, "r"))}, want: "begins r"},
		"of two, the first begins and the second is told": {given: given{operations: ops(op(restart, "r"), op(resync, "s"))}, want: "begins r", ends: []string{"s Failed"}, says: "operation r (Restart) runs"},
		"one is refused while another runs":               {given: given{restarts: map[string]string{}, operations: ops(running(op(restart, "r"), 1), op(rotate, "c"))}, want: "r", ends: []string{"c Failed"}, says: "operation r (Restart) runs"},
		"one is refused during an upgrade":                {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, operations: ops(running(upgradeTo(newVersion, "u"), 2), op(resync, "s"))}, want: "u", ends: []string{"s Failed"}, says: "operation u (Upgrade) runs"},
		"one is refused during the creation":              {given: given{neverReady: true, operations: ops(running(op(create, "c"), 1), op(restart, "r"))}, want: "c", ends: []string{"r Failed"}, says: "never been ready"},
		"one is refused when the spec has just changed":   {given: given{generation: 2, operations: ops(op(restart, "r"))}, want: "new Update", ends: []string{"r Failed"}, says: "Update"},
		"a degraded cluster accepts a resync":             {given: given{generation: 2, accepted: 2, spec: newVersion, told: newVersion, refused: "not built", operations: ops(ended(upgradeTo(newVersion, "u"), failed, 2), op(resync, "s"))}, want: "begins s"},
		"one that waits and is cancelled":                 {given: given{operations: ops(cancel(op(restart, "r")))}, ends: []string{"r Cancelled"}, says: "before it had begun"},
		"a change of the spec waits for an action":        {given: given{generation: 2, operations: ops(running(op(restart, "r"), 1))}, want: "r"},

		"a restart ends when all have the token":    {given: given{components: threeTimes(oldVersion, "uid-of-r", 3), operations: ops(running(op(restart, "r"), 1))}, ends: []string{"r Succeeded"}},
		"it is cancelled between two components":    {given: given{components: firstRestarted(3), operations: ops(cancel(running(op(restart, "r"), 1)))}, ends: []string{"r Cancelled"}, says: "not done: kube-controller-manager, kube-scheduler"},
		"and not within one":                        {given: given{components: firstRestarted(2), operations: ops(cancel(running(op(restart, "r"), 1)))}, want: "r"},
		"an action that takes too long has failed":  {given: given{operations: ops(long(running(op(resync, "s"), 1)))}, ends: []string{"s Failed"}, says: "not done within 10m"},
		"a retry of what has failed":                {given: given{operations: ops(ended(op(restart, "r"), failed, 1), retryOf(op(restart, "again"), "r"))}, want: "begins again"},
		"a retry of what has succeeded is refused":  {given: given{operations: ops(ended(op(restart, "r"), succeeded, 1), retryOf(op(restart, "again"), "r"))}, ends: []string{"again Failed"}, says: "neither failed nor been cancelled"},
		"a retry of nothing is refused":             {given: given{operations: ops(retryOf(op(restart, "again"), "r"))}, ends: []string{"again Failed"}, says: "no operation r"},
		"a retry as another type is refused":        {given: given{operations: ops(ended(op(restart, "r"), failed, 1), retryOf(op(resync, "again"), "r"))}, ends: []string{"again Failed"}, says: "type Restart"},
		"a creation cannot be asked for afterwards": {given: given{operations: ops(op(create, "c"))}, ends: []string{"c Failed"}, says: "nothing left to do"},

		"a deletion is recorded":                 {given: given{deleting: true, generation: 2}, want: "new Delete"},
		"a deletion goes on":                     {given: given{deleting: true, generation: 2, operations: ops(running(op(remove, "d"), 2))}, want: "d"},
		"a deletion overtakes the creation":      {given: given{deleting: true, neverReady: true, generation: 2, operations: ops(running(op(create, "c"), 1))}, want: "new Delete", ends: []string{"c Cancelled"}, says: "being deleted"},
		"a deletion overtakes an upgrade":        {given: given{deleting: true, generation: 3, accepted: 2, spec: newVersion, told: newVersion, operations: ops(running(upgradeTo(newVersion, "u"), 2))}, want: "new Delete", ends: []string{"u Cancelled"}},
		"a deletion overtakes an action":         {given: given{deleting: true, generation: 2, operations: ops(running(op(restart, "r"), 1))}, want: "new Delete", ends: []string{"r Cancelled"}},
		"an action during a deletion is refused": {given: given{deleting: true, generation: 2, operations: ops(running(op(remove, "d"), 2), op(restart, "r"))}, want: "d", ends: []string{"r Failed"}, says: "being deleted"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := decide(tc.situation())
			if got := describe(d); got != tc.want {
				t.Errorf("what runs is %q, want %q", got, tc.want)
			}
			var ends []string
			for _, v := range d.Verdicts {
				ends = append(ends, fmt.Sprintf("%s %s", v.Operation.Name, v.Phase))
				if v.Message == "" {
					t.Errorf("%s ends without a word", v.Operation.Name)
				}
			}
			if diff := cmp.Diff(tc.ends, ends); diff != "" {
				t.Errorf("what ends (-want +got):\n%s", diff)
			}
			if tc.says != "" && len(d.Verdicts) > 0 && !strings.Contains(d.Verdicts[0].Message, tc.says) {
				t.Errorf("it says %q, want it to say %q", d.Verdicts[0].Message, tc.says)
			}
		})
	}
}

func ops(all ...*v1alpha1.Operation) []*v1alpha1.Operation { return all }

// long has run for an hour.
func long(o *v1alpha1.Operation) *v1alpha1.Operation {
	started := metav1.NewTime(noon.Add(-time.Hour))
	o.Status.StartedAt = &started
	return o
}

// firstRestarted is a restart of which only the API servers have got the token.
func firstRestarted(ready int32) []v1alpha1.ComponentStatus {
	all := threeTimes(oldVersion, "", 3)
	all[0].Restart, all[0].Updated, all[0].Ready = "uid-of-r", ready, ready
	return all
}

func describe(d operation.Decision) string {
	switch {
	case d.Running == nil:
		return ""
	case d.Create && d.Running.Spec.RetryOf != "":
		return fmt.Sprintf("new %s retrying %s", d.Running.Spec.Type, d.Running.Spec.RetryOf)
	case d.Create:
		return fmt.Sprintf("new %s", d.Running.Spec.Type)
	case d.Begins:
		return "begins " + d.Running.Name
	default:
		return d.Running.Name
	}
}

// An Operation is recorded under a name that follows from what it is about, so that
// recording it twice, because the cache is behind, is noticed.
func TestRecordingTwiceFindsTheSameName(t *testing.T) {
	first, second := decide(given{neverReady: true}.situation()), decide(given{neverReady: true}.situation())
	if first.Running.Name != second.Running.Name || !strings.HasPrefix(first.Running.Name, "shop-create-") {
		t.Errorf("names %q and %q, want the same", first.Running.Name, second.Running.Name)
	}
	for i := range 100_000 {
		c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: types.UID(fmt.Sprint(i))}}
		if name := (situation{cluster: c}).Subject().OperationName(&operation.Wish{Kind: v1alpha1.OperationDelete, Generation: 1}, 0); len(name) != len(first.Running.Name) {
			t.Fatalf("%q is not as long as %q", name, first.Running.Name)
		}
	}
	later := decide(given{neverReady: true, generation: 2, operations: ops(ended(op(v1alpha1.OperationCreate, first.Running.Name), v1alpha1.OperationFailed, 1))}.situation())
	if later.Running == nil || later.Running.Name == first.Running.Name {
		t.Errorf("the next attempt is %+v, want one of another name", later.Running)
	}
}
