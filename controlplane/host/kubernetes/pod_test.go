package kubernetes

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func templateOf(t *testing.T, c component.Component) corev1.PodTemplateSpec {
	t.Helper()
	template, err := podTemplate(c)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestWhatReplacesPods(t *testing.T) {
	cases := map[string]struct {
		change func(*component.Component)
		want   bool
	}{
		"Nothing":        {func(*component.Component) {}, false},
		"AnArgument":     {func(c *component.Component) { c.Main.Args = append(slices.Clone(c.Main.Args), "--v=2") }, true},
		"ABeginArgument": {func(c *component.Component) { c.Main.BeginArgs = []string{"--state=existing"} }, false},
		"AVersion":       {func(c *component.Component) { c.Main.Version = "v9" }, true},
		"ARestart":       {func(c *component.Component) { c.Restart = "1" }, true},
		"AResync":        {func(c *component.Component) { c.Resync = "1" }, false},
		"WhoIsLast":      {func(c *component.Component) { c.RollLast = []int{1} }, false},
		"MoreReplicas":   {func(c *component.Component) { c.Replicas++ }, false},
		"AFixedMountsContent": {func(c *component.Component) {
			c.Mounts = []component.Mount{{Path: "server", Secret: "etcd-default-server", Keys: []string{"tls.crt"}, Hash: "2"}}
		}, true},
		"LargerVolumes":    {func(c *component.Component) { c.DataSize.Add(c.DataSize) }, false},
		"Resources":        {func(c *component.Component) { c.Main.Resources.LimitMemory *= 2 }, true},
		"TheRegistry":      {func(c *component.Component) { c.Hosting.Registry = "registry.example.com" }, true},
		"TheExposure":      {func(c *component.Component) { c.Hosting.Exposure.Type = v1alpha1.ExposureNodePort }, false},
		"ASecretForImages": {func(c *component.Component) { c.Hosting.ImagePullSecret = "x" }, true},
		"WhereItIsToBe":    {func(c *component.Component) { c.Hosting.NodeSelector = map[string]string{"a": "b"} }, true},
		"WhatMayConnect": {func(c *component.Component) {
			c.Ports = slices.Clone(c.Ports)
			c.Ports[0].Clients = component.ClientsAll
		}, false},
		"ASidecarsBeginArgs": {func(c *component.Component) {
			c.Sidecars = []component.Process{{Name: "s", Program: "s", Version: "v1", BeginArgs: []string{"x"}}}
		}, true},
		"NoMoreTimeThanSeconds": {func(c *component.Component) { c.Grace = 30*time.Second + time.Millisecond }, false},
	}
	base := etcd()
	base.Grace = 30 * time.Second
	before := templateOf(t, base).Annotations[AnnotationTemplate]
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := etcd()
			c.Grace = 30 * time.Second
			tc.change(&c)
			if got := templateOf(t, c).Annotations[AnnotationTemplate] != before; got != tc.want {
				t.Errorf("pods are replaced: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestMountsShareAFolder(t *testing.T) {
	c := etcd()
	c.Mounts = []component.Mount{
		{Path: "kubeconfig", ConfigMap: "kubeconfig"},
		{Path: "other", Secret: "other"},
		{Path: "kubeconfig/", Secret: "client", Keys: []string{"tls.crt", "tls.key"}},
	}
	spec := templateOf(t, c).Spec
	if len(spec.Volumes) != 2 || len(spec.Volumes[0].Projected.Sources) != 2 || len(spec.Containers[0].VolumeMounts) != 3 {
		t.Errorf("volumes %+v, mounts %+v: want one volume for the two in one folder", spec.Volumes, spec.Containers[0].VolumeMounts)
	}
}

func TestSidecarsOutliveTheMainProcess(t *testing.T) {
	c := etcd()
	c.Grace = 75 * time.Second
	c.Sidecars = []component.Process{{Name: "one", Program: "one", Version: "v1", Args: []string{"--socket=$(RUN)/s"}}, {Name: "two", Program: "two", Version: "v1"}}
	spec := templateOf(t, c).Spec
	if len(spec.InitContainers) != 2 || spec.InitContainers[0].Name != "one" || *spec.InitContainers[1].RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("init containers %+v: want the sidecars in their order, to be kept running", spec.InitContainers)
	}
	if *spec.TerminationGracePeriodSeconds <= 75 {
		t.Errorf("the pod has %d s to stop, want more than the main process alone", *spec.TerminationGracePeriodSeconds)
	}
	for _, container := range append(spec.InitContainers, spec.Containers...) {
		if !slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == dirRun }) {
			t.Errorf("%s has no folder for sockets", container.Name)
		}
	}
}

func TestARenderingThatMustFail(t *testing.T) {
	cases := map[string]struct {
		change func(*component.Component)
		want   string
	}{
		"AnUnknownVariable": {func(c *component.Component) { c.Main.Args = []string{"$(NOPE)"} }, "NOPE"},
		"DataWithoutData":   {func(c *component.Component) { c.Data, c.Main.BeginArgs = false, nil }, "DATA"},
		"AnUnknownPort":     {func(c *component.Component) { c.Main.Args = []string{"$(PORT_no)"} }, "PORT_no"},
		"BeginWithoutData":  {func(c *component.Component) { c.Data, c.Main.Args = false, nil }, "beginning"},
		"AProbeOfNoPort":    {func(c *component.Component) { c.Readiness.Port = "no" }, `"no"`},
		"AnAbsoluteMount":   {func(c *component.Component) { c.Mounts = []component.Mount{{Path: "/etc", Secret: "x"}} }, "/etc"},
		"AMountOutside":     {func(c *component.Component) { c.Mounts = []component.Mount{{Path: "../x", Secret: "x"}} }, "../x"},
		"AMountOfNothing":   {func(c *component.Component) { c.Mounts = []component.Mount{{Path: "x"}} }, `"x"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := etcd()
			tc.change(&c)
			if _, err := podTemplate(c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v: want an error with %q", err, tc.want)
			}
		})
	}
	withoutSize := etcd()
	withoutSize.DataSize.Sub(withoutSize.DataSize)
	balanced := etcd()
	balanced.Balanced = []component.Balanced{{Port: component.EtcdPortClient}}
	for name, c := range map[string]component.Component{"NoSize": withoutSize, "Balanced": balanced} {
		if _, err := statefulSet(c, storageOf(c)); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

func TestVariables(t *testing.T) {
	named, err := variables([]string{"$(A):$(PORT_b-c)", "$$(NO)", "$$$(YES)", "$X $", "$(open"})
	if err != nil || len(named) != 3 || !named["A"] || !named["PORT_b-c"] || !named["YES"] {
		t.Errorf("%v, %v: want A, PORT_b-c and YES", named, err)
	}
}
