package kubernetes

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/controlplane/component"
)

// history is how many earlier revisions of a workload are kept. Nobody goes back to
// them: the Component before is applied again.
const history = 2

// deployment is a Component without Data, of which so many replicas are to run now.
func deployment(c component.Component, replicas int) (*appsv1.Deployment, error) {
	template, err := podTemplate(c)
	if err != nil {
		return nil, fmt.Errorf("component %s/%s: %w", c.Namespace, c.Name, err)
	}
	return &appsv1.Deployment{
		ObjectMeta: metaOf(c, c.Name),
		Spec: appsv1.DeploymentSpec{
			Replicas:             ptr.To(int32(replicas)),
			RevisionHistoryLimit: ptr.To[int32](history),
			// When the Deployment says that it makes no progress: see hadItsTime.
			ProgressDeadlineSeconds: ptr.To(int32(holdBack / time.Second)),
			Selector:                &metav1.LabelSelector{MatchLabels: selectorOf(c.Name)},
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxSurge: ptr.To(intstr.FromInt32(1)), MaxUnavailable: ptr.To(intstr.FromInt32(0)),
				},
			},
			Template: template,
		},
	}, nil
}

// storage is the volume of each replica as it was asked for first: that part of a
// StatefulSet cannot be changed.
type storage struct {
	size   resource.Quantity
	class  *string
	labels map[string]string
}

func storageOf(c component.Component) storage {
	s := storage{size: c.DataSize, labels: labelsOf(c.Name, c.Labels)}
	if c.StorageClass != "" {
		s.class = &c.StorageClass
	}
	return s
}

// statefulSet is a Component with Data. It replaces no pod by itself: the Host does,
// which knows who is to be last.
func statefulSet(c component.Component, s storage) (*appsv1.StatefulSet, error) {
	template, err := podTemplate(c)
	switch {
	case err != nil:
	case s.size.Sign() <= 0:
		err = fmt.Errorf("data needs a size")
	case len(c.Balanced) > 0:
		err = fmt.Errorf("a balanced port would take the name that its replicas have their names from")
	}
	if err != nil {
		return nil, fmt.Errorf("component %s/%s: %w", c.Namespace, c.Name, err)
	}
	return &appsv1.StatefulSet{
		ObjectMeta: metaOf(c, c.Name),
		Spec: appsv1.StatefulSetSpec{
			ServiceName:          c.Name,
			Replicas:             ptr.To(int32(c.Replicas)),
			RevisionHistoryLimit: ptr.To[int32](history),
			PodManagementPolicy:  appsv1.ParallelPodManagement,
			UpdateStrategy:       appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
			Selector:             &metav1.LabelSelector{MatchLabels: selectorOf(c.Name)},
			// Data outlives whoever deletes a StatefulSet by mistake.
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
				WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			},
			Template: template,
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
				ObjectMeta: metav1.ObjectMeta{Name: volumeData, Labels: s.labels},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
					StorageClassName: s.class,
					Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: s.size}},
				},
			}},
		},
	}, nil
}

// claimOf is the name of the claim of a replica's volume.
func claimOf(name string, ordinal int) string { return volumeData + "-" + replicaOf(name, ordinal) }

// disruptionBudget lets one replica go at a time. One that is not ready may always go:
// otherwise a pod that never starts would keep a node from being drained. But replicas
// with data that need each other are all not ready for a moment when they elect a leader,
// and two drains would take two of three: there, the others have to be ready.
func disruptionBudget(c component.Component) *policyv1.PodDisruptionBudget {
	unhealthy := policyv1.AlwaysAllow
	if c.Data && c.Replicas > 1 {
		unhealthy = policyv1.IfHealthyBudget
	}
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metaOf(c, c.Name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             ptr.To(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: selectorOf(c.Name)},
			UnhealthyPodEvictionPolicy: ptr.To(unhealthy),
		},
	}
}
