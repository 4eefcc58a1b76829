package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// reading is a Config that is being read from text.
type reading struct {
	Config

	files tlsFiles
	// written is what the author has called the fields that text has set, and
	// unwritten what the others would be called.
	written   map[string]string
	unwritten func(s setting) string
}

// tlsFiles say what becomes Config.TLS.
type tlsFiles struct{ ca, cert, key, serverName string }

// take sets what s is about. Its error begins with name, the author's word.
func (r *reading) take(s setting, name, value string) error {
	err := s.set(r, value)
	if err == nil && s.check != nil {
		err = s.check(r.Config)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.written[s.name], r.written[s.field] = name, name
	return nil
}

// within says that what was written so far stands in something that has a name
// of its own.
func (r *reading) within(name string) {
	for field, part := range r.written {
		r.written[field] = part + " in " + name
	}
}

// name is what the author calls a field.
func (r *reading) name(field string) string {
	if name, ok := r.written[field]; ok {
		return name
	}
	for _, s := range settings() {
		if s.field == field {
			return r.unwritten(s)
		}
	}
	return field
}

// finish checks the whole as Open would, in the author's words.
func (r *reading) finish() (Config, error) {
	if err := r.loadTLS(); err != nil {
		return Config{}, err
	}
	if err := r.check(r.name); err != nil {
		return Config{}, err
	}
	if _, err := r.endpoint(r.name); err != nil {
		return Config{}, err
	}
	return r.Config, nil
}

// loadTLS reads the files of TLS. They turn it on.
func (r *reading) loadTLS() error {
	f := r.files
	if f == (tlsFiles{}) {
		return nil
	}
	if name, said := r.written["TLSEnabled"]; said && !r.TLSEnabled {
		return fmt.Errorf("%s: false, but files or a server's name for TLS are given; leave one or the other out", name)
	}
	if (f.cert == "") != (f.key == "") {
		return fmt.Errorf("%s: a certificate needs its key, and a key its certificate; give both files", r.either("tls_cert_file", "tls_key_file"))
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.serverName}
	if f.ca != "" {
		pem, err := readPEM(f.ca)
		if err != nil {
			return fmt.Errorf("%s: %w", r.written["tls_ca_file"], err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s: the file has no certificate in PEM", r.written["tls_ca_file"])
		}
	}
	if f.cert != "" {
		pair, err := r.keyPair()
		if err != nil {
			return err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	r.TLS = cfg
	return nil
}

// either is the author's name for what was written of the two.
func (r *reading) either(a, b string) string { return or(r.written[a], r.written[b]) }

func (r *reading) keyPair() (tls.Certificate, error) {
	cert, err := readPEM(r.files.cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", r.written["tls_cert_file"], err)
	}
	key, err := readPEM(r.files.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", r.written["tls_key_file"], err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("%s and %s: no certificate and its key in PEM: %w",
			r.written["tls_cert_file"], r.written["tls_key_file"], err)
	}
	return pair, nil
}

// maxPEM bounds a file of certificates, in bytes: a bundle of all public
// authorities has a fifth of it.
const maxPEM = 1 << 20

// readPEM reads a file. Its error does not name it: the variable may hold
// something else by mistake, a password for one.
func readPEM(path string) ([]byte, error) {
	file, err := os.Open(path)
	var why *fs.PathError
	if errors.As(err, &why) {
		return nil, fmt.Errorf("open the file: %w", why.Err)
	}
	if err != nil {
		return nil, errors.New("the file cannot be opened")
	}
	defer file.Close() //nolint:errcheck // It was only read.
	pem, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	switch {
	case errors.As(err, &why):
		return nil, fmt.Errorf("read the file: %w", why.Err)
	case err != nil:
		return nil, errors.New("the file cannot be read")
	case len(pem) > maxPEM:
		return nil, fmt.Errorf("the file has more than %d bytes", maxPEM)
	default:
		return pem, nil
	}
}
