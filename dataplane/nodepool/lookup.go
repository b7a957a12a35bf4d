package nodepool

import (
	"context"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/availabilityzones"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
)

// answerLife is how old an answer may be that another pool of the project has got: less than
// the time after which one that was refused is checked again.
const answerLife = 30 * time.Second

// answers are those of one project in one cloud, for all pools in it.
type answers struct {
	used time.Time // under the lock of checks
	// mu is held while the cloud is asked, so that who comes meanwhile has the same answers.
	mu    sync.Mutex
	known map[subject]answer
	// silent is until when the cloud is not asked, since it has not answered.
	silent time.Time
}

// subject is what is asked about.
type subject struct{ service, kind, id string }

type answer struct {
	found any
	at    time.Time
}

// lookup is one look at what a pool needs.
type lookup struct {
	*answers
	project *project.Project
	now     time.Time
	found   findings
}

// look finds out what there is in the project of what a pool needs, as far as the cloud says.
func (r *Reconciler) look(ctx context.Context, s *scope, n needs) findings {
	now := r.Now()
	a := r.checks.answers(s, now)
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &lookup{answers: a, now: now, found: findings{
		networks: map[string]*foundNetwork{}, groups: map[string]*foundGroup{}, images: map[string]*foundImage{},
	}}
	if l.now.Before(a.silent) {
		return l.found
	}
	var err error
	if l.project, err = r.open(ctx, s); err == nil {
		err = l.all(ctx, n)
	}
	if err != nil {
		a.silent = r.Now().Add(answerLife) // it may have taken half a minute
		ctrl.LoggerFrom(ctx).Info("what the pool names in the cloud cannot be looked up", "reason", err.Error())
	}
	return l.found
}

// all asks about each thing, and goes on where one service cannot be asked. Its error means
// that there is no use in asking more.
func (l *lookup) all(ctx context.Context, n needs) error {
	steps := []func() error{
		func() error { return ask(ctx, l, subject{openstack.Image, "image", n.image}, l.found.images, getImage) },
	}
	if n.zone != "" {
		steps = append(steps, func() error { return l.zones(ctx) })
	}
	for _, id := range n.networks {
		steps = append(steps, func() error {
			return ask(ctx, l, subject{openstack.Network, "network", id}, l.found.networks, l.getNetwork)
		})
	}
	for _, id := range n.groups {
		steps = append(steps, func() error {
			return ask(ctx, l, subject{openstack.Network, "security group", id}, l.found.groups, getGroup)
		})
	}
	for _, step := range steps {
		err := step()
		if e := openstack.As(err); e != nil && !e.Passing() && e.Kind != openstack.Unauthorized {
			ctrl.LoggerFrom(ctx).Info("the cloud does not tell of something that the pool names", "reason", err.Error())
			continue
		}
		if err != nil {
			return l.project.Outcome(err, "looking for what the pool names")
		}
	}
	return nil
}

// zones are listed, as Nova does not tell of one.
func (l *lookup) zones(ctx context.Context) error {
	all := map[string]*map[string]bool{}
	err := ask(ctx, l, subject{openstack.Compute, "zones", ""}, all, listZones)
	if found := all[""]; found != nil {
		l.found.zones = *found
	}
	return err
}

// ask finds out about one thing, unless it is known already, and writes it down. One that is
// not there is an answer too.
func ask[T any](ctx context.Context, l *lookup, what subject, found map[string]*T, get func(context.Context, *gophercloud.ServiceClient, string) (*T, error)) error {
	if known, ok := l.known[what]; ok && l.now.Sub(known.at) < answerLife {
		found[what.id] = known.found.(*T)
		return nil
	}
	sc, err := l.project.Service(ctx, what.service)
	if err != nil {
		return err // also when the catalogue does not have it
	}
	object, err := get(ctx, sc, what.id)
	if err = openstack.Classify(what.service, err); err != nil && !openstack.IsKind(err, openstack.NotFound) {
		return err
	}
	if err != nil {
		object = nil
	}
	found[what.id], l.known[what] = object, answer{found: object, at: l.now}
	return nil
}

func listZones(ctx context.Context, sc *gophercloud.ServiceClient, _ string) (*map[string]bool, error) {
	pages, err := availabilityzones.List(sc).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := availabilityzones.ExtractAvailabilityZones(pages)
	zones := map[string]bool{}
	for _, z := range all {
		zones[z.ZoneName] = z.ZoneState.Available
	}
	return &zones, err
}

// getNetwork reads a network. Whether servers may have ports in an external one is a policy of
// each cloud's, and shows at the nodes.
func (l *lookup) getNetwork(ctx context.Context, sc *gophercloud.ServiceClient, id string) (*foundNetwork, error) {
	n, err := networks.Get(ctx, sc, id).Extract()
	if err != nil {
		return nil, err
	}
	return &foundNetwork{subnets: len(n.Subnets) > 0}, nil
}

func getGroup(ctx context.Context, sc *gophercloud.ServiceClient, id string) (*foundGroup, error) {
	_, err := groups.Get(ctx, sc, id).Extract()
	return &foundGroup{}, err
}

func getImage(ctx context.Context, sc *gophercloud.ServiceClient, id string) (*foundImage, error) {
	image, err := images.Get(ctx, sc, id).Extract()
	if err != nil {
		return nil, err
	}
	return &foundImage{status: string(image.Status), minMemoryMiB: int64(image.MinRAMMegabytes), minDiskGiB: int64(image.MinDiskGigabytes)}, nil
}
