package up

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// checkOwner makes sure that what is hosted in a data directory is what its management
// API knows: the two are one, and may be on two disks, or restored from two backups.
// To an API that knows of other clusters those that are there would be garbage; and
// without their disk, clusters would begin anew, with nothing in them.
func checkOwner(ctx context.Context, api client.Reader, d dataDir) error {
	system, etcds := &corev1.Namespace{}, &v1alpha1.EtcdClusterList{}
	if err := api.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, system); err != nil {
		return fmt.Errorf("looking for who owns what is hosted here: %w", err)
	}
	if err := api.List(ctx, etcds); err != nil {
		return fmt.Errorf("looking for what is hosted here: %w", err)
	}
	is, err := os.ReadFile(d.owner())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	hosts, err := d.hosts()
	if err != nil {
		return err
	}
	write, err := judgeOwner(d, strings.TrimSpace(string(is)), string(system.UID), hosts, begun(etcds))
	if err != nil || !write {
		return err
	}
	if err := os.MkdirAll(d.tenants(), 0o700); err != nil {
		return err
	}
	return writeFile(d.owner(), []byte(string(system.UID)+"\n"))
}

// judgeOwner decides whether to host in a folder, and whether to mark it. is is the mark
// that is there, or nothing; want is that of the management API. hosts is whether
// there is something of tenants, begun the name of an EtcdCluster that has data.
func judgeOwner(d dataDir, is, want string, hosts bool, begun string) (write bool, err error) {
	switch {
	case is == want:
		return false, nil
	case is != "":
		return false, failure.New(
			fmt.Sprintf("restore %s and %s from the same backup, or choose another --data-dir; to give up what is hosted in the first, stop its processes and move it away", d.tenants(), d.etcd()),
			"%s holds clusters of another management API: %s names %s and this one is %s", d.tenants(), d.owner(), is, want)
	case !hosts && begun != "":
		return false, failure.New(
			fmt.Sprintf("mount its disk, or restore it from a backup; to begin all clusters anew with nothing in them, run 'mkdir -p %s && echo %s > %s'", d.tenants(), want, d.owner()),
			"the data of the clusters is missing in %s: the etcd %q has stored it there", d.tenants(), begun)
	}
	return true, nil
}

// begun is the name of one that has had members; empty if there is none.
func begun(etcds *v1alpha1.EtcdClusterList) string {
	for i := range etcds.Items {
		if len(etcds.Items[i].Status.Endpoints) > 0 {
			return etcds.Items[i].Name
		}
	}
	return ""
}
