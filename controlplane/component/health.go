package component

// ProbePolicy is an ABAC policy file that lets strangers ask an API server for its health,
// and nothing else. RBAC says so too, by the binding system:public-info-viewer, but that
// is the tenant's: without it probes would be answered with 403, API servers would be
// taken out of service and, two minutes later, be killed. An API server reads the file
// when it starts.
const ProbePolicy = `{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"group":"system:unauthenticated","readonly":true,"nonResourcePath":"/livez"}}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"group":"system:unauthenticated","readonly":true,"nonResourcePath":"/readyz"}}
`
