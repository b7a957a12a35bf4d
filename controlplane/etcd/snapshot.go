package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/etcd/snapshot"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// whileSnapshotting is how soon it is looked again what has become of a snapshot.
	whileSnapshotting = 5 * time.Second
	// snapshotAge is how old a snapshot may be when the members go. One is asked for as
	// soon as it is complete; it gets older when nobody can, or no manager runs.
	snapshotAge = 10 * time.Minute
	// longestAnswer is how much of an answer about a snapshot is read.
	longestAnswer = 4 << 10
)

// snapshotOf names the snapshot that is taken before a change.
func snapshotOf(s *clusterScope, have, want string) string {
	return fmt.Sprintf("%s-to-%s-%s", have, want, s.cluster.Status.SnapshotBegan.UTC().Format("20060102-150405"))
}

// ensureSnapshot sees to it that there is a good snapshot before the members go to
// another minor version, and returns what it waits for. After the change only that leads
// back, so that it has to be of now: what is written later would be lost by going back.
func (r *ClusterReconciler) ensureSnapshot(ctx context.Context, s *clusterScope, have, want string) error {
	if s.cluster.Status.SnapshotBegan == nil {
		s.cluster.Status.SnapshotBegan = &metav1.Time{Time: r.now()}
		// Another pass is to go on with it, and not to begin another one.
		if err := r.writeDown(ctx, s); err != nil {
			return err
		}
	}
	name := snapshotOf(s, have, want)
	addresses, err := r.Host.Reserve(ctx, host.Reservation{
		Namespace: v1alpha1.SystemNamespace,
		Name:      component.EtcdSnapshotName(s.cluster.Name),
		Replicas:  1,
		Labels:    clusterLabels(s.cluster.Name),
		Ports:     component.EtcdSnapshotPorts(),
	})
	if err != nil {
		return err
	}
	// A volume that does not grow may be large enough: the snapshot tells.
	if err := r.Host.Apply(ctx, r.snapshotter(s, name)); err != nil && reasonOf(err) != "VolumeNotResized" {
		return noSnapshot(s, have, want, err.Error())
	}
	info, err := askSnapshot(ctx, addresses.Replicas[0][component.EtcdSnapshotPort])
	if err == nil && info.Name != name {
		err = notYet("what has taken the one before is being replaced")
	}
	if err != nil {
		is, statusErr := r.Host.Status(ctx, v1alpha1.SystemNamespace, component.EtcdSnapshotName(s.cluster.Name))
		if statusErr != nil {
			return statusErr
		}
		var said notYet
		switch {
		case errors.As(err, &said):
		case is.Message != "":
			// Why it does not run says more than that it does not answer.
			err = errors.New(is.Message)
		case is.Ready == 0:
			err = errors.New("what takes it is being started")
		}
		return noSnapshot(s, have, want, err.Error())
	}
	if age := r.now().Sub(info.Taken); age > snapshotAge {
		s.cluster.Status.SnapshotBegan = nil
		return noSnapshot(s, have, want, fmt.Sprintf("there is one of %s ago: another one is taken", age.Round(time.Minute)))
	}
	s.cluster.Status.Snapshot = &v1alpha1.EtcdSnapshot{
		Name: info.Name, Version: have, Revision: info.Revision, Size: info.Size, SHA256: info.SHA256, Taken: &metav1.Time{Time: info.Taken},
	}
	// The next pass looks at everything, and ends what has taken it.
	r.surveyed.Delete(s.cluster.UID)
	r.tell(s, "Normal", "SnapshotTaken", "before the members go from etcd %s to %s: %s.db on the volume of %s, %s, revision %d, SHA-256 %s",
		have, want, info.Name, component.EtcdSnapshotName(s.cluster.Name), mebibytes(info.Size), info.Revision, info.SHA256)
	return nil
}

// reasonOf is that of an error which has one.
func reasonOf(err error) string {
	if e := reconcile.As(err); e != nil {
		return e.Reason
	}
	return ""
}

// noSnapshot holds a change up.
func noSnapshot(s *clusterScope, have, want, why string) error {
	name := component.EtcdSnapshotName(s.cluster.Name)
	return reconcile.WaitFor(whileSnapshotting, "SnapshotMissing",
		"the members go from etcd %s to %s when a snapshot has been taken and checked: %s: it is tried again by itself. Set spec.version back to leave it; if its volume is of the wrong class or too small, set spec.storageClass and delete StatefulSet %s in %s with its PersistentVolumeClaim, and both are made anew", have, want, why, name, v1alpha1.SystemNamespace)
}

// snapshotter is what takes a snapshot; without a name, nothing.
func (r *ClusterReconciler) snapshotter(s *clusterScope, name string) component.Component {
	return component.EtcdSnapshot(component.EtcdSnapshotInputs{
		Cluster: s.cluster.Name, Snapshot: name, Version: r.Version, Spec: s.cluster.Spec,
		Endpoints: s.cluster.Status.Endpoints, Labels: clusterLabels(s.cluster.Name),
	})
}

// endSnapshot stops what takes snapshots when none is wanted. The volume stays. It looks
// as often as members are asked.
func (r *ClusterReconciler) endSnapshot(ctx context.Context, s *clusterScope) error {
	if s.snapshotting || s.survey == nil {
		return nil
	}
	is, err := r.Host.Status(ctx, v1alpha1.SystemNamespace, component.EtcdSnapshotName(s.cluster.Name))
	if err != nil || is.Replicas == 0 {
		return err
	}
	if err := r.Host.Apply(ctx, r.snapshotter(s, "")); err != nil {
		// It takes up room, and that is all.
		return reconcile.Retry(err, "SnapshotNotEnded", "stopping what has taken a snapshot: %v", err)
	}
	return nil
}

// notYet is what is said of a snapshot that is not there yet.
type notYet string

func (n notYet) Error() string { return string(n) }

// direct goes to an address of the management cluster itself, whatever proxy leads out.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// askSnapshot asks what has become of a snapshot; an error says why there is none yet.
func askSnapshot(ctx context.Context, at component.HostPort) (info snapshot.Info, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+snapshot.Path, nil)
	if err != nil {
		return info, err
	}
	answer, err := direct.Do(request)
	if err != nil {
		return info, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		return info, err
	}
	if answer.StatusCode != http.StatusOK {
		return info, notYet(strings.TrimSpace(string(body)))
	}
	return info, json.Unmarshal(body, &info)
}
