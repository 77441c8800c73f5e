package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

const sigkill = syscall.SIGKILL

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// auditPolicy records every request once, at its end. Metadata has who, as whom,
// with which extra, and what; bodies would put Secrets on disk.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

func (c *cluster) writeFiles() error {
	if err := writeTokenFile(c.path("tokens.csv"), c.identities); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	for _, one := range c.identities {
		server := c.direct
		if one.person {
			server = c.server
		}
		if err := writeKubeconfig(c.kubeconfig(one.name), c.options.name, server, one.name, one.token, c.certificates.caPEM); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) kubeconfig(user string) string {
	return c.path("kubeconfigs", filepath.Base(user)+".yaml")
}

// leftBehind is how a pod called so answers in the place of istiod: as an older
// version, so that pods of one control plane can be seen to differ. It waits for
// the request, since an answer before it would be none.
const leftBehind = `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterPortForward
metadata:
  name: istiod-left-behind
spec:
  selector:
    matchNames: [istiod-left-behind]
  forwards:
  - ports: [15014]
    command:
    - /bin/sh
    - -c
    - |
      read -r request; printf 'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n1.29.9-0123abcd-Clean'
`

// writeKwokConfig adds to kwok's own stages where a port-forward to a fake pod
// leads: to the istiod that the supervisor runs.
func (c *cluster) writeKwokConfig() error {
	stages, err := os.ReadFile(c.options.kwokConfig)
	if err != nil {
		return err
	}
	forwards := "---\napiVersion: kwok.x-k8s.io/v1alpha1\nkind: ClusterPortForward\nmetadata:\n  name: istiod\nspec:\n  forwards:\n"
	for _, role := range istiodRoles {
		forwards += fmt.Sprintf("  - ports: [%d]\n    target: {address: %s, port: %d}\n", role.port, loopback, c.istiod.port(role))
	}
	return os.WriteFile(c.path("kwok.yaml"), append(stages, leftBehind+forwards...), 0o600)
}

func (c *cluster) describe(name, program string, args ...string) {
	c.processes[name] = &process{
		name: name,
		path: filepath.Join(c.options.bin, program),
		args: args,
		env:  c.environment(),
		dir:  c.path("home"),
		log:  c.path("logs", name+".log"),
	}
}

func (c *cluster) describeProcesses() {
	certificate := c.certificates.file
	etcdClient := "http://" + address(c.etcdPort)
	etcdPeer := "http://" + address(c.etcdPeerPort)
	c.describe("etcd", "etcd",
		"--name=default",
		"--data-dir="+c.path("etcd"),
		"--listen-client-urls="+etcdClient,
		"--advertise-client-urls="+etcdClient,
		"--listen-peer-urls="+etcdPeer,
		"--initial-advertise-peer-urls="+etcdPeer,
		"--initial-cluster=default="+etcdPeer,
		// The data is thrown away with the cluster, so it need not survive a power cut.
		"--unsafe-no-fsync",
		"--log-level=warn",
	)
	c.describe(apiServer, apiServer,
		"--etcd-servers="+etcdClient,
		"--bind-address="+loopback,
		fmt.Sprintf("--secure-port=%d", c.apiPort),
		// Endpoints may not hold loopback addresses, and nothing here dials the
		// kubernetes Service.
		"--advertise-address=10.0.0.1",
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--tls-cert-file="+certificate(apiServer+".crt"),
		"--tls-private-key-file="+certificate(apiServer+".key"),
		"--client-ca-file="+certificate("ca.crt"),
		"--token-auth-file="+c.path("tokens.csv"),
		"--kubelet-certificate-authority="+certificate("ca.crt"),
		"--kubelet-client-certificate="+certificate("kubelet-client.crt"),
		"--kubelet-client-key="+certificate("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+certificate("service-accounts.pub"),
		"--service-account-signing-key-file="+certificate("service-accounts.key"),
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		"--audit-policy-file="+c.path("audit-policy.yaml"),
		"--audit-log-path="+c.path("audit.log"),
		// A test reads the log right after a request, so the entry has to be there
		// before the answer is.
		"--audit-log-mode=blocking",
		"--audit-log-maxsize=4000",
		"--profiling=false",
	)
	c.describe("kube-controller-manager", "kube-controller-manager",
		"--kubeconfig="+c.kubeconfig("system:kube-controller-manager"),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+certificate("service-accounts.key"),
		"--root-ca-file="+certificate("ca.crt"),
		"--cluster-signing-cert-file="+certificate("ca.crt"),
		"--cluster-signing-key-file="+certificate("ca.key"),
		"--cluster-cidr=10.244.0.0/16",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--leader-elect=false",
		"--secure-port=0",
		// By default the controllers' own first requests take four seconds.
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		// A busy machine or a stopped API server must not evict pods.
		"--node-monitor-grace-period=30m",
		"--profiling=false",
	)
	c.describe("kube-scheduler", "kube-scheduler",
		"--kubeconfig="+c.kubeconfig("system:kube-scheduler"),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--profiling=false",
	)
	c.describe("kwok", "kwok",
		"--kubeconfig="+c.kubeconfig("kwok"),
		"--config="+c.path("kwok.yaml"),
		"--manage-all-nodes=true",
		"--node-ip="+loopback,
		fmt.Sprintf("--node-port=%d", c.kubeletPort),
		"--server-address="+address(c.kubeletPort),
		"--tls-cert-file="+certificate("kubelet.crt"),
		"--tls-private-key-file="+certificate("kubelet.key"),
		"--cidr=10.244.0.0/16",
	)
}
