package etcd

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// whileReplacing is how soon the next step of a replacement is tried. It is short,
// because a learner refuses the clients that it is asked by.
const whileReplacing = 500 * time.Millisecond

// replacement is the next step of giving a member, which has lost its data, that of
// the others.
type replacement struct {
	do     replaceVerb
	member uint64
	// ordinal of the member, and the data that it has now.
	ordinal int
	data    string
}

type replaceVerb int

const (
	replaceNothing replaceVerb = iota
	// replaceBegin writes down that the member is replaced.
	replaceBegin
	// replaceRemove takes it from the others' list, and replaceAdd puts it there anew, as
	// a learner, by URLs that let it begin without data.
	replaceRemove
	replaceAdd
	// replacePromote gives it a vote.
	replacePromote
	// replaceSettle takes away the URL that lets it begin without data.
	replaceSettle
)

// find is the member of a name or, before it has told its name, of a URL.
func (s *survey) find(name, url string) *etcdserverpb.Member {
	for _, m := range s.known {
		if m.Name == name || m.Name == "" && slices.Contains(m.PeerURLs, url) {
			return m
		}
	}
	return nil
}

// lost are the ordinals of members that no longer have the data that they had.
func (s *clusterScope) lost() (ordinals []int) {
	if s.cluster.Status.ClusterID == "" {
		return nil
	}
	for i := range component.EtcdReplicas {
		m, data := s.member(i), s.dataOf(i)
		if m.Data == "" || data == "" || data == m.Data {
			continue
		}
		if s.survey != nil && i < len(s.survey.asked) && s.survey.asked[i].answers() && hexID(s.survey.asked[i].ID) == m.ID {
			// It runs as who it was, which it does not without its data.
			continue
		}
		ordinals = append(ordinals, i)
	}
	return ordinals
}

// absent are the ordinals of members that have lost their data, that the others do not
// know, and that wait for another to be replaced: where a person has begun anew from
// one that was left.
func (s *clusterScope) absent() (ordinals []int) {
	if s.survey == nil || s.survey.known == nil {
		return nil
	}
	for _, i := range s.lost() {
		m := s.member(i)
		if m.Replacing == "" && s.survey.find(m.Name, component.EtcdPeerURL(s.addresses, i)) == nil {
			ordinals = append(ordinals, i)
		}
	}
	return ordinals
}

// expendable is the ordinal of a member that does not run and without which all is well:
// if its volume will not come back, nothing is lost by giving it up. It is none while
// another one is missing or is being replaced, so there is never more than one.
func (s *clusterScope) expendable() []int {
	if s.cluster.Status.ClusterID == "" || s.survey == nil || s.survey.known == nil || !s.everybody {
		return nil
	}
	down := -1
	for i := range component.EtcdReplicas {
		switch {
		case s.member(i).Replacing != "":
			return nil
		case !s.healthy(i) && (down >= 0 || s.survey.asked[i].answers() || s.refuses(i)):
			return nil
		case !s.healthy(i):
			down = i
		}
	}
	if down < 0 || s.member(down).Data == "" || len(s.unfit(down)) > 0 {
		return nil
	}
	return []int{down}
}

// named lists members by name.
func (s *clusterScope) named(ordinals []int) string {
	var names []string
	for _, i := range ordinals {
		names = append(names, component.EtcdMember(s.cluster.Name, i))
	}
	return strings.Join(names, ", ")
}

// dataLost says that so many members have lost their data that nothing can be done
// about it by itself; nil when not.
func dataLost(s *clusterScope) error {
	lost := s.lost()
	if len(lost) < quorum || s.survey != nil && s.survey.known != nil {
		return nil
	}
	return reconcile.UserError("DataLost",
		"%d of %d members have lost their data (%s), and the others cannot decide without them: give them their volumes back, or begin anew from one that has its data, as docs/how-to/operate-etcd.md describes",
		len(lost), component.EtcdReplicas, s.named(lost))
}

// nextReplacement decides what to do about members that have lost their data. Of
// several, one is replaced after the other, and only while all others that have a
// vote are healthy. The error says what it waits for.
func nextReplacement(s *clusterScope) (replacement, error) {
	if s.survey == nil || s.survey.known == nil {
		return replacement{}, dataLost(s)
	}
	lost := s.lost()
	if len(lost) == 0 {
		return unsettled(s), nil
	}
	i := lost[0]
	for _, candidate := range lost {
		if s.member(candidate).Replacing != "" {
			i = candidate
		}
	}
	recorded, step := s.member(i), replacement{ordinal: i, data: s.dataOf(i)}
	wait := reconcile.WaitFor(whileReplacing, "ReplacingMember", "%s has lost its data and is given that of the others", recorded.Name)

	known := s.survey.find(recorded.Name, component.EtcdPeerURL(s.addresses, i))
	if known != nil {
		step.member = known.ID
	}
	mine := known != nil && recorded.Replacing == step.data && hexID(known.ID) != recorded.ID
	switch {
	case mine && known.IsLearner && known.Name == "":
		// It has not begun yet.
		return replacement{}, wait
	case mine && known.IsLearner:
		step.do = replacePromote
		return step, wait
	case mine && slices.Contains(known.PeerURLs, component.EtcdJoiningURLs(s.addresses, i)[1]):
		step.do = replaceSettle
		return step, wait
	case mine || known != nil && s.survey.asked[i].answers() && s.survey.asked[i].ID == known.ID:
		// It runs, and is recorded when it is ready.
		return replacement{}, wait
	}
	if unfit := s.unfit(i); len(unfit) > 0 {
		return replacement{}, reconcile.WaitFor(lookAgain, "ReplacementWaits",
			"%s has lost its data and is given that of the others once all of them are healthy: %s", recorded.Name, strings.Join(unfit, ", "))
	}
	switch {
	case recorded.Replacing != step.data:
		step.do = replaceBegin
	case known != nil:
		step.do = replaceRemove
	default:
		step.do = replaceAdd
	}
	return step, wait
}

// unsettled finds a member that could still begin without data although it has some.
func unsettled(s *clusterScope) replacement {
	for i := range component.EtcdReplicas {
		known := s.survey.find(s.member(i).Name, component.EtcdPeerURL(s.addresses, i))
		if known != nil && !known.IsLearner && slices.Contains(known.PeerURLs, component.EtcdJoiningURLs(s.addresses, i)[1]) {
			return replacement{do: replaceSettle, member: known.ID, ordinal: i}
		}
	}
	return replacement{}
}

// unfit are the members with a vote, besides one, that are not healthy.
func (s *clusterScope) unfit(except int) (names []string) {
	for _, known := range s.survey.known {
		if known.IsLearner {
			continue
		}
		fit := false
		for i := range component.EtcdReplicas {
			of := s.survey.find(component.EtcdMember(s.cluster.Name, i), component.EtcdPeerURL(s.addresses, i))
			if of != nil && of.ID == known.ID {
				fit = i == except || s.healthy(i) && s.survey.asked[i].ID == known.ID
			}
		}
		if !fit {
			names = append(names, known.Name+" ("+hexID(known.ID)+")")
		}
	}
	return names
}

// replaceLost does the next step for a member that has lost its data. Each can be
// repeated: what is next follows from what the members say.
func (r *ClusterReconciler) replaceLost(ctx context.Context, s *clusterScope) error {
	step, wait := nextReplacement(s)
	if step.do == replaceNothing {
		return wait
	}
	if step.do == replaceBegin {
		m := s.member(step.ordinal)
		m.Replacing = step.data
		if step.member != 0 {
			// Who it was, also when it loses its data for the second time in a replacement.
			m.ID = hexID(step.member)
		}
		if err := r.writeDown(ctx, s); err != nil {
			return err
		}
		r.tell(s, "Warning", "MemberDataLost", "%s has lost its data and is given that of the others", m.Name)
		return wait
	}
	admin, err := connect(ctx, r.Client, r.Pool, s.cluster)
	if err != nil {
		return err
	}
	err = call(ctx, func(ctx context.Context) (err error) {
		switch step.do {
		case replaceRemove:
			_, err = admin.client.MemberRemove(ctx, step.member)
		case replaceAdd:
			_, err = admin.client.MemberAddAsLearner(ctx, component.EtcdJoiningURLs(s.addresses, step.ordinal))
		case replacePromote:
			_, err = admin.client.MemberPromote(ctx, step.member)
		case replaceSettle:
			_, err = admin.client.MemberUpdate(ctx, step.member, component.EtcdJoiningURLs(s.addresses, step.ordinal)[:1])
		}
		return err
	})
	if err == nil || errors.Is(err, rpctypes.ErrMemberLearnerNotReady) || errors.Is(err, rpctypes.ErrMemberNotFound) {
		if wait == nil {
			wait = reconcile.WaitFor(whileReplacing, "ReplacingMember", "%s is given back its one address", s.member(step.ordinal).Name)
		}
		return wait
	}
	if errors.Is(err, rpctypes.ErrUnhealthy) || errors.Is(err, rpctypes.ErrMemberNotEnoughStarted) {
		// It asks for some seconds of peace first.
		return reconcile.WaitFor(time.Second, "ReplacementWaits", "%s has lost its data and is given that of the others once etcd allows it: %v", s.member(step.ordinal).Name, err)
	}
	return explain(ctx, admin, s.cluster.Name, "the replacement of a member", err)
}
