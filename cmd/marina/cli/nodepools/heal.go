package nodepools

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var healActions = lifecycle.Words(v1alpha1.HealReplace, v1alpha1.HealRebuild)

// healOptions are the flags of how nodes are healed that are lost, or never come.
type healOptions struct {
	enabled           bool
	notReady, booting time.Duration
	maxUnhealthy      string
	action            string
}

func (o *healOptions) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.enabled, "auto-heal", true, "replace nodes that have not been Ready for long")
	flags.StringVar(&o.action, "heal-action", "", "what is done with them: Replace, or Rebuild, which makes the server anew as it is (default: Replace)")
	flags.DurationVar(&o.notReady, "not-ready-timeout", 10*time.Minute, "how long that is")
	flags.StringVar(&o.maxUnhealthy, "max-unhealthy", "40%", "replace none while more nodes than this `number or part` are missing or not Ready")
	flags.DurationVar(&o.booting, "creation-timeout", 30*time.Minute, "how long a server may take to become a Ready node")
}

// apply puts into a spec what was given. The rest is left to the API's defaults.
func (o *healOptions) apply(flags *pflag.FlagSet, spec *v1alpha1.NodePoolSpec) error {
	if flags.Changed("auto-heal") {
		spec.AutoHeal.Enabled = &o.enabled
	}
	if o.action != "" && !slices.Contains(healActions, o.action) {
		return fmt.Errorf("--heal-action: %q is not known: choose %s", o.action, strings.Join(healActions, " or "))
	}
	spec.AutoHeal.Action = v1alpha1.HealAction(o.action)
	if flags.Changed("max-unhealthy") {
		spec.AutoHeal.MaxUnhealthy = new(intstr.Parse(o.maxUnhealthy))
	}
	for _, f := range []struct {
		name  string
		given time.Duration
		into  **int32
	}{{"not-ready-timeout", o.notReady, &spec.AutoHeal.NotReadyTimeoutSeconds}, {"creation-timeout", o.booting, &spec.CreationTimeoutSeconds}} {
		if !flags.Changed(f.name) {
			continue
		}
		if f.given < time.Minute || f.given > 24*time.Hour {
			return fmt.Errorf("--%s: %s is not from 1m to 24h", f.name, f.given)
		}
		*f.into = new(int32(f.given.Seconds()))
	}
	return nil
}
