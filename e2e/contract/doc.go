// Package contract asks a cloud for all that the dataplane asks of one, and writes down what
// is answered: statuses, the dialect and the words of errors, how the dataplane takes them,
// the fields that it reads, and the states that things go through. These are facts.
//
// The facts of a real OpenStack are in testdata. The same steps are run against the simulator
// each time, and against any cloud that somebody gives; both must have the same facts, but
// for the simulator's differences, which are a table with reasons.
package contract
