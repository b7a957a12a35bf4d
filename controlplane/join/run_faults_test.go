package join

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// failing makes the first n uses of a verb fail.
func failing(client *fake.Clientset, verb, resource string, n int, err error) {
	client.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		n--
		return n >= 0, nil, err
	})
}

func TestRunTriesAgain(t *testing.T) {
	now := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	resource := schema.GroupResource{Group: "certificates.k8s.io", Resource: csrs}
	cases := map[string]struct{ verb, resource string }{
		"WhenTheListFails":       {"list", csrs},
		"WhenTheTokenFails":      {"get", "secrets"},
		"WhenTheNodeFails":       {"get", "nodes"},
		"WhenTheBoundTokensFail": {"list", "secrets"},
		"WhenTheAnswerConflicts": {"update", csrs},
		"WhenTheSecondLookFails": {"get", csrs},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fail := func(client *fake.Clientset, _ *Approver) {
				failing(client, tc.verb, tc.resource, 2, apierrors.NewConflict(resource, "csr", errors.New("changed")))
			}
			objects := []runtime.Object{tokenOf("abcdef", "", now), joining("abcdef", "a").object(t, "csr")}
			inTenant(t, objects, fail, func(c tenant) {
				c.pass(5 * time.Second)
				c.want("csr", "Approved", "TokenJoin")
			})
		})
	}
}

func TestRunForgetsWhatIsGone(t *testing.T) {
	objects := []runtime.Object{serving("a", []string{"a"}, nil).object(t, "csr")}
	inTenant(t, objects, nil, func(c tenant) {
		if err := c.CertificatesV1().CertificateSigningRequests().Delete(context.Background(), "csr", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Second)
		before := len(c.Actions())
		c.pass(2 * time.Minute)
		if after := len(c.Actions()); after != before {
			t.Errorf("%d calls for a request that was deleted", after-before)
		}
	})
}

// TestRunAsksLessAndLess: a request whose node never comes costs little.
func TestRunAsksLessAndLess(t *testing.T) {
	objects := []runtime.Object{serving("a", []string{"a"}, nil).object(t, "csr")}
	inTenant(t, objects, nil, func(c tenant) {
		c.pass(time.Hour)
		// 0.5, 1, 2, ... seconds up to a minute: 7 in the first minute, then one each.
		if got := c.count("get", "nodes"); got < 60 || got > 70 {
			t.Errorf("looked %d times in an hour, want about once a minute", got)
		}
	})
}

// TestRunBacksOff: an API server that is gone is asked seldom, and found when it is
// back.
func TestRunBacksOff(t *testing.T) {
	now := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	var up atomic.Bool
	fail := func(client *fake.Clientset, _ *Approver) {
		client.PrependReactor("list", csrs, func(clienttesting.Action) (bool, runtime.Object, error) {
			return !up.Load(), nil, errors.New("connection refused")
		})
	}
	objects := []runtime.Object{tokenOf("abcdef", "", now.Add(time.Hour)), joining("abcdef", "a").object(t, "csr")}
	inTenant(t, objects, fail, func(c tenant) {
		c.pass(time.Hour)
		if got := c.count("list", csrs); got < 250 || got > 400 {
			t.Errorf("tried %d times in an hour, want about every 11 seconds", got)
		}
		up.Store(true)
		c.pass(15 * time.Second)
		c.want("csr", "Approved", "TokenJoin")
	})
}

// watches hands out watches that the test drives.
type watches struct {
	made    []*watch.FakeWatcher
	options []metav1.ListOptions
}

func (w *watches) install(client *fake.Clientset) {
	client.PrependReactor("list", csrs, func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &certificatesv1.CertificateSigningRequestList{ListMeta: metav1.ListMeta{ResourceVersion: "100"}}, nil
	})
	client.PrependWatchReactor(csrs, func(action clienttesting.Action) (bool, watch.Interface, error) {
		fresh := watch.NewFake()
		w.made = append(w.made, fresh)
		w.options = append(w.options, action.(clienttesting.WatchActionImpl).ListOptions)
		return true, fresh, nil
	})
}

func (w *watches) last() *watch.FakeWatcher { return w.made[len(w.made)-1] }

func TestRunGoesOnWhereTheWatchEnded(t *testing.T) {
	var w watches
	inTenant(t, nil, func(client *fake.Clientset, _ *Approver) { w.install(client) }, func(c tenant) {
		w.last().Action(watch.Bookmark, &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "150"}})
		c.pass(time.Minute)
		w.last().Stop()
		c.pass(0)
		if len(w.made) != 2 || c.count("list", csrs) != 1 {
			t.Fatalf("%d watches and %d lists, want a second watch at once and no second list", len(w.made), c.count("list", csrs))
		}
		first, second := w.options[0], w.options[1]
		if first.ResourceVersion != "100" || second.ResourceVersion != "150" {
			t.Errorf("watched from %q and %q, want 100 (the list) and 150 (the bookmark)", first.ResourceVersion, second.ResourceVersion)
		}
		if !first.AllowWatchBookmarks || *first.TimeoutSeconds < 300 || *first.TimeoutSeconds >= 600 {
			t.Errorf("options %+v: want bookmarks, and an end after five to ten minutes", first)
		}
	})
}

func TestRunListsAgainAfterAnError(t *testing.T) {
	var w watches
	inTenant(t, nil, func(client *fake.Clientset, _ *Approver) { w.install(client) }, func(c tenant) {
		c.pass(time.Minute)
		gone := apierrors.NewResourceExpired("too old resource version").ErrStatus
		w.last().Error(&gone)
		c.pass(time.Second)
		if len(w.made) != 2 || c.count("list", csrs) != 2 {
			t.Errorf("%d watches and %d lists, want two of each", len(w.made), c.count("list", csrs))
		}
	})
}

// TestRunIsNotHurried: a server that ends every watch at once is not asked without
// pause.
func TestRunIsNotHurried(t *testing.T) {
	var w watches
	inTenant(t, nil, func(client *fake.Clientset, _ *Approver) {
		w.install(client)
		client.PrependWatchReactor(csrs, func(clienttesting.Action) (bool, watch.Interface, error) {
			ended := watch.NewFake()
			ended.Stop()
			return true, ended, nil
		})
	}, func(c tenant) {
		c.pass(time.Hour)
		if got := c.count("watch", csrs); got > 400 {
			t.Errorf("%d watches in an hour, want about every 11 seconds", got)
		}
	})
}

// TestRunSurvivesACrowd: what does not fit into memory is found by the next list.
func TestRunSurvivesACrowd(t *testing.T) {
	crowd := &certificatesv1.CertificateSigningRequestList{ListMeta: metav1.ListMeta{ResourceVersion: "100"}}
	for i := range 1001 {
		crowd.Items = append(crowd.Items, certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("csr-%d", i)},
			Spec:       certificatesv1.CertificateSigningRequestSpec{SignerName: servingSigner},
		})
	}
	var w watches
	inTenant(t, nil, func(client *fake.Clientset, _ *Approver) {
		w.install(client)
		client.PrependReactor("list", csrs, func(clienttesting.Action) (bool, runtime.Object, error) { return true, crowd, nil })
	}, func(c tenant) {
		c.pass(time.Minute)
		w.last().Stop()
		c.pass(time.Second)
		if got := c.count("list", csrs); got != 2 {
			t.Errorf("%d lists, want another one for those that were too many", got)
		}
		crowd = &certificatesv1.CertificateSigningRequestList{ListMeta: metav1.ListMeta{ResourceVersion: "200"}}
		for range 2 {
			c.pass(time.Minute)
			w.last().Stop()
			c.pass(time.Second)
		}
		// The second list was of the same crowd; the third finds none, and is the last.
		if got := c.count("list", csrs); got != 3 {
			t.Errorf("%d lists, want no more once all were seen", got)
		}
	})
}

func TestPendingIsBounded(t *testing.T) {
	p := newPending()
	for i := range 1001 {
		p.postpone(fmt.Sprintf("csr-%d", i), day0)
	}
	if len(p.byName) != 1000 || !p.missed {
		t.Errorf("%d remembered, missed %v; want 1000 and a note that there are more", len(p.byName), p.missed)
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		p.postpone("csr-0", day0)
		if got := p.byName["csr-0"].at.Sub(day0); got != want*time.Second {
			t.Errorf("due after %s, want %s", got, want*time.Second)
		}
	}
}

func TestClaimsAreBounded(t *testing.T) {
	c := claims{}
	for i := range 1001 {
		csr := joining("abcdef", fmt.Sprintf("node-%d", i)).object(t, "csr")
		csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, LastUpdateTime: metav1.NewTime(day0)}}
		c.note(csr, day0)
	}
	if len(c) != 1000 {
		t.Errorf("%d remembered, want 1000", len(c))
	}
	late := joining("abcdef", "late").object(t, "late")
	late.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, LastUpdateTime: metav1.NewTime(day0.Add(time.Hour))}}
	if c.note(late, day0.Add(time.Hour)); len(c) != 1 {
		t.Errorf("%d remembered an hour later, want the last one", len(c))
	}
}
