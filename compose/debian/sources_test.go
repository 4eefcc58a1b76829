package debian

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listText has what one-line source files have.
const listText = `# a comment
deb [arch=amd64 signed-by=/a.gpg,/b.gpg] http://one.invalid/debian bookworm main contrib # more
deb	http://two.invalid/debian	bookworm-updates	main
deb [ trusted=yes ] http://three.invalid/debian trixie main
deb-src http://one.invalid/debian bookworm main
#deb http://off.invalid/debian bookworm main
deb [arch=amd64 http://broken.invalid bookworm main
deb http://short.invalid
debug http://no.invalid a b
deb http://flat.invalid/ ./
`

// sourcesText has what deb822 source files have.
const sourcesText = `Types: deb deb-src
# a comment between
URIs: http://one.invalid/debian http://two.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/a.gpg

Types: deb
URIs: http://off.invalid
Suites: bookworm
Components: main
Enabled: no


types: deb
uris: http://inline.invalid
suites: trixie
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb-src
URIs: http://source.invalid
Suites: bookworm
Components: main
`

func TestParseList(t *testing.T) {
	got, err := parseList(strings.NewReader(listText))
	if err != nil {
		t.Fatal(err)
	}
	want := []source{
		{[]string{"http://one.invalid/debian"}, []string{"bookworm"}, []string{"main", "contrib"}, "/a.gpg /b.gpg"},
		{[]string{"http://two.invalid/debian"}, []string{"bookworm-updates"}, []string{"main"}, ""},
		{[]string{"http://three.invalid/debian"}, []string{"trixie"}, []string{"main"}, ""},
		{[]string{"http://flat.invalid/"}, []string{"./"}, []string{}, ""},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(source{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseDeb822(t *testing.T) {
	got, err := parseDeb822(strings.NewReader(sourcesText))
	if err != nil {
		t.Fatal(err)
	}
	want := []source{
		{
			[]string{"http://one.invalid/debian", "http://two.invalid/debian"},
			[]string{"bookworm", "bookworm-updates"},
			[]string{"main"},
			"/usr/share/keyrings/a.gpg",
		},
		{
			[]string{"http://inline.invalid"},
			[]string{"trixie"},
			[]string{"main"},
			"\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abcd\n -----END PGP PUBLIC KEY BLOCK-----",
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(source{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseSources(f *testing.F) {
	f.Add(listText)
	f.Add(sourcesText)
	f.Fuzz(func(t *testing.T, text string) {
		sources, err := parseList(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range sources {
			if len(s.uris) != 1 || len(s.suites) != 1 || s.uris[0] == "" || strings.ContainsAny(s.uris[0]+s.suites[0]+s.signedBy, "\n\r") {
				t.Errorf("%q gives %+v", text, s)
			}
		}
		if paragraphs, err := parseParagraphs(strings.NewReader(text)); err == nil {
			for _, p := range paragraphs {
				for key := range p {
					if key != strings.ToLower(key) || strings.ContainsAny(key, ":\n") {
						t.Errorf("%q gives the field %q", text, key)
					}
				}
			}
		}
	})
}

func TestReadSourcesOfBothFormats(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"sources.list": listText, "parts/a.sources": sourcesText, "parts/b.list": "deb http://part.invalid forky main\n",
		"parts/c.list.disabled": "deb http://disabled.invalid bookworm main\n",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := readSources(filepath.Join(dir, "sources.list"), filepath.Join(dir, "parts"))
	if err != nil || len(sources) != 7 {
		t.Fatalf("got %d sources, %v", len(sources), err)
	}
	if sources, err := readSources(filepath.Join(dir, "none"), filepath.Join(dir, "none")); err != nil || len(sources) > 0 {
		t.Errorf("of nothing: %v, %v", sources, err)
	}
}

func TestMainArchive(t *testing.T) {
	security := source{uris: []string{"http://security.invalid"}, suites: []string{"bookworm-security"}, components: []string{"main"}}
	stable := source{uris: []string{"http://stable.invalid"}, suites: []string{"stable"}, components: []string{"main"}}
	named := source{
		uris: []string{"cdrom:[disc]/", "http://named.invalid"}, suites: []string{"bookworm", "bookworm-updates"},
		components: []string{"main"}, signedBy: "/key.gpg",
	}
	contrib := source{uris: []string{"http://contrib.invalid"}, suites: []string{"bookworm"}, components: []string{"contrib"}}
	tests := []struct {
		name    string
		sources []source
		want    string
	}{
		{"the one that names the release", []source{security, contrib, stable, named}, "http://named.invalid"},
		{"or its role", []source{security, stable}, "http://stable.invalid"},
		{"but no other", []source{security, contrib}, ""},
	}
	m := machine{distribution: "debian", codename: "bookworm"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := m.mainArchive(tt.sources)
			if (err == nil) != (tt.want != "") || strings.Join(got.uris, " ") != tt.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestIdentifyRelease(t *testing.T) {
	tests := []struct{ name, text, distribution, codename string }{
		{"debian", "ID=debian\nVERSION_CODENAME=bookworm\n", "debian", "bookworm"},
		{"ubuntu", "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n", "ubuntu", "noble"},
		{
			"made from ubuntu",
			"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n", "ubuntu", "noble",
		},
		{"made from debian", "ID='lmde'\nID_LIKE='debian'\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n", "debian", "bookworm"},
		{"something else", "PRETTY_NAME=\"Alpine Linux v3.20\"\nID=alpine\n", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			release, err := parseAssignments(strings.NewReader("# comment\n" + tt.text))
			if err != nil {
				t.Fatal(err)
			}
			m, err := identifyRelease(release)
			if m.distribution != tt.distribution || m.codename != tt.codename || errors.Is(err, ErrNoApt) != (tt.distribution == "") {
				t.Errorf("got %+v, %v", m, err)
			}
		})
	}
}
