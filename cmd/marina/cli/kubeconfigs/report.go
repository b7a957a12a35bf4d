package kubeconfigs

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/ttl"
	"github.com/marina-dev/marina/pkg/pki"
)

// report tells, on standard error, what was written and who can do what with it
// until when. It reads the certificate, not the request, which leaves things out.
func (o *getOptions) report(w io.Writer, config *api.Config, path string, now time.Time) error {
	user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	cert, err := pki.KeyPair{CertPEM: user.ClientCertificateData}.Certificate()
	if err != nil {
		return err
	}
	for _, warning := range o.request().Warnings() {
		fmt.Fprintf(w, "Warning: %s\n", warning)
	}
	switch {
	case path == "":
		fmt.Fprintf(w, "Context %q\n", config.CurrentContext)
	case o.setCurrent:
		fmt.Fprintf(w, "Wrote context %q to %s and made it the current one\n", config.CurrentContext, path)
	default:
		fmt.Fprintf(w, "Wrote context %q to %s\n", config.CurrentContext, path)
	}
	groups := "without groups"
	if len(cert.Subject.Organization) > 0 {
		groups = "in " + strings.Join(cert.Subject.Organization, ", ")
	}
	fmt.Fprintf(w, "For user %q %s, until %s (%s)\n", cert.Subject.CommonName, groups,
		cert.NotAfter.Local().Format("2006-01-02 15:04 MST"), ttl.About(cert.NotAfter.Sub(now)))
	return nil
}

// advise tells of surprises to come: that kubectl will not look where it was
// written, or that marina will find the tenant next time where it found the
// management cluster this time.
func (o *getOptions) advise(cmd *cobra.Command, s *session.Session, to target) {
	w := cmd.ErrOrStderr()
	if to.instead {
		fmt.Fprintf(w, "Note: $KUBECONFIG names the management cluster's own kubeconfig, which is left as it is: "+
			"to use the cluster, 'export KUBECONFIG=%s'\n", to.path)
	}
	if o.setCurrent && s.Location.Has(to.path) && !cmd.Flags().Changed("context") {
		fmt.Fprintf(w, "Note: marina itself used the current context of this file, %q: from now on name it with --context, "+
			"or keep the management cluster's kubeconfig in a file of its own and set $%s\n", s.Context, session.EnvKubeconfig)
	}
}
