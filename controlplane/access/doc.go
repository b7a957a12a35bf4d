// Package access hands out kubeconfigs of tenants: client certificates that name a
// user and groups and end by themselves. Nothing of them is stored. What they may do is
// for RBAC in the tenant to say, and to take back; the certificate itself cannot be
// taken back, which is why it is short-lived.
//
// Whoever can read a tenant's CA can issue anything. So it is for the caller to make
// sure that the person who asks may: a viewer of the platform must not get here.
package access
