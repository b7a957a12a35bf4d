package api

import (
	"context"
	"errors"
	"fmt"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// as is a client of a user with rights on operations of one namespace.
func as(t testing.TB, s *server, name, namespace string, resources ...string) client.Client {
	t.Helper()
	objects := []client.Object{
		&rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"marina.dev"}, Resources: resources, Verbs: []string{"create", "patch"}}},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
		},
	}
	for _, o := range objects {
		if err := s.client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.client.Delete(context.Background(), o); err != nil {
				t.Error(err)
			}
		})
	}
	for _, resource := range resources {
		await(t, func() error { return mayPatch(t.Context(), s, name, namespace, resource) })
	}
	config := rest.CopyConfig(s.config)
	config.Impersonate.UserName = name
	c, err := client.New(config, client.Options{Scheme: s.client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mayPatch is nil when the API server's authorizer knows of a right.
func mayPatch(ctx context.Context, s *server, name, namespace, resource string) error {
	attributes := &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "patch", Group: "marina.dev", Resource: resource}
	if resource == "operations/status" {
		attributes.Resource, attributes.Subresource = "operations", "status"
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: name, ResourceAttributes: attributes}}
	if err := s.client.Create(ctx, review); err != nil {
		return err
	}
	if !review.Status.Allowed {
		return fmt.Errorf("%s may not patch %s in %s", name, resource, namespace)
	}
	return nil
}

// The history of a cluster would be worth nothing if everybody could write
// upgrades into it that never were.
func TestRecordedOperationsAreMarinas(t *testing.T) {
	instead := map[string]string{
		"Create":  "is recorded when a cluster is created: do that instead",
		"Update":  "is recorded when a cluster's spec changes: do that instead",
		"Upgrade": "is recorded when the version in a cluster's spec changes: do that instead",
		"Delete":  "is recorded when a cluster is deleted: do that instead",
	}
	onEach(t, func(t *testing.T, s *server) {
		member := as(t, s, "member", project, "operations")
		// A right in another project is none in this one.
		as(t, s, "member-elsewhere", "default", "operations", "operations/status")
		elsewhere := as(t, s, "member-elsewhere", project, "operations")
		manager := as(t, s, "manager", project, "operations", "operations/status")

		// A policy is enforced a moment after it has been created.
		await(t, func() error {
			err := member.Create(t.Context(), object("Operation", newName(), operationSpec("Update", "")), client.DryRunAll)
			if err == nil {
				return errors.New("the policy is not enforced")
			}
			if apierrors.IsInvalid(err) {
				return nil
			}
			return err
		})
		for kind, words := range map[string]string{
			"Create": "a node pool is created", "Scale": "the number of nodes in a node pool's spec changes", "Update": "a node pool's spec changes", "Delete": "a node pool is deleted",
		} {
			t.Run("OfAPool/"+kind, func(t *testing.T) {
				spec := "{targetRef: {kind: NodePool, name: a}, type: " + kind
				refused := says("an Operation of type " + kind + " is recorded when " + words + ": do that instead; users create Resync, or any type with retryOf")
				judge(t, member.Create(t.Context(), object("Operation", newName(), spec+"}"), user), refused)
				judge(t, member.Create(t.Context(), object("Operation", newName(), spec+", retryOf: b}"), user), nil)
				judge(t, manager.Create(t.Context(), object("Operation", newName(), spec+"}"), user), nil)
			})
		}
		for _, kind := range operationTypes {
			var refused []string
			if words, recorded := instead[kind]; recorded {
				refused = says("an Operation of type "+kind+" "+words, "users create Resync, Restart and RotateCertificates, or any type with retryOf")
			}
			cases := map[string]struct {
				who  client.Client
				more string
				want []string
			}{
				"AsAMember":               {who: member, want: refused},
				"WithAnEmptyRetryOf":      {who: member, more: `, retryOf: ""`, want: refused},
				"AsARetry":                {who: member, more: ", retryOf: b"},
				"AsAnAdministrator":       {who: s.client},
				"WhoMayWriteStatus":       {who: manager},
				"WhoMayWriteItSomewhere":  {who: elsewhere, want: refused},
				"ARetryOfWhoMaySomewhere": {who: elsewhere, more: ", retryOf: b"},
			}
			for name, tc := range cases {
				t.Run(kind+"/"+name, func(t *testing.T) {
					judge(t, tc.who.Create(t.Context(), object("Operation", newName(), operationSpec(kind, tc.more)), user), tc.want)
				})
			}
		}
	})
}
