// Package infrastructure finds out whether an OpenStack has what an Infrastructure
// promises: it logs in, looks for services, network, images and flavors, and says what is
// missing and what to do. The controller writes that into the status; the preflight report
// looks at more, and changes nothing.
package infrastructure
