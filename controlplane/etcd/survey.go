package etcd

import (
	"context"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Member is what a member says of itself.
type Member struct {
	Endpoint string
	// Version is empty when it does not answer; then nothing else is known.
	Version string
	// ID is the member's own and Leader that of whom it follows, zero for nobody.
	ID, Leader uint64
	Learner    bool
	// Size of the database in bytes, how much of it is in use, and the size at which
	// the member raises an alarm.
	Size, InUse, Quota int64
	// Problems are the cluster's alarms, and more.
	Problems []string
	// Refusal is why one that runs and does not answer is not spoken with: it does not
	// take our certificate, or we not its.
	Refusal error
}

// answers reports whether the member runs.
func (m Member) answers() bool { return m.Version != "" }

// leads reports whether the member is the leader.
func (m Member) leads() bool { return m.answers() && m.Leader == m.ID }

// alarmed reports whether there is an alarm of a kind, anywhere in the cluster.
func (m Member) alarmed(kind etcdserverpb.AlarmType) bool {
	return slices.ContainsFunc(m.Problems, isAlarm(kind))
}

// isAlarm tells alarms of a kind from what else etcd says of a member.
func isAlarm(kind etcdserverpb.AlarmType) func(problem string) bool {
	return func(problem string) bool { return strings.HasSuffix(problem, "alarm:"+kind.String()) }
}

// Members asks every member, all at once, for at most a second, and for another one why it
// is silent. One answers as long as it runs, whether or not there is a quorum.
func (a *Admin) Members(ctx context.Context) []Member {
	return a.ask(ctx, func(int) bool { return true })
}

// ask is Members of those that are chosen; the others are as if they did not answer.
func (a *Admin) ask(ctx context.Context, chosen func(ordinal int) bool) []Member {
	within, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	members := make([]Member, len(a.connection.Endpoints))
	var group sync.WaitGroup
	for i, endpoint := range a.connection.Endpoints {
		members[i].Endpoint = endpoint
		if !chosen(i) {
			continue
		}
		group.Go(func() {
			status, err := a.client.Status(within, endpoint)
			if err != nil {
				return
			}
			members[i] = Member{
				Endpoint: endpoint, Version: status.Version,
				ID: status.Header.GetMemberId(), Leader: status.Leader, Learner: status.IsLearner,
				Size: status.DbSize, InUse: status.DbSizeInUse, Quota: status.DbSizeQuota,
				Problems: status.Errors,
			}
		})
	}
	group.Wait()
	a.explainSilence(ctx, members, chosen)
	return members
}

// silent counts the members that do not answer.
func silent(members []Member) int {
	return len(slices.DeleteFunc(slices.Clone(members), Member.answers))
}

// survey is what is known of the members of an EtcdCluster.
type survey struct {
	// asked is what each says of itself, by ordinal.
	asked []Member
	// known are the members that they agree on, and clusterID is their cluster's; nil
	// and zero without a quorum.
	known     []*etcdserverpb.Member
	clusterID uint64
}

// Survey asks the members that are chosen, and all of them who they are.
func (a *Admin) Survey(ctx context.Context, chosen func(ordinal int) bool) *survey {
	s := &survey{asked: a.ask(ctx, chosen)}
	if !slices.ContainsFunc(s.asked, func(m Member) bool { return m.answers() && m.Leader != 0 }) {
		// Nobody could say.
		return s
	}
	_ = call(ctx, func(ctx context.Context) error {
		list, err := a.client.MemberList(ctx)
		if err == nil {
			s.known, s.clusterID = list.Members, list.Header.GetClusterId()
		}
		return err
	})
	return s
}
