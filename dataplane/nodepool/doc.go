// Package nodepool keeps as many Machines as NodePools ask for, of the kind that they ask
// for: it makes those that are missing, deletes those that are too many, and replaces those
// that are gone or of another kind, one after the other.
//
// It makes no server and knows no node: what becomes of a Machine stands in its status.
package nodepool
