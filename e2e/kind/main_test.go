//go:build kind

package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// management is the management cluster, with Marina installed.
var management struct {
	client client.WithWatch
	config *rest.Config
	// root of the repository.
	root string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "preparing the management cluster:", err)
		return 1
	}
	code := m.Run()
	left, err := namespacesLeft()
	if err != nil || len(left) > 0 {
		fmt.Fprintln(os.Stderr, "namespaces of clusters are left at the end:", left, err)
		return 1
	}
	return code
}

// namespacesLeft are those that Marina has made for clusters.
func namespacesLeft() (left []string, err error) {
	ctx, cancel := background(time.Minute)
	defer cancel()
	list := &corev1.NamespaceList{}
	err = management.client.List(ctx, list, client.HasLabels{v1alpha1.LabelClusterUID})
	for _, namespace := range list.Items {
		left = append(left, namespace.Name)
	}
	return left, err
}

// prepare installs Marina as docs/how-to/install.md does.
func prepare(ctx context.Context) error {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return errors.New("$KUBECONFIG is not set: run 'make e2e', or 'make kind-up' and 'source .kind/env' first")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	management.root = root
	if management.config, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return err
	}
	management.config.QPS = -1
	// What fails is told by whoever asked.
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	klog.SetLogger(logr.Discard())
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if management.client, err = client.NewWithWatch(management.config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	tag, err := imageTag(root)
	if err != nil {
		return err
	}
	began := time.Now()
	// A second run finds it installed.
	if err := management.client.Create(ctx, systemNamespace()); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	if _, err := execute(ctx, "helm", "upgrade", "--install", "marina-crds", "manifests/chart-crds", "--namespace", v1alpha1.SystemNamespace, "--wait"); err != nil {
		return err
	}
	if err := installChart(ctx, tag); err != nil {
		return err
	}
	if err := awaitEtcd(ctx); err != nil {
		return err
	}
	fmt.Printf("installed, with a shared etcd, in %.1f s\n", time.Since(began).Seconds())
	return nil
}

// installChart installs a version of Marina, or upgrades to it.
func installChart(ctx context.Context, tag string) error {
	_, err := execute(ctx, "helm", "upgrade", "--install", "marina", "manifests/chart", "--namespace", v1alpha1.SystemNamespace,
		// A commit may be all digits, which --set takes for a number.
		"--set-string", "tag="+tag, "--values", "e2e/kind/values.yaml", "--wait", "--timeout", "3m")
	return err
}

// systemNamespace is where Marina lives, held to the strictest standard.
func systemNamespace() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   v1alpha1.SystemNamespace,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
}

// imageTag is the version of the image of Marina that has been built.
func imageTag(root string) (string, error) {
	image, err := imageOf(root, "marina")
	return image[strings.LastIndex(image, ":")+1:], err
}

// imageOf is the name, with its tag, of an image that has been built.
func imageOf(root, name string) (string, error) {
	list, err := os.ReadFile(filepath.Join(root, "bin", "images", "list"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(list)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("no image of %s is in bin/images/list: run 'make images'", name)
}

// execute runs a command in the root of the repository and returns what it prints.
func execute(ctx context.Context, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = management.root
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(failed.String()+string(out)))
	}
	return string(out), nil
}

func awaitEtcd(ctx context.Context) error {
	return harness.Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		etcd := &v1alpha1.EtcdCluster{}
		if err := management.client.Get(ctx, client.ObjectKey{Name: "default"}, etcd); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(etcd.Status.Conditions, v1alpha1.ConditionAvailable) {
			return fmt.Errorf("etcd is not there: %+v", etcd.Status.Conditions)
		}
		return nil
	})
}

// podsOf are the pods of a component in a management namespace, or the one of a name.
func podsOf(ctx context.Context, namespace, component string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := management.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if (pod.Name == component || strings.HasPrefix(pod.Name, component+"-")) && pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// ready reports whether a pod is.
func ready(pod corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func background(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}
