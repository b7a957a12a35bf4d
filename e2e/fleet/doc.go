// Package fleet takes eight Clusters with nodes through their lives at once, while the manager is
// killed every few seconds. Nothing is hosted: the tests play the control planes, and what would
// join them, so that what is tried is how Clusters, pools, Machines and their Operations get over
// the death of who sees to them. Package pools does the same with two Clusters that are real.
package fleet
