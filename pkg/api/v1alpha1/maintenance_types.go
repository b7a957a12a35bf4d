package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MaintenanceSpec tells what Marina may do to a cluster by itself, and when.
//
// +kubebuilder:validation:XValidation:rule="!has(self.autoUpgrade) || self.autoUpgrade != 'Patch' || has(self.window)",message="autoUpgrade: Patch needs a window: say when, for example {day: Sunday, startHour: 2}, or {startHour: 2} for any day",fieldPath=".window"
type MaintenanceSpec struct {
	// Window is when Marina begins upgrades that nobody has asked for. Without it those that
	// end of support forces begin at any time.
	// +optional
	Window *MaintenanceWindow `json:"window,omitempty"`
	// AutoUpgrade has the version of the cluster set to the newest patch of its minor that is
	// offered, in the window: Patch. Without it, and with None, that is the tenant's to do.
	// +optional
	AutoUpgrade AutoUpgrade `json:"autoUpgrade,omitempty"`
}

// MaintenanceWindow is the two hours in which Marina begins by itself what may disturb. What
// has begun goes on after them.
type MaintenanceWindow struct {
	// Day of the week in UTC on which it opens, or Any.
	// +optional
	// +default="Any"
	// +kubebuilder:validation:Enum=Any;Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
	Day string `json:"day,omitempty"`
	// StartHour in UTC at which it opens.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=23
	StartHour *int32 `json:"startHour"`
}

// AnyDay opens a window every day.
const AnyDay = "Any"

// AutoUpgrade tells which upgrades begin by themselves.
// +kubebuilder:validation:Enum=None;Patch
type AutoUpgrade string

const (
	// AutoUpgradeNone has none.
	AutoUpgradeNone AutoUpgrade = "None"
	// AutoUpgradePatch has those to another patch or build of the same minor.
	AutoUpgradePatch AutoUpgrade = "Patch"
)

// PostponedUpgrade is one that Marina was to begin by itself and has not begun.
type PostponedUpgrade struct {
	// Version that it is to.
	// +kubebuilder:validation:MaxLength=32
	Version string `json:"version"`
	// At is when it was found why it cannot begin.
	At metav1.Time `json:"at"`
	// Reason is a word for that, as in the condition SpecAccepted of an upgrade that was asked for.
	Reason string `json:"reason"`
	// Message is the sentence for it.
	Message string `json:"message"`
	// Refused: a person has to change something. It is looked at again in the next window, or
	// a day later without one. What else is in the way may pass in this one.
	// +optional
	Refused bool `json:"refused,omitempty"`
}

// EndOfSupport is a notice that a release gets no fixes before long, or any more.
type EndOfSupport struct {
	// Release that it is about.
	Release string `json:"release"`
	// NoticedAt is when the notice was given.
	NoticedAt metav1.Time `json:"noticedAt"`
	// UpgradeAfter is when Marina upgrades the cluster if nobody has: when support has ended,
	// and thirty days after the notice; in the window, or without one within a day.
	UpgradeAfter metav1.Time `json:"upgradeAfter"`
}
