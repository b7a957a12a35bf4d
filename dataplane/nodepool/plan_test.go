package nodepool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// machines are those of a pool as a test writes them, each created a minute after the one
// before it: "a ready", "b old lost", "c new". Words are ready, lost (has been ready), new
// (never ready), gone (its server), going (is being deleted), freed (with nothing left in the cloud), and old
// (of another flavor).
func machines(t testing.TB, written ...string) (all []v1alpha1.Machine) {
	t.Helper()
	for i, w := range written {
		name, words, _ := strings.Cut(w, " ")
		m := v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(i) * time.Minute))}}
		m.Finalizers = []string{v1alpha1.MachineFinalizer, v1alpha1.NodeFinalizer}
		m.Spec.Template.Flavor = "b3-8"
		since := metav1.NewTime(noon)
		for word := range strings.FieldsSeq(words) {
			switch word {
			case "ready":
				m.Status.ReadySince, m.Status.Node = &since, &v1alpha1.MachineNode{Ready: true}
			case "lost":
				m.Status.ReadySince, m.Status.Node = &since, &v1alpha1.MachineNode{}
			case "gone":
				m.Status.Conditions = []metav1.Condition{{Type: "ServerReady", Status: "False", Reason: "ServerGone"}}
			case "going":
				m.DeletionTimestamp = &since
			case "freed":
				m.Finalizers = []string{v1alpha1.NodeFinalizer}
			case "old":
				m.Spec.Template.Flavor = "b2-7"
			case "new":
			default:
				t.Fatalf("%q is no word for a Machine", word)
			}
		}
		all = append(all, m)
	}
	return all
}

// many are so many Machines of one kind.
func many(n int, words string) (written []string) {
	for i := range n {
		written = append(written, fmt.Sprintf("m%d %s", i, words))
	}
	return written
}

func TestPlan(t *testing.T) {
	cases := map[string]struct {
		replicas           int32
		surge, unavailable *int32
		hard               bool
		remove             []string
		held               bool
		machines           []string

		create int
		delete []string
	}{
		"AllAreMissing":        {replicas: 5, create: 5},
		"AsAsked":              {replicas: 2, machines: many(2, "ready")},
		"AsAskedAndNotReady":   {replicas: 2, machines: many(2, "new")},
		"SomeAreMissing":       {replicas: 5, machines: many(2, "ready"), create: 3},
		"GoingCountForNothing": {replicas: 3, machines: []string{"a ready", "b ready going", "c going"}, create: 2},
		"NoneIsTooMany":        {replicas: 0, machines: many(2, "ready"), delete: []string{"m1", "m0"}},

		"TheLastCreatedGoes":       {replicas: 2, machines: []string{"a ready", "c ready", "b ready"}, delete: []string{"b"}},
		"TheNamedOneGoes":          {replicas: 2, remove: []string{"a"}, machines: many(2, "ready"), delete: nil},
		"TheNamedOneGoesFirst":     {replicas: 1, remove: []string{"m0"}, machines: many(2, "ready"), delete: []string{"m0"}},
		"NamedAndLast":             {replicas: 1, remove: []string{"m0"}, machines: many(3, "ready"), delete: []string{"m0", "m2"}},
		"MoreNamedThanTooMany":     {replicas: 2, remove: []string{"m0", "m1", "m2"}, machines: many(3, "ready"), delete: []string{"m2"}},
		"NobodyHasTheName":         {replicas: 1, remove: []string{"x"}, machines: many(2, "ready"), delete: []string{"m1"}},
		"NeverReadyBeforeReady":    {replicas: 2, machines: []string{"a new", "b ready", "c ready"}, delete: []string{"a"}},
		"LostBeforeReady":          {replicas: 2, machines: []string{"a lost", "b ready", "c ready"}, delete: []string{"a"}},
		"NamedBeforeNeverReady":    {replicas: 2, remove: []string{"b"}, machines: []string{"a new", "b ready", "c ready"}, delete: []string{"b"}},
		"GoingIsNotDeletedAgain":   {replicas: 1, machines: []string{"a ready", "b going"}},
		"TooManyWhileItIsHeld":     {replicas: 1, held: true, machines: many(2, "ready"), delete: []string{"m1"}},
		"MissingWhileItIsHeld":     {replicas: 3, held: true, machines: many(2, "ready")},
		"GoneIsReplaced":           {replicas: 2, machines: []string{"a ready", "b ready gone"}, create: 1, delete: []string{"b"}},
		"GoneAndGoing":             {replicas: 2, machines: []string{"a ready", "b gone going"}, create: 1},
		"GoneIsNotAlsoTooMany":     {replicas: 1, machines: []string{"a ready", "b gone"}, delete: []string{"b"}},
		"GoneWhileItIsHeld":        {replicas: 1, held: true, machines: []string{"a gone"}, delete: []string{"a"}},
		"OldOnesWhileItIsHeld":     {replicas: 2, held: true, machines: many(2, "ready old")},
		"OldNewOnesWhileItIsHeld":  {replicas: 2, held: true, machines: many(2, "new old")},
		"HeldInTheMiddleOfARoll":   {replicas: 2, held: true, machines: []string{"a ready old", "b ready old", "c new"}},
		"HeldWithALessOldOnes":     {replicas: 1, held: true, machines: many(3, "ready old"), delete: []string{"m2", "m1"}},
		"HeldKeepsWhatIsAvailable": {replicas: 2, unavailable: new(int32(1)), held: true, machines: many(2, "ready old")},

		"RollBegins":              {replicas: 3, machines: many(3, "ready old"), create: 1},
		"RollWaitsForTheNewOne":   {replicas: 3, machines: append(many(3, "ready old"), "n new")},
		"RollGoesOn":              {replicas: 3, machines: append(many(3, "ready old"), "n ready"), delete: []string{"m2"}},
		"RollWaitsForTheOldOne":   {replicas: 3, machines: append(many(2, "ready old"), "m2 ready old going", "n ready")},
		"RollMakesTheNextOne":     {replicas: 3, machines: append(many(2, "ready old"), "n ready"), create: 1},
		"RollEnds":                {replicas: 1, machines: []string{"a ready old", "n ready"}, delete: []string{"a"}},
		"RollOfTwoAtATime":        {replicas: 3, surge: new(int32(2)), machines: many(3, "ready old"), create: 2},
		"RollOfMoreThanThereAre":  {replicas: 2, surge: new(int32(20)), machines: many(2, "ready old"), create: 2},
		"RollWithoutSurge":        {replicas: 3, surge: new(int32(0)), unavailable: new(int32(1)), machines: many(3, "ready old"), delete: []string{"m2"}},
		"RollWithoutSurgeWaits":   {replicas: 3, surge: new(int32(0)), unavailable: new(int32(1)), machines: append(many(2, "ready old"), "m2 ready old going")},
		"RollWithoutSurgeMakes":   {replicas: 3, surge: new(int32(0)), unavailable: new(int32(1)), machines: many(2, "ready old"), create: 1},
		"RollWithoutSurgeJoining": {replicas: 3, surge: new(int32(0)), unavailable: new(int32(1)), machines: append(many(2, "ready old"), "n new")},
		"RollTwoUnavailable":      {replicas: 4, surge: new(int32(0)), unavailable: new(int32(2)), machines: many(4, "ready old"), delete: []string{"m3", "m2"}},
		"RollWithMoreNodes":       {replicas: 5, machines: many(3, "ready old"), create: 3},
		"RollWithFewerNodes":      {replicas: 1, machines: many(3, "ready old"), delete: []string{"m2", "m1"}},
		"RollWithFewerNamed":      {replicas: 2, remove: []string{"m0"}, machines: many(3, "ready old"), delete: []string{"m0"}},
		"RollNamedNewOne":         {replicas: 2, remove: []string{"n"}, machines: append(many(2, "ready old"), "n ready"), delete: []string{"n"}},
		"RollNamedNewOneIsEnough": {replicas: 1, remove: []string{"n"}, machines: []string{"a ready old", "n ready"}, delete: []string{"n"}},
		"RollToNone":              {replicas: 0, machines: append(many(2, "ready old"), "n new"), delete: []string{"n", "m1", "m0"}},
		"NeverReadyOldGoAtOnce":   {replicas: 3, machines: many(3, "new old"), create: 1, delete: []string{"m0", "m1", "m2"}},
		"LostOldMakesRoom":        {replicas: 3, machines: []string{"a ready old", "b ready old", "c lost old", "n ready"}, delete: []string{"c"}},
		"AllLostAndNoneIsGivenUp": {replicas: 3, machines: []string{"a lost old", "b lost old", "c lost old", "n new"}},
		"NewLostAndNoneIsGivenUp": {replicas: 3, machines: []string{"a lost old", "b lost old", "c lost old", "n lost"}},

		"HardAll":                {replicas: 5, hard: true, create: 5},
		"HardGoingHasAHost":      {replicas: 5, hard: true, machines: append(many(3, "ready"), "g ready going"), create: 1},
		"HardGoneHasNone":        {replicas: 5, hard: true, machines: append(many(4, "ready"), "g gone going"), create: 1},
		"HardFreedHasNone":       {replicas: 5, hard: true, machines: append(many(4, "ready"), "f ready going freed"), create: 1},
		"FreedTakesUpNoSurge":    {replicas: 3, machines: []string{"a ready", "b ready old", "c ready old", "f ready old going freed"}, create: 1},
		"HardRollOfFive":         {replicas: 5, hard: true, machines: many(5, "ready old"), delete: []string{"m4"}},
		"HardRollOfFiveWaits":    {replicas: 5, hard: true, machines: append(many(4, "ready old"), "m4 ready old going")},
		"HardRollOfFiveGoesOn":   {replicas: 5, hard: true, machines: many(4, "ready old"), create: 1},
		"HardRollOfFour":         {replicas: 4, hard: true, machines: many(4, "ready old"), create: 1},
		"HardRollOfFourByTwo":    {replicas: 4, hard: true, surge: new(int32(2)), machines: many(4, "ready old"), create: 1},
		"HardRollOfFourUnharmed": {replicas: 4, hard: true, machines: append(many(4, "ready old"), "n new")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := wish{template: v1alpha1.MachineTemplate{Flavor: "b3-8"}, held: tc.held}
			w.spec.Replicas, w.spec.NodesToRemove = &tc.replicas, tc.remove
			w.spec.Upgrade = v1alpha1.PoolUpgrade{MaxSurge: tc.surge, MaxUnavailable: tc.unavailable}
			if tc.hard {
				w.spec.AntiAffinity = "Hard"
			}
			got := plan(w, machines(t, tc.machines...))
			var names []string
			for _, m := range got.delete {
				names = append(names, m.Name)
			}
			if got.create != tc.create {
				t.Errorf("%d are made, want %d", got.create, tc.create)
			}
			if diff := cmp.Diff(tc.delete, names); diff != "" {
				t.Errorf("deleted (-want +got):\n%s", diff)
			}
		})
	}
}

// However a pool is changed, its plan is carried out in the end, with no fewer nodes than it
// may have and no more, when each step takes its time.
func TestPlanCarriedOut(t *testing.T) {
	for from := range int32(6) {
		for to := range int32(6) {
			for surge := range int32(3) {
				for unavailable := range int32(3) {
					for _, hard := range []bool{false, true} {
						if surge+unavailable > 0 {
							t.Run(fmt.Sprintf("%d to %d, surge %d, unavailable %d, hard %t", from, to, surge, unavailable, hard), func(t *testing.T) {
								carryOut(t, from, to, surge, unavailable, hard)
							})
						}
					}
				}
			}
		}
	}
}

func carryOut(t *testing.T, from, to, surge, unavailable int32, hard bool) {
	all := machines(t, many(int(from), "ready old")...)
	w := wish{template: v1alpha1.MachineTemplate{Flavor: "b3-8"}}
	w.spec.Replicas = &to
	w.spec.Upgrade = v1alpha1.PoolUpgrade{MaxSurge: &surge, MaxUnavailable: &unavailable}
	limit := max(from, to+surge)
	least := min(from, to-unavailable)
	if hard {
		w.spec.AntiAffinity, limit, least = "Hard", min(limit, 5), min(least, to-1)
	}
	for turn := range 200 {
		todo := plan(w, all)
		ready := int32(0)
		busy := slices.ContainsFunc(all, func(m v1alpha1.Machine) bool { return m.DeletionTimestamp != nil || !isReady(m) })
		if todo.none() && !busy {
			if len(all) != int(to) || slices.ContainsFunc(all, func(m v1alpha1.Machine) bool { return !w.isCurrent(m) }) {
				t.Fatalf("it rests with %d Machines: %+v", len(all), all)
			}
			return
		}
		for _, d := range todo.delete {
			i := slices.IndexFunc(all, func(m v1alpha1.Machine) bool { return m.Name == d.Name })
			all[i].DeletionTimestamp = &metav1.Time{Time: noon}
		}
		all = append(all, machines(t, many(todo.create, "new")...)...)
		for i := range todo.create {
			all[len(all)-1-i].Name = fmt.Sprintf("t%d-%d", turn, i)
		}
		for _, m := range all {
			if m.DeletionTimestamp == nil && isReady(m) {
				ready++
			}
		}
		if ready < least || int32(len(all)) > limit {
			t.Fatalf("%d of at least %d are ready, %d of at most %d are there", ready, least, len(all), limit)
		}
		// One thing happens at a time, what was begun last first.
		for i, m := range slices.Backward(all) {
			if m.DeletionTimestamp != nil {
				all = slices.Delete(all, i, i+1)
				break
			}
			if !isReady(m) {
				since := metav1.NewTime(noon)
				all[i].Status.ReadySince, all[i].Status.Node = &since, &v1alpha1.MachineNode{Ready: true}
				break
			}
		}
	}
	t.Fatalf("it never comes to rest: %+v", all)
}
