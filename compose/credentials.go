package compose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// The users of a topology with ACL: each has a password of its own and the
// fewest rights that do.
const (
	adminUser    = "admin"    // this program, to form the topology and to look at it
	clientUser   = "torii"    // the clients that are measured
	replicaUser  = "replica"  // replicas at their primary
	sentinelUser = "sentinel" // sentinels at the servers, and at each other
)

// The files of a server with TLS, beside its data.
const (
	authorityFile   = "ca.crt"
	certificateFile = "server.crt"
	keyFile         = "server.key"
)

// certificateLife is how long the certificates hold: no run is as long.
const certificateLife = 30 * 24 * time.Hour

// credentials are the secrets of one topology, made for it and gone with it. The
// zero value is that of a topology without any.
type credentials struct {
	// passwords by user; nil without ACL.
	passwords map[string]string
	// files are those that each server has, by name; nil without TLS.
	files map[string][]byte
	// tls is how clients connect; nil without TLS.
	tls *tls.Config
}

// newCredentials makes what a shape needs.
func newCredentials(s Shape) (credentials, error) {
	var c credentials
	if s.ACL {
		c.passwords = map[string]string{}
		for _, user := range []string{adminUser, clientUser, replicaUser, sentinelUser} {
			c.passwords[user] = rand.Text()
		}
	}
	if !s.TLS {
		return c, nil
	}
	err := c.certify(s.MutualTLS)
	return c, err
}

// certify makes an authority and what it signs: the servers' certificate, and
// one for clients.
func (c *credentials) certify(mutual bool) error {
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	server, err := authority.sign("toriibench server")
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority.certificate)
	c.files = map[string][]byte{authorityFile: authority.pem, certificateFile: server.certificate, keyFile: server.key}
	// Servers are reached on this machine, whatever address they tell of.
	c.tls = &tls.Config{RootCAs: pool, ServerName: localHost, MinVersion: tls.VersionTLS12}
	if !mutual {
		return nil
	}
	client, err := authority.sign("toriibench client")
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(client.certificate, client.key)
	if err != nil {
		return fmt.Errorf("use client certificate: %w", err)
	}
	c.tls.Certificates = []tls.Certificate{pair}
	return nil
}

// authority signs the certificates of one topology.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// signed is a certificate and its key, both as PEM.
type signed struct{ certificate, key []byte }

// template is what all certificates have.
func template(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{programName}},
		NotBefore:    now.Add(-time.Hour), // Clocks of virtual machines differ.
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t, err2 := template("toriibench authority")
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage |= x509.KeyUsageCertSign
	raw, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	return &authority{certificate: certificate, key: key, pem: pemOf("CERTIFICATE", raw)}, nil
}

// sign makes a certificate for both ends of a connection on this machine:
// servers are clients of each other.
func (a *authority) sign(name string) (signed, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t, err2 := template(name)
	if err := errors.Join(err, err2); err != nil {
		return signed{}, fmt.Errorf("make the certificate of %s: %w", name, err)
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	t.DNSNames = []string{"localhost"}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	raw, err := x509.CreateCertificate(rand.Reader, t, a.certificate, key.Public(), a.key)
	if err != nil {
		return signed{}, fmt.Errorf("sign the certificate of %s: %w", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return signed{}, fmt.Errorf("write the key of %s: %w", name, err)
	}
	return signed{certificate: pemOf("CERTIFICATE", raw), key: pemOf("PRIVATE KEY", private)}, nil
}

func pemOf(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}
