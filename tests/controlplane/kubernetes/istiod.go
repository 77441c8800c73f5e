package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	istiodContainer = "discovery"
	istiodDeadline  = 60 * time.Second
	// secondIstioMinor is the minor from which on the newer of the two
	// pilot-discovery programs plays istiod.
	secondIstioMinor = 31
)

// istiodSpec says which istiod the cluster's objects ask for.
type istiodSpec struct {
	deployment *appsv1.Deployment
	container  corev1.Container
	tag        string
}

// key changes whenever the running process has to be replaced.
func (s *istiodSpec) key() string {
	container, err := json.Marshal(s.container)
	if err != nil {
		return s.tag
	}
	return string(s.deployment.UID) + string(container)
}

// istiod is one running pilot-discovery.
type istiod struct {
	*process
	key   string
	tag   string
	ports map[string]int
}

// program picks pilot-discovery by the image's minor: there is one each for 1.30
// and 1.31, and they stand in for what is older and newer.
func program(tag string) string {
	parts := strings.SplitN(tag, ".", 3)
	if len(parts) == 3 {
		if minor, err := strconv.Atoi(parts[1]); err == nil && minor < secondIstioMinor {
			return "pilot-discovery-1.30"
		}
	}
	return "pilot-discovery-1.31"
}

// launch starts the process that the spec asks for and returns once it is ready.
func (f *istiodFollower) launch(ctx context.Context, spec *istiodSpec) (*istiod, error) {
	ctx, cancel := context.WithTimeout(ctx, istiodDeadline)
	defer cancel()
	f.launched++
	folder := f.cluster.path("istiod", strconv.Itoa(f.launched))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	started := &istiod{key: spec.key(), tag: spec.tag, ports: map[string]int{}}
	args := istiodArguments(spec.container.Args)
	for _, role := range istiodRoles {
		port, err := reservePort()
		if err != nil {
			return nil, err
		}
		started.ports[role.name] = port
		args = append(args, fmt.Sprintf("--%s=%s", role.flag, address(port)))
	}
	kubeconfig, err := f.kubeconfig(ctx, spec, folder)
	if err != nil {
		return nil, err
	}
	args = append(args, "--kubeconfig="+kubeconfig, "--ctrlz_port=0", "--shutdownDuration=1s")
	started.process = &process{
		name: "pilot-discovery",
		path: filepath.Join(f.cluster.options.bin, program(spec.tag)),
		args: args,
		env:  f.cluster.environment(istiodEnvironment(spec)...),
		// istiod looks for its mounted files relative to where it runs; here it
		// finds none and reads the ConfigMaps instead.
		dir: folder,
		log: f.cluster.path("logs", fmt.Sprintf("istiod-%d-%s.log", f.launched, filepath.Base(spec.tag))),
	}
	if err := started.start(); err != nil {
		return nil, err
	}
	if err := started.awaitReady(ctx, f.cluster.http); err != nil {
		started.kill()
		return nil, err
	}
	return started, nil
}

// kubeconfig lets istiod act as the service account of its Deployment, so that
// RBAC and every admission rule see it as they would in a real cluster.
func (f *istiodFollower) kubeconfig(ctx context.Context, spec *istiodSpec, folder string) (string, error) {
	account := spec.deployment.Spec.Template.Spec.ServiceAccountName
	day := int64(24 * time.Hour / time.Second)
	token, err := f.client.CoreV1().ServiceAccounts(spec.deployment.Namespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token for service account %s: %w", account, err)
	}
	path := filepath.Join(folder, "kubeconfig.yaml")
	c := f.cluster
	return path, writeKubeconfig(path, c.options.name, c.direct, account, token.Status.Token, c.certificates.caPEM)
}

// istiodArguments keeps the Deployment's arguments but for its addresses.
func istiodArguments(args []string) []string {
	kept := make([]string, 0, len(args))
	for _, arg := range args {
		if !strings.HasPrefix(arg, "--monitoringAddr") {
			kept = append(kept, arg)
		}
	}
	return kept
}

// istiodEnvironment is the container's environment as a kubelet would fill it in,
// and what makes istiod certify and serve localhost.
func istiodEnvironment(spec *istiodSpec) []string {
	env := make([]string, 0, len(spec.container.Env)+1)
	for _, variable := range spec.container.Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil {
			if from.FieldRef == nil {
				continue
			}
			switch from.FieldRef.FieldPath {
			case "metadata.name":
				value = spec.deployment.Name + "-0"
			case "metadata.namespace":
				value = spec.deployment.Namespace
			case "spec.serviceAccountName":
				value = spec.deployment.Spec.Template.Spec.ServiceAccountName
			default:
				continue
			}
		}
		if variable.Name != "KUBECONFIG" {
			env = append(env, variable.Name+"="+value)
		}
	}
	return append(env, "ISTIOD_CUSTOM_HOST=localhost")
}

func (i *istiod) awaitReady(ctx context.Context, client *http.Client) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(i.ports["http"])+"/ready", nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-i.ended():
			return fmt.Errorf("istiod %s ended; its log ends: %s", i.tag, i.logTail())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited for istiod %s; its log ends: %s", i.tag, i.logTail()), ctx.Err())
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// wantedIstiod reads from the cluster which istiod should serve now: the tag of
// the pods that are ready, the newest template first. nil means none.
func wantedIstiod(ctx context.Context, client kubernetes.Interface) (*istiodSpec, error) {
	selector := metav1.ListOptions{LabelSelector: "app=istiod"}
	deployments, err := client.AppsV1().Deployments("").List(ctx, selector)
	if err != nil {
		return nil, err
	}
	pods, err := client.CoreV1().Pods("").List(ctx, selector)
	if err != nil {
		return nil, err
	}
	var found *istiodSpec
	for index := range deployments.Items {
		spec := specOf(&deployments.Items[index], pods.Items)
		// Of several revisions the newest serves; one role has one process.
		if spec != nil && (found == nil || found.deployment.CreationTimestamp.Before(&spec.deployment.CreationTimestamp)) {
			found = spec
		}
	}
	return found, nil
}

func specOf(deployment *appsv1.Deployment, pods []corev1.Pod) *istiodSpec {
	wanted := discoveryContainer(deployment.Spec.Template.Spec)
	if wanted == nil || deployment.DeletionTimestamp != nil {
		return nil
	}
	var older *istiodSpec
	for _, pod := range pods {
		container := discoveryContainer(pod.Spec)
		if container == nil || !podReady(&pod) || !ownedBy(&pod, deployment) {
			continue
		}
		if container.Image == wanted.Image {
			return &istiodSpec{deployment, *wanted, imageTag(wanted.Image)}
		}
		// During a rollout the old pods serve until a new one is ready.
		previous := *wanted
		previous.Image, previous.Args, previous.Env = container.Image, container.Args, container.Env
		older = &istiodSpec{deployment, previous, imageTag(container.Image)}
	}
	return older
}

func discoveryContainer(spec corev1.PodSpec) *corev1.Container {
	for index := range spec.Containers {
		if spec.Containers[index].Name == istiodContainer {
			return &spec.Containers[index]
		}
	}
	return nil
}

func podReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// ownedBy goes by the names that ReplicaSets and their pods get from a Deployment.
func ownedBy(pod *corev1.Pod, deployment *appsv1.Deployment) bool {
	if pod.Namespace != deployment.Namespace {
		return false
	}
	for _, owner := range pod.OwnerReferences {
		hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		if owner.Kind == "ReplicaSet" && owner.Name == deployment.Name+"-"+hash {
			return true
		}
	}
	return false
}

func imageTag(image string) string {
	name := image[strings.LastIndex(image, "/")+1:]
	name, _, _ = strings.Cut(name, "@")
	_, tag, found := strings.Cut(name, ":")
	if !found {
		return "latest"
	}
	return tag
}
