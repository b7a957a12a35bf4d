// Package machine makes of each Machine one server in an OpenStack that becomes the node of
// its name, and deletes it with all that it had.
//
// The server carries the UID of its Machine as metadata from the request for it on, and by
// that it is found again, adopted and deleted, never by its name. A request whose answer was
// lost is looked for and never repeated blindly. All Machines of a project share one list of
// its servers.
//
// It knows nothing of control planes: what a node needs to join it asks for with a
// NodeBootstrap, and what became of the node it reads in the Machine's status.
package machine
