package userdata

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/pkg/reconcile"
)

var update = flag.Bool("update", false, "write the golden files anew")

func bootstrap(t testing.TB, change func(*clientcmdapi.Config)) []byte {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = "node"
	config.Contexts["node"] = &clientcmdapi.Context{Cluster: "shop", AuthInfo: "token"}
	config.Clusters["shop"] = &clientcmdapi.Cluster{Server: "https://203.0.113.7:6443", CertificateAuthorityData: []byte("-----BEGIN CERTIFICATE-----\nshop\n-----END CERTIFICATE-----\n")}
	config.AuthInfos["token"] = &clientcmdapi.AuthInfo{Token: "abcdef.0123456789abcdef"}
	if change != nil {
		change(config)
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func node(t testing.TB) Node {
	t.Helper()
	return Node{
		Name:                "shop-pool-x2k4m",
		BootstrapKubeconfig: bootstrap(t, nil),
		KubeletConfiguration: []byte("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n" +
			"clusterDNS: [10.96.0.10]\nclusterDomain: cluster.local\nserverTLSBootstrap: true\n"),
		Capacity: Capacity{CPUs: 4, MemoryMiB: 16384, DiskGiB: 50},
		Labels:   map[string]string{"tier": "web", "node.kubernetes.io/pool": "pool"},
		Taints: []corev1.Taint{
			{Key: "env", Value: "demo", Effect: corev1.TaintEffectNoSchedule},
			{Key: "node.cloudprovider.kubernetes.io/uninitialized", Value: "true", Effect: corev1.TaintEffectNoSchedule},
		},
	}
}

// TestGolden shows what a machine is told.
func TestGolden(t *testing.T) {
	compressed, err := Render(node(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Render(node(t))
	if err != nil || !bytes.Equal(compressed, again) {
		t.Errorf("the same node has other bytes the second time (%v)", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/userdata.yaml"
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("user data (-want +got):\n%s", diff)
	}
}

func TestRule32WhatDoesNotBelongIntoUserData(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*Node)
		say   string
	}{
		"no name":                   {func(n *Node) { n.Name = "" }, "name of a node"},
		"a name with an underscore": {func(n *Node) { n.Name = "a_b" }, `"a_b" cannot be the name`},
		"too little memory":         {func(n *Node) { n.Capacity.MemoryMiB = 1999 }, "1999 MiB of memory"},
		"too small a disk":          {func(n *Node) { n.Capacity.DiskGiB = 19 }, "disk of 19 GiB is too small"},
		"no core":                   {func(n *Node) { n.Capacity.CPUs = 0 }, "0 cores"},
		"a label of Kubernetes":     {func(n *Node) { n.Labels["node-role.kubernetes.io/worker"] = "" }, "may not give it to itself"},
		"another one":               {func(n *Node) { n.Labels["k8s.io/x"] = "" }, "may not give it to itself"},
		"a bad label":               {func(n *Node) { n.Labels["a b"] = "" }, `"a b" cannot be the key`},
		"a bad value":               {func(n *Node) { n.Labels["a"] = "b c" }, `"b c" cannot be the value of label a`},
		"a taint without effect":    {func(n *Node) { n.Taints[0].Effect = "" }, `taint env has the effect "": it takes one of NoSchedule, PreferNoSchedule, NoExecute`},
		"a taint without key":       {func(n *Node) { n.Taints[0].Key = "" }, "key of a taint"},
		"a bad value of a taint":    {func(n *Node) { n.Taints[0].Value = "b c" }, `value of taint env`},
		"the same taint twice":      {func(n *Node) { n.Taints[1] = n.Taints[0] }, "env:NoSchedule is there twice"},
		"no configuration":          {func(n *Node) { n.KubeletConfiguration = nil }, "of kind <nil>"},
		"no YAML":                   {func(n *Node) { n.KubeletConfiguration = []byte("{") }, "cannot be read"},
		"no kubeconfig":             {func(n *Node) { n.BootstrapKubeconfig = []byte("x: [") }, "bootstrap kubeconfig cannot be read"},
		"an empty kubeconfig":       {func(n *Node) { n.BootstrapKubeconfig = nil }, "no current context"},
		"a kubeconfig without CA": {func(n *Node) {
			n.BootstrapKubeconfig = bootstrap(t, func(c *clientcmdapi.Config) { c.Clusters["shop"].CertificateAuthorityData = nil })
		}, "no CA"},
		"an administrator's kubeconfig": {func(n *Node) {
			n.BootstrapKubeconfig = bootstrap(t, func(c *clientcmdapi.Config) { c.AuthInfos["token"].ClientKeyData = []byte("k") })
		}, "do not belong into user data"},
		"another user beside the token": {func(n *Node) {
			n.BootstrapKubeconfig = bootstrap(t, func(c *clientcmdapi.Config) { c.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: "x"} })
		}, "not of one user"},
		"too much of it": {func(n *Node) {
			random := rand.New(rand.NewPCG(1, 2))
			var text strings.Builder
			for range 4000 {
				fmt.Fprintf(&text, "x%x: %x\n", random.Uint64(), random.Uint64())
			}
			n.KubeletConfiguration = append(n.KubeletConfiguration, text.String()...)
		}, "and a server takes 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			n := node(t)
			tc.spoil(&n)
			out, err := Render(n)
			if out != nil || err == nil || !strings.Contains(err.Error(), tc.say) {
				t.Fatalf("%d bytes, error %v, want one with %q", len(out), err, tc.say)
			}
			if e := reconcile.As(err); e.Kind != reconcile.KindUser {
				t.Errorf("kind %v of %v, want a person's to mend", e.Kind, err)
			}
			if strings.Contains(err.Error(), "abcdef.") {
				t.Errorf("the token is in %q", err)
			}
		})
	}
}
