package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificates makes everything a cluster signs with. The keys are elliptic: an
// RSA key would cost a noticeable part of the start.
type certificates struct {
	dir   string
	ca    *x509.Certificate
	key   crypto.Signer
	caPEM []byte
}

func newCertificates(dir string) (*certificates, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := certificateTemplate("kubernetes")
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	c := &certificates{dir: dir, ca: ca, key: key, caPEM: pemOf("CERTIFICATE", der)}
	if err := os.WriteFile(c.file("ca.crt"), c.caPEM, 0o600); err != nil {
		return nil, err
	}
	return c, c.writeKey("ca.key", key)
}

func (c *certificates) file(name string) string { return filepath.Join(c.dir, name) }

// issue writes NAME.crt and NAME.key, good for serving on loopback and for a client.
func (c *certificates) issue(name, organization string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := certificateTemplate(name)
	if err != nil {
		return err
	}
	if organization != "" {
		template.Subject.Organization = []string{organization}
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	template.IPAddresses = []net.IP{net.ParseIP(loopback), net.ParseIP("10.96.0.1")}
	der, err := x509.CreateCertificate(rand.Reader, template, c.ca, key.Public(), c.key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file(name+".crt"), pemOf("CERTIFICATE", der), 0o600); err != nil {
		return err
	}
	return c.writeKey(name+".key", key)
}

// signingKey writes NAME.key and NAME.pub, for service account tokens.
func (c *certificates) signingKey(name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file(name+".pub"), pemOf("PUBLIC KEY", der), 0o600); err != nil {
		return err
	}
	return c.writeKey(name+".key", key)
}

func (c *certificates) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(c.file(name), pemOf("EC PRIVATE KEY", der), 0o600)
}

func certificateTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(7 * 24 * time.Hour),
	}, nil
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
