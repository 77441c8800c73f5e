package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one child of the supervisor, which can be stopped and started again
// with the same arguments.
type process struct {
	name string
	path string
	args []string
	env  []string
	dir  string
	log  string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// startRequests feeds the one thread that starts children. A parent-death signal
// is sent when the thread that forked ends, not the process, so that thread has
// to live exactly as long as the supervisor.
var startRequests = make(chan startRequest)

type startRequest struct {
	cmd    *exec.Cmd
	result chan error
}

func startChildrenFromOneThread() {
	go func() {
		runtime.LockOSThread()
		for request := range startRequests {
			request.result <- request.cmd.Start()
		}
	}()
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	// The multi-call binary is started under its own path; argv[0] picks the program.
	cmd.Args[0] = p.name
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, p.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	request := startRequest{cmd, make(chan error, 1)}
	startRequests <- request
	if err := <-request.result; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(done)
	}()
	return nil
}

// running is to be called with the lock held.
func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends a signal to a running process and does nothing to an ended one.
func (p *process) signal(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		_ = p.cmd.Process.Signal(signal)
	}
}

// ended is closed once the process is gone; it is nil if it was never started.
func (p *process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// kill ends the process as a crash would, and returns when it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	if done := p.ended(); done != nil {
		<-done
	}
}

// terminate lets the process end by itself, for as long as grace.
func (p *process) terminate(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	if done := p.ended(); done != nil {
		select {
		case <-done:
		case <-time.After(grace):
		}
	}
	p.kill()
}

// logTail gives the end of the process' log, for an error message.
func (p *process) logTail() string {
	const most = 2000
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(content) > most {
		content = content[len(content)-most:]
	}
	return strings.TrimSpace(string(content))
}

// residentMiB is the process' resident memory, 0 if it does not run.
func (p *process) residentMiB() int {
	pid := p.pid()
	if pid == 0 {
		return 0
	}
	content, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "statm"))
	if err != nil {
		return 0
	}
	var total, resident int
	if _, err := fmt.Sscan(string(content), &total, &resident); err != nil {
		return 0
	}
	return resident * os.Getpagesize() >> 20
}
