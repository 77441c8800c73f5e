// A validating webhook as one writes it with controller-runtime, with the guard's rules on the freeze and on the
// versions of istiod: what this project's webhook is measured beside. It is no part of the product.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func main() {
	port := flag.Int("port", 9443, "port of reviews, on loopback")
	certificates := flag.String("tls-dir", "", "folder with tls.crt and tls.key")
	frozen := flag.Bool("frozen", false, "whether the mesh is frozen")
	flag.Parse()
	if err := serve(*port, *certificates, *frozen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(port int, certificates string, frozen bool) error {
	// Errors only, as cheap as logging gets.
	log.SetLogger(zap.New(zap.UseDevMode(false)))
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, CertDir: certificates})
	guard := &guard{decoder: admission.NewDecoder(scheme)}
	if frozen {
		guard.freezes = []freeze{theFreeze}
	}
	server.Register("/validate", &webhook.Admission{Handler: guard})
	server.WebhookMux().HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	return server.Start(ctrl.SetupSignalHandler())
}
