package infrastructure

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestReady(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	w.create(t)
	result, err := w.pass(t)
	if err != nil || result.RequeueAfter != 10*time.Minute {
		t.Errorf("it looks again after %s, %v; want 10 minutes", result.RequeueAfter, err)
	}
	for _, condition := range []string{"Ready", "SpecAccepted", "CredentialsValid", "Reachable"} {
		w.is(t, condition, "True", "AsExpected", "")
	}
	got := w.infra.Status
	got.Conditions = nil
	want := v1alpha1.InfrastructureStatus{
		ExternalNetworkID: w.external, ObservedGeneration: 1,
		Images:  []v1alpha1.InfrastructureImage{{Release: release, ID: w.image}},
		Flavors: []v1alpha1.InfrastructureFlavor{{Name: "b3-8", ID: w.large, VCPUs: 2, MemoryMiB: 8192, DiskGiB: 50}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the status (-want +got):\n%s", diff)
	}
	w.ResetCalls()
	w.quiet(t)
	if n := w.Count(front.Match{}); n > 5 {
		t.Errorf("%d requests to look again, want at most 5: %v", n, w.Calls(front.Match{}))
	}
	if left := w.Leaks(w.project.ID); len(left) > 0 {
		t.Errorf("looking has made %v", left)
	}
}

func TestByID(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	w.infra.Spec.ExternalNetwork, w.infra.Spec.Releases[0].Image = w.external, w.image
	w.create(t)
	if _, err := w.pass(t); err != nil {
		t.Error(err)
	}
	w.is(t, "Ready", "True", "AsExpected", "")
}

// What is missing is said in words that help, and is found again when it is there.
func TestProblems(t *testing.T) {
	none := func(*testing.T, *world) {}
	for name, test := range map[string]struct {
		options        openstacksim.Options
		prepare, mend  func(*testing.T, *world)
		reason, words  string
		ofCredentials  bool
		again          time.Duration
		beyondRecovery bool
	}{
		"NoSecret": {
			prepare: func(t *testing.T, w *world) { w.give(t, "") }, mend: func(t *testing.T, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason: "SecretNotFound", words: "or has not the label marina.dev/shard=default: create it, with the key clouds.yaml", ofCredentials: true, again: 10 * time.Minute,
		},
		"NoCloudInTheFile": {
			prepare: func(t *testing.T, w *world) { w.give(t, "clouds: {other: {}}") }, mend: func(t *testing.T, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason: "CredentialsInvalid", words: `it has no cloud "openstack"`, ofCredentials: true, again: 10 * time.Minute,
		},
		"AnotherCloudsCredentials": {
			prepare: func(t *testing.T, w *world) {
				w.give(t, "clouds: {openstack: {auth: {auth_url: 'https://u:secret of me@other/v3', application_credential_id: i, application_credential_secret: secret of him}}}")
			},
			mend:   func(t *testing.T, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason: "CredentialsMismatch", words: "it is for the cloud at https://other/v3", ofCredentials: true, again: 10 * time.Minute,
		},
		"WrongPassword": {
			prepare: func(_ *testing.T, w *world) { w.SetPassword(w.project, "another") },
			mend: func(t *testing.T, w *world) {
				w.project.Password = "another"
				w.give(t, w.CloudsYAML(w.project))
			},
			reason: "Unauthorized", words: "replace the credentials: they are wrong, expired or revoked", ofCredentials: true, again: 10 * time.Minute,
		},
		"NoNetworkService": {
			prepare: func(_ *testing.T, w *world) { w.HideServices("network") }, mend: func(_ *testing.T, w *world) { w.HideServices() },
			reason: "EndpointNotFound", words: "no endpoint of network in the region RegionOne", again: time.Minute,
		},
		"NoVolumeService": {
			prepare: func(_ *testing.T, w *world) { w.HideServices("volumev3", "block-storage") }, mend: func(_ *testing.T, w *world) { w.HideServices() },
			reason: "EndpointNotFound", words: "no endpoint of volumev3", again: time.Minute,
		},
		"LoadBalancersAreOptional": {
			prepare: func(_ *testing.T, w *world) { w.HideServices("load-balancer"); w.infra.Spec.Flavors = []string{"none"} }, mend: nil,
			reason: "FlavorNotFound", words: "there is no flavor \"none\"", again: time.Minute, beyondRecovery: true,
		},
		"AnotherRegion": {
			prepare: func(_ *testing.T, w *world) { w.infra.Spec.Region = "Elsewhere" },
			reason:  "CredentialsMismatch", words: `it is for the region "RegionOne", and the Infrastructure for "Elsewhere"`, ofCredentials: true, again: 10 * time.Minute, beyondRecovery: true,
		},
		"OldNova": {
			options: openstacksim.Options{ComputeMinor: 60}, prepare: none,
			reason: "MicroversionTooOld", words: "Nova has 2.60 at most, and nodes need 2.67", again: time.Minute, beyondRecovery: true,
		},
		"NoNetwork": {
			prepare: func(_ *testing.T, w *world) { w.infra.Spec.ExternalNetwork = "later" },
			mend:    func(_ *testing.T, w *world) { w.AddExternalNetwork("later", "198.51.100.0/24") },
			reason:  "NetworkNotFound", words: "'openstack network list --external' shows what there is", again: time.Minute,
		},
		"TwoNetworks": {
			prepare: func(_ *testing.T, w *world) { w.AddExternalNetwork("public", "198.51.100.0/24") },
			reason:  "NetworkAmbiguous", words: "there are 2 networks called \"public\": give the id", again: time.Minute, beyondRecovery: true,
		},
		"InternalNetwork": {
			prepare: func(_ *testing.T, w *world) {
				w.AddNetwork(w.project.ID, "lan", "10.0.0.0/24")
				w.infra.Spec.ExternalNetwork = "lan"
			},
			reason: "NetworkNotExternal", words: `the network "lan" is not external`, again: time.Minute, beyondRecovery: true,
		},
		"NoRelease": {
			prepare: func(_ *testing.T, w *world) { w.infra.Spec.Releases[0].Release = "1.99.0-1" },
			reason:  "ReleaseNotFound", words: "there is no KubernetesRelease 1.99.0-1", again: time.Minute, beyondRecovery: true,
		},
		"NoImage": {
			prepare: func(_ *testing.T, w *world) { w.RemoveImage(w.image) }, mend: func(_ *testing.T, w *world) { w.AddImage("node-1.37.1", nil) },
			reason: "ImageNotFound", words: `there is no image "node-1.37.1"`, again: time.Minute,
		},
		"NoImageOfAnID": {
			prepare: func(_ *testing.T, w *world) { w.infra.Spec.Releases[0].Image = w.image; w.RemoveImage(w.image) },
			reason:  "ImageNotFound", words: "upload it", again: time.Minute, beyondRecovery: true,
		},
		"TwoImages": {
			prepare: func(_ *testing.T, w *world) { w.AddImage("node-1.37.1", nil) },
			reason:  "ImageAmbiguous", words: "give the id of one of them", again: time.Minute, beyondRecovery: true,
		},
		"ImageThatIsUploaded": {
			prepare: func(_ *testing.T, w *world) {
				w.AddImageAs(glance.Image{Base: state.Base{Name: "new"}, Status: "queued"})
				w.infra.Spec.Releases[0].Image = "new"
			},
			reason: "ImageNotActive", words: `the image "new" is queued and not active`, again: time.Minute, beyondRecovery: true,
		},
		"NoFlavor": {
			prepare: func(_ *testing.T, w *world) { w.RemoveFlavor(w.large) }, mend: func(_ *testing.T, w *world) { w.AddFlavor("b3-8", 2, 8192, 50) },
			reason: "FlavorNotFound", words: `there is no flavor "b3-8"`, again: time.Minute,
		},
		"SmallFlavor": {
			prepare: func(_ *testing.T, w *world) { w.infra.Spec.Flavors = []string{"b3-8", "tiny"} },
			reason:  "FlavorTooSmall", words: `the flavor "tiny" has 1024 MiB of memory, and a node needs 2 GB`, again: time.Minute, beyondRecovery: true,
		},
		"ManyFlavors": {
			prepare: func(_ *testing.T, w *world) { w.infra.Spec.Flavors = []string{"a", "b", "c", "d", "e"} },
			reason:  "FlavorNotFound", words: "and 2 more: see 'marina infrastructure check", again: time.Minute, beyondRecovery: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.options)
			secret := name != "NoSecret" && name != "NoCloudInTheFile" && name != "AnotherCloudsCredentials"
			if secret {
				test.prepare(t, w)
			}
			w.create(t)
			if !secret {
				test.prepare(t, w)
			}
			result, err := w.pass(t)
			if err != nil || result.RequeueAfter != test.again {
				t.Errorf("it looks again after %s, %v; want %s", result.RequeueAfter, err, test.again)
			}
			w.is(t, "Ready", "False", test.reason, test.words)
			if test.ofCredentials {
				w.is(t, "CredentialsValid", "False", test.reason, test.words)
				w.is(t, "SpecAccepted", "Unknown", "NotChecked", "")
			} else {
				w.is(t, "CredentialsValid", "True", "AsExpected", "")
				w.is(t, "SpecAccepted", "False", test.reason, test.words)
			}
			w.quiet(t)
			if test.beyondRecovery {
				return
			}
			test.mend(t, w)
			if _, err := w.pass(t); err != nil {
				t.Error(err)
			}
			w.is(t, "Ready", "True", "AsExpected", "")
			w.is(t, "SpecAccepted", "True", "AsExpected", "")
			w.is(t, "CredentialsValid", "True", "AsExpected", "")
			w.quiet(t)
		})
	}
}

func TestUntrustedCloud(t *testing.T) {
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	w := newWorld(t, openstacksim.Options{TLS: &tls.Config{Certificates: lender.TLS.Certificates}})
	w.create(t)
	if _, err := w.pass(t); err != nil {
		t.Error(err)
	}
	w.is(t, "Ready", "False", "Untrusted", "put the CA of the cloud into spec.caBundle")
	w.is(t, "CredentialsValid", "Unknown", "NotChecked", "nobody has logged in yet")
	w.quiet(t)
}

func TestAddressOfSomethingElse(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	w.infra.Spec.AuthURL = w.URL() + "/compute/v3"
	w.create(t)
	w.give(t, strings.ReplaceAll(w.CloudsYAML(w.project), w.AuthURL(), w.infra.Spec.AuthURL))
	if _, err := w.pass(t); err != nil {
		t.Error(err)
	}
	w.is(t, "Ready", "False", "NotFound", "check the address of Keystone")
	w.is(t, "SpecAccepted", "False", "NotFound", "")
	w.is(t, "CredentialsValid", "Unknown", "NotChecked", "nobody has logged in yet")
}
