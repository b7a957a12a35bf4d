// Package servers runs "marina up" beside a real OpenStack whose servers are system
// containers and virtual machines of this machine: their nodes join by the node image and
// the genuine user data, and run pods. "make e2e-openstack" starts the cloud and uploads the
// images.
//
// Its tests have the build tag openstack, and are told by the environment:
//
//	MARINA_OPENSTACK_CLOUDS     a clouds.yaml with the clouds admin, tenant, and platform, who reads
//	MARINA_OPENSTACK_ADDRESS    the address of this machine that servers reach
//	MARINA_OPENSTACK_CONTAINER  the name of the image of system containers
//	MARINA_OPENSTACK_NEXT       the name of another image of them
//	MARINA_OPENSTACK_VM         the name of the image of virtual machines
package servers
