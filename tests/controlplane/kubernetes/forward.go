package main

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// forward is a fixed loopback port that leads to whichever istiod serves now.
type forward interface {
	port() int
	// lead sends new connections to an address from now on; an empty one refuses
	// them. tag is the image tag that the istiod there stands for.
	lead(to, tag string)
}

type destination struct{ address, tag string }

type tcpForward struct {
	listener net.Listener
	to       atomic.Pointer[destination]
}

func newTCPForward() (forward, error) {
	listener, err := net.Listen("tcp", address(0))
	if err != nil {
		return nil, err
	}
	f := &tcpForward{listener: listener}
	f.lead("", "")
	go f.accept()
	return f, nil
}

func (f *tcpForward) port() int { return portOf(f.listener) }

func (f *tcpForward) lead(to, tag string) { f.to.Store(&destination{to, tag}) }

func (f *tcpForward) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		go f.connect(client)
	}
}

func (f *tcpForward) connect(client net.Conn) {
	defer client.Close()
	to := f.to.Load().address
	if to == "" {
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // either side may hang up at any time
		done <- struct{}{}
	}
	go pipe(server, client)
	go pipe(client, server)
	<-done
}

// monitoringForward is an HTTP proxy, because the version that istiod reports has
// to be that of its image: one program stands in for several versions and flavors.
type monitoringForward struct {
	listener net.Listener
	to       atomic.Pointer[destination]
}

func newMonitoringForward() (forward, error) {
	listener, err := net.Listen("tcp", address(0))
	if err != nil {
		return nil, err
	}
	f := &monitoringForward{listener: listener}
	f.lead("", "")
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: f.to.Load().address})
			r.Out.Header.Del("Accept-Encoding")
		},
		Transport:      &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		ModifyResponse: f.rewriteVersion,
		// A pod that does not listen hangs up; it sends no 502.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	server := &http.Server{Handler: proxy, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(listener) }()
	return f, nil
}

func (f *monitoringForward) port() int { return portOf(f.listener) }

func (f *monitoringForward) lead(to, tag string) { f.to.Store(&destination{to, tag}) }

// rewriteVersion puts the image's tag in the place of the version in
// VERSION-REVISION-STATUS.
func (f *monitoringForward) rewriteVersion(response *http.Response) error {
	if response.Request.URL.Path != "/version" {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if _, rest, found := strings.Cut(string(body), "-"); found {
		version := f.to.Load().tag
		// A variant of the image is not part of the version.
		for _, variant := range []string{"-distroless", "-debug"} {
			version = strings.TrimSuffix(version, variant)
		}
		body = []byte(version + "-" + rest)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

func portOf(listener net.Listener) int {
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}
