package access

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// DefaultTTL is for callers whose user asked for no time in particular.
	DefaultTTL = 24 * time.Hour
	// MaxTTL is the longest time that a kubeconfig may work: 30 days.
	MaxTTL = 30 * 24 * time.Hour
	// DefaultUser is who a kubeconfig is for when no user is named.
	DefaultUser = "admin"

	// minTTL is what a certificate can express.
	minTTL = time.Second
	// maxName is how long X.509 allows a user and a group to be (RFC 5280, A.1).
	maxName = 64
	// maxGroups keeps a certificate at a size that every TLS stack accepts.
	maxGroups = 32

	systemPrefix   = "system:"
	groupUnlimited = "system:masters"
)

// Request says for whom a kubeconfig is. With neither user nor groups it is an
// administrator's: DefaultUser in v1alpha1.GroupClusterAdmins. As soon as one of them
// is named there is nothing but what is named: a user without groups has the rights
// that RBAC gives this user, and none by default.
type Request struct {
	// User becomes the common name of the certificate; empty means DefaultUser.
	User string
	// Groups become its organizations.
	Groups []string
	// TTL is how long the kubeconfig works, up to MaxTTL. Zero is no default but
	// refused, like anything below a second: use DefaultTTL.
	TTL time.Duration
}

// Warnings tell what the person who asks should know of a valid request before using
// what it gives. Most requests have none.
func (r Request) Warnings() []string {
	if !slices.Contains(r.Groups, groupUnlimited) {
		return nil
	}
	return []string{fmt.Sprintf("the group %s bypasses RBAC: its rights cannot be limited nor taken away, they end only with the certificate. "+
		"Use the group %s unless RBAC itself has to be repaired", groupUnlimited, v1alpha1.GroupClusterAdmins)}
}

// Validate returns a reconcile.UserError when no certificate is issued for r.
func (r Request) Validate() error {
	if r.TTL < minTTL || r.TTL > MaxTTL {
		return reconcile.UserError("InvalidTTL", "a kubeconfig can work for 1s up to 720h (30 days), not for %s: 24h is usual, and a new one is made in a moment", r.TTL)
	}
	if r.User != "" {
		if problem := nameProblem(r.User); problem != "" {
			return reconcile.UserError("InvalidUser", "user %q %s", r.User, problem)
		}
	}
	if len(r.Groups) > maxGroups {
		return reconcile.UserError("InvalidGroup", "%d groups are too many for a certificate, which can hold %d: bind one group in RBAC to what the user needs", len(r.Groups), maxGroups)
	}
	for _, group := range r.Groups {
		if problem := nameProblem(group); problem != "" && group != groupUnlimited {
			return reconcile.UserError("InvalidGroup", "group %q %s", group, problem)
		}
	}
	return nil
}

// nameProblem says why a name cannot be a user's or a group's, or nothing.
func nameProblem(name string) string {
	switch {
	case name == "":
		return "is empty: leave it out instead"
	case len(name) > maxName:
		return fmt.Sprintf("has %d bytes, and a certificate has room for %d: choose a shorter name", len(name), maxName)
	case strings.HasPrefix(name, systemPrefix):
		// These are the components' and the nodes'; controllers trust them.
		return fmt.Sprintf("begins with %q, which is for Kubernetes itself: choose another name (for administrators there is the group %s)", systemPrefix, v1alpha1.GroupClusterAdmins)
	case strings.TrimSpace(name) != name, strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }):
		// RBAC compares the bytes: what a person does not see must not matter.
		return "has spaces at its ends or characters that cannot be seen: remove them"
	}
	return ""
}

// withDefaults fills in who the request is for.
func (r Request) withDefaults() Request {
	if r.User == "" && len(r.Groups) == 0 {
		r.Groups = []string{v1alpha1.GroupClusterAdmins}
	}
	if r.User == "" {
		r.User = DefaultUser
	}
	// A certificate holds a set.
	r.Groups = slices.Compact(slices.Sorted(slices.Values(r.Groups)))
	return r
}
