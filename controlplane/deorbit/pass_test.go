package deorbit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fate is what a pass makes of objects: "service/web going".
func (w *world) fate(objects ...client.Object) map[string]string {
	w.Helper()
	found := map[string]string{}
	for _, obj := range objects {
		name := fmt.Sprintf("%s/%s", strings.TrimPrefix(fmt.Sprintf("%T", obj), "*v1."), obj.GetName())
		switch there, going := w.is(obj); {
		case going:
			found[name] = "going"
		case there:
			found[name] = "stays"
		default:
			found[name] = "gone"
		}
	}
	return found
}

func (w *world) mustPass() (waiting, kept []string) {
	w.Helper()
	waiting, kept, err := w.pass()
	w.check(err)
	return waiting, kept
}

// writes are the requests of the last pass that read nothing.
func (w *world) writes() (found []string) {
	for _, r := range w.cut.Asked {
		if !strings.HasPrefix(r, "GET ") {
			found = append(found, r)
		}
	}
	return found
}

func retained(v *corev1.PersistentVolume) {
	v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
}

// Kubernetes keeps a claim as long as any pod names it, also one that has ended.
func TestEndedPodGoes(t *testing.T) {
	w := newWorld(t)
	c, _ := w.disk("data")
	job := w.pod("job", "data")
	job.Status.Phase = corev1.PodSucceeded
	w.check(server.Client.Status().Update(t.Context(), job))
	w.mustPass()
	want := map[string]string{"PersistentVolumeClaim/data": "going", "Pod/job": "gone"}
	if diff := cmp.Diff(want, w.fate(c, job)); diff != "" {
		t.Errorf("fate (-want +got):\n%s", diff)
	}
}

func TestWhatGoes(t *testing.T) {
	cases := map[string]struct {
		make          func(w *world) []client.Object
		want          map[string]string
		waiting, kept []string
	}{
		"a load balancer": {
			func(w *world) []client.Object {
				return []client.Object{w.service("web", "LoadBalancer"), w.service("db", "ClusterIP"), w.service("ssh", "NodePort")}
			},
			map[string]string{"Service/web": "going", "Service/db": "stays", "Service/ssh": "stays"},
			[]string{"the load balancer of service NS/web"}, nil,
		},
		"a volume, and the pods that have it": {
			func(w *world) []client.Object {
				c, v := w.disk("data")
				other := w.pod("other", "none")
				return []client.Object{c, v, w.pod("db", "data"), other}
			},
			map[string]string{"PersistentVolumeClaim/data": "going", "PersistentVolume/pvc-data-NS": "stays", "Pod/db": "going", "Pod/other": "stays"},
			[]string{"volume pvc-data-NS of claim NS/data (in use by pod NS/db)"}, nil,
		},
		"the volume of a pod": {
			func(w *world) []client.Object {
				c, _ := w.disk("db-data")
				return []client.Object{c, w.pod("db", "", func(p *corev1.Pod) {
					p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
						VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{Spec: c.Spec},
					}}
				})}
			},
			map[string]string{"PersistentVolumeClaim/db-data": "going", "Pod/db": "going"},
			[]string{"volume pvc-db-data-NS of claim NS/db-data (in use by pod NS/db)"}, nil,
		},
		"not what is to be retained": {
			func(w *world) []client.Object {
				c, v := w.disk("data", retained)
				return []client.Object{c, v, w.pod("db", "data")}
			},
			map[string]string{"PersistentVolumeClaim/data": "stays", "PersistentVolume/pvc-data-NS": "stays", "Pod/db": "stays"},
			nil, []string{"volume pvc-data-NS of claim NS/data (id-data)"},
		},
		"not what somebody made by hand": {
			func(w *world) []client.Object {
				c, _ := w.disk("data", func(v *corev1.PersistentVolume) { v.Annotations = nil })
				_, free := w.disk("free", func(v *corev1.PersistentVolume) { v.Spec.ClaimRef = nil })
				return []client.Object{c, free}
			},
			map[string]string{"PersistentVolumeClaim/data": "stays", "PersistentVolume/pvc-free-NS": "stays"},
			nil, []string{"volume pvc-data-NS of claim NS/data (id-data)", "volume pvc-free-NS (id-free)"},
		},
		"not what is in no cloud": {
			func(w *world) []client.Object {
				c, _ := w.disk("data", func(v *corev1.PersistentVolume) {
					v.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/data"}}
				})
				return []client.Object{c}
			},
			map[string]string{"PersistentVolumeClaim/data": "stays"}, nil, nil,
		},
		"a claim that may get a volume": {
			func(w *world) []client.Object {
				wants, byHand := w.claim("wants", ""), w.claim("by-hand", "")
				byHand.Spec.StorageClassName = new("")
				w.create(wants)
				w.create(byHand)
				return []client.Object{wants, byHand}
			},
			map[string]string{"PersistentVolumeClaim/wants": "going", "PersistentVolumeClaim/by-hand": "stays"},
			[]string{"claim NS/wants"}, nil,
		},
		"not another claim of the name": {
			func(w *world) []client.Object {
				c, v := w.disk("data", func(v *corev1.PersistentVolume) { v.Spec.ClaimRef.UID = "earlier" })
				return []client.Object{c, v}
			},
			map[string]string{"PersistentVolumeClaim/data": "stays", "PersistentVolume/pvc-data-NS": "stays"},
			[]string{"volume pvc-data-NS of claim NS/data"}, nil,
		},
		"not a pod that has no node": {
			func(w *world) []client.Object {
				w.disk("data")
				return []client.Object{w.pod("db", "data", func(p *corev1.Pod) { p.Spec.NodeName = "" })}
			},
			map[string]string{"Pod/db": "stays"}, []string{"volume pvc-data-NS of claim NS/data"}, nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			objects := tc.make(w)
			waiting, kept := w.mustPass()
			here := strings.NewReplacer("NS", w.namespace)
			for _, expected := range []*[]string{&tc.waiting, &tc.kept} {
				for i := range *expected {
					(*expected)[i] = here.Replace((*expected)[i])
				}
			}
			want := map[string]string{}
			for k, v := range tc.want {
				want[here.Replace(k)] = v
			}
			if diff := cmp.Diff(want, w.fate(objects...)); diff != "" {
				t.Errorf("fate (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.waiting, waiting); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.kept, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			again, _ := w.mustPass()
			if diff := cmp.Diff(waiting, again); diff != "" || len(w.writes()) > 0 {
				t.Errorf("the next pass writes %v, and tells (-before +now):\n%s", w.writes(), diff)
			}
		})
	}
}

// Where nothing is, each kind is asked for once, and nothing is written.
func TestNothingGoes(t *testing.T) {
	w := newWorld(t)
	w.service("db", "ClusterIP")
	w.pod("db", "none")
	if waiting, kept := w.mustPass(); len(waiting)+len(kept) > 0 {
		t.Errorf("it waits for %v and keeps %v", waiting, kept)
	}
	want := []string{"GET /api/v1/services", "GET /api/v1/persistentvolumes", "GET /api/v1/persistentvolumeclaims"}
	if diff := cmp.Diff(want, w.cut.Asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// What goes is waited for until those have let it go that made it, and does not come back.
func TestNothingComesBack(t *testing.T) {
	w := newWorld(t)
	web := w.service("web", "LoadBalancer")
	c, v := w.disk("data")
	w.mustPass()
	w.await("the policy", func() bool { return forbidden(w.mayMake()) })
	again := web.DeepCopy()
	again.Name, again.ResourceVersion, again.UID = "again", "", ""
	again.Spec.ClusterIP, again.Spec.ClusterIPs = "", nil
	again.Spec.Ports[0].NodePort = 0
	if err := server.Client.Create(t.Context(), again, client.DryRunAll); !forbidden(err) {
		t.Errorf("a load balancer: %v, want a refusal", err)
	}
	plain := w.service("plain", "ClusterIP")
	plain.Spec.Type = "LoadBalancer"
	if err := server.Client.Update(t.Context(), plain, client.DryRunAll); !forbidden(err) {
		t.Errorf("a service that becomes a load balancer: %v, want a refusal", err)
	}

	w.check(w.release(web))
	w.check(w.release(c))
	if waiting, _ := w.mustPass(); len(waiting) != 1 || !strings.HasPrefix(waiting[0], "volume "+v.Name) {
		t.Errorf("it waits for %v, want the volume, whose driver has not deleted it", waiting)
	}
	w.check(w.remove(v))
	if waiting, _ := w.mustPass(); len(waiting) > 0 {
		t.Errorf("it waits for %v, want nothing", waiting)
	}
}

// A pass that is cut short anywhere is made up for by the next one.
func TestCut(t *testing.T) {
	for _, executed := range []bool{false, true} {
		for at := 1; at <= 9; at++ {
			t.Run(fmt.Sprintf("request %d, executed %t", at, executed), func(t *testing.T) {
				w := newWorld(t)
				web := w.service("web", "LoadBalancer")
				c, _ := w.disk("data")
				pod := w.pod("db", "data")
				w.cut.At, w.cut.Executed = at, executed
				_, _, err := w.pass()
				if asks := at <= 4; asks != (err != nil) {
					t.Errorf("it tells %v, want an error %t", err, asks)
				}
				if len(w.cut.Asked) < at {
					t.Fatalf("%d requests only: %v", len(w.cut.Asked), w.cut.Asked)
				}
				w.cut.At = 0
				w.mustPass()
				want := map[string]string{"Service/web": "going", "PersistentVolumeClaim/data": "going", "Pod/db": "going"}
				if diff := cmp.Diff(want, w.fate(web, c, pod)); diff != "" {
					t.Errorf("fate (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// What is refused is named with the reason, and keeps nothing else.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	mine, web := w.service("mine", "LoadBalancer"), w.service("web", "LoadBalancer")
	w.refuse = "/services/mine"
	waiting, _ := w.mustPass()
	want := []string{
		fmt.Sprintf("the load balancer of service %[1]s/mine (service %[1]s/mine cannot be deleted: mine is mine)", w.namespace),
		fmt.Sprintf("the load balancer of service %s/web", w.namespace),
	}
	if diff := cmp.Diff(want, waiting); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"Service/mine": "stays", "Service/web": "going"}, w.fate(mine, web)); diff != "" {
		t.Errorf("fate (-want +got):\n%s", diff)
	}
}

func TestUnconnected(t *testing.T) {
	pass := In(func(string) (kubernetes.Interface, bool) { return nil, false })
	if _, _, err := pass(t.Context(), "marina-shop"); err == nil {
		t.Error("it has found something out without a connection")
	}
}
