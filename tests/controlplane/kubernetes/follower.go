package main

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// istiodRole is one thing istiod listens for: the port its pods have, and the
// flag that moves it to loopback.
type istiodRole struct {
	name string
	port int
	flag string
}

var istiodRoles = []istiodRole{
	{"webhooks", 15017, "httpsAddr"},
	{"monitoring", 15014, "monitoringAddr"},
	{"http", 8080, "httpAddr"},
	{"grpc", 15010, "grpcAddr"},
	{"secureGrpc", 15012, "secureGRPCAddr"},
}

// istiodFollower keeps the real istiod that the cluster's istiod Deployment asks
// for running behind fixed ports, through every rollout.
type istiodFollower struct {
	cluster  *cluster
	client   *kubernetes.Clientset
	forwards map[string]forward
	wake     chan struct{}
	cancel   context.CancelFunc
	finished chan struct{}
	launched int

	mu      sync.Mutex
	current *istiod
	held    bool
	failure error
}

// newIstiodFollower opens the fixed ports; they refuse until an istiod serves.
func newIstiodFollower(c *cluster) (*istiodFollower, error) {
	f := &istiodFollower{cluster: c, forwards: map[string]forward{}, wake: make(chan struct{}, 1)}
	for _, role := range istiodRoles {
		open := newTCPForward
		if role.name == "monitoring" {
			open = newMonitoringForward
		}
		opened, err := open()
		if err != nil {
			return nil, err
		}
		f.forwards[role.name] = opened
	}
	return f, nil
}

func (f *istiodFollower) port(role istiodRole) int { return f.forwards[role.name].port() }

// follow starts watching. Any event leads to one look at the whole picture.
func (f *istiodFollower) follow(client *kubernetes.Clientset) {
	f.client = client
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.finished = cancel, make(chan struct{})
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "app=istiod" }))
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { f.look() },
		UpdateFunc: func(any, any) { f.look() },
		DeleteFunc: func(any) { f.look() },
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Apps().V1().Deployments().Informer(), factory.Core().V1().Pods().Informer(),
	} {
		// The only errors are a stopped informer or a second start; neither can be here.
		_, _ = informer.AddEventHandler(handler)
	}
	factory.Start(ctx.Done())
	go f.run(ctx)
}

func (f *istiodFollower) look() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *istiodFollower) run(ctx context.Context) {
	defer close(f.finished)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		err := f.reconcile(ctx)
		f.mu.Lock()
		f.failure = err
		f.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			klog.Errorf("istiod: %v", err)
			// The API server may just be restarting, and then no event comes.
			time.AfterFunc(200*time.Millisecond, f.look)
		}
	}
}

// reconcile makes the running process the wanted one. The old one serves until
// the new one is ready.
func (f *istiodFollower) reconcile(ctx context.Context) error {
	wanted, err := wantedIstiod(ctx, f.client)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old, held := f.current, f.held
	f.mu.Unlock()
	if held {
		wanted = nil
	}
	if wanted == nil {
		f.serve(nil)
		retire(old)
		return nil
	}
	if old != nil && old.key == wanted.key() && old.pid() != 0 {
		return nil
	}
	started, err := f.launch(ctx, wanted)
	if err != nil {
		return err
	}
	f.serve(started)
	retire(old)
	// An istiod that dies is started again, as a kubelet would.
	go func() {
		<-started.ended()
		f.look()
	}()
	return nil
}

// serve leads the fixed ports to the given istiod, or to nowhere.
func (f *istiodFollower) serve(next *istiod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = next
	for name, forward := range f.forwards {
		if next == nil {
			forward.lead("", "")
			continue
		}
		forward.lead(address(next.ports[name]), next.tag)
	}
}

// retire lets an istiod give its leader elections back before it goes, without
// which the next one would wait for the leases to run out.
func retire(old *istiod) {
	if old != nil {
		old.terminate(5 * time.Second)
	}
}

func (f *istiodFollower) running() (string, *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		return "", nil
	}
	return f.current.tag, f.current.process
}

// command carries out a command about istiod: stop holds it down whatever the
// cluster asks for, start lets it follow again.
func (f *istiodFollower) command(verb string) (map[string]any, error) {
	f.mu.Lock()
	current, failure := f.current, f.failure
	switch verb {
	case "stop":
		f.held = true
	case "start":
		f.held = false
	}
	f.mu.Unlock()
	switch verb {
	case "stop", "start":
		f.look()
	case "restart":
		if current != nil {
			current.kill()
		}
	case "pause", "resume":
		if current != nil {
			current.signal(map[string]syscall.Signal{"pause": syscall.SIGSTOP, "resume": syscall.SIGCONT}[verb])
		}
	case "show":
	default:
		return nil, fmt.Errorf("no command %q", verb)
	}
	shown := map[string]any{"istiodVersion": ""}
	if current != nil {
		shown["istiodVersion"] = current.tag
	}
	return shown, failure
}

func (f *istiodFollower) stop() {
	if f.cancel == nil {
		return
	}
	f.cancel()
	<-f.finished
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		f.current.kill()
	}
}
