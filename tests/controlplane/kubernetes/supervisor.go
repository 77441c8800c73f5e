package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// supervise runs one cluster for as long as its standard input stays open. The
// kernel closes that pipe when the test process ends in whatever way, so even a
// killed test leaves nothing running and no folder behind.
func supervise() {
	options, err := parseClusterOptions(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane cluster:", err)
		os.Exit(64)
	}
	// It must not die of a reader that is gone before it has cleaned up.
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	lines := make(chan string)
	go func() {
		defer cancel()
		scanner := bufio.NewScanner(os.Stdin)
		for scanner.Scan() {
			select {
			case lines <- strings.TrimSpace(scanner.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	startChildrenFromOneThread()
	code := runCluster(ctx, options, lines)
	if err := os.RemoveAll(options.dir); err != nil {
		fmt.Fprintln(os.Stderr, "controlplane cluster:", err)
		code = 1
	}
	os.Exit(code)
}

func runCluster(ctx context.Context, options clusterOptions, lines <-chan string) int {
	began := time.Now()
	if err := logToFile(options.dir); err != nil {
		answer(map[string]any{"ok": false, "error": err.Error()})
		return 1
	}
	c, err := startCluster(ctx, options)
	defer c.stop()
	if err != nil {
		answer(map[string]any{"ok": false, "error": err.Error()})
		return 1
	}
	answer(c.description(time.Since(began)))
	for {
		select {
		case <-ctx.Done():
			return 0
		case line := <-lines:
			began := time.Now()
			result, err := c.command(ctx, line)
			if result == nil {
				result = map[string]any{}
			}
			result["command"], result["ok"], result["seconds"] = line, err == nil, time.Since(began).Seconds()
			if err != nil {
				result["error"] = err.Error()
			}
			answer(result)
		}
	}
}

// logToFile keeps what the client libraries say out of the tests' output: a watch
// that ends because a test stopped the API server is no news.
func logToFile(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, "logs", "supervisor.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	klog.LogToStderr(false)
	klog.SetOutput(log)
	return nil
}

// description is the line that says the cluster is ready.
func (c *cluster) description(took time.Duration) map[string]any {
	kubeconfigs := map[string]string{}
	for _, one := range c.identities {
		if one.person {
			kubeconfigs[one.name] = c.kubeconfig(one.name)
		}
	}
	ports := map[string]int{}
	for _, role := range istiodRoles {
		ports[role.name] = c.istiod.port(role)
	}
	return map[string]any{
		"ok": true, "name": c.options.name, "server": c.server, "seconds": took.Seconds(),
		"kubeconfigs": kubeconfigs, "istiod": ports, "auditLog": c.path("audit.log"), "logs": c.path("logs"),
	}
}

// command carries out one line of standard input.
func (c *cluster) command(ctx context.Context, line string) (map[string]any, error) {
	verb, name, _ := strings.Cut(line, " ")
	if verb == "status" {
		return c.status(), nil
	}
	if name == "istiod" {
		return c.istiod.command(verb)
	}
	p, ok := c.processes[name]
	if !ok {
		return nil, fmt.Errorf("no process %q", name)
	}
	switch verb {
	case "stop":
		// A crash, which is the harder case for everybody else.
		p.kill()
		return nil, nil
	case "pause":
		p.signal(syscall.SIGSTOP)
		return nil, nil
	case "resume":
		p.signal(syscall.SIGCONT)
		return nil, nil
	case "restart":
		p.kill()
	case "start":
	default:
		return nil, fmt.Errorf("no command %q", verb)
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	return nil, c.awaitAPIServer(ctx)
}

// status tells what runs and how much memory it takes.
func (c *cluster) status() map[string]any {
	pids, memory := map[string]int{"supervisor": os.Getpid()}, map[string]int{}
	for name, p := range c.processes {
		pids[name], memory[name] = p.pid(), p.residentMiB()
	}
	version, process := c.istiod.running()
	if process != nil {
		pids["istiod"], memory["istiod"] = process.pid(), process.residentMiB()
	}
	return map[string]any{"pids": pids, "residentMiB": memory, "istiodVersion": version}
}

func answer(value map[string]any) {
	// A reader that is gone closes standard input too, which ends everything.
	_ = json.NewEncoder(os.Stdout).Encode(value)
}

func parseClusterOptions(args []string) (clusterOptions, error) {
	var o clusterOptions
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.StringVar(&o.name, "name", "test", "name of the cluster and of the context in its kubeconfigs")
	flags.StringVar(&o.dir, "dir", "", "folder for everything; it must be empty or absent, and is removed at the end")
	flags.IntVar(&o.nodes, "nodes", 1, "how many nodes")
	flags.StringVar(&o.reportVersion, "report-version", "", "Kubernetes version that /version shall tell, e.g. 1.31.5")
	flags.StringVar(&o.bin, "bin", "", "folder with the programs; the one this program lies in, if not given")
	flags.StringVar(&o.kwokConfig, "kwok-stages", "", "kwok's stages; kwok-stages.yaml beside the programs, if not given")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.reportVersion != "" {
		if _, _, err := majorMinor(o.reportVersion); err != nil {
			return o, err
		}
	}
	if o.bin == "" {
		executable, err := os.Executable()
		if err != nil {
			return o, err
		}
		o.bin = filepath.Dir(executable)
	}
	if o.kwokConfig == "" {
		o.kwokConfig = filepath.Join(o.bin, "kwok-stages.yaml")
	}
	return o, checkDir(&o)
}

// checkDir refuses a folder with something in it, because the folder is removed
// at the end.
func checkDir(o *clusterOptions) error {
	if o.dir == "" {
		return errors.New("--dir is required")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty", dir)
	}
	return err
}
