package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-base/version"
)

// maxKwokRestarts is how many times kwok may end while the cluster starts.
const maxKwokRestarts = 3

// populate gives the cluster its nodes and alice her rights, and waits for what a
// first pod needs.
func (c *cluster) populate(ctx context.Context) error {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: platformAdmins},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: platformAdmins}},
	}
	if _, err := c.client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	for number := range c.options.nodes {
		if _, err := c.client.CoreV1().Nodes().Create(ctx, c.node(number), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	kwok := c.processes["kwok"]
	for restarts := 0; ; {
		missing, err := c.missing(ctx)
		if err != nil {
			return err
		}
		if missing == "" {
			return nil
		}
		// The first looks of its controllers race for a map in a library of its own, which now and then ends it. It
		// goes on where it stood.
		if kwok.pid() == 0 && restarts < maxKwokRestarts {
			restarts++
			if err := kwok.start(); err != nil {
				return err
			}
		}
		if err := c.anyDead(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s", startDeadline, missing)
		case <-time.After(25 * time.Millisecond):
		}
	}
}

func (c *cluster) node(number int) *corev1.Node {
	name := fmt.Sprintf("node-%d", number)
	kubelet := c.reportedVersion()
	if kubelet == "" {
		kubelet = version.Get().GitVersion
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"},
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		},
		// kwok keeps what it finds here and fills in the rest.
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion: kubelet, KubeProxyVersion: kubelet, OperatingSystem: "linux", Architecture: "amd64",
		}},
	}
}

// missing names the first thing that is not there yet.
func (c *cluster) missing(ctx context.Context) (string, error) {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	for _, node := range nodes.Items {
		if !nodeReady(&node) {
			return "node " + node.Name + " to be ready and without taints", nil
		}
	}
	_, err = c.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "the default service account", nil
	}
	return "", err
}

func nodeReady(node *corev1.Node) bool {
	if len(node.Spec.Taints) > 0 {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
