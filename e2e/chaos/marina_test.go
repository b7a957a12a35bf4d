package chaos

import "testing"

func TestMarinaKilled(t *testing.T) {
	s := begin(t)
	s.management = true
	s.prober.Mark()
	check(t, shared.Kill())
	// Long enough for a replica to be missed, had it depended on Marina.
	s.awaitAnswers(30)
	check(t, shared.Start(t.Context()))
	s.end(none)
}
