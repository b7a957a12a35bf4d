package apitest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// GiveSecret puts a value into a Secret, as all that it holds, and makes the Secret if it is
// not there; an empty value takes the Secret away.
func (s *Server) GiveSecret(t testing.TB, secret *corev1.Secret, key, value string) {
	t.Helper()
	var err error
	if value == "" {
		err = s.Client.Delete(t.Context(), secret)
	} else {
		secret.ResourceVersion, secret.UID = "", ""
		secret.Data = map[string][]byte{key: []byte(value)}
		err = s.Client.Create(t.Context(), secret)
		if apierrors.IsAlreadyExists(err) {
			err = s.Client.Update(t.Context(), secret)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// SecretsOfShard is a cache that has the Secrets of the default shard and no others, as the
// product's.
func SecretsOfShard() cache.Options {
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Label: labels.SelectorFromSet(labels.Set{"marina.dev/shard": "default"})},
	}}
}
