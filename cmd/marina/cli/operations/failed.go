package operations

import (
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// failed is the error of an operation that ended otherwise than asked for; nil for one
// that did not.
func failed(o *v1alpha1.Operation) error {
	message := strings.TrimSuffix(o.Status.Message, ".")
	switch o.Status.Phase {
	case v1alpha1.OperationFailed:
		if reason, refused := strings.CutPrefix(message, "refused: "); refused {
			return refusal(o, reason)
		}
		return failure.New("correct the cause; then "+retry(o), "%s", because(fmt.Sprintf("operation %q failed", o.Name), message))
	case v1alpha1.OperationCancelled:
		do := retry(o)
		// Its advice tells more than ours, such as how to go back.
		if said, advice, found := strings.Cut(message, ": 'marina operation retry "+o.Name+"'"); found {
			message, do = said, "'"+retryCommand(o)+"'"+advice
		}
		return failure.New(do, "%s", because(fmt.Sprintf("operation %q was cancelled", o.Name), message))
	default:
		return nil
	}
}

// another is how Marina refuses an operation because of one that runs.
var another = regexp.MustCompile(`^(operation (\S+) \(\w+\) runs)\b`)

// refusal is the error of an operation that was never begun.
func refusal(o *v1alpha1.Operation, reason string) error {
	do := "when that has changed, " + retry(o)
	if found := another.FindStringSubmatch(reason); found != nil {
		runs := session.Ref(client.ObjectKey{Namespace: o.Namespace, Name: found[2]})
		reason = found[1]
		do = fmt.Sprintf("wait until %s has ended ('marina operation watch %s'); then %s", found[2], runs, retry(o))
	}
	return failure.New(do, "operation %q was refused: %s", o.Name, reason)
}

func retry(o *v1alpha1.Operation) string {
	return fmt.Sprintf("'%s' tries it again", retryCommand(o))
}

func retryCommand(o *v1alpha1.Operation) string {
	return "marina operation retry " + session.Ref(client.ObjectKeyFromObject(o))
}

// because adds a reason, if there is one.
func because(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}
