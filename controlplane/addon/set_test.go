package addon

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// kindsAndNames of objects that run or are run with something, sorted.
func kindsAndNames(objects []client.Object) (all []string) {
	for _, o := range objects {
		all = append(all, o.GetObjectKind().GroupVersionKind().Kind+" "+o.GetName())
	}
	slices.Sort(all)
	return all
}

// What is switched off is not applied, and is named so that what was applied before
// can be deleted.
func TestWhatIsSwitchedOffIsObsolete(t *testing.T) {
	dns := []string{
		"ClusterRole system:coredns", "ClusterRoleBinding system:coredns", "Deployment coredns",
		"PodDisruptionBudget coredns", "Service kube-dns", "ServiceAccount coredns",
	}
	proxy := []string{"ClusterRoleBinding marina:node-proxier", "ConfigMap kube-proxy", "DaemonSet kube-proxy", "ServiceAccount kube-proxy"}
	agents := []string{
		"ClusterRoleBinding marina:konnectivity-server", "Deployment konnectivity-agent",
		"PodDisruptionBudget konnectivity-agent", "ServiceAccount konnectivity-agent",
	}
	cases := map[string]struct {
		change func(*Inputs)
		want   []string
	}{
		"Nothing":        {func(*Inputs) {}, nil},
		"CoreDNS":        {func(in *Inputs) { in.Addons.CoreDNS = v1alpha1.AddonNone }, dns},
		"PullSecret":     {func(in *Inputs) { in.PullSecret = nil }, []string{"Secret marina-image-pull"}},
		"KubeProxy":      {func(in *Inputs) { in.Addons.KubeProxy = v1alpha1.AddonNone }, proxy},
		"Konnectivity":   {func(in *Inputs) { in.Konnectivity = "" }, agents},
		"AVersionOfNone": {func(in *Inputs) { in.Konnectivity, in.Versions.Konnectivity = "", "" }, agents},
		"AnAddressForPods": {func(in *Inputs) { in.Server = "https://api.example.org:6443" },
			[]string{"EndpointSlice kubernetes", "Endpoints kubernetes"}},
	}
	shipped := func() Inputs {
		in := shippedInputs(t, "1.37")
		in.PullSecret = []byte("{}")
		return in
	}
	all := kindsAndNames(everything(t, shipped()))
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := shipped()
			tc.change(&in)
			set, err := Compute(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, kindsAndNames(set.Obsolete)); diff != "" {
				t.Errorf("obsolete (-want +got):\n%s", diff)
			}
			applied := kindsAndNames(slices.Concat(set.Reconcile, set.EnsureExists))
			want := slices.DeleteFunc(slices.Clone(all), func(o string) bool {
				return slices.Contains(tc.want, o) || name == "CoreDNS" && o == "ConfigMap coredns"
			})
			if diff := cmp.Diff(want, applied); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever runs on nodes is pulled with the Secret that is there for it, or without any.
func TestPullSecret(t *testing.T) {
	in := shippedInputs(t, "1.37")
	for _, content := range [][]byte{nil, []byte(`{"auths": {}}`)} {
		in.PullSecret = content
		pods, want := 0, ""
		if content != nil {
			want = "marina-image-pull"
		}
		for _, o := range everything(t, in) {
			var spec corev1.PodSpec
			switch o := o.(type) {
			case *appsv1.Deployment:
				spec = o.Spec.Template.Spec
			case *appsv1.DaemonSet:
				spec = o.Spec.Template.Spec
			case *corev1.Secret:
				if o.Name != want || o.Namespace != "kube-system" || o.Type != corev1.SecretTypeDockerConfigJson || string(o.Data[".dockerconfigjson"]) != string(content) {
					t.Errorf("Secret %+v, want %q with %s", o, want, content)
				}
				continue
			default:
				continue
			}
			pods++
			var got string
			for _, ref := range spec.ImagePullSecrets {
				got += ref.Name
			}
			if got != want {
				t.Errorf("%s is pulled with %q, want %q", o.GetName(), got, want)
			}
		}
		if pods != 3 {
			t.Errorf("looked at %d workloads, want those of CoreDNS, kube-proxy and the agents", pods)
		}
	}
}

// The Corefile is the tenant's: it is neither put back nor taken away.
func TestTheCorefileIsTheTenants(t *testing.T) {
	set, err := Compute(shippedInputs(t, "1.37"))
	if err != nil {
		t.Fatal(err)
	}
	if got := kindsAndNames(set.EnsureExists); !slices.Equal(got, []string{"ConfigMap coredns"}) {
		t.Errorf("made once: %q, want the Corefile alone", got)
	}
	in := shippedInputs(t, "1.37")
	in.Addons.CoreDNS = v1alpha1.AddonNone
	if set, err = Compute(in); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(kindsAndNames(set.Obsolete), "ConfigMap coredns") {
		t.Error("a Corefile that somebody may have written is deleted")
	}
}

// pods are the templates of all pods, by name.
func pods(t testing.TB, in Inputs) map[string]corev1.PodTemplateSpec {
	t.Helper()
	found := map[string]corev1.PodTemplateSpec{}
	for _, object := range everything(t, in) {
		switch o := object.(type) {
		case *appsv1.Deployment:
			found[o.Name] = o.Spec.Template
		case *appsv1.DaemonSet:
			found[o.Name] = o.Spec.Template
		}
	}
	if len(found) != 3 {
		t.Fatalf("%d workloads, want CoreDNS, kube-proxy and the agents", len(found))
	}
	return found
}

// Everything asks for what it needs, so that it is not the first to be evicted, and
// comes from the registry of the platform in the version of the release.
func TestContainers(t *testing.T) {
	in := shippedInputs(t, "1.37")
	in.Registry = "registry.example.com/marina"
	images := map[string]string{
		"coredns":            "registry.example.com/marina/coredns:" + in.Versions.CoreDNS,
		"kube-proxy":         "registry.example.com/marina/kube-proxy:" + in.KubernetesVersion,
		"konnectivity-agent": "registry.example.com/marina/konnectivity-agent:" + in.Versions.Konnectivity,
	}
	for name, pod := range pods(t, in) {
		if !strings.HasPrefix(pod.Spec.PriorityClassName, "system-") {
			t.Errorf("%s has priority class %q", name, pod.Spec.PriorityClassName)
		}
		for _, c := range pod.Spec.Containers {
			if c.Image != images[name] {
				t.Errorf("%s has image %s, want %s", name, c.Image, images[name])
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() {
				t.Errorf("%s asks for no CPU or memory", name)
			}
			if c.LivenessProbe == nil {
				t.Errorf("%s hangs unnoticed", name)
			}
		}
	}
}

// The pod security standard "restricted" holds for all but kube-proxy, of which one
// container that ends has all rights and the one that stays those of the network.
func TestPodsAreRestricted(t *testing.T) {
	for name, pod := range pods(t, shippedInputs(t, "1.37")) {
		s := pod.Spec
		proxy := name == "kube-proxy"
		if s.HostPID || s.HostIPC || s.HostNetwork != proxy {
			t.Errorf("%s shares what is the node's", name)
		}
		if p := s.SecurityContext; p == nil || p.SeccompProfile == nil || p.SeccompProfile.Type != "RuntimeDefault" {
			t.Errorf("%s has no seccomp profile", name)
		} else if !proxy && (p.RunAsNonRoot == nil || !*p.RunAsNonRoot) {
			t.Errorf("%s may run as root", name)
		}
		for _, v := range s.Volumes {
			if v.HostPath != nil {
				t.Errorf("%s mounts %s of its node", name, v.HostPath.Path)
			}
		}
		for _, c := range s.Containers {
			sc := c.SecurityContext
			allowed := []corev1.Capability{"NET_BIND_SERVICE"}
			if proxy {
				allowed = []corev1.Capability{"NET_ADMIN"}
			}
			switch {
			case sc == nil || sc.Capabilities == nil || sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation:
				t.Errorf("%s may gain rights", name)
			case !slices.Equal(sc.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(sc.Capabilities.Add) > 0 && !slices.Equal(sc.Capabilities.Add, allowed):
				t.Errorf("%s has capabilities %v", name, sc.Capabilities)
			case sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem:
				t.Errorf("%s may write into its image", name)
			}
		}
	}
}

// What connects to the API server before the cluster's own network works, or makes it
// work, uses the exposed address.
func TestWhatStartsFirstUsesTheExposedAddress(t *testing.T) {
	in := shippedInputs(t, "1.37")
	in.Server, in.Konnectivity = "https://api.example.org:6443", "agents.example.org:8132"
	found := pods(t, in)
	args := found["konnectivity-agent"].Spec.Containers[0].Args
	for _, want := range []string{"--proxy-server-host=agents.example.org", "--proxy-server-port=8132"} {
		if !slices.Contains(args, want) {
			t.Errorf("the agents have no %s: %q", want, args)
		}
	}
	env := found["coredns"].Spec.Containers[0].Env
	if diff := cmp.Diff([]corev1.EnvVar{{Name: "KUBERNETES_SERVICE_HOST", Value: "api.example.org"}, {Name: "KUBERNETES_SERVICE_PORT", Value: "6443"}}, env); diff != "" {
		t.Errorf("environment of CoreDNS (-want +got):\n%s", diff)
	}
	for name, want := range map[string]corev1.DNSPolicy{"coredns": corev1.DNSDefault, "konnectivity-agent": corev1.DNSDefault} {
		if got := found[name].Spec.DNSPolicy; got != want {
			t.Errorf("%s resolves names by %q, want %q: the cluster's DNS may not run yet", name, got, want)
		}
	}
}

// What reads the CA only when it starts is replaced when the CA is another one.
func TestAnotherCARollsTheAgents(t *testing.T) {
	in := shippedInputs(t, "1.37")
	before := pods(t, in)["konnectivity-agent"].Annotations
	in.CACert = append(slices.Clone(in.CACert), in.CACert...)
	if after := pods(t, in)["konnectivity-agent"].Annotations; cmp.Equal(before, after) {
		t.Errorf("annotations %v in both", after)
	}
}
