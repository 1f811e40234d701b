#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small certificate authority made with the openssl command; EC keys, so it is quick.

standard(directory) makes one certificate of each KIND. As a program: certs.py DIR [NAME...] puts
ca.pem, KIND.pem and KIND.key into DIR; the names go into every certificate but wrong_name.
"""

import atexit
import datetime
import functools
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Which names a certificate answers for when the test does not say.
NAMES = ("localhost", "probe.test", "*.probe.test", "127.0.0.1", "::1",
         "*.7d67968.vpc-lattice-svcs.us-east-1.on.aws")
WRONG_NAMES = ("somebody-else.example",)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)

CONFIG = """[ca]
default_ca = here
[here]
dir = {directory}
database = $dir/index
new_certs_dir = $dir
rand_serial = yes
unique_subject = no
policy = any
default_md = sha256
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = nothing
prompt = no
[nothing]
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {done.stderr}")


def alternative_names(names):
    return ",".join(("IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:") + name
                    for name in names)


def stamp(instant):
    return instant.strftime("%Y%m%d%H%M%SZ")


class Certificate:
    """Paths of a certificate chain and its key."""

    def __init__(self, directory, stem):
        self.chain = pathlib.Path(directory, f"{stem}.pem")
        self.key = pathlib.Path(directory, f"{stem}.key")


class Authority:
    """A CA in a directory of its own; `ca` is the path of the certificate to trust."""

    def __init__(self, directory, name="Lab CA"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca = self.directory / "ca.pem"
        self.config = self.directory / "ca.cnf"
        self.config.write_text(CONFIG.format(directory=self.directory), encoding="utf-8")
        (self.directory / "index").touch()
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-config", self.config, "-subj", f"/CN={name}", "-days", "3650",
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", self.directory / "ca.key", "-out", self.ca)

    def leaf(self, stem, names=NAMES, not_before=None, not_after=None):
        """Signs a certificate for names, valid from yesterday for 90 days unless said otherwise."""
        now = datetime.datetime.now(datetime.timezone.utc)
        made = Certificate(self.directory, stem)
        request = self.directory / f"{stem}.csr"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-config", self.config, "-subj", f"/CN={stem}",
                "-addext", f"subjectAltName={alternative_names(names)}",
                "-keyout", made.key, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", request,
                "-cert", self.ca, "-keyfile", self.directory / "ca.key", "-out", made.chain,
                "-startdate", stamp(not_before or now - DAY), "-enddate", stamp(not_after or now + 90 * DAY))
        return made


def self_signed(directory, stem, names=NAMES):
    made = Certificate(directory, stem)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={stem}", "-days", "90", "-addext", f"subjectAltName={alternative_names(names)}",
            "-keyout", made.key, "-out", made.chain)
    return made


class Standard:
    """One certificate of each kind; certs["expired"].chain, certs.ca."""

    KINDS = ("valid", "expired", "not_yet_valid", "ten_days", "wrong_name", "self_signed", "untrusted")

    def __init__(self, directory, names=NAMES):
        now = datetime.datetime.now(datetime.timezone.utc)
        directory = pathlib.Path(directory)
        self.authority = Authority(directory)
        self.ca = self.authority.ca
        leaf = self.authority.leaf
        self.kinds = {
            "valid": leaf("valid", names),
            "expired": leaf("expired", names, now - 40 * DAY, now - 3 * DAY - HOUR),
            "not_yet_valid": leaf("not_yet_valid", names, now + 5 * DAY, now + 90 * DAY),
            "ten_days": leaf("ten_days", names, now - 80 * DAY, now + 10 * DAY + HOUR),
            "wrong_name": leaf("wrong_name", WRONG_NAMES),
            "self_signed": self_signed(directory, "self_signed", names),
            "untrusted": Authority(directory / "other", "Another CA").leaf("untrusted", names),
        }

    def __getitem__(self, kind):
        return self.kinds[kind]


def standard(directory, names=NAMES):
    return Standard(directory, names)


def existing(directory):
    """What an earlier standard(directory) left, as {kind: Certificate}."""
    places = {"untrusted": pathlib.Path(directory, "other")}
    return {kind: Certificate(places.get(kind, directory), kind) for kind in Standard.KINDS}


@functools.lru_cache(maxsize=1)
def cached():
    """The standard certificates of this test run, made once, removed at exit."""
    directory = tempfile.mkdtemp(prefix="lattice-probe-certs-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return standard(directory)


if __name__ == "__main__":
    standard(sys.argv[1], tuple(sys.argv[2:]) or NAMES)
