package up

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/kubeconfig"
	"github.com/marina-dev/marina/pkg/pki"
)

// managementNamespace is where the management plane's own Components are. No
// tenant's namespace has this name: those begin with marina-.
const managementNamespace = "management"

// portHTTPS is the port of each of the two, API, health and metrics alike.
const portHTTPS = component.PortHTTPS

// Names of the Secrets of static files, which are also the folders of their Mounts.
const (
	filesServing        = "serving"
	filesConfig         = "config"
	filesEtcd           = "etcd"
	filesServiceAccount = "service-account"
	filesClient         = "client"

	// filesEtcdCA is the folder of that part of filesEtcd which is not reloaded.
	filesEtcdCA = "etcd-ca"
)

// authentication lets in who has a certificate or a token; who has none gets to
// know whether the server is healthy and nothing else.
const authentication = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
    - path: /livez
    - path: /readyz
    - path: /healthz
`

// unused are API groups of workloads. Nothing here would run them, and each of
// their kinds costs the API server memory and every deletion of a namespace a
// request.
const unused = "apps/v1=false,autoscaling/v1=false,autoscaling/v2=false,batch/v1=false,policy/v1=false,resource.k8s.io/v1=false"

// gogc makes both collect garbage more often: it takes a third off the API
// server's memory, for processor time that an idle one does not need.
const gogc = "50"

// managementInputs is all that the Components of the management plane depend on.
type managementInputs struct {
	// kubernetes is the upstream version, v1.37.1.
	kubernetes string
	// run is another one for each start of Marina, and so replaces what an earlier
	// one has left. While Marina is away, so is etcd: the API server looks for it
	// ever more rarely, up to two minutes apart and on each of its connections by
	// itself, when a start of it takes three seconds.
	run string
	// etcdPort is where the management etcd listens.
	etcdPort int
	// server is the URL of the API server.
	server string
	keys   *credentials
}

// apiServer is the management API server.
func apiServer(in managementInputs) component.Component {
	return component.Component{
		Namespace: managementNamespace,
		Name:      programAPIServer,
		Replicas:  1,
		Ports:     []component.Port{{Name: portHTTPS}},
		Main: component.Process{
			Name: programAPIServer, Program: programAPIServer, Version: in.kubernetes,
			Env: in.environment(),
			Args: []string{
				"--bind-address=" + component.VarAddress,
				"--secure-port=" + component.VarPort(portHTTPS),
				"--advertise-address=" + component.VarAddress,
				"--endpoint-reconciler-type=none",

				"--etcd-servers=https://" + net.JoinHostPort(address, strconv.Itoa(in.etcdPort)),
				"--etcd-cafile=" + mounted(filesEtcdCA, pki.CAKey),
				"--etcd-certfile=" + mounted(filesEtcd, pki.CertKey),
				"--etcd-keyfile=" + mounted(filesEtcd, pki.PrivateKeyKey),
				"--etcd-compaction-interval=0",

				"--encryption-provider-config=" + mounted(filesConfig, "encryption.yaml"),
				"--encryption-provider-config-automatic-reload=true",
				"--authentication-config=" + mounted(filesConfig, "authentication.yaml"),
				"--authorization-mode=RBAC,ABAC",
				"--authorization-policy-file=" + mounted(filesConfig, v1alpha1.KeyProbes),
				"--client-ca-file=" + mounted(filesServing, pki.CAKey),
				"--tls-cert-file=" + mounted(filesServing, pki.CertKey),
				"--tls-private-key-file=" + mounted(filesServing, pki.PrivateKeyKey),
				"--tls-min-version=VersionTLS12",

				"--service-account-issuer=https://kubernetes.default.svc",
				"--service-account-key-file=" + mounted(filesServiceAccount, "service-account.pub"),
				"--service-account-signing-key-file=" + mounted(filesServiceAccount, "service-account.key"),
				// No service has an address here; the flag has no default that is allowed.
				"--service-cluster-ip-range=10.96.0.0/24",

				"--runtime-config=" + unused,
				"--profiling=false",
			},
		},
		Mounts: []component.Mount{
			{Path: filesServing, Secret: filesServing},
			{Path: filesConfig, Secret: filesConfig},
			{Path: filesEtcd, Secret: filesEtcd, Keys: []string{pki.CertKey, pki.PrivateKeyKey}},
			// These two are read only at the start.
			{Path: filesEtcdCA, Secret: filesEtcd, Keys: []string{pki.CAKey}, Hash: hash(in.keys.etcdCA.CertPEM)},
			{Path: filesServiceAccount, Secret: filesServiceAccount, Hash: hash(in.keys.signing)},
		},
		Readiness: component.Probe{Port: portHTTPS, Path: "/readyz"},
		// It keeps nothing, and who would mind has been stopped before. One without its
		// etcd, left by a Marina that was killed, takes all of it.
		Grace: 2 * time.Second,
	}
}

// controllerManager is the management controller-manager. It runs what deletion
// needs, and nothing else: who deletes a Cluster here goes the same way as in a
// management cluster.
func controllerManager(in managementInputs) component.Component {
	return component.Component{
		Namespace: managementNamespace,
		Name:      programControllerManager,
		Replicas:  1,
		Ports:     []component.Port{{Name: portHTTPS}},
		Main: component.Process{
			Name: programControllerManager, Program: programControllerManager, Version: in.kubernetes,
			Env: in.environment(),
			Args: []string{
				"--kubeconfig=" + mounted(filesClient, "kubeconfig"),
				"--bind-address=" + component.VarAddress,
				"--secure-port=" + component.VarPort(portHTTPS),
				// Otherwise it makes an RSA key at every start.
				"--tls-cert-file=" + mounted(filesClient, pki.CertKey),
				"--tls-private-key-file=" + mounted(filesClient, pki.PrivateKeyKey),
				"--tls-min-version=VersionTLS12",
				"--controllers=garbage-collector-controller,namespace-controller",
				// Each with the rights of its own role, made by the API server.
				"--use-service-account-credentials=true",
				// There is one.
				"--leader-elect=false",
				"--profiling=false",
			},
		},
		Mounts: []component.Mount{
			{Path: filesClient, Secret: filesClient},
		},
		Readiness: component.Probe{Port: portHTTPS, Path: "/healthz"},
		Grace:     2 * time.Second,
	}
}

func (in managementInputs) environment() map[string]string {
	return map[string]string{"GOGC": gogc, "MARINA_RUN": in.run}
}

// staticFiles are the contents of the Secrets that the two Components mount.
func staticFiles(in managementInputs) (local.StaticFiles, error) {
	config, err := kubeconfig.Encode(kubeconfig.ByFiles(in.server))
	if err != nil {
		return nil, err
	}
	k := in.keys
	client := pki.SecretData(k.leaves[leafControllerManager], k.ca.CertPEM)
	client["kubeconfig"] = config
	return local.StaticFiles{
		filesServing:        pki.SecretData(k.leaves[leafAPIServer], k.ca.CertPEM),
		filesEtcd:           pki.SecretData(k.leaves[leafEtcdClient], k.etcdCA.CertPEM),
		filesConfig:         {"authentication.yaml": []byte(authentication), v1alpha1.KeyProbes: []byte(component.ProbePolicy), "encryption.yaml": k.encryption},
		filesServiceAccount: {"service-account.key": k.signing, "service-account.pub": k.verifying},
		filesClient:         client,
	}, nil
}

// mounted is the path of a key in a Mount.
func mounted(folder, key string) string {
	return fmt.Sprintf("%s/%s/%s", component.VarFiles, folder, key)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
