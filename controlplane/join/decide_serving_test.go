package join

import (
	"net/netip"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestDecideServing(t *testing.T) {
	there := Facts{Node: nodeOf("a", "10.0.0.5", "2001:db8::5")}
	with := func(change func(*Facts)) Facts { f := there; change(&f); return f }
	named := func(types ...corev1.NodeAddressType) Facts {
		node := nodeOf("a", "10.0.0.5")
		for _, addressType := range types {
			node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: addressType, Address: "a.example.org"})
		}
		return Facts{Node: node}
	}

	runCases(t, map[string]decisionCase{
		"NameAndAddresses": {asked: serving("a", []string{"a"}, []string{"10.0.0.5", "2001:db8::5"}), facts: there, want: Approve, reason: "KnownNode"},
		"AnAddressAlone":   {asked: serving("a", nil, []string{"10.0.0.5"}), facts: there, want: Approve, reason: "KnownNode"},
		"ANameAlone":       {asked: serving("a", []string{"a"}, nil), facts: there, want: Approve, reason: "KnownNode"},
		"AnRSAKey": {asked: serving("a", []string{"a"}, nil), facts: there, want: Approve, reason: "KnownNode",
			spoil: func(a *asked) { a.usages = append(a.usages, certificatesv1.UsageKeyEncipherment) }},
		"AHostName":       {asked: serving("a", []string{"a.example.org"}, nil), facts: named(corev1.NodeHostName), want: Approve, reason: "KnownNode"},
		"AnInternalName":  {asked: serving("a", []string{"a.example.org"}, nil), facts: named(corev1.NodeInternalDNS), want: Approve, reason: "KnownNode"},
		"AnExternalName":  {asked: serving("a", []string{"a.example.org"}, nil), facts: named(corev1.NodeExternalDNS), want: Approve, reason: "KnownNode"},
		"AFloatingIP":     {asked: serving("a", nil, []string{"203.0.113.9"}), facts: with(func(f *Facts) { f.Known, f.KnownAddresses = true, addrs("203.0.113.9") }), want: Approve, reason: "KnownNode"},
		"AnExternalIP":    {asked: serving("a", nil, []string{"203.0.113.9"}), facts: Facts{Node: addressed("a", corev1.NodeExternalIP, "203.0.113.9")}, want: Approve, reason: "KnownNode"},
		"AnAddressAsName": {asked: serving("a", nil, []string{"10.0.0.7"}), facts: Facts{Node: addressed("a", corev1.NodeHostName, "10.0.0.7")}, want: Approve, reason: "KnownNode"},

		"BeforeTheNodeIsThere":     {asked: serving("a", []string{"a"}, nil), want: Wait, reason: "NodeMissing"},
		"WrongBeforeTheNodeIs":     {asked: serving("a", []string{"a"}, nil), spoil: func(a *asked) { a.org = nil }, want: Deny, reason: "WrongSubject"},
		"NothingToServeAs":         {asked: serving("a", nil, nil), facts: there, want: Deny, reason: "SANsMissing"},
		"AnUnknownName":            {asked: serving("a", []string{"a", "b"}, nil), facts: there, want: Deny, reason: "AddressUnknown", say: "status.addresses"},
		"AnUnknownAddress":         {asked: serving("a", []string{"a"}, []string{"10.0.0.6"}), facts: there, want: Deny, reason: "AddressUnknown", say: "10.0.0.6"},
		"AnUnknownAmongKnown":      {asked: serving("a", nil, []string{"10.0.0.5", "10.0.0.6"}), facts: there, want: Deny, reason: "AddressUnknown"},
		"AWildcard":                {asked: serving("a", []string{"*"}, nil), facts: there, want: Deny, reason: "AddressUnknown"},
		"AnEmailAddress":           {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.mails = []string{"a@b"} }, want: Deny, reason: "SANsNotAllowed"},
		"AURI":                     {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.uris = []string{"https://b"} }, want: Deny, reason: "SANsNotAllowed"},
		"AnotherNodesCertificate":  {asked: serving("a", []string{"b"}, nil), facts: there, spoil: func(a *asked) { a.cn = "system:node:b" }, want: Deny, reason: "NotOwnName"},
		"NotANode":                 {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.user = "admin" }, want: Deny, reason: "NotANode"},
		"NotOfTheNodes":            {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.groups = nil }, want: Deny, reason: "NotANode"},
		"AToken":                   {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.user = "system:bootstrap:abcdef" }, want: Deny, reason: "NotANode"},
		"MoreOrganizations":        {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.org = append(a.org, "x") }, want: Deny, reason: "WrongSubject"},
		"ToBeAClientToo":           {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.usages = append(a.usages, "client auth") }, want: Deny, reason: "WrongUsages"},
		"ToBeAClient":              {asked: serving("a", []string{"a"}, nil), facts: there, spoil: func(a *asked) { a.usages[1] = "client auth" }, want: Deny, reason: "WrongUsages"},
		"AnotherNodesAddress":      {asked: serving("a", nil, []string{"10.0.0.5"}), facts: with(func(f *Facts) { f.Owners = owner("10.0.0.5", "b") }), want: Deny, reason: "AddressTaken", say: "kubectl delete node b"},
		"AnotherNodesFloatingIP":   {asked: serving("a", nil, []string{"10.0.0.9"}), facts: with(func(f *Facts) { f.KnownAddresses, f.Owners = addrs("10.0.0.9"), owner("10.0.0.9", "b") }), want: Deny, reason: "AddressTaken"},
		"OthersHaveOtherAddresses": {asked: serving("a", nil, []string{"10.0.0.5"}), facts: with(func(f *Facts) { f.Owners = owner("10.0.0.6", "b") }), want: Approve, reason: "KnownNode"},

		// A kubelet can write what it likes into its own Node.
		"ItSaysItIsTheAPIServer":     {asked: serving("a", []string{"kubernetes.default.svc"}, nil), facts: Facts{Node: addressed("a", corev1.NodeInternalDNS, "kubernetes.default.svc")}, want: Deny, reason: "NameReserved"},
		"ItSaysItIsTheServiceIP":     {asked: serving("a", nil, []string{"10.96.0.1"}), facts: Facts{Node: nodeOf("a", "10.96.0.1"), Reserved: services()}, want: Deny, reason: "NameReserved"},
		"ItSaysItIsTheExposedName":   {asked: serving("a", []string{"api.example.org"}, nil), facts: Facts{Node: addressed("a", corev1.NodeExternalDNS, "api.example.org"), Reserved: services()}, want: Deny, reason: "NameReserved"},
		"MappedAddressesAreTheSame":  {asked: serving("a", nil, []string{"::ffff:10.96.0.1"}), facts: Facts{Node: nodeOf("a", "10.96.0.1"), Reserved: services()}, want: Deny, reason: "NameReserved"},
		"AnAddressBesideTheServices": {asked: serving("a", nil, []string{"10.0.0.5"}), facts: with(func(f *Facts) { f.Reserved = services() }), want: Approve, reason: "KnownNode"},
	})
}

func addressed(name string, addressType corev1.NodeAddressType, address string) *corev1.Node {
	node := nodeOf(name)
	node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: addressType, Address: address})
	return node
}

func owner(ip, node string) map[netip.Addr]string {
	return map[netip.Addr]string{netip.MustParseAddr(ip): node}
}

func services() Reserved {
	return Reserved{Names: []string{"api.example.org"}, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}}
}
