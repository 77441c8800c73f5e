package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
)

// versionRewritingProxy stands in front of a real API server and changes one
// thing: the answer to /version. It is how a cluster looks too old or too new
// where building another Kubernetes would cost minutes.
func versionRewritingProxy(listener net.Listener, upstream, version string, ca *x509.CertPool, serving tls.Certificate) error {
	major, minor, err := majorMinor(version)
	if err != nil {
		return err
	}
	target, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if r.In.URL.Path == "/version" {
				// The body is about to be changed, so it must not come compressed.
				r.Out.Header.Del("Accept-Encoding")
			}
		},
		// HTTP/1.1 only: port-forward and exec upgrade their connection.
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: ca, NextProtos: []string{"http/1.1"}},
			MaxIdleConnsPerHost: 100,
			DisableCompression:  true,
		},
		FlushInterval: -1, // watches have to arrive at once
		ModifyResponse: func(response *http.Response) error {
			if response.Request.URL.Path != "/version" || response.StatusCode != http.StatusOK {
				return nil
			}
			return rewriteVersion(response, version, major, minor)
		},
		ErrorLog: log.New(io.Discard, "", 0), // a restarting API server is no news
	}
	server := &http.Server{
		Handler:   proxy,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{serving}, NextProtos: []string{"http/1.1"}},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return nil
}

func rewriteVersion(response *http.Response, version, major, minor string) error {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	var info map[string]any
	if err := json.Unmarshal(body, &info); err != nil {
		return err
	}
	info["gitVersion"], info["major"], info["minor"] = version, major, minor
	// Newer servers add what they emulate; left as they are, these would contradict.
	for key := range info {
		if strings.HasPrefix(key, "emulation") || strings.HasPrefix(key, "minCompatibility") {
			delete(info, key)
		}
	}
	if body, err = json.Marshal(info); err != nil {
		return err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

func majorMinor(version string) (major, minor string, err error) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) != 3 {
		return "", "", fmt.Errorf("--report-version %q is not MAJOR.MINOR.PATCH", version)
	}
	for _, part := range parts[:2] {
		if _, err := strconv.Atoi(part); err != nil {
			return "", "", errors.Join(fmt.Errorf("--report-version %q", version), err)
		}
	}
	return parts[0], parts[1], nil
}
