// Package pki makes the keys and certificates of a cluster and decides when one must be replaced.
//
// All keys are ECDSA on P-256: every component accepts them, and making one costs less than a
// thousandth of an RSA key, on which a manager that sets up a hundred tenants would otherwise spend its
// time.
//
// The package keeps nothing and reads no clock: the time is an argument. Where a key pair is stored,
// and who may read it, is the caller's concern. No error and no message of this package contains a
// private key.
package pki

import "time"

const (
	// CAValidity is how long a new CA is valid unless told otherwise: ten years, as long as kubeadm
	// gives. Replacing a CA reaches every node and every kubeconfig, so it is an operation that somebody
	// asks for, not one that falls due.
	CAValidity = 10 * 365 * 24 * time.Hour

	// LeafValidity is how long an issued certificate is valid unless the request says otherwise: one
	// year, as long as kubeadm and the controller-manager's signer give.
	LeafValidity = 365 * 24 * time.Hour

	// ClockSkew is how far NotBefore lies in the past, so that a machine whose clock is a little late
	// accepts a new certificate. Five minutes is what the controller-manager's signer grants as well.
	ClockSkew = 5 * time.Minute
)
