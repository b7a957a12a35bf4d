package hosted

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/join"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// tenantCertValidity is how long a certificate lives that Marina makes for itself.
// It is never stored, so that it can be short.
const tenantCertValidity = 24 * time.Hour

// tenant is the one small connection to a tenant's API server: no cache, one watch
// (of its certificate signing requests), and the few requests of a keeper.
type tenant struct {
	// client applies objects, kube is the same connection typed.
	client client.Client
	kube   kubernetes.Interface
	// config is how the API servers are asked one by one.
	config *rest.Config
	// keeper notices when what was applied is not as it was.
	keeper *keeper

	// madeFor tells whether the connection is still the right one, and madeAt and
	// renewAt for how long.
	madeFor         string
	madeAt, renewAt time.Time
	stop            context.CancelFunc
}

// tenants holds the connections of all tenants. It is a manager.Runnable so that
// they end with the manager.
type tenants struct {
	log    logr.Logger
	ctx    context.Context
	cancel context.CancelFunc

	// changed is told of a tenant that needs a pass.
	changed func(client.ObjectKey)

	mu    sync.Mutex
	byKey map[client.ObjectKey]*tenant
}

func newTenants(log logr.Logger) *tenants {
	ctx, cancel := context.WithCancel(context.Background())
	return &tenants{log: log, ctx: ctx, cancel: cancel, changed: func(client.ObjectKey) {}, byKey: map[client.ObjectKey]*tenant{}}
}

// Start implements manager.Runnable.
func (t *tenants) Start(ctx context.Context) error {
	<-ctx.Done()
	t.cancel()
	return nil
}

// ensure returns the connection to a tenant, and starts to approve the nodes that
// want to join it. The certificate is made anew when half of its time is over, and
// when a clock that was set back says that its time has not begun.
func (t *tenants) ensure(key client.ObjectKey, server string, ca pki.KeyPair, reserved join.Reserved, now time.Time) (*tenant, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	madeFor := fmt.Sprint(server, string(ca.CertPEM), reserved)
	if known := t.byKey[key]; known != nil {
		if known.madeFor == madeFor && now.Before(known.renewAt) && !now.Before(known.madeAt.Add(-pki.ClockSkew)) {
			return known, nil
		}
		known.stop()
	}

	// What has to be done here includes granting rights, which only somebody who
	// has them all may do.
	pair, err := ca.Issue(pki.Request{
		CommonName: "marina", Organization: []string{"system:masters"},
		Usage: pki.ClientAuth, Validity: tenantCertValidity,
	}, now)
	if err != nil {
		return nil, fmt.Errorf("making a client certificate: %w", err)
	}
	config := &rest.Config{
		Host:            server,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca.CertPEM, CertData: pair.CertPEM, KeyData: pair.KeyPEM},
		UserAgent:       "marina",
		Timeout:         10 * time.Second,
		QPS:             50, Burst: 100,
	}
	each := rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return limited{next} })
	watching := rest.CopyConfig(config)
	fresh := &tenant{config: each, madeFor: madeFor, madeAt: now, renewAt: now.Add(tenantCertValidity / 2)}
	if fresh.client, err = client.New(config, client.Options{Scheme: scheme.Scheme, Mapper: tenantKinds()}); err != nil {
		return nil, err
	}
	// A watch outlives any time-out.
	watching.Timeout = 0
	if fresh.kube, err = kubernetes.NewForConfig(watching); err != nil {
		return nil, err
	}

	var ctx context.Context
	ctx, fresh.stop = context.WithCancel(t.ctx)
	approver := &join.Approver{Client: fresh.kube, Log: t.log.WithValues("tenant", key.Namespace), Reserved: reserved}
	go approver.Run(ctx)
	fresh.keeper = newKeeper(fresh.client, t.log.WithValues("tenant", key.Namespace), func() { t.changed(key) })
	go fresh.keeper.run(ctx)
	t.byKey[key] = fresh
	return fresh, nil
}

// Tenant is the client of the tenant whose control plane is in a management namespace, or
// false while there is no connection to it.
func (r *Reconciler) Tenant(namespace string) (kubernetes.Interface, bool) {
	r.tenants.mu.Lock()
	defer r.tenants.mu.Unlock()
	known := r.tenants.byKey[client.ObjectKey{Namespace: namespace, Name: v1alpha1.NameHostedControlPlane}]
	if known == nil {
		return nil, false
	}
	return known.kube, true
}

// remove ends the connection to a tenant.
func (t *tenants) remove(key client.ObjectKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.byKey[key]; known != nil {
		known.stop()
		delete(t.byKey, key)
	}
}

// tenantKinds are the kinds that are applied in tenants: naming them saves each
// tenant's API server a discovery.
func tenantKinds() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for gv, kinds := range map[schema.GroupVersion][]string{
		{Version: "v1"}:                                     {"ConfigMap", "Secret", "Service", "ServiceAccount"},
		{Group: "apps", Version: "v1"}:                      {"DaemonSet", "Deployment"},
		{Group: "discovery.k8s.io", Version: "v1"}:          {"EndpointSlice"},
		{Group: "policy", Version: "v1"}:                    {"PodDisruptionBudget"},
		{Group: "rbac.authorization.k8s.io", Version: "v1"}: {"Role", "RoleBinding"},
	} {
		for _, kind := range kinds {
			mapper.Add(gv.WithKind(kind), meta.RESTScopeNamespace)
		}
	}
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding"} {
		mapper.Add(rbac.WithKind(kind), meta.RESTScopeRoot)
	}
	// The plural of Endpoints is not what the mapper would guess.
	core := schema.GroupVersion{Version: "v1"}
	mapper.AddSpecific(core.WithKind("Endpoints"), core.WithResource("endpoints"), core.WithResource("endpoints"), meta.RESTScopeNamespace)
	return mapper
}
