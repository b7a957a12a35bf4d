package deorbit

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// annotationProvisionedBy is on volumes that were made for a claim.
const annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"

// longest is how much is told of what one object, or a refusal, is called by a tenant.
const longest = 256

// finding is what there is in a tenant of what is to go. It is filled kind by kind: services and
// volumes, then claims, then pods.
type finding struct {
	// entries are what is to go and is told of.
	entries []*entry
	// goes are the volumes that go with their claims, by name, stays are all others, and claims
	// are those that have one that goes, or may get one.
	goes   map[string]*entry
	stays  map[string]bool
	claims map[object]*entry
	// deletions are of what has not been told to go. A claim comes before the pods that use it:
	// others that follow them are not started with it then.
	deletions []deletion
	// kept are the volumes that stay.
	kept []string
}

// entry is something to go, in words, and because what is in its way.
type entry struct {
	words, because string
	// claim is that of a volume.
	claim object
	uid   types.UID
}

type object struct{ namespace, name string }

func (o object) String() string { return o.namespace + "/" + o.name }

type kind struct{ singular, resource string }

var (
	services = kind{"service", "services"}
	claims   = kind{"claim", "persistentvolumeclaims"}
	pods     = kind{"pod", "pods"}
)

// deletion tells an object to go, for the sake of an entry.
type deletion struct {
	kind
	object object
	uid    types.UID
	of     *entry
}

func (f *finding) entry(e *entry) *entry {
	f.entries = append(f.entries, e)
	return e
}

// delete adds the deletion of an object that has not been told to go.
func (f *finding) delete(k kind, m *metav1.ObjectMeta, of *entry) {
	if m.DeletionTimestamp == nil {
		f.deletions = append(f.deletions, deletion{k, object{m.Namespace, m.Name}, m.UID, of})
	}
}

func (f *finding) service(s *corev1.Service) {
	f.delete(services, &s.ObjectMeta, f.entry(&entry{words: "the load balancer of service " + s.Namespace + "/" + s.Name}))
}

// volume keeps one that is to stay, or that was not made for a claim. One whose claim is gone
// already goes as well. Those that no CSI driver has made are not in a cloud.
func (f *finding) volume(v *corev1.PersistentVolume) {
	spec := &v.Spec
	words := "volume " + v.Name
	if spec.ClaimRef != nil {
		words += " of claim " + spec.ClaimRef.Namespace + "/" + spec.ClaimRef.Name
	}
	made := spec.CSI != nil && v.Annotations[annotationProvisionedBy] != "" && spec.ClaimRef != nil
	if made && spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete {
		f.goes[v.Name] = f.entry(&entry{words: words, claim: object{spec.ClaimRef.Namespace, spec.ClaimRef.Name}, uid: spec.ClaimRef.UID})
		return
	}
	f.stays[v.Name] = true
	if spec.CSI != nil {
		f.kept = append(f.kept, shortened(fmt.Sprintf("%s (%s)", words, spec.CSI.VolumeHandle)))
	}
}

// claim takes those whose volume goes, and those that have none, or one that was made a moment
// ago: it may be one that goes.
func (f *finding) claim(c *corev1.PersistentVolumeClaim) {
	key, e := object{c.Namespace, c.Name}, f.goes[c.Spec.VolumeName]
	class := c.Spec.StorageClassName
	switch {
	case f.stays[c.Spec.VolumeName]:
		return
	case c.Spec.VolumeName == "" && class != nil && *class == "":
		return // it waits for a volume that is made by hand
	case e == nil:
		e = f.entry(&entry{words: "claim " + key.String()})
	case e.claim != key || e.uid != c.UID:
		return // it has lost its volume to another one
	}
	f.claims[key] = e
	f.delete(claims, &c.ObjectMeta, e)
}

// pod takes those that use a claim that goes.
func (f *finding) pod(p *corev1.Pod) {
	var first *entry
	for _, v := range p.Spec.Volumes {
		key := object{namespace: p.Namespace}
		switch {
		case v.PersistentVolumeClaim != nil:
			key.name = v.PersistentVolumeClaim.ClaimName
		case v.Ephemeral != nil:
			key.name = p.Name + "-" + v.Name
		}
		if e := f.claims[key]; e != nil {
			e.because = "in use by pod " + p.Namespace + "/" + p.Name
			first = cmp.Or(first, e)
		}
	}
	if first != nil {
		f.delete(pods, &p.ObjectMeta, first)
	}
}

// words are the entries, those first that something is in the way of.
func (f *finding) words() []string {
	var blocked, others []string
	for _, e := range f.entries {
		if e.because != "" {
			blocked = append(blocked, e.words+" ("+e.because+")")
		} else {
			others = append(others, e.words)
		}
	}
	return slices.Concat(blocked, others)
}

// shortened is what a tenant says, with a limit.
func shortened(text string) string {
	runes := []rune(text)
	if len(runes) <= longest {
		return text
	}
	return string(runes[:longest-1]) + "…"
}
