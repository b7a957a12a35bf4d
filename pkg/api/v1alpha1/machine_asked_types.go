package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MachineReboot is a reboot of a server that an Operation has asked for. It is written down, so
// that a restart of Marina in the middle of it does not reboot the server twice.
type MachineReboot struct {
	// Request is spec.reboot.
	Request string `json:"request"`
	// RequestedAt is when it was taken up, AskedAt when the cloud had been asked for it, and
	// DoneAt when the cloud had done it.
	RequestedAt metav1.Time `json:"requestedAt"`
	// +optional
	AskedAt *metav1.Time `json:"askedAt,omitempty"`
	// +optional
	DoneAt *metav1.Time `json:"doneAt,omitempty"`
}

// MachineCheck is a look that spec.checkAfter has asked for.
type MachineCheck struct {
	// After is the spec.checkAfter that it answers.
	After metav1.Time `json:"after"`
	// At is when it was, by the clock of who has looked.
	At metav1.Time `json:"at"`
}

// Answers reports whether it is the look that was asked for last, at a time.
func (c *MachineCheck) Answers(asked *metav1.Time) bool {
	return c != nil && asked != nil && c.After.Equal(asked)
}

// Deadline is when the server of a Machine has had its time to become a Ready node. Nil for one
// that has become so, and while no server has been asked for.
func (m *Machine) Deadline() *metav1.Time {
	if m.Status.ReadySince != nil || m.Status.RequestedAt == nil {
		return nil
	}
	limit := time.Duration(m.Spec.CreationTimeoutSeconds) * time.Second
	return &metav1.Time{Time: m.Status.RequestedAt.Add(limit)}
}
