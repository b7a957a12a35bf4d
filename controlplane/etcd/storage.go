package etcd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// When a database is written anew. etcd never gives back what it has taken of the
// disk, and what it has taken counts against the quota; but a member that writes its
// database anew answers nobody meanwhile, about a second for every 100 MiB in use.
const (
	// defragmentAbove is the size below which it is never worth it.
	defragmentAbove = 128 << 20
	// defragmentPause is how long a member is left alone after it.
	defragmentPause = time.Hour
	// fullPause is the same while the store refuses writes: members compact what was
	// deleted every five minutes (component.EtcdMember, auto-compaction-retention), and
	// only then is there room to gain that the last time did not find.
	fullPause = 5 * time.Minute
	// defragmentTimeout is when a member that does not come to an end is given up.
	defragmentTimeout = 10 * time.Minute
	// reasonDefragmenting is what is told meanwhile.
	reasonDefragmenting = "Defragmenting"
	// whileDefragmenting is how soon it is looked whether it has ended.
	whileDefragmenting = 5 * time.Second
)

// worthIt reports whether a member's database is to be written anew: when half of it
// is free; when it has grown to three quarters of the quota and a quarter of it is
// free; and for any gain, a sixteenth at least, once writes are refused.
func worthIt(m Member) bool {
	free := m.Size - m.InUse
	switch {
	case m.alarmed(etcdserverpb.AlarmType_NOSPACE):
		return free > m.Size/16
	case m.Size < defragmentAbove:
		return false
	case m.Size > m.Quota/4*3:
		return free > m.Size/4
	default:
		return free > m.Size/2
	}
}

// fragmented chooses the member that is to write its database anew: none unless all
// are healthy, and the leader only when no other is left.
func fragmented(s *clusterScope, now time.Time) (ordinal int, ok bool) {
	for i := range component.EtcdReplicas {
		if !s.healthy(i) {
			return 0, false
		}
		last, asked, pause := s.member(i).LastDefragmented, s.survey.asked[i], defragmentPause
		if asked.alarmed(etcdserverpb.AlarmType_NOSPACE) {
			asked.InUse, pause = leastInUse(s.survey.asked), fullPause
		}
		if !worthIt(asked) || last != nil && now.Before(last.Add(pause)) {
			continue
		}
		if !ok || s.survey.asked[ordinal].leads() {
			ordinal, ok = i, true
		}
	}
	return ordinal, ok
}

// leastInUse is what the data take. All members have the same; but bbolt counts pages that a
// transaction has freed as in use until the next one, and for that a full store may wait for long.
func leastInUse(members []Member) int64 {
	return slices.MinFunc(members, func(a, b Member) int { return cmp.Compare(a.InUse, b.InUse) }).InUse
}

// defragment lets one member write its database anew. It goes on in the background:
// others are not to wait for it.
func (r *ClusterReconciler) defragment(ctx context.Context, s *clusterScope) error {
	if _, runs := r.defragmenting.Load(s.cluster.UID); runs {
		return reconcile.WaitFor(whileDefragmenting, reasonDefragmenting, "a member writes its database anew")
	}
	i, ok := fragmented(s, r.now())
	if !ok {
		return nil
	}
	admin, err := connect(ctx, r.Client, r.Pool, s.cluster)
	if err != nil {
		return err
	}
	m, asked := s.member(i), s.survey.asked[i]
	if asked.leads() {
		// All others have done it. As a follower it holds up its own clients only.
		err := call(ctx, func(ctx context.Context) error { return admin.moveLeader(ctx, asked, s.survey.asked) })
		if err != nil {
			return explain(ctx, admin, s.cluster.Name, "a defragmentation", err)
		}
		return reconcile.WaitFor(time.Second, reasonDefragmenting, "%s hands over before it writes its database anew", m.Name)
	}
	m.LastDefragmented = &metav1.Time{Time: r.now()}
	if err := r.writeDown(ctx, s); err != nil {
		return err
	}
	r.defragmenting.Store(s.cluster.UID, nil)
	about, name := s.cluster.DeepCopy(), m.Name
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defragmentTimeout)
		defer cancel()
		defer r.defragmenting.Delete(about.UID)
		defer r.surveyed.Delete(about.UID)
		began := r.now()
		_, err := admin.client.Defragment(ctx, asked.Endpoint)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "defragmenting", "member", name)
			return
		}
		r.events.Eventf(about, nil, "Normal", "Defragmented", "Defragment", "%s has written its database anew in %s: it had %s, of which %s were in use",
			name, r.now().Sub(began).Round(time.Second), mebibytes(asked.Size), mebibytes(asked.InUse))
	}()
	return reconcile.WaitFor(whileDefragmenting, reasonDefragmenting, "%s writes its database anew", name)
}

// moveLeader asks the leader to let another member lead.
func (a *Admin) moveLeader(ctx context.Context, leader Member, members []Member) error {
	to := slices.IndexFunc(members, func(m Member) bool { return m.answers() && !m.Learner && m.ID != leader.ID })
	if to < 0 {
		return nil
	}
	c, err := dial(Connection{Endpoints: []string{leader.Endpoint}, Pair: a.connection.Pair, CA: a.connection.CA})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.MoveLeader(ctx, members[to].ID)
	return err
}

// checkSpace disarms the alarm of a full store when there is room again, and says of
// each alarm what has to be done.
func (r *ClusterReconciler) checkSpace(ctx context.Context, s *clusterScope) error {
	if s.survey == nil || silent(s.survey.asked) == len(s.survey.asked) {
		return nil
	}
	for _, m := range s.survey.asked {
		if m.alarmed(etcdserverpb.AlarmType_CORRUPT) {
			s.space = reconcile.UserError("DataCorrupt", "the members' data differ (%s): take the volume of the member that it names, or of each but the one that you trust, away, one after the other; docs/how-to/operate-etcd.md describes how",
				strings.Join(m.Problems, ", "))
			return nil
		}
	}
	full := slices.IndexFunc(s.survey.asked, func(m Member) bool { return m.alarmed(etcdserverpb.AlarmType_NOSPACE) })
	if full < 0 {
		s.space = nil
		return nil
	}
	s.space = noSpace(s.survey.asked)
	for _, m := range s.survey.asked {
		if !m.answers() || m.Size > m.Quota/10*9 {
			return nil
		}
	}
	admin, err := connect(ctx, r.Client, r.Pool, s.cluster)
	if err != nil {
		return err
	}
	if err := call(ctx, admin.disarmNoSpace); err != nil {
		return explain(ctx, admin, s.cluster.Name, "disarming the alarm", err)
	}
	r.tell(s, "Normal", "AlarmDisarmed", "the store has room again and takes writes")
	s.space = nil
	for i := range s.survey.asked {
		// Nothing is written anew any more for the little that it gains.
		m := &s.survey.asked[i]
		m.Problems = slices.DeleteFunc(m.Problems, isAlarm(etcdserverpb.AlarmType_NOSPACE))
	}
	r.surveyed.Delete(s.cluster.UID)
	return nil
}

// disarmNoSpace takes back the alarms of a full store, and none of another kind.
func (a *Admin) disarmNoSpace(ctx context.Context) error {
	list, err := a.client.AlarmList(ctx)
	if err != nil {
		return err
	}
	for _, alarm := range list.Alarms {
		if alarm.Alarm != etcdserverpb.AlarmType_NOSPACE {
			continue
		}
		if _, err := a.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(alarm)); err != nil {
			return err
		}
	}
	return nil
}

// noSpace says how full the fullest member is and what to do about it.
func noSpace(members []Member) error {
	fullest := slices.MaxFunc(members, func(a, b Member) int { return int(a.Size - b.Size) })
	return reconcile.UserError("NoSpace", "the store is full and refuses writes: %s of %s are taken and %s in use: raise spec.storageQuota, or delete what is not needed; it takes writes again when less than nine tenths of the quota are taken",
		mebibytes(fullest.Size), mebibytes(fullest.Quota), mebibytes(fullest.InUse))
}

// mebibytes is a size for people.
func mebibytes(size int64) string { return fmt.Sprintf("%dMi", (size+1<<20-1)>>20) }
