package up

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/cmd/marina/simulator"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// nameInfrastructure is what the simulated cloud is called in a Cluster's spec.
const nameInfrastructure = "local"

// The projects of the simulated cloud: that of the Infrastructure, which has nothing in
// it, and that of the namespace default.
const (
	accountOperator = "operator"
	accountTenant   = "tenant"
)

// cloudInfrastructure offers the simulated cloud, with an image for each release.
func cloudInfrastructure(authURL string, kubernetes map[string]string) *v1alpha1.Infrastructure {
	infra := &v1alpha1.Infrastructure{
		ObjectMeta: metav1.ObjectMeta{Name: nameInfrastructure},
		Spec: v1alpha1.InfrastructureSpec{
			AuthURL: authURL, Region: simulator.Region, ExternalNetwork: simulator.ExternalNetwork, Flavors: simulator.Flavors(),
			CredentialsRef: v1alpha1.LocalReference{Name: nameCloud},
		},
	}
	for _, name := range slices.Sorted(maps.Keys(kubernetes)) {
		infra.Spec.Releases = append(infra.Spec.Releases, v1alpha1.InfrastructureRelease{Release: name, Image: simulator.ImageName(kubernetes[name])})
	}
	return infra
}

// cloudCredentials is a Secret with the clouds.yaml of a project's user.
func cloudCredentials(namespace, name, authURL, project, password string) *corev1.Secret {
	type auth struct {
		AuthURL       string `json:"auth_url"`
		UserName      string `json:"username"`
		Password      string `json:"password"`
		UserDomain    string `json:"user_domain_name"`
		ProjectName   string `json:"project_name"`
		ProjectDomain string `json:"project_domain_name"`
	}
	type entry struct {
		Region string `json:"region_name"`
		Auth   auth   `json:"auth"`
	}
	clouds, err := yaml.Marshal(map[string]any{"clouds": map[string]entry{v1alpha1.CloudName: {
		Region: simulator.Region,
		Auth: auth{
			AuthURL: authURL, UserName: simulator.UserName(project), Password: password, UserDomain: "Default",
			ProjectName: project, ProjectDomain: "Default",
		},
	}}})
	if err != nil {
		panic(err) // only texts are marshalled
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
		Data:       map[string][]byte{v1alpha1.CloudsKey: clouds},
	}
}
