// Package v1alpha1 is Marina's API: the kinds that users, platform teams and
// controllers meet in, with their validation (CEL, compiled into the CRDs). It
// holds no logic and knows nothing of how a control plane is hosted.
//
// The version grows by addition only: a field or kind that exists keeps its
// meaning.
//
// +kubebuilder:object:generate=true
// +groupName=marina.dev
package v1alpha1
