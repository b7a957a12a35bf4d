package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Rebuild is a request to make a server anew in place.
type Rebuild struct {
	// ID tells it from others of the Machine.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`
	// Release and Image are what the server ran before.
	// +kubebuilder:validation:MaxLength=32
	Release string `json:"release"`
	// +optional
	// +kubebuilder:validation:MaxLength=36
	Image string `json:"image,omitempty"`
}

// Rebuilding reports whether the server is to be made anew in place, or is at it.
func (m *Machine) Rebuilding() bool {
	return m.Spec.Rebuild != nil && m.Spec.Rebuild.ID != m.Status.Rebuilt
}

// Renewing reports whether the server is made anew as it was, in place of a node that was lost.
func (m *Machine) Renewing() bool {
	return m.Rebuilding() && m.Spec.Rebuild.Release == m.Spec.Template.Release && m.Spec.Rebuild.Image == m.Spec.Template.Image
}

// RebuildProgress is how far a rebuild is. It is written down, so that who is restarted in the
// middle of one goes on with it.
type RebuildProgress struct {
	// ID is that of spec.rebuild.
	ID string `json:"id"`
	// RequestedAt is when the cloud was first to be asked for it, AcceptedAt when it was known to
	// have taken it up, and BootedAt when the server ran again.
	RequestedAt metav1.Time `json:"requestedAt"`
	// +optional
	AcceptedAt *metav1.Time `json:"acceptedAt,omitempty"`
	// +optional
	BootedAt *metav1.Time `json:"bootedAt,omitempty"`
}

// Booted reports whether the server of a rebuild runs again.
func (p *RebuildProgress) Booted() bool { return p != nil && p.BootedAt != nil }
