// Package garbage finds what was made in the cloud for Machines and NodePools that are gone,
// and deletes it: servers, floating IPs and server groups. That takes a request whose answer
// was lost, and which was done after everybody had stopped to look for it.
//
// It knows what is Marina's by its mark (openstack.Mark) and by nothing else, and what is of
// this Marina by the Clusters that it has in the project, or has had since it was started. Of
// others it knows nothing, and leaves it.
package garbage
