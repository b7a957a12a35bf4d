package apitest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// WantCondition checks a condition: its status, its reason, and a part of its message.
func WantCondition(t testing.TB, conditions []metav1.Condition, conditionType, status, reason, words string) {
	t.Helper()
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil || string(c.Status) != status || c.Reason != reason || !strings.Contains(c.Message, words) {
		t.Errorf("%s: %+v, want %s/%s: %s", conditionType, c, status, reason, words)
	}
}

// WantNoSecret checks that neither an object nor the error of a pass over it shows one of the
// secrets. err may be nil.
func WantNoSecret(t testing.TB, obj client.Object, err error, secrets ...string) {
	t.Helper()
	data, marshalErr := json.Marshal(obj)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	shown := fmt.Sprintf("%s %+v", data, err)
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			t.Errorf("a secret is shown: %s", shown)
		}
	}
}
