package etcd

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/marina-dev/marina/pkg/pki"
)

// TestWhatACertificateMayDo holds the table above against the real etcd.
func TestWhatACertificateMayDo(t *testing.T) {
	w := sharedWorld(t)
	tenant, other, gone := w.addTenant(t, "c"), w.addTenant(t, "c0"), w.addTenant(t, "c00")
	t.Cleanup(func() { w.removeTenant(t, tenant); w.removeTenant(t, other) })
	root := w.root(t)
	clients := map[string]*clientv3.Client{
		"tenant":         w.open(t, w.tenantPair(t, tenant)),
		"deleted tenant": w.open(t, w.tenantPair(t, gone)),
	}
	clients["nobody"] = w.nobody(t)
	w.removeTenant(t, gone)

	members, err := root.MemberList(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	s := stage{
		root:     root,
		foreign:  furnish(t, w.open(t, w.tenantPair(t, other)), "c0"),
		endpoint: members.Members[0].ClientURLs[0],
		member:   members.Members[0].ID,
	}
	before := authState(t, root)
	for name, right := range rights {
		t.Run(name, func(t *testing.T) {
			for who, want := range map[string]string{"tenant": right.tenant, "nobody": right.nobody, "deleted tenant": right.nobody} {
				s.own = place{uid: map[string]string{"tenant": "c", "nobody": "nobody", "deleted tenant": "c00"}[who]}
				got := allowed
				if err := right.try(soon(t), clients[who], s); err != nil {
					got = rpctypes.Error(err).Error()
				}
				if got != want {
					t.Errorf("%s: %s, want %s", who, got, want)
				}
			}
		})
	}
	if diff := cmp.Diff(before, authState(t, root)); diff != "" {
		t.Errorf("users and roles changed:\n%s", diff)
	}
}

// TestNobodyElseReadsOrWrites: a certificate of the CA without a user opens no key.
func TestNobodyElseReadsOrWrites(t *testing.T) {
	w := sharedWorld(t)
	tenant, gone := w.addTenant(t, "d"), w.addTenant(t, "d0")
	t.Cleanup(func() { w.removeTenant(t, tenant) })
	at := furnish(t, w.open(t, w.tenantPair(t, tenant)), "d")
	for who, client := range map[string]*clientv3.Client{
		"nobody": w.nobody(t), "deleted tenant": w.open(t, w.tenantPair(t, gone)),
	} {
		if who == "deleted tenant" {
			w.removeTenant(t, gone)
		}
		for name, try := range operations {
			if err := try(soon(t), client, place{uid: "d0"}, at); !denied(err) {
				t.Errorf("%s: %s: %v, want permission denied", who, name, err)
			}
		}
	}
}

// nobody is a client with a certificate of the CA that no user of etcd has.
func (w *world) nobody(t testing.TB) *clientv3.Client {
	t.Helper()
	ca, _ := w.pair(t, secretKey(cluster, "ca"))
	pair, err := ca.Issue(pki.Request{CommonName: "nobody", Usage: pki.ClientAuth}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return w.open(t, pair)
}

// authState is all users with their roles and all roles with their permissions.
func authState(t testing.TB, root *clientv3.Client) map[string]string {
	t.Helper()
	state := map[string]string{}
	users, err := root.UserList(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range users.Users {
		got, err := root.UserGet(soon(t), user)
		if err != nil {
			t.Fatal(err)
		}
		state["user "+user] = fmt.Sprint(got.Roles)
	}
	roles, err := root.RoleList(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles.Roles {
		got, err := root.RoleGet(soon(t), role)
		if err != nil {
			t.Fatal(err)
		}
		state["role "+role] = ""
		for _, p := range got.Perm {
			state["role "+role] += fmt.Sprintf("%s [%s, %s)", p.PermType, p.Key, p.RangeEnd)
		}
	}
	return state
}
