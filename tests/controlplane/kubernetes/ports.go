package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

const (
	loopback = "127.0.0.1"
	// The range lies below the ephemeral ports (32768 and up), so that no outgoing
	// connection takes the API server's port while it is being restarted.
	firstPort, lastPort = 20000, 32000
)

var (
	reservedMu sync.Mutex
	reserved   []net.Listener
)

// reservePort picks a free loopback port for a child. The reservation is an
// abstract socket named after the port: it holds against every other supervisor
// on this machine, and the kernel drops it when this one ends in whatever way.
func reservePort() (int, error) {
	for range 500 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		claim, err := net.Listen("unix", fmt.Sprintf("@mesh-upgrade-controlplane-%d", port))
		if err != nil {
			continue
		}
		probe, err := net.Listen("tcp", address(port))
		if err != nil {
			_ = claim.Close()
			continue
		}
		_ = probe.Close()
		reservedMu.Lock()
		reserved = append(reserved, claim)
		reservedMu.Unlock()
		return port, nil
	}
	return 0, errors.New("no free loopback port found")
}

// reservePorts fills every given place with a port of its own.
func reservePorts(places ...*int) error {
	for _, place := range places {
		port, err := reservePort()
		if err != nil {
			return err
		}
		*place = port
	}
	return nil
}

func address(port int) string { return fmt.Sprintf("%s:%d", loopback, port) }
