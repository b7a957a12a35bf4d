package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
)

const (
	// LabelComponent names the Component that an object belongs to. Together with the
	// namespace it identifies it, and it selects the pods.
	LabelComponent = "marina.dev/component"

	// AnnotationRendered is a hash of an object as it was applied, so that a field that
	// is not wanted any more is noticed.
	AnnotationRendered = "marina.dev/rendered"
	// AnnotationTemplate is a hash of a pod as it was applied, but for what matters only
	// to one that begins without data. A pod with another one is replaced.
	AnnotationTemplate = "marina.dev/template"
	// AnnotationMounts is a hash of the hashes of a pod's Mounts.
	AnnotationMounts = "marina.dev/mounts"
	// AnnotationBegun is on pods that were made when each replica had had data once.
	AnnotationBegun = "marina.dev/begun"
	// AnnotationRestart is the token of the last restart, on pods.
	AnnotationRestart = "marina.dev/restart"
	// AnnotationResync is the token of the last resync.
	AnnotationResync = "marina.dev/resync"
	// AnnotationNodeAddress is the address of a node, on a Service that was exposed at
	// it.
	AnnotationNodeAddress = "marina.dev/node-address"
	// AnnotationReserved are, on a workload, the addresses of its Services, so that one
	// that is lost is made again at the same address.
	AnnotationReserved = "marina.dev/reserved"
)

// AppLabel and AppMarina are the label by which NetworkPolicies know Marina's own pods,
// in its own namespace.
const (
	AppLabel  = "app.kubernetes.io/name"
	AppMarina = "marina"
)

// selectorOf selects the pods of a Component.
func selectorOf(name string) map[string]string { return map[string]string{LabelComponent: name} }

// labelsOf are the labels of all that belongs to a Component.
func labelsOf(name string, more map[string]string) map[string]string {
	labels := maps.Clone(more)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[LabelComponent] = name
	return labels
}

// metaOf is the metadata of an object of a Component.
func metaOf(c component.Component, name string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: c.Namespace, Name: name, Labels: labelsOf(c.Name, c.Labels)}
	if c.Resync != "" {
		m.Annotations = map[string]string{AnnotationResync: c.Resync}
	}
	return m
}

// setAnnotation sets an annotation, which may be the first.
func setAnnotation(m *metav1.ObjectMeta, key, value string) {
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	m.Annotations[key] = value
}

// serviceOf is the name of the Service of a balanced port. The first has the name of
// its Component, which is what a person looks for.
func serviceOf(component string, index int, port string) string {
	if index == 0 {
		return component
	}
	return port
}

// replicaOf is the name of a replica of a Component with Data.
func replicaOf(component string, ordinal int) string { return fmt.Sprintf("%s-%d", component, ordinal) }

// ordinalOf is the ordinal in the name of a replica or of its claim.
func ordinalOf(prefix, name string) (ordinal int, ok bool) {
	text, ok := strings.CutPrefix(name, prefix+"-")
	if !ok {
		return 0, false
	}
	ordinal, err := strconv.Atoi(text)
	return ordinal, err == nil && ordinal >= 0
}

// hostOf is the name of a Service, or of a replica behind one, inside the cluster.
func hostOf(service, namespace string) string { return service + "." + namespace + ".svc" }

// hashOf names a value. Half of a SHA-256 is enough to tell specs apart.
func hashOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		// Only API objects and strings are ever hashed.
		panic("kubernetes: hashing: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
