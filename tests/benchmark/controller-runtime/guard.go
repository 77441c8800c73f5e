package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// object is an object by its namespace and name.
type object struct{ namespace, name string }

// freeze is what a MeshFreeze says.
type freeze struct {
	mesh, from, to, holder, since string
	epoch                         string
	namespaces                    []string
	configMaps                    []object
	workloads                     map[string][]object
	releases                      []object
	istiodUsers                   []string
}

// theFreeze is the freeze of the benchmark.
var theFreeze = freeze{
	mesh: "default", from: "1.30.3", to: "1.31.0", holder: "alice", since: "2026-01-01T00:00:00Z", epoch: "3",
	namespaces:  []string{"istio-system"},
	configMaps:  []object{{"istio-system", "istio"}, {"istio-system", "mesh-upgrade-canary"}},
	workloads:   map[string][]object{"deployments": {{"istio-system", "istiod"}}},
	releases:    []object{{"istio-system", "istiod"}, {"istio-system", "istio-base"}},
	istiodUsers: []string{"system:serviceaccount:istio-system:istiod"},
}

const (
	driver           = "system:serviceaccount:mesh-upgrade-system:mesh-upgrade-driver"
	epochExtra       = "meshupgrade.io/epoch"
	probeExtra       = "meshupgrade.io/probe"
	releaseName      = "meta.helm.sh/release-name"
	releaseNamespace = "meta.helm.sh/release-namespace"
)

var configurationGroups = []string{"networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io"}

// helmOwned are the resources that are frozen when a release of the mesh owns them, by group.
var helmOwned = map[string][]string{
	"":                          {"serviceaccounts", "services", "configmaps", "secrets", "resourcequotas", "endpoints"},
	"apps":                      {"deployments", "daemonsets"},
	"autoscaling":               {"horizontalpodautoscalers"},
	"policy":                    {"poddisruptionbudgets"},
	"rbac.authorization.k8s.io": {"roles", "rolebindings", "clusterroles", "clusterrolebindings"},
	"networking.k8s.io":         {"networkpolicies"},
	"discovery.k8s.io":          {"endpointslices"},
}

// guard is the handler.
type guard struct {
	decoder admission.Decoder
	freezes []freeze
}

// Handle decides one review.
func (g *guard) Handle(_ context.Context, request admission.Request) admission.Response {
	now, err := metadata(request.Object)
	if err != nil {
		return admission.Errored(400, err)
	}
	old, err := metadata(request.OldObject)
	if err != nil {
		return admission.Errored(400, err)
	}
	for i := range g.freezes {
		f := &g.freezes[i]
		if f.covers(&request, now, old) && !f.isHolder(&request) && !f.letsThrough(&request, now, old) && !isUnchanged(&request) {
			return admission.Denied(fmt.Sprintf("MG001 mesh-frozen: mesh %q is being upgraded from %s to %s by %s since %s: this change is refused until it ends. See: kubectl mesh-upgrade status", f.mesh, f.from, f.to, f.holder, f.since))
		}
	}
	return g.judgeVersion(&request)
}

// metadata reads as little as Go's JSON can of an object; nil when there is none.
func metadata(raw runtime.RawExtension) (*metav1.PartialObjectMetadata, error) {
	if len(raw.Raw) == 0 {
		return nil, nil
	}
	read := &metav1.PartialObjectMetadata{}
	return read, json.Unmarshal(raw.Raw, read)
}

func nameOf(request *admission.Request, now, old *metav1.PartialObjectMetadata) string {
	switch {
	case now != nil:
		return now.Name
	case old != nil && old.Name != "":
		return old.Name
	}
	return request.Name
}

func (f *freeze) covers(request *admission.Request, now, old *metav1.PartialObjectMetadata) bool {
	resource, sub := request.Resource, request.SubResource
	name := nameOf(request, now, old)
	this := object{request.Namespace, name}
	if sub == "" && slices.Contains(configurationGroups, resource.Group) {
		return true
	}
	if resource.Group == "apps" && (sub == "" || sub == "scale") && slices.Contains(f.workloads[resource.Resource], this) {
		return true
	}
	if sub != "" {
		return false
	}
	switch {
	case resource.Group == "" && resource.Resource == "configmaps" && slices.Contains(f.configMaps, this):
		return true
	case resource.Group == "apiextensions.k8s.io" && request.Operation != admissionv1.Create:
		return strings.HasSuffix(name, ".istio.io") || strings.HasSuffix(name, ".meshupgrade.io")
	case resource.Group == "" && resource.Resource == "namespaces" && request.Operation == admissionv1.Delete:
		return slices.Contains(f.namespaces, name)
	case resource.Group == "" && (resource.Resource == "secrets" || resource.Resource == "configmaps"):
		for _, release := range f.releases {
			if release.namespace == request.Namespace && (strings.HasPrefix(name, "sh.helm.release.v1."+release.name+".v") || labelled(now, release.name) || labelled(old, release.name)) {
				return true
			}
		}
	}
	return slices.Contains(helmOwned[resource.Group], resource.Resource) && (f.owns(now) || f.owns(old))
}

func labelled(one *metav1.PartialObjectMetadata, release string) bool {
	return one != nil && one.Labels["owner"] == "helm" && one.Labels["name"] == release
}

func (f *freeze) owns(one *metav1.PartialObjectMetadata) bool {
	return one != nil && slices.Contains(f.releases, object{one.Annotations[releaseNamespace], one.Annotations[releaseName]})
}

func (f *freeze) isHolder(request *admission.Request) bool {
	epochs := request.UserInfo.Extra[epochExtra]
	return request.UserInfo.Username == driver && len(request.UserInfo.Extra[probeExtra]) == 0 && len(epochs) == 1 && epochs[0] == f.epoch
}

func (f *freeze) letsThrough(request *admission.Request, now, old *metav1.PartialObjectMetadata) bool {
	resource, user := request.Resource, request.UserInfo.Username
	if slices.Contains(f.istiodUsers, user) {
		if resource.Group == "networking.istio.io" && resource.Resource == "workloadentries" {
			return true
		}
		managed := func(one *metav1.PartialObjectMetadata) bool {
			if one == nil {
				return true
			}
			_, is := one.Labels["gateway.istio.io/managed"]
			return is
		}
		if slices.Contains([]string{"", "apps", "autoscaling", "policy"}, resource.Group) && managed(now) && managed(old) {
			return true
		}
	}
	if resource.Resource == "gateways" && request.Operation == admissionv1.Create && request.DryRun != nil && *request.DryRun &&
		now != nil && now.Name == "invalid-gateway" && now.Annotations["internal.istio.io/webhook-always-reject"] == "true" {
		return true
	}
	switch user {
	case "system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccount:kube-system:namespace-controller":
		return request.Operation == admissionv1.Delete && request.Namespace != "" && resource.Resource != "namespaces"
	case "system:serviceaccount:kube-system:horizontal-pod-autoscaler":
		return request.SubResource == "scale"
	case "system:serviceaccount:kube-system:endpointslicemirroring-controller":
		return resource.Resource == "endpointslices"
	}
	return false
}

// isUnchanged compares both objects in full, but for book-keeping and removed finalizers.
func isUnchanged(request *admission.Request) bool {
	if request.Operation != admissionv1.Update {
		return false
	}
	var now, old unstructured.Unstructured
	if json.Unmarshal(request.Object.Raw, &now.Object) != nil || json.Unmarshal(request.OldObject.Raw, &old.Object) != nil {
		return false
	}
	for _, finalizer := range now.GetFinalizers() {
		if !slices.Contains(old.GetFinalizers(), finalizer) {
			return false
		}
	}
	for _, one := range []*unstructured.Unstructured{&now, &old} {
		for _, field := range []string{"managedFields", "resourceVersion", "generation", "finalizers"} {
			unstructured.RemoveNestedField(one.Object, "metadata", field)
		}
	}
	return reflect.DeepEqual(now.Object, old.Object)
}

// judgeVersion lets istiod go one minor forward at most, and keeps its flavor.
func (g *guard) judgeVersion(request *admission.Request) admission.Response {
	if request.Resource.Group != "apps" || request.Resource.Resource != "deployments" || request.SubResource != "" || request.Operation == admissionv1.Delete {
		return admission.Allowed("")
	}
	var now, old appsv1.Deployment
	if err := g.decoder.Decode(*request, &now); err != nil {
		return admission.Errored(400, err)
	}
	after, is := istiod(&now)
	if !is || request.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	if err := g.decoder.DecodeRaw(request.OldObject, &old); err != nil {
		return admission.Errored(400, err)
	}
	before, was := istiod(&old)
	if !was {
		return admission.Allowed("")
	}
	from, fromFlavor, fromErr := parse(before)
	to, toFlavor, toErr := parse(after)
	switch {
	case fromErr != nil:
		return admission.Allowed("")
	case toErr != nil:
		return admission.Denied("MG005 unreadable-version: " + toErr.Error())
	case fromFlavor != toFlavor:
		return admission.Denied("MG004 mixed-flavor: from " + before + " to " + after)
	case to.LessThan(from):
		return admission.Denied("MG003 downgrade: from " + before + " to " + after)
	case to.Major() != from.Major() || to.Minor() > from.Minor()+1:
		return admission.Denied("MG002 skip-version: from " + before + " to " + after)
	}
	return admission.Allowed("")
}

func istiod(one *appsv1.Deployment) (string, bool) {
	labels := one.Spec.Template.Labels
	if labels["app"] != "istiod" && labels["istio"] != "pilot" && labels["istio"] != "istiod" {
		return "", false
	}
	for i := range one.Spec.Template.Spec.Containers {
		if container := &one.Spec.Template.Spec.Containers[i]; container.Name == "discovery" {
			return container.Image, true
		}
	}
	return "", false
}

// parse splits the flavor off an image's tag, and the image's variant.
func parse(image string) (*version.Version, string, error) {
	image, _, _ = strings.Cut(image, "@")
	_, tag, found := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if !found {
		return nil, "", fmt.Errorf("%q has no tag", image)
	}
	words := strings.Split(tag, "-")
	read, err := version.ParseGeneric(words[0])
	flavor := ""
	for _, word := range words[1:] {
		if word != "distroless" && word != "debug" {
			flavor = word
		}
	}
	return read, flavor, err
}
