// Package openstack is the one way in which Marina speaks to an OpenStack: it reads
// credentials, logs in, keeps one authenticated client for each of them, waits as a cloud
// asks it to, and makes one kind of error of the dialects of the services.
//
// It knows none of the kinds that need a cloud. Nothing that it returns as text holds a
// secret.
package openstack
