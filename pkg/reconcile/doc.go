// Package reconcile is what every controller of Marina shares: a reconciler is an
// ordered list of steps; a step observes, writes at most what it owns and never
// waits; its typed error says what has to happen next; and one place turns errors
// into conditions and the requeue, and writes status once a pass, if it changed.
//
// It knows none of the kinds it is used for.
package reconcile
