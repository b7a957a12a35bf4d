package v1alpha1

import "k8s.io/apimachinery/pkg/util/intstr"

// PoolAutoHeal tells what becomes of nodes that have been Ready and are not any more.
type PoolAutoHeal struct {
	// Enabled is whether such nodes are healed without anybody asking. Servers that somebody
	// else has deleted are replaced in any case.
	// +optional
	// +default=true
	Enabled *bool `json:"enabled,omitempty"`
	// Action is what is done with them: Replace, also without it, deletes the server and makes
	// another one, and Rebuild makes it anew as it is, with its id, ports and addresses. One that
	// does not come back from that, or cannot be made anew, is replaced.
	// +optional
	// +kubebuilder:validation:Enum=Replace;Rebuild
	Action HealAction `json:"action,omitempty"`
	// NotReadyTimeoutSeconds is how long a node may be NotReady, Unknown or gone from the
	// cluster before it is healed, since Marina saw its last transition.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=86400
	NotReadyTimeoutSeconds *int32 `json:"notReadyTimeoutSeconds,omitempty"`
	// MaxUnhealthy is how many nodes of the pool may be missing or not Ready, or which part
	// of them, so that one is healed. A part is rounded down, and is one node at least. 0
	// heals nothing.
	// +optional
	// +default="40%"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=4
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? int(self) >= 0 && int(self) <= 20 : string(self).matches('^(100|[1-9]?[0-9])%$')",message="maxUnhealthy is a number of nodes from 0 to 20, or a part of them from 0% to 100%"
	MaxUnhealthy *intstr.IntOrString `json:"maxUnhealthy,omitempty"`
}

// HealAction is what is done with a node that is lost.
type HealAction string

const (
	// HealReplace deletes its server, and makes another one.
	HealReplace HealAction = "Replace"
	// HealRebuild makes its server anew as it is.
	HealRebuild HealAction = "Rebuild"
)
