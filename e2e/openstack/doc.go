// Package openstack takes the controllers of the dataplane through the life of a Cluster in a
// cloud: that of a clouds.yaml which MARINA_OPENSTACK_CLOUDS names, or the simulator without
// one. The tests are the same, so that what passes with the one and not with the other is a
// fault of the simulator, or of Marina.
//
// What there is of the cloud's own, such as projects, quotas and flavors, each test makes for
// itself, as the cloud "admin" of that file. Servers are those of Nova's fake driver, on hosts
// of which there have to be three: no guest boots, and the tests play what would join.
package openstack
