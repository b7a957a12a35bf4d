package deorbit

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// policyName is that of the policy and of its binding.
const policyName = "cluster-deletion.marina.dev"

// refuseNew has the tenant refuse new load balancers and claims, from everybody. It goes with
// the tenant. Each of its API servers knows of it a moment later.
func refuseNew(ctx context.Context, tenant kubernetes.Interface) error {
	policies := tenant.AdmissionregistrationV1()
	options := metav1.CreateOptions{FieldManager: v1alpha1.FieldOwner}
	if _, err := policies.ValidatingAdmissionPolicies().Create(ctx, policy(), options); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policyName},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        policyName,
			ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	if _, err := policies.ValidatingAdmissionPolicyBindings().Create(ctx, binding, options); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

func policy() *admissionv1.ValidatingAdmissionPolicy {
	rule := func(resource string, operations ...admissionv1.OperationType) admissionv1.NamedRuleWithOperations {
		return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: operations,
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{resource}},
		}}
	}
	return &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: policyName},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("persistentvolumeclaims", admissionv1.Create),
				rule("services", admissionv1.Create, admissionv1.Update),
			}},
			// One that is a load balancer already is changed by its controller, which lets it go.
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "makes-something",
				Expression: "request.resource.resource == 'persistentvolumeclaims' || " +
					"object.spec.type == 'LoadBalancer' && (request.operation == 'CREATE' || oldObject.spec.type != 'LoadBalancer')",
			}},
			Validations: []admissionv1.Validation{{
				Expression: "false",
				Message:    "the cluster is being deleted: no volumes and load balancers are made in it any more",
			}},
		},
	}
}
