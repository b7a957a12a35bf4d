package octavia

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// choices are what some attributes may be.
var choices = map[string][]string{
	"protocol":     {"HTTP", "HTTPS", "PROMETHEUS", "PROXY", "PROXYV2", "SCTP", "TCP", "TERMINATED_HTTPS", "UDP"},
	"lb_algorithm": {"LEAST_CONNECTIONS", "ROUND_ROBIN", "SOURCE_IP", "SOURCE_IP_PORT"},
	"type":         {"HTTP", "HTTPS", "PING", "SCTP", "TCP", "TLS-HELLO", "UDP-CONNECT"},
	"provider":     {"amphora", "octavia"},
}

// check checks what is said of a new object.
func check(in map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(in)) {
		allowed, limited := choices[key]
		said, isText := in[key].(string)
		port, isNumber := in[key].(float64)
		switch {
		case limited && isText && !has(allowed, said) && key == "provider":
			return front.Errorf(http.StatusBadRequest, "Provider '%s' is not enabled.", said)
		case limited && isText && !has(allowed, said):
			return front.Errorf(http.StatusBadRequest, "Invalid input for field/attribute %s. Value: '%s'. Value should be one of: %s", key, said, strings.Join(allowed, ", "))
		case key == "protocol_port" && isNumber && port > 65535:
			return front.Errorf(http.StatusBadRequest, "Invalid input for field/attribute protocol_port. Value: '%v'. Value should be lower or equal to 65535", port)
		case key == "flavor_id" && isText:
			return invalid("Invalid flavor_id.")
		}
		if _, err := netip.ParseAddr(said); key == "address" && err != nil {
			return front.Errorf(http.StatusBadRequest, "Invalid input for field/attribute address. Value: '%s'. Value should be IPv4 or IPv6 format", said)
		}
	}
	return nil
}

// unknown says that a kind has no such attribute.
func unknown(k *kind, key string) error {
	argument := k.key
	if k == balancers {
		argument = "load_balancer.loadbalancer"
	}
	return front.Errorf(http.StatusBadRequest, "Unknown attribute for argument %s: %s", argument, key)
}
