// Command volumes provides the PersistentVolumes of the test clusters: a folder on the
// node that the scheduler chose, deleted with its claim. One runs on every node and
// sees to the volumes of its own node. They are "local" volumes, so that a pod stays
// with its data and need not be root to write it (the kubelet applies fsGroup).
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	provisioner = "marina.local/folder"

	// Written by the scheduler and by the volume controller onto a claim.
	annotationNode        = "volume.kubernetes.io/selected-node"
	annotationProvisioner = "volume.kubernetes.io/storage-provisioner"
	// Written onto a volume: Kubernetes leaves its deletion to whom it names.
	annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("NODE_NAME"), cmp.Or(os.Getenv("FOLDER"), "/var/local/volumes")); err != nil {
		log.Fatal(err)
	}
}

// keeper makes and deletes the volumes of one node.
type keeper struct {
	node, folder string
	client       kubernetes.Interface
	claims       listers.PersistentVolumeClaimLister
	volumes      listers.PersistentVolumeLister
}

func run(ctx context.Context, node, folder string) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	// One mark is enough: a pass looks at everything.
	changed := make(chan struct{}, 1)
	mark := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { mark() },
		UpdateFunc: func(any, any) { mark() },
		DeleteFunc: func(any) { mark() },
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	claims, volumes := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes()
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	k := keeper{node: node, folder: folder, client: client, claims: claims.Lister(), volumes: volumes.Lister()}
	for {
		var again <-chan time.Time
		if err := k.pass(ctx); err != nil {
			log.Print(err)
			again = time.After(time.Second)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-again:
		}
	}
}

// pass gives every claim of this node its volume and deletes the volumes that were released.
func (k keeper) pass(ctx context.Context) error {
	claims, err := k.claims.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, claim := range claims {
		ours := claim.Annotations[annotationProvisioner] == provisioner && claim.Annotations[annotationNode] == k.node
		if !ours || claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil {
			continue
		}
		if err := k.provide(ctx, claim); err != nil {
			return fmt.Errorf("volume of %s/%s: %w", claim.Namespace, claim.Name, err)
		}
	}
	volumes, err := k.volumes.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, volume := range volumes {
		ours := volume.Annotations[annotationProvisionedBy] == provisioner && volume.Labels[corev1.LabelHostname] == k.node
		if !ours || volume.Status.Phase != corev1.VolumeReleased {
			continue
		}
		if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
			return err
		}
		err := k.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		log.Printf("deleted %s", volume.Name)
	}
	return nil
}

// provide makes the folder and the volume of a claim.
func (k keeper) provide(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(k.folder, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	_, err := k.client.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      map[string]string{corev1.LabelHostname: k.node},
			Annotations: map[string]string{annotationProvisionedBy: provisioner},
		},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			StorageClassName:              *claim.Spec.StorageClassName,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{k.node},
				}}}},
			}},
		},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // the claim is bound in a moment
	}
	if err == nil {
		log.Printf("made %s for %s/%s", name, claim.Namespace, claim.Name)
	}
	return err
}
