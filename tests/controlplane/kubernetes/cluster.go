package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// startDeadline is generous: several clusters may start at once on two cores.
const startDeadline = 120 * time.Second

// clusterOptions is what the supervisor's flags say.
type clusterOptions struct {
	name          string
	dir           string
	nodes         int
	reportVersion string
	// bin has the multi-call binary under its programs' names, kwok, and one
	// pilot-discovery for each Istio minor.
	bin        string
	kwokConfig string
}

// cluster is one running control plane.
type cluster struct {
	options      clusterOptions
	certificates *certificates
	identities   []*identity
	processes    map[string]*process
	istiod       *istiodFollower
	client       *kubernetes.Clientset
	http         *http.Client

	etcdPort, etcdPeerPort, apiPort, kubeletPort int
	// server is the address that tests use; direct is the API server itself. They
	// differ if the version is rewritten on the way.
	server, direct string
}

// apiServer is the name used in commands and paths.
const apiServer = "kube-apiserver"

func startCluster(ctx context.Context, options clusterOptions) (*cluster, error) {
	c := &cluster{options: options, identities: newIdentities(), processes: map[string]*process{}}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	if err := c.prepare(); err != nil {
		return c, err
	}
	if err := c.processes["etcd"].start(); err != nil {
		return c, err
	}
	if err := c.awaitEtcd(ctx); err != nil {
		return c, err
	}
	if err := c.processes[apiServer].start(); err != nil {
		return c, err
	}
	if err := c.awaitAPIServer(ctx); err != nil {
		return c, err
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "kwok"} {
		if err := c.processes[name].start(); err != nil {
			return c, err
		}
	}
	if err := c.populate(ctx); err != nil {
		return c, errors.Join(err, c.anyDead())
	}
	c.istiod.follow(c.client)
	return c, nil
}

// prepare writes all files and describes all processes, and starts none.
func (c *cluster) prepare() error {
	if err := reservePorts(&c.etcdPort, &c.etcdPeerPort, &c.apiPort, &c.kubeletPort); err != nil {
		return err
	}
	c.direct = fmt.Sprintf("https://%s", address(c.apiPort))
	c.server = c.direct
	for _, folder := range []string{"logs", "home", "etcd"} {
		if err := os.MkdirAll(c.path(folder), 0o700); err != nil {
			return err
		}
	}
	var err error
	if c.certificates, err = newCertificates(c.path("certificates")); err != nil {
		return err
	}
	for name, organization := range map[string]string{apiServer: "", "kubelet": "", "kubelet-client": "system:masters"} {
		if err := c.certificates.issue(name, organization); err != nil {
			return err
		}
	}
	if err := c.certificates.signingKey("service-accounts"); err != nil {
		return err
	}
	if err := c.frontWithProxy(); err != nil {
		return err
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	if c.istiod, err = newIstiodFollower(c); err != nil {
		return err
	}
	if err := c.writeKwokConfig(); err != nil {
		return err
	}
	c.describeProcesses()
	return c.connect()
}

// frontWithProxy puts the version rewriting proxy in front, if asked for.
func (c *cluster) frontWithProxy() error {
	if c.options.reportVersion == "" {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.certificates.caPEM)
	serving, err := tls.LoadX509KeyPair(c.certificates.file(apiServer+".crt"), c.certificates.file(apiServer+".key"))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address(0))
	if err != nil {
		return err
	}
	c.server = "https://" + listener.Addr().String()
	return versionRewritingProxy(listener, c.direct, c.reportedVersion(), pool, serving)
}

// connect makes the supervisor's own clients, past the proxy.
func (c *cluster) connect() error {
	config := &rest.Config{
		Host:            c.direct,
		BearerToken:     c.identities[0].token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.certificates.caPEM},
		QPS:             -1,
		Proxy:           noProxy,
	}
	var err error
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	c.http, err = rest.HTTPClientFor(config)
	return err
}

// awaitEtcd returns once etcd listens: an API server that comes first waits a
// second before it tries again.
func (c *cluster) awaitEtcd(ctx context.Context) error {
	for {
		connection, err := net.Dial("tcp", address(c.etcdPort))
		if err == nil {
			return connection.Close()
		}
		if err := c.anyDead(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for etcd; its log ends: %s", startDeadline, c.processes["etcd"].logTail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// awaitAPIServer returns once /readyz answers ok.
func (c *cluster) awaitAPIServer(ctx context.Context) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.direct+"/readyz", nil)
		if err != nil {
			return err
		}
		if response, err := c.http.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := c.anyDead(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for the API server's /readyz; its log ends: %s",
				startDeadline, c.processes[apiServer].logTail())
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// anyDead names a process that was started and has ended by itself.
func (c *cluster) anyDead() error {
	for name, p := range c.processes {
		if done := p.ended(); done != nil && p.pid() == 0 {
			return fmt.Errorf("%s ended; its log ends: %s", name, p.logTail())
		}
	}
	return nil
}

// stop ends every process; nothing is worth a graceful end, as all data goes too.
func (c *cluster) stop() {
	if c.istiod != nil {
		c.istiod.stop()
	}
	for _, p := range c.processes {
		p.signal(sigkill)
	}
	for _, p := range c.processes {
		p.kill()
	}
}

// reportedVersion is what clients shall see, with its leading v, or empty.
func (c *cluster) reportedVersion() string {
	if c.options.reportVersion == "" {
		return ""
	}
	return "v" + strings.TrimPrefix(c.options.reportVersion, "v")
}

func (c *cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.options.dir}, parts...)...)
}

// environment is what every child gets. It holds no proxy variables: the API
// server would send its calls to webhooks on loopback through them.
func (c *cluster) environment(extra ...string) []string {
	return append([]string{"HOME=" + c.path("home"), "TMPDIR=" + c.path("home"), "PATH=" + os.Getenv("PATH")}, extra...)
}
