package etcd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// surveyInterval is how often the members of a quiet EtcdCluster are asked: what they
// run out of sends no event.
const surveyInterval = time.Minute

// look asks host and members how they are. When all is well they are not asked again
// before their time: each tenant that comes wakes the EtcdCluster.
func (r *ClusterReconciler) look(ctx context.Context, s *clusterScope) (err error) {
	if err := r.observe(ctx, s); err != nil || s.members.Gone {
		return err
	}
	if !r.surveyDue(s) {
		return nil
	}
	admin, err := connect(ctx, r.Client, r.Pool, s.cluster)
	if err != nil {
		return err
	}
	// One that has just died is not waited for: that it has is to be told at once. But
	// then, and if it is to be replaced, it is asked, whatever the host says.
	told := !reconcile.IsTrue(s.cluster.Status.Conditions, v1alpha1.ConditionAvailable)
	s.everybody = s.members.Ready == 0 || len(s.lost()) > 0 || s.rolls() || s.cluster.Status.ClusterID != "" && told
	s.survey = admin.Survey(ctx, func(i int) bool { return s.everybody || slices.Contains(s.members.ReadyOrdinals, i) })
	r.surveyed.Store(s.cluster.UID, r.now())
	return nil
}

// surveyDue reports whether there may be something to find.
func (r *ClusterReconciler) surveyDue(s *clusterScope) bool {
	status := s.cluster.Status
	if s.members.Ready == 0 {
		// They would tell their versions, if they run, and who serves although the host
		// does not see it.
		return status.Version != s.cluster.Spec.Version || s.rolls()
	}
	last, ok := r.surveyed.Load(s.cluster.UID)
	if !ok || status.ClusterID == "" || status.ObservedGeneration != s.cluster.Generation || !s.members.Done() {
		return true
	}
	for _, m := range status.Members {
		if !m.Ready || m.Data == "" || m.Replacing != "" {
			return true
		}
	}
	return !r.now().Before(last.(time.Time).Add(surveyInterval))
}

// rolls reports whether members that have had data are yet to be replaced by what was
// applied last.
func (s *clusterScope) rolls() bool {
	return s.cluster.Status.ClusterID != "" && s.members.Updated < s.members.Replicas
}

// healthy reports whether the host finds a member ready and it says so as well.
func (s *clusterScope) healthy(ordinal int) bool {
	return s.votes(ordinal) && slices.Contains(s.members.ReadyOrdinals, ordinal)
}

// votes reports whether a member answers as one that follows a leader, or is it, and has
// a vote.
func (s *clusterScope) votes(ordinal int) bool {
	if s.survey == nil || ordinal >= len(s.survey.asked) {
		return false
	}
	m := s.survey.asked[ordinal]
	return m.answers() && m.Leader != 0 && !m.Learner
}

// serves tells the host who may be counted on when another one is replaced. Nobody may
// where the members do not agree on who they are, or were not asked.
//
// Of one that turns us away for a certificate the host knows more: it runs, and whether it
// has a leader it tells those who need no certificate. It may have read a CA that has
// expired since, and then only replacing it helps.
func (s *clusterScope) serves() map[int]bool {
	serves := map[int]bool{}
	for i := range component.EtcdReplicas {
		asked := s.survey == nil || s.everybody || slices.Contains(s.members.ReadyOrdinals, i)
		if asked && !s.refuses(i) {
			serves[i] = s.votes(i) && s.survey.known != nil
		}
	}
	return serves
}

// refuses reports whether a member runs but turns us away.
func (s *clusterScope) refuses(ordinal int) bool {
	return s.survey != nil && ordinal < len(s.survey.asked) && s.survey.asked[ordinal].Refusal != nil
}

// refusing are the ordinals of members that do.
func (s *clusterScope) refusing() (ordinals []int) {
	for i := range component.EtcdReplicas {
		if s.refuses(i) {
			ordinals = append(ordinals, i)
		}
	}
	return ordinals
}

// leaders are the ordinals of those that lead, as far as known.
func (s *clusterScope) leaders() (ordinals []int) {
	for i := range component.EtcdReplicas {
		if m := s.member(i); m.Leader {
			ordinals = append(ordinals, i)
		}
	}
	return ordinals
}

// dataOf identifies what the host has stored for a member.
func (s *clusterScope) dataOf(ordinal int) string {
	if ordinal >= len(s.members.Data) {
		return ""
	}
	return s.members.Data[ordinal]
}

// member is what status says of a member, which it gets if it has nothing yet.
func (s *clusterScope) member(ordinal int) *v1alpha1.EtcdMember {
	name, members := component.EtcdMember(s.cluster.Name, ordinal), &s.cluster.Status.Members
	i := slices.IndexFunc(*members, func(m v1alpha1.EtcdMember) bool { return m.Name == name })
	if i < 0 {
		i = len(*members)
		*members = append(*members, v1alpha1.EtcdMember{Name: name})
	}
	return &(*members)[i]
}

// record writes into status what the members are, and who has which data. That a
// member's data is another than is recorded stays so until its loss has been dealt
// with; unless the member runs, which it does not without.
func (r *ClusterReconciler) record(_ context.Context, s *clusterScope) error {
	for i := range component.EtcdReplicas {
		m := s.member(i)
		m.Ready = slices.Contains(s.members.ReadyOrdinals, i)
		if s.survey == nil || i >= len(s.survey.asked) {
			continue
		}
		asked := s.survey.asked[i]
		m.Leader = asked.leads()
		if !asked.answers() {
			continue
		}
		m.Version, m.DBSize = asked.Version, roughly(m.DBSize, asked.Size, asked.Quota)
		known := s.survey.find(m.Name, component.EtcdPeerURL(s.addresses, i))
		if !s.healthy(i) || known == nil || known.ID != asked.ID || len(known.PeerURLs) != 1 {
			continue
		}
		if m.Replacing != "" {
			r.tell(s, "Normal", "MemberReplaced", "%s has lost its data and has got that of the others", m.Name)
		}
		m.ID, m.Data, m.Replacing = hexID(asked.ID), s.dataOf(i), ""
	}
	if s.cluster.Status.ClusterID == "" && s.survey.formed() {
		s.cluster.Status.ClusterID = hexID(s.survey.clusterID)
	}
	return nil
}

// formed reports whether all members have joined: those that begin publish a name.
func (s *survey) formed() bool {
	if s == nil || len(s.known) != component.EtcdReplicas {
		return false
	}
	for _, m := range s.known {
		if m.Name == "" || m.IsLearner {
			return false
		}
	}
	return true
}

// roughly is a size that is written down only when it has changed by a hundredth of
// the quota: a store that is used is never quite the same.
func roughly(written, is, quota int64) int64 {
	if written != 0 && max(written-is, is-written) < quota/100 {
		return written
	}
	return is
}

// hexID is how etcd's own tools show an identity.
func hexID(id uint64) string { return fmt.Sprintf("%x", id) }

// tell sends an Event about an EtcdCluster.
func (r *ClusterReconciler) tell(s *clusterScope, kind, reason, format string, args ...any) {
	r.events.Eventf(s.cluster, nil, kind, reason, "Reconcile", format, args...)
}

// writeDown writes the status as it is so far: what follows relies on it.
func (r *ClusterReconciler) writeDown(ctx context.Context, s *clusterScope) error {
	patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
	changed := s.cluster.DeepCopy()
	if err := r.Client.Status().Patch(ctx, changed, patch); err != nil {
		return fmt.Errorf("writing down what is decided: %w", err)
	}
	s.cluster.ResourceVersion = changed.ResourceVersion
	s.before = s.cluster.DeepCopy()
	return nil
}
