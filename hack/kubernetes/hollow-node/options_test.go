package main

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	corev1 "k8s.io/api/core/v1"
)

func TestCompleteRefuses(t *testing.T) {
	for name, o := range map[string]options{
		"no name":                  {rootDir: "d"},
		"no root directory":        {name: "n"},
		"a node IP that is a name": {name: "n", rootDir: "d", nodeIP: "localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := o.complete(); err == nil {
				t.Errorf("%+v was accepted", o)
			}
		})
	}
}

func TestCompleteMakesPathsAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	o := options{name: "n", rootDir: "data", bootstrapKubeconfig: "bootstrap"}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	got := []string{o.rootDir, o.bootstrapKubeconfig, o.kubeconfig, o.config}
	want := []string{here + "/data", here + "/bootstrap", here + "/data/kubeconfig", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the kubelet writes these paths down for later (-want +got):\n%s", diff)
	}
}

func TestResources(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want map[corev1.ResourceName]string
	}{
		"without the flag, a small flavor": {
			want: map[corev1.ResourceName]string{"cpu": "2", "memory": "4Gi", "ephemeral-storage": "50Gi"},
		},
		"what the flag names replaces or adds": {
			args: []string{"--capacity=memory=16Gi,example.com/gpu=1"},
			want: map[corev1.ResourceName]string{"cpu": "2", "memory": "16Gi", "ephemeral-storage": "50Gi", "example.com/gpu": "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := parse(t, append(tc.args, "--name=n", "--root-dir=/d")...)
			list, err := o.resources()
			if err != nil {
				t.Fatal(err)
			}
			got := map[corev1.ResourceName]string{}
			for name, quantity := range list {
				got[name] = quantity.String()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("resources (-want +got):\n%s", diff)
			}
		})
	}
	o := options{capacity: map[string]string{"cpu": "two"}}
	if _, err := o.resources(); err == nil {
		t.Error("--capacity=cpu=two was accepted")
	}
}
