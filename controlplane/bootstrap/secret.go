package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/controlplane/join"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/kubeconfig"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Besides what the machine reads, the Secret holds the token in parts.
const (
	keyTokenID     = "token-id"
	keyTokenSecret = "token-secret"
	keyExpiration  = "expiration"
)

// errNoToken says that no token has been drawn, so that no tenant can have it.
var errNoToken = errors.New("there is no Secret yet")

// errTaken says that the Secret is not of this NodeBootstrap.
var errTaken = errors.New("it has another owner")

// takenAgain is when it is looked again whether such a Secret is gone, of which no event tells.
const takenAgain = time.Second

// ensureSecret draws a token and writes it down, with what else the machine needs, before
// the tenant knows it. What has been written stays.
func (r *Reconciler) ensureSecret(ctx context.Context, s *scope) error {
	if err := r.drawToken(ctx, s); err != nil {
		return err
	}
	s.bootstrap.Status.ExpirationTime = &metav1.Time{Time: s.token.Expires}
	return r.awaitEnd(ctx, s)
}

// drawToken finds the token that was drawn, or draws one.
func (r *Reconciler) drawToken(ctx context.Context, s *scope) error {
	var err error
	if s.token, err = r.storedToken(ctx, r.Client, s); !errors.Is(err, errNoToken) {
		return err
	}
	b := s.bootstrap
	request := requestOf(b)
	if err := request.Validate(); err != nil {
		return err
	}
	token, err := join.DrawToken(r.Random)
	if err != nil {
		return err
	}
	token.Expires = r.Now().Add(request.TTL).UTC().Truncate(time.Second)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: secretOf(b), Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
		Data: map[string][]byte{
			keyTokenID: []byte(token.ID), keyTokenSecret: []byte(token.Secret), keyExpiration: []byte(token.Expires.Format(time.RFC3339)),
		},
	}
	if secret.Data[v1alpha1.KeyKubeconfig], err = r.bootstrapKubeconfig(ctx, s, token); err != nil {
		return err
	}
	if secret.Data[v1alpha1.KeyKubeletConfiguration], err = r.read(ctx, s, metav1.NamespaceSystem, "kubelet-config", "kubelet"); err != nil {
		return err
	}
	if err := controllerutil.SetControllerReference(b, secret, r.Client.Scheme()); err != nil {
		return err
	}
	created, err := reconcile.CreateIfAbsent(ctx, r.Client, secret)
	if err != nil {
		return err
	}
	if created {
		s.token = token
		return nil
	}
	s.token, err = r.storedToken(ctx, r.Live, s)
	return err
}

// bootstrapKubeconfig leads to the tenant by the address and the CA that its cluster-info
// names.
func (r *Reconciler) bootstrapKubeconfig(ctx context.Context, s *scope, token join.Token) ([]byte, error) {
	info, err := r.read(ctx, s, metav1.NamespacePublic, bootstrapapi.ConfigMapClusterInfo, bootstrapapi.KubeConfigKey)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.Load(info)
	if err != nil || config.Clusters[""] == nil {
		return nil, reconcile.Retry(err, "TenantIncomplete", "cluster-info of the tenant names no cluster: run 'marina cluster resync'")
	}
	cluster := config.Clusters[""]
	return kubeconfig.Encode(kubeconfig.Bootstrap(cluster.Server, cluster.CertificateAuthorityData, token.Value()))
}

// read returns what a ConfigMap of the tenant, which Marina keeps there, has under a key.
func (r *Reconciler) read(ctx context.Context, s *scope, namespace, name, key string) ([]byte, error) {
	config, err := s.tenant.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, reconcile.Retry(err, "TenantUnreachable", "ConfigMap %s/%s of the tenant cannot be read: %v", namespace, name, err)
	}
	if config.Data[key] == "" {
		return nil, reconcile.Retry(nil, "TenantIncomplete", "ConfigMap %s/%s of the tenant has no %q: run 'marina cluster resync'", namespace, name, key)
	}
	return []byte(config.Data[key]), nil
}

// storedToken is what the Secret holds, or errNoToken, or errTaken: an earlier NodeBootstrap
// of that name has left its Secret to the garbage collector, which is later.
func (r *Reconciler) storedToken(ctx context.Context, from client.Reader, s *scope) (join.Token, error) {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: s.bootstrap.Namespace, Name: secretOf(s.bootstrap)}
	if err := from.Get(ctx, key, secret); apierrors.IsNotFound(err) {
		return join.Token{}, errNoToken
	} else if err != nil {
		return join.Token{}, err
	}
	if !metav1.IsControlledBy(secret, s.bootstrap) {
		return join.Token{}, &reconcile.Error{
			Kind: reconcile.KindWait, Reason: "SecretTaken", After: takenAgain, Err: errTaken,
			Message: fmt.Sprintf("Secret %s belongs to another object, such as an earlier NodeBootstrap: it goes with that, or delete it", key),
		}
	}
	token := join.Token{ID: string(secret.Data[keyTokenID]), Secret: string(secret.Data[keyTokenSecret])}
	var err error
	if token.Expires, err = time.Parse(time.RFC3339, string(secret.Data[keyExpiration])); err != nil {
		return join.Token{}, fmt.Errorf("when the token of Secret %s ends: %w", key, err)
	}
	return token, nil
}
