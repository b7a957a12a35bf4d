package v1alpha1

// UpgradeStrategy tells how nodes come to another version.
type UpgradeStrategy string

const (
	// UpgradeRolling makes new nodes, and deletes the old ones.
	UpgradeRolling UpgradeStrategy = "Rolling"
	// UpgradeInPlace makes the servers anew as they are, with their ids, ports and addresses,
	// one after the other.
	UpgradeInPlace UpgradeStrategy = "InPlace"
)

// PoolUpgrade tells how nodes are replaced.
//
// +kubebuilder:validation:XValidation:rule="(has(self.maxSurge) ? self.maxSurge : 1) + (has(self.maxUnavailable) ? self.maxUnavailable : 0) > 0",message="maxSurge and maxUnavailable cannot both be 0: no node could ever be replaced"
type PoolUpgrade struct {
	// Strategy is Rolling, also without it, or InPlace: a change of the version or the image
	// makes servers anew as they are, one after the other, with no other server meanwhile. Any
	// other change replaces nodes.
	// +optional
	// +kubebuilder:validation:Enum=Rolling;InPlace
	Strategy UpgradeStrategy `json:"strategy,omitempty"`
	// MaxSurge is how many nodes there may be more than asked for, while they are replaced.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	MaxSurge *int32 `json:"maxSurge,omitempty"`
	// MaxUnavailable is how many there may be fewer.
	// +optional
	// +default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	MaxUnavailable *int32 `json:"maxUnavailable,omitempty"`
	// DrainTimeoutSeconds is how long PodDisruptionBudgets are respected when a node is
	// emptied, from the begin of that. Then its pods are deleted. Ten minutes, or less.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=600
	DrainTimeoutSeconds *int32 `json:"drainTimeoutSeconds,omitempty"`
}
