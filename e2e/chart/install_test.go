package chart

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// managerPod is the pod that the Deployment asks for. Of a Deployment pod security only
// warns.
func managerPod(t testing.TB, s *server) *corev1.Pod {
	t.Helper()
	deployment := &appsv1.Deployment{}
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: system, Name: "marina-manager"}, deployment); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: *deployment.Spec.Template.ObjectMeta.DeepCopy(), Spec: deployment.Spec.Template.Spec}
	pod.Namespace, pod.Name = system, "manager"
	return pod
}

func TestManagerIsARestrictedPod(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		pod := managerPod(t, s)
		if err := s.client.Create(t.Context(), pod.DeepCopy(), client.DryRunAll); err != nil {
			t.Errorf("the pod is refused: %v", err)
		}
		pod.Spec.SecurityContext = nil
		if err := s.client.Create(t.Context(), pod, client.DryRunAll); !apierrors.IsForbidden(err) {
			t.Errorf("without its security context: %v, want a refusal: the namespace is not restricted", err)
		}
		c := pod.Spec.Containers[0]
		if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Error("its root file system can be written")
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("its resources are %v, want requests, and a limit of memory", c.Resources)
		}
		if c.LivenessProbe == nil || c.ReadinessProbe == nil {
			t.Error("it is not probed")
		}
	})
}

// An upgrade to what is there already changes nothing, and a removal leaves what
// tenants live on.
func TestUpgradeAndRemoval(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		watched := []client.Object{
			&v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
			&v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
			&v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: "1.37.1-1"}},
			&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "offered-releases.marina.dev"}},
			&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "marina-manager"}},
		}
		versions := func() (found []string) {
			for _, o := range watched {
				if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil && !apierrors.IsNotFound(err) {
					t.Fatal(err)
				} else if err != nil {
					found = append(found, "gone")
					continue
				}
				found = append(found, fmt.Sprintf("%s of generation %d", o.GetUID(), o.GetGeneration()))
			}
			return found
		}
		before := versions()
		if err := s.bring(t.Context(), "upgrade"); err != nil {
			t.Fatal(err)
		}
		if after := versions(); !slices.Equal(before, after) {
			t.Errorf("an upgrade to the same changed %v to %v", before, after)
		}

		for _, release := range []string{"marina", "marina-crds"} {
			if _, err := s.helm(t.Context(), "uninstall", release); err != nil {
				t.Fatal(err)
			}
		}
		after := versions()
		if after[4] != "gone" || !slices.Equal(before[:4], after[:4]) {
			t.Errorf("a removal made %v of %v, want the Deployment gone and nothing else", after, before)
		}
		// And what was kept guards the rest, until somebody says that it is meant.
		system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system}}
		if err := s.client.Delete(t.Context(), system, client.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "marina.dev/allow-deletion=true") {
			t.Errorf("deleting %s: %v, want a refusal that says how", system.Name, err)
		}
		annotate := func(value string) {
			t.Helper()
			patch := fmt.Sprintf(`{"metadata": {"annotations": {"marina.dev/allow-deletion": %s}}}`, value)
			if err := s.client.Patch(t.Context(), system, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
				t.Fatal(err)
			}
		}
		annotate(`"true"`)
		if err := s.client.Delete(t.Context(), system, client.DryRunAll); err != nil {
			t.Errorf("deleting %s as the page on installation says: %v", system.Name, err)
		}
		annotate("null")
		// What was kept is taken over.
		if err := s.bring(t.Context(), "install"); err != nil {
			t.Fatalf("installing again: %v", err)
		}
	})
}

// The manager may write where it hosts, and with its rights nobody gets at the rest of
// the management cluster.
func TestManagerWritesOnlyToItsNamespaces(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		scheme := runtime.NewScheme()
		if err := corev1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		as, err := client.New(s.asManager(t), client.Options{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		// An API server reads a new policy within seconds.
		err = harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
			if err := as.Create(ctx, secret("default"), client.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "begins with marina-") {
				return fmt.Errorf("a Secret of somebody else: want a refusal, got %w", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		cases := map[string]struct {
			object client.Object
			says   string
		}{
			"ASecretOfASystem":        {object: secret("kube-system"), says: "begins with marina-"},
			"ASecretOfAProject":       {object: secret("default"), says: "begins with marina-"},
			"ASecretOfItsOwn":         {object: secret(system)},
			"ANamespaceOfItsOwn":      {object: namespace("marina-one-12345678", "restricted")},
			"ANamespaceForAnyPod":     {object: namespace("marina-one-12345678", "privileged"), says: "hold pods to the restricted standard"},
			"ANamespaceOfNoStandard":  {object: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "marina-one-12345678"}}, says: "hold pods to the restricted standard"},
			"AnotherNamespace":        {object: namespace("somebody", "restricted"), says: "begins with marina-"},
			"APodOfItsOwnNamespace":   {object: managerPod(t, s), says: "cannot create resource \"pods\""},
			"AServiceOfAnotherOne":    {object: &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}}, says: "begins with marina-"},
			"AServiceAccountAnywhere": {object: &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "a"}}, says: "cannot create resource"},
		}
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				err := as.Create(t.Context(), tc.object, client.DryRunAll)
				switch {
				case tc.says == "" && err != nil:
					t.Errorf("refused, want it accepted: %v", err)
				case tc.says != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), tc.says)):
					t.Errorf("%v, want a refusal that says %q", err, tc.says)
				}
			})
		}
	})
}

// A namespace whose standard somebody has changed can be deleted nevertheless, but the
// manager changes it to none but its own.
func TestManagerChangesNoStandard(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		as, err := client.New(s.asManager(t), client.Options{Scheme: s.client.Scheme()})
		if err != nil {
			t.Fatal(err)
		}
		loose := namespace("marina-loose-12345678", "baseline")
		create(t, s, loose)
		patch := func(metadata string) error {
			return as.Patch(t.Context(), loose.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata": `+metadata+`}`)), client.DryRunAll)
		}
		const standard = `{"labels": {"pod-security.kubernetes.io/enforce": %q}}`
		// An API server reads a new policy within seconds.
		await(t, "a policy that is enforced", func(context.Context) error {
			if err := patch(fmt.Sprintf(standard, "privileged")); !apierrors.IsForbidden(err) {
				return fmt.Errorf("loosening the standard: %w, want a refusal", err)
			}
			return nil
		})
		for _, allowed := range []string{`{"annotations": {"marina.dev/allow-deletion": "true"}}`, fmt.Sprintf(standard, "restricted")} {
			if err := patch(allowed); err != nil {
				t.Errorf("%s: %v", allowed, err)
			}
		}
	})
}

func secret(namespace string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "written-by-the-manager"}}
}

// namespace is one whose pods are held to a standard.
func namespace(name, standard string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": standard},
	}}
}
