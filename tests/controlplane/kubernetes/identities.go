package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// identity is somebody the API server knows by a bearer token. Tokens, and not
// client certificates, because they also pass through the proxy that rewrites
// the version.
type identity struct {
	name   string
	groups []string
	// person says that tests act as this identity, so it gets a kubeconfig for them.
	person bool
	token  string
}

const platformAdmins = "platform-admins"

func newIdentities() []*identity {
	all := []*identity{
		{name: "admin", groups: []string{"system:masters"}, person: true},
		// alice administers the cluster through RBAC, unlike admin, whom RBAC never asks.
		{name: "alice", groups: []string{platformAdmins}, person: true},
		{name: "bob", person: true},
		{name: "system:kube-controller-manager"},
		{name: "system:kube-scheduler"},
		{name: "kwok", groups: []string{"system:masters"}},
	}
	for _, one := range all {
		one.token = rand.Text()
	}
	return all
}

// writeTokenFile writes the file for --token-auth-file.
func writeTokenFile(path string, all []*identity) error {
	var content strings.Builder
	for _, one := range all {
		fmt.Fprintf(&content, "%s,%s,%s,\"%s\"\n", one.token, one.name, one.name, strings.Join(one.groups, ","))
	}
	return os.WriteFile(path, []byte(content.String()), 0o600)
}

// writeKubeconfig writes a kubeconfig that carries everything inline, so that a
// copy of it works anywhere. Its names hold the cluster's, so that the files of
// several clusters can be joined in one KUBECONFIG.
func writeKubeconfig(path, cluster, server, user, token string, ca []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	user += "@" + cluster
	config.Clusters[cluster] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: user}
	config.CurrentContext = cluster
	return clientcmd.WriteToFile(*config, path)
}
