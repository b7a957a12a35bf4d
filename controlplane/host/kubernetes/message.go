package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// longest is how much of a message is shown that a process has left.
const longest = 300

// explain tells why a pod is not ready; empty where that is not known, or is no more
// than a normal start. alone is whether there is no other replica.
func explain(p *corev1.Pod, claims []corev1.PersistentVolumeClaim, alone bool) string {
	if m := explainVolume(p, claims, alone); m != "" {
		return p.Name + ": " + m
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("%s: cannot be scheduled: %s", p.Name, c.Message)
		}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if m := explainContainer(s); m != "" {
			return fmt.Sprintf("%s: %s %s", p.Name, s.Name, m)
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionUnknown {
			return fmt.Sprintf("%s: its node %s does not answer", p.Name, p.Spec.NodeName)
		}
	}
	return ""
}

// explainVolume tells of a claim without a volume, if the pod waits for it.
func explainVolume(p *corev1.Pod, claims []corev1.PersistentVolumeClaim, alone bool) string {
	if p.Spec.NodeName != "" {
		return ""
	}
	for _, c := range claims {
		if c.Name != volumeData+"-"+p.Name {
			continue
		}
		switch {
		case c.DeletionTimestamp != nil:
			return fmt.Sprintf("its PersistentVolumeClaim %s is being deleted", c.Name)
		case c.Status.Phase == corev1.ClaimLost && alone:
			// Nobody has a copy, so that nobody but a person gives it up.
			return fmt.Sprintf("the volume of its PersistentVolumeClaim %s is lost: bring it back, or delete the claim and the pod: it begins with nothing then", c.Name)
		case c.Status.Phase == corev1.ClaimLost:
			return fmt.Sprintf("the volume of its PersistentVolumeClaim %s is lost: bring it back; if all others are well it begins with nothing, ten minutes after it has ceased to be ready", c.Name)
		case c.Status.Phase != corev1.ClaimBound && c.Annotations[annotationSelectedNode] != "":
			return fmt.Sprintf("waits for a volume for its PersistentVolumeClaim %s", c.Name)
		}
	}
	return ""
}

// annotationSelectedNode is on a claim for which a volume is being made, where that
// waits for the pod's node.
const annotationSelectedNode = "volume.kubernetes.io/selected-node"

func explainContainer(s corev1.ContainerStatus) string {
	var all []string
	switch w := s.State.Waiting; {
	case w == nil:
	case slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}, w.Reason):
		return fmt.Sprintf("cannot have its image %s: %s", s.Image, said(w.Reason, w.Message))
	case w.Reason == "ContainerCreating" || w.Reason == "PodInitializing":
	case w.Reason == "CrashLoopBackOff":
		all = append(all, fmt.Sprintf("was restarted %d times and waits for the next", s.RestartCount))
	default:
		all = append(all, said(w.Reason, w.Message))
	}
	ended := s.State.Terminated
	if ended == nil {
		ended = s.LastTerminationState.Terminated
	}
	if ended != nil && !ptrTrue(s.Started) {
		all = append(all, explainEnd(ended))
	}
	return strings.Join(all, ": ")
}

// explainEnd tells how a process has ended.
func explainEnd(t *corev1.ContainerStateTerminated) string {
	how := fmt.Sprintf("ended with status %d", t.ExitCode)
	switch {
	case t.Reason == "OOMKilled":
		return "was killed for want of memory: it is limited to less than it needs"
	case t.Signal != 0:
		how = fmt.Sprintf("was ended by signal %d", t.Signal)
	case t.Reason != "" && t.Reason != "Error" && t.Reason != "Completed":
		how += " (" + t.Reason + ")"
	}
	return said(how, lastLine(t.Message))
}

// lastLine is the last line of what a process has logged: that is mostly why it ended.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:])
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

func said(what, message string) string {
	if message == "" {
		return what
	}
	return what + ": " + message
}

func ptrTrue(b *bool) bool { return b != nil && *b }

// join puts messages together. Replicas that say the same are named in one.
func join(messages []string) string {
	var texts []string
	names := map[string][]string{}
	for _, m := range messages {
		if m == "" {
			continue
		}
		name, text, ok := strings.Cut(m, ": ")
		if !ok {
			name, text = "", m
		}
		if names[text] == nil {
			texts = append(texts, text)
		}
		names[text] = append(names[text], name)
	}
	for i, text := range texts {
		texts[i] = strings.Join(names[text], ", ") + ": " + text
	}
	return strings.Join(texts, "; ")
}
