package machine

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/marina-dev/marina/dataplane/openstack"
)

// compute is Nova in one project. Its errors are of the type *openstack.Error.
type compute struct{ *gophercloud.ServiceClient }

func of[T any](value T, err error) (T, error) {
	return value, openstack.Classify(openstack.Compute, err)
}

// list lists all servers of the project, those among them for which no host is found yet.
func (c compute) list(ctx context.Context) ([]servers.Server, error) {
	pages, err := servers.List(c.ServiceClient, servers.ListOpts{Limit: 1000}).AllPages(ctx)
	if err != nil {
		return of[[]servers.Server](nil, err)
	}
	return of(servers.ExtractServers(pages))
}

// create asks for a server and returns its id.
func (c compute) create(ctx context.Context, options servers.CreateOpts, hints servers.SchedulerHintOptsBuilder) (string, error) {
	made, err := of(servers.Create(ctx, c.ServiceClient, options, hints).Extract())
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

// get reads a server, nil if it is not there any more. A list says less: it leaves those out
// whose part of the cloud cannot be asked, and those that the cloud deletes later.
func (c compute) get(ctx context.Context, id string) (*servers.Server, error) {
	server, err := of(servers.Get(ctx, c.ServiceClient, id).Extract())
	if openstack.IsKind(err, openstack.NotFound) {
		return nil, nil
	}
	return server, err
}

// delete deletes a server, with the ports and the volume that Nova has made for it. One that
// is gone is no error.
func (c compute) delete(ctx context.Context, id string) error {
	err := openstack.Classify(openstack.Compute, servers.Delete(ctx, c.ServiceClient, id).ExtractErr())
	if openstack.IsKind(err, openstack.NotFound) {
		return nil
	}
	return err
}

// reboot restarts a server: softly by its system, or else as if its power had failed.
func (c compute) reboot(ctx context.Context, id string, soft bool) error {
	how := servers.HardReboot
	if soft {
		how = servers.SoftReboot
	}
	return openstack.Classify(openstack.Compute, servers.Reboot(ctx, c.ServiceClient, id, servers.RebootOpts{Type: how}).ExtractErr())
}

// rebuild makes a server anew of an image, with other metadata and user data. It keeps its id,
// ports and addresses.
func (c compute) rebuild(ctx context.Context, id, image string, metadata map[string]string, userData []byte) error {
	options := rebuildOptions{RebuildOpts: servers.RebuildOpts{ImageRef: image, Metadata: metadata}, userData: userData}
	_, err := of(servers.Rebuild(ctx, c.ServiceClient, id, options).Extract())
	return err
}

// rebuildOptions has what the library's does not know of: Nova takes user data from
// microversion 2.57 on.
type rebuildOptions struct {
	servers.RebuildOpts
	userData []byte
}

// ToServerRebuildMap implements servers.RebuildOptsBuilder.
func (o rebuildOptions) ToServerRebuildMap() (map[string]any, error) {
	body, err := o.RebuildOpts.ToServerRebuildMap()
	if err != nil {
		return nil, err
	}
	body["rebuild"].(map[string]any)["user_data"] = base64.StdEncoding.EncodeToString(o.userData)
	return body, nil
}

// mark writes metadata, and leaves what else there is.
func (c compute) mark(ctx context.Context, id string, metadata map[string]string) error {
	_, err := of(servers.UpdateMetadata(ctx, c.ServiceClient, id, servers.MetadataOpts(metadata)).Extract())
	return err
}

// limits are the quotas of the project in Nova, and what is used of them.
func (c compute) limits(ctx context.Context) (limits.Absolute, error) {
	all, err := of(limits.Get(ctx, c.ServiceClient, nil).Extract())
	if err != nil {
		return limits.Absolute{}, err
	}
	return all.Absolute, nil
}

// exhausted names the quotas that leave no room for a server of a size, with their numbers;
// empty if none does.
func exhausted(l limits.Absolute, cores, memory int) (words []string) {
	for _, q := range []struct {
		name              string
		used, limit, need int
		unit              string
	}{
		{"instances", l.TotalInstancesUsed, l.MaxTotalInstances, 1, ""},
		{"cores", l.TotalCoresUsed, l.MaxTotalCores, cores, ""},
		{"memory", l.TotalRAMUsed, l.MaxTotalRAMSize, memory, " MiB"},
	} {
		if q.limit >= 0 && q.used+q.need > q.limit {
			words = append(words, fmt.Sprintf("%s: %d of %d%s used, this node takes %d", q.name, q.used, q.limit, q.unit, q.need))
		}
	}
	return words
}
