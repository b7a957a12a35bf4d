package nodepool

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// given is a pool and its history, as a test describes them.
type given struct {
	deleting, neverReady bool
	generation           int64 // 1 unless given
	// wants is how many nodes are asked for, and has how many there are and are ready; 3
	// unless given.
	wants, has int
	// flavor is the one that is asked for, and old how many nodes are of another one.
	flavor string
	old    int
	// accepted is what has been taken up; 3 nodes of flavor a, at generation 1, unless given.
	accepted   *v1alpha1.AcceptedPool
	refused    string
	stuck      int
	moved      bool
	operations []*v1alpha1.Operation
}

func taken(replicas int32, flavor string, generation int64, refused bool) *v1alpha1.AcceptedPool {
	return &v1alpha1.AcceptedPool{Replicas: replicas, Rest: restOf(v1alpha1.NodePoolSpec{Flavor: flavor}), Generation: generation, Refused: refused}
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (g given) changes() changes {
	p := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "project", Name: "web", UID: "uid", Generation: or(g.generation, 1)}}
	p.Spec = v1alpha1.NodePoolSpec{Flavor: or(g.flavor, "a")}
	wants, has := or(g.wants, 3), or(g.has, 3)
	c := changes{pool: p, now: noon, shaped: true, moved: g.moved, operations: g.operations}
	c.facts = facts{Deleting: g.deleting, BeenReady: !g.neverReady, Wanted: wants, Live: has, Ready: has - g.stuck, Old: g.old, Stuck: g.stuck, Failing: g.stuck}
	c.servers, c.current, c.currentReady = has-g.stuck, has-g.stuck-g.old, has-g.stuck-g.old
	if p.Status.Accepted = g.accepted; g.accepted == nil && !g.neverReady {
		p.Status.Accepted = taken(3, "a", 1, false)
	}
	if g.deleting {
		p.DeletionTimestamp = &metav1.Time{Time: noon}
	}
	if g.refused != "" {
		c.refused, c.facts.Refused = reconcile.UserError("Refused", "%s", g.refused), true
	}
	if g.stuck > 0 {
		c.trouble = "node web-1: the quota is exhausted"
	}
	return c
}

func op(kind v1alpha1.OperationType, name string) *v1alpha1.Operation {
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Name: name}}
	o.Spec = v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "NodePool", Name: "web"}, Type: kind}
	return o
}

func runs(kind v1alpha1.OperationType, name string, generation int64, since time.Duration) *v1alpha1.Operation {
	o := op(kind, name)
	o.Status = v1alpha1.OperationStatus{Phase: v1alpha1.OperationRunning, StartedAt: &metav1.Time{Time: noon.Add(-since)}, Generation: generation}
	return o
}

func ended(kind v1alpha1.OperationType, name string, phase v1alpha1.OperationPhase, generation int64) *v1alpha1.Operation {
	o := runs(kind, name, generation, time.Minute)
	o.Status.Phase, o.Status.FinishedAt = phase, &metav1.Time{Time: noon}
	return o
}

func retry(kind v1alpha1.OperationType, name, of string) *v1alpha1.Operation {
	o := op(kind, name)
	o.Spec.RetryOf = of
	return o
}

func ops(all ...*v1alpha1.Operation) []*v1alpha1.Operation { return all }

func TestDecide(t *testing.T) {
	const (
		create, scale, update, remove = v1alpha1.OperationCreate, v1alpha1.OperationScale, v1alpha1.OperationUpdate, v1alpha1.OperationDelete
		succeeded, failed             = v1alpha1.OperationSucceeded, v1alpha1.OperationFailed
		minute                        = time.Minute
	)
	cases := map[string]struct {
		given
		// want is what runs: "new TYPE", "begins NAME", "NAME", "NAME merged", or nothing;
		// ends are those that end, and says words of the first of them.
		want, says string
		ends       []string
		// counts is what counts as taken up afterwards: replicas, generation, refused.
		counts string
	}{
		"a new pool is created":                       {given: given{neverReady: true, has: -1}, want: "new Create", counts: "3 1 false"},
		"one that was made before there were records": {given: given{neverReady: true, has: 1, accepted: nil}, want: "new Create", counts: "3 1 false"},
		"a creation goes on":                          {given: given{neverReady: true, has: 1, accepted: taken(3, "a", 1, false), operations: ops(runs(create, "c", 1, minute))}, want: "c", counts: "3 1 false"},
		"it takes up another number":                  {given: given{neverReady: true, generation: 2, wants: 5, accepted: taken(3, "a", 1, false), operations: ops(runs(create, "c", 1, minute))}, want: "c merged", counts: "5 1 false"},
		"it takes up another flavor":                  {given: given{neverReady: true, generation: 2, has: 1, flavor: "b", accepted: taken(3, "a", 1, false), operations: ops(runs(create, "c", 1, minute))}, want: "c merged", counts: "3 2 false"},
		"it ends when all nodes are ready":            {given: given{neverReady: true, accepted: taken(3, "a", 1, false), operations: ops(runs(create, "c", 1, minute))}, ends: []string{"c Succeeded"}, says: "the pool has its 3 nodes", counts: "3 1 false"},
		"it fails when it is refused":                 {given: given{neverReady: true, has: -1, refused: "no such flavor", accepted: taken(3, "a", 1, true), operations: ops(runs(create, "c", 1, minute))}, ends: []string{"c Failed"}, says: "no such flavor", counts: "3 1 true"},
		"it is not begun again while it is":           {given: given{neverReady: true, has: -1, refused: "no", accepted: taken(3, "a", 1, true), operations: ops(ended(create, "c", failed, 1))}, counts: "3 1 true"},
		"it is when the cause is gone":                {given: given{neverReady: true, has: -1, accepted: taken(3, "a", 1, true), operations: ops(ended(create, "c", failed, 1))}, want: "new Create retrying c", counts: "3 1 false"},
		"it fails when no node can be had":            {given: given{neverReady: true, stuck: 3, accepted: taken(3, "a", 1, false), operations: ops(runs(create, "c", 1, minute))}, ends: []string{"c Failed"}, says: "the quota is exhausted; not done: Servers made, Nodes ready; the pool goes on trying", counts: "3 1 false"},
		"it is not begun again for that":              {given: given{neverReady: true, stuck: 3, accepted: taken(3, "a", 1, false), operations: ops(ended(create, "c", failed, 1))}, counts: "3 1 false"},
		"it is given up":                              {given: given{neverReady: true, has: 1, accepted: taken(3, "a", 1, false), operations: ops(runs(create, "c", 1, 3*time.Hour))}, ends: []string{"c Failed"}, says: "not done within", counts: "3 1 false"},

		"nothing is to be done":                 {given: given{}, counts: "3 1 false"},
		"a pool that is given other nodes":      {given: given{generation: 2}, counts: "3 1 false"},
		"another number is a scale":             {given: given{generation: 2, wants: 5}, want: "new Scale", counts: "5 1 false"},
		"a scale that was recorded begins":      {given: given{generation: 2, wants: 5, operations: ops(op(scale, "s"))}, want: "begins s", counts: "5 1 false"},
		"one that has begun is not begun anew":  {given: given{generation: 2, wants: 5, operations: ops(runs(scale, "s", 2, minute))}, want: "s", counts: "5 1 false"},
		"it goes on":                            {given: given{generation: 2, wants: 5, has: 4, accepted: taken(5, "a", 1, false), operations: ops(runs(scale, "s", 2, minute))}, want: "s", counts: "5 1 false"},
		"it does not while the cache is behind": {given: given{generation: 2, wants: 5, has: 5, moved: true, accepted: taken(5, "a", 1, false), operations: ops(runs(scale, "s", 2, minute))}, want: "s", counts: "5 1 false"},
		"it ends":                               {given: given{generation: 2, wants: 5, has: 5, accepted: taken(5, "a", 1, false), operations: ops(runs(scale, "s", 2, minute))}, ends: []string{"s Succeeded"}, says: "5 nodes", counts: "5 1 false"},
		"the next number is merged into it":     {given: given{generation: 3, wants: 7, accepted: taken(5, "a", 1, false), operations: ops(runs(scale, "s", 2, minute))}, want: "s merged", counts: "7 1 false"},
		"one that is reached at once too":       {given: given{generation: 3, wants: 3, accepted: taken(5, "a", 1, false), operations: ops(runs(scale, "s", 2, minute))}, ends: []string{"s Succeeded merged"}, says: "changed once more", counts: "3 1 false"},
		"another flavor overtakes it":           {given: given{generation: 3, wants: 5, old: 3, flavor: "b", accepted: taken(5, "a", 1, false), operations: ops(runs(scale, "s", 2, minute))}, want: "new Update", ends: []string{"s Cancelled"}, says: "overtaken: the spec has changed again; not done: Servers made", counts: "5 3 false"},
		"a scale that is given up":              {given: given{generation: 2, wants: 5, accepted: taken(5, "a", 1, false), operations: ops(runs(scale, "s", 2, 3*time.Hour))}, ends: []string{"s Failed"}, says: "not done within 120m; not done: Servers made, Nodes ready; the pool goes on trying", counts: "5 1 false"},
		"it is not begun again by itself":       {given: given{generation: 2, wants: 5, accepted: taken(5, "a", 1, false), operations: ops(ended(scale, "s", failed, 2))}, counts: "5 1 false"},
		"but by a retry":                        {given: given{generation: 2, wants: 5, accepted: taken(5, "a", 1, false), operations: ops(ended(scale, "s", failed, 2), retry(scale, "r", "s"))}, want: "begins r", counts: "5 1 false"},
		"a retry of what is done is refused":    {given: given{generation: 2, operations: ops(ended(scale, "s", failed, 2), retry(scale, "r", "s"))}, ends: []string{"r Failed"}, says: "nothing left to do of type Scale", counts: "3 1 false"},
		"more nodes that are refused":           {given: given{generation: 2, wants: 5, refused: "no room", operations: ops(runs(scale, "s", 2, minute))}, ends: []string{"s Failed"}, says: "no room", counts: "3 1 false"},
		"are asked for on, and wait":            {given: given{generation: 2, wants: 5, refused: "no room", operations: ops(ended(scale, "s", failed, 2))}, counts: "3 1 false"},
		"until there is room":                   {given: given{generation: 2, wants: 5, operations: ops(ended(scale, "s", failed, 2))}, want: "new Scale retrying s", counts: "5 1 false"},
		"fewer are not refused":                 {given: given{generation: 2, wants: 2, refused: "no such flavor", operations: ops(runs(scale, "s", 2, minute))}, want: "s", counts: "2 1 false"},

		"another flavor is an update":        {given: given{generation: 2, old: 3, flavor: "b"}, want: "new Update", counts: "3 2 false"},
		"with another number too":            {given: given{generation: 2, old: 3, wants: 5, flavor: "b"}, want: "new Update", counts: "5 2 false"},
		"it goes on while nodes are old":     {given: given{generation: 2, old: 1, flavor: "b", accepted: taken(3, "b", 2, false), operations: ops(runs(update, "u", 2, minute))}, want: "u", counts: "3 2 false"},
		"it ends when none is":               {given: given{generation: 2, flavor: "b", accepted: taken(3, "b", 2, false), operations: ops(runs(update, "u", 2, minute))}, ends: []string{"u Succeeded"}, counts: "3 2 false"},
		"another number is merged into it":   {given: given{generation: 3, wants: 5, old: 1, flavor: "b", accepted: taken(3, "b", 2, false), operations: ops(runs(update, "u", 2, minute))}, want: "u merged", counts: "5 2 false"},
		"going back overtakes it":            {given: given{generation: 3, old: 1, flavor: "a", accepted: taken(3, "b", 2, false), operations: ops(runs(update, "u", 2, minute))}, want: "new Update", ends: []string{"u Cancelled"}, counts: "3 3 false"},
		"an update that is refused fails":    {given: given{generation: 2, old: 3, flavor: "b", refused: "no", accepted: taken(3, "b", 2, true), operations: ops(runs(update, "u", 2, minute))}, ends: []string{"u Failed"}, counts: "3 2 true"},
		"then another number is a scale":     {given: given{generation: 3, wants: 2, old: 3, flavor: "b", refused: "no", accepted: taken(3, "b", 2, true), operations: ops(ended(update, "u", failed, 2))}, want: "new Scale", counts: "2 2 true"},
		"and it is begun again when allowed": {given: given{generation: 3, old: 3, flavor: "b", accepted: taken(3, "b", 2, true), operations: ops(ended(update, "u", failed, 2))}, want: "new Update retrying u", counts: "3 2 false"},
		"what is refused of itself is none":  {given: given{refused: "not offered any more"}, counts: "3 1 false"},
		"a creation cannot be asked for":     {given: given{operations: ops(op(create, "c"))}, ends: []string{"c Failed"}, says: "nothing left to do", counts: "3 1 false"},
		"a retry of another one":             {given: given{generation: 2, wants: 5, accepted: taken(5, "a", 1, false), operations: ops(retry(scale, "r", "x"))}, ends: []string{"r Failed"}, says: "no operation x of this node pool", counts: "5 1 false"},

		"a deletion is recorded":              {given: given{deleting: true, generation: 2}, want: "new Delete"},
		"a deletion goes on":                  {given: given{deleting: true, generation: 2, operations: ops(runs(remove, "d", 2, 9*time.Hour))}, want: "d"},
		"it overtakes what runs":              {given: given{deleting: true, generation: 3, wants: 5, operations: ops(runs(scale, "s", 2, minute))}, want: "new Delete", ends: []string{"s Cancelled"}, says: "the node pool is being deleted"},
		"nothing else is begun any more":      {given: given{deleting: true, generation: 3, operations: ops(runs(remove, "d", 2, minute), retry(scale, "r", "s"))}, want: "d", ends: []string{"r Failed"}, says: "the node pool is being deleted"},
		"what was created is not for a cache": {given: given{neverReady: true, has: 1, operations: ops(ended(create, "c", succeeded, 1))}, counts: "3 1 false"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := tc.changes()
			if tc.has < 0 {
				c.facts.Live, c.facts.Ready, c.servers, c.current, c.currentReady = 0, 0, 0, 0, 0
			}
			d := operation.Decide(c, c.operations)
			if got := describe(d); got != tc.want {
				t.Errorf("what runs is %q, want %q", got, tc.want)
			}
			var ends []string
			for _, v := range d.Verdicts {
				end := fmt.Sprintf("%s %s", v.Operation.Name, v.Phase)
				if v.Operation == d.Merged {
					end += " merged"
				}
				ends = append(ends, end)
			}
			if diff := cmp.Diff(tc.ends, ends); diff != "" {
				t.Errorf("what ends (-want +got):\n%s", diff)
			}
			if tc.says != "" && (len(d.Verdicts) == 0 || !strings.Contains(d.Verdicts[0].Message, tc.says)) {
				t.Errorf("%+v, want one that says %q", d.Verdicts, tc.says)
			}
			if tc.deleting {
				return
			}
			if a := c.takenUp(d); fmt.Sprintf("%d %d %t", a.Replicas, a.Generation, a.Refused) != tc.counts {
				t.Errorf("%+v counts as taken up, want %s", a, tc.counts)
			}
		})
	}
}

func describe(d operation.Decision) string {
	switch {
	case d.Running == nil:
		return ""
	case d.Create && d.Running.Spec.RetryOf != "":
		return fmt.Sprintf("new %s retrying %s", d.Running.Spec.Type, d.Running.Spec.RetryOf)
	case d.Create:
		return "new " + string(d.Running.Spec.Type)
	case d.Begins:
		return "begins " + d.Running.Name
	case d.Merged == d.Running:
		return d.Running.Name + " merged"
	default:
		return d.Running.Name
	}
}
