package project

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Opener opens projects. All controllers share one: it is what keeps them from trying
// credentials too often that a cloud has refused.
type Opener struct {
	Client client.Client
	// Live reads past the cache: the Secrets of projects, of which no cache is kept.
	Live client.Reader
	// Pool has the clients of clouds.
	Pool *openstack.Pool
	Now  func() time.Time

	gate gate

	mu      sync.Mutex
	refused map[types.NamespacedName]refusal
}

// Project is one that is open. Its client is shared with whoever else has it open.
type Project struct {
	*openstack.Client
	// ID and Name are Keystone's.
	ID, Name       string
	Infrastructure *v1alpha1.Infrastructure

	opener      *Opener
	secret      types.NamespacedName
	credentials openstack.Credentials
	// version tells the Secret from what it was.
	version string
}

// Infrastructure is that of a network.
func (o *Opener) Infrastructure(ctx context.Context, network *v1alpha1.ClusterNetwork) (*v1alpha1.Infrastructure, error) {
	name := network.Spec.InfrastructureRef.Name
	infra := &v1alpha1.Infrastructure{}
	if err := o.Client.Get(ctx, client.ObjectKey{Name: name}, infra); apierrors.IsNotFound(err) {
		return nil, reconcile.UserError("InfrastructureNotFound", "Infrastructure %s does not exist any more: create it again, as it was", name)
	} else if err != nil {
		return nil, err
	}
	return infra, nil
}

// Open logs in to the project that a network is in, or will be in, at the Infrastructure. Its
// errors tell who has to do what, or that it may pass.
func (o *Opener) Open(ctx context.Context, network *v1alpha1.ClusterNetwork, infra *v1alpha1.Infrastructure) (*Project, error) {
	p := &Project{Infrastructure: infra, opener: o}
	if err := p.readCredentials(ctx, network); err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	if err := p.logIn(ctx, network); err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return p, nil
}

// readCredentials reads the Secret, each time anew and past the cache: the credentials of
// projects are kept nowhere but where their owners have put them.
func (p *Project) readCredentials(ctx context.Context, network *v1alpha1.ClusterNetwork) error {
	spec, live := network.Spec, p.opener.Live
	p.secret = types.NamespacedName{Namespace: spec.ClusterRef.Namespace, Name: spec.CredentialsRef.Name}
	secret := &corev1.Secret{}
	err := live.Get(ctx, p.secret, secret)
	if apierrors.IsNotFound(err) {
		// A project's namespace may be deleted with all that is in it, and takes no other
		// Secret any more.
		spare := types.NamespacedName{Namespace: network.Namespace, Name: v1alpha1.SecretOpenStack}
		err = live.Get(ctx, spare, secret)
		if apierrors.IsNotFound(err) {
			return reconcile.UserError("SecretNotFound", "Secret %s does not exist: create it, with the key %s; if its namespace is going away, an administrator can create it as %s",
				p.secret, v1alpha1.CloudsKey, spare)
		}
		p.secret = spare
	}
	if err != nil {
		return err
	}
	if len(secret.Data[v1alpha1.CloudsKey]) == 0 {
		return reconcile.UserError("SecretIncomplete", "Secret %s has no %s: add it", p.secret, v1alpha1.CloudsKey)
	}
	if p.credentials, err = openstack.ParseCloudsYAML(secret.Data[v1alpha1.CloudsKey], v1alpha1.CloudName); err != nil {
		return reconcile.UserError("CredentialsInvalid", "Secret %s, %s: %v", p.secret, v1alpha1.CloudsKey, err)
	}
	p.version = fmt.Sprintf("%s/%s", secret.UID, secret.ResourceVersion)
	return nil
}

// logIn logs in to where the Infrastructure says, never to where a clouds.yaml does.
func (p *Project) logIn(ctx context.Context, network *v1alpha1.ClusterNetwork) error {
	if err := p.opener.wasRefused(p); err != nil {
		return err
	}
	spec := p.Infrastructure.Spec
	where := openstack.Cloud{AuthURL: spec.AuthURL, Region: spec.Region, CABundle: spec.CABundle}
	if err := p.credentials.Fits(where); err != nil {
		return reconcile.UserError("CredentialsMismatch", "Secret %s, %s: %v", p.secret, v1alpha1.CloudsKey, err)
	}
	c, err := p.opener.Pool.Client(ctx, where, p.credentials)
	if err != nil {
		return p.Outcome(err, "logging in")
	}
	scope := c.Scope()
	p.Client, p.ID, p.Name = c, scope.ProjectID, scope.ProjectName
	if known := network.Status.ProjectID; known != "" && known != p.ID {
		return reconcile.UserError("CredentialsMismatch", "Secret %s is for the project %s (%s), and the network is in the project %s: give credentials of that one",
			p.secret, p.Name, p.ID, known)
	}
	return nil
}
