// Package project opens the project in an OpenStack in which the nodes of a Cluster are: it
// finds the Infrastructure, reads the credentials that the project's own people have put
// beside their Cluster, and logs in. What a cloud refuses becomes words for whoever can change
// it.
package project
