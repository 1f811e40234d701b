# SPDX-License-Identifier: Apache-2.0
"""What configure asks for is what the packages ask for, and what install-deps installs."""

import os
import pathlib
import re

import pytest

ROOT = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
# Debian's package of each module of pkg-config.
DEBIAN = {
    "cmocka": "libcmocka-dev", "inih": "libinih-dev", "jansson": "libjansson-dev", "libcares": "libc-ares-dev",
    "libcurl": "libcurl4-openssl-dev", "libpcre2-8": "libpcre2-dev", "libuv": "libuv1-dev", "openssl": "libssl-dev",
    "sqlite3": "libsqlite3-dev", "zlib": "zlib1g-dev",
}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def asked_by_configure():
    found = re.findall(r"^PKG_CHECK_MODULES\(\[\w+\], \[(\S+) >= ([\d.]+)\]", read("configure.ac"), re.MULTILINE)
    assert len(found) >= 9
    return found


@pytest.mark.parametrize("module, version", asked_by_configure())
def test_a_library_is_asked_for_alike_everywhere(module, version):
    spec = dict(re.findall(r"^BuildRequires: +pkgconfig\((\S+)\) >= (\S+)$", read("packaging/rpm/lattice-probe.spec.in"), re.MULTILINE))
    assert spec[module] == version
    control = dict(re.findall(r"^ (\S+) \(>= (?:1:)?([\d.]+)\)", read("packaging/debian/control"), re.MULTILINE))
    assert control[DEBIAN[module]] == version
    assert re.search(rf"[ (]{DEBIAN[module]}\b", read("packaging/install-deps"))


def test_the_version_stands_in_one_place():
    version = re.search(r"^AC_INIT\(\[lattice-probe\], \[([\d.]+)\]\)", read("configure.ac"), re.MULTILINE).group(1)
    for path in ("packaging/debian/changelog.in", "packaging/rpm/lattice-probe.spec.in"):
        assert "@VERSION@" in read(path)
        assert version not in read(path)
