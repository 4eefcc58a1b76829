#!/bin/sh
# Makes the signed archive that the tests of this package read. It is checked in
# as made, with throw-away keys of which only the public halves are kept; run it
# again only to change its contents. Needs gpg and dpkg-deb.
set -eu
cd "$(dirname "$0")"
rm -rf archive keys
mkdir -p archive/pool keys
work=$(mktemp -d)
trap 'gpgconf --homedir "$work/gnupg" --kill all; rm -rf "$work"' EXIT
mkdir -m 700 "$work/gnupg"
export GNUPGHOME="$work/gnupg"
for key in old new; do
	gpg --batch --quiet --passphrase '' --quick-generate-key "$key key of a test archive" ed25519 sign never
	gpg --batch --quiet --export "$key key" >"keys/$key.gpg"
done

# package NAME VERSION SECTION DEPENDS puts a package into the pool; its files
# are those of $work/tree.
package() {
	mkdir -p "$work/tree/DEBIAN"
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nSection: %s\nMaintainer: Test <test@example.org>\nDescription: test\n' \
		"$1" "$2" "$3" >"$work/tree/DEBIAN/control"
	[ -z "$4" ] || printf 'Depends: %s\n' "$4" >>"$work/tree/DEBIAN/control"
	file="pool/$1.deb"
	dpkg-deb --root-owner-group -Zgzip -b "$work/tree" "archive/$file" >/dev/null
	{
		cat "$work/tree/DEBIAN/control"
		printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "archive/$file")" "$(sha256sum <"archive/$file" | cut -d' ' -f1)"
	} >>"$work/Packages"
	rm -rf "$work/tree"
}
mkdir -p "$work/tree/usr/share/keyrings"
cat keys/old.gpg keys/new.gpg >"$work/tree/usr/share/keyrings/debian-archive-keyring.gpg"
package debian-archive-keyring 2 misc ''
package redis-server 5:1.2.3-1 database 'redis-tools (= 5:1.2.3-1), adduser, init-system-helpers (>= 1.54~)'
package redis-tools 5:1.2.3-1 database 'liba1 (>= 1), missing | adduser'
package liba1 1-1 libs 'zlibb:any (>= 1)'
package zlibb 1-1 libs 'liba1'
package adduser 1 admin 'libtoomuch1'
package libtoomuch1 1 libs ''

# suite NAME KEY FIELD… signs a suite with all the packages.
suite() {
	dir="archive/dists/$1"
	mkdir -p "$dir/main/binary-amd64"
	cp "$work/Packages" "$dir/main/binary-amd64/Packages"
	{
		printf 'Origin: Test\nSuite: %s\nCodename: %s\nDate: Sat, 01 Jan 2022 00:00:00 UTC\n' "$1" "$1"
		printf 'Architectures: amd64\nComponents: main\n'
		[ -z "${3-}" ] || printf '%s\n' "$3"
		printf 'SHA256:\n %s %s main/binary-amd64/Packages\n' "$(sha256sum <"$work/Packages" | cut -d' ' -f1)" "$(stat -c %s "$work/Packages")"
	} >"$work/Release"
	gpg --batch --quiet --local-user "$2 key" --clearsign --output "$dir/InRelease" "$work/Release"
}
suite good old 'Valid-Until: Tue, 01 Jan 2222 00:00:00 UTC'
suite stale old 'Valid-Until: Sat, 08 Jan 2022 00:00:00 UTC'
suite next new
suite tampered old
sed -i 's/^Origin: Test/Origin: Evil/' archive/dists/tampered/InRelease
suite exchanged old
sed -i 's/^Version: 5:1.2.3-1/Version: 5:1.2.4-1/' archive/dists/exchanged/main/binary-amd64/Packages
mkdir -p archive/dists/unsigned
cp -r archive/dists/good/main archive/dists/unsigned/
cp "$work/Release" archive/dists/unsigned/Release
