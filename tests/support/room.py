# SPDX-License-Identifier: Apache-2.0
"""A consumer VPC of two network namespaces, without root where the system lets users have namespaces.

run-test puts the tests that LATTICE_PROBE_ROOM names into one of their own with unshare(1); servers are
started there, on the addresses below. A Room adds the second, where the consumer lives: eth0, one
default route, nothing else. By hand: unshare -rn python3 -m pytest FILE (unshare -n as root).

Nothing leaves the two. An address that is none of these gets no answer at all.
"""

import os
import shutil
import socket
import subprocess
import time

RESOLVER = "10.0.0.53"             # what is configured
VPC_RESOLVER = "169.254.169.253"
IMDS = "169.254.169.254"
LATTICE = "169.254.171.33"
LATTICE_V6 = "fd00:ec2:80::a9fe:ab21"
ENDPOINT = "10.0.1.44"             # inside the VPC that the metadata service tells of
FOREIGN = "203.0.113.9"
CONSUMER = "10.0.1.10"
ADDRESSES = (RESOLVER, VPC_RESOLVER, IMDS, LATTICE, ENDPOINT, FOREIGN)
PATIENCE_S = 10


def obstacle():
    """Why there can be no room here; "" when there can."""
    for program in ("ip", "nsenter", "unshare"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        return "not in a network namespace of its own: unshare(1) may make none here"
    return ""


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr}")


class Room:
    """wrap goes in front of a command that shall run as the consumer."""

    def __init__(self):
        self.keeper = None
        self.wrap = ()

    def __enter__(self):
        self.keeper = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        namespace = f"/proc/{self.keeper.pid}/ns/net"
        deadline = time.monotonic() + PATIENCE_S
        while os.readlink(namespace) == os.readlink("/proc/self/ns/net"):
            if self.keeper.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("no second network namespace")
            time.sleep(0.002)
        self.wrap = ("nsenter", f"--net={namespace}")
        self._furnish()
        return self

    def _furnish(self):
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "vpc", "type", "veth", "peer", "name", "eth0", "netns", str(self.keeper.pid))
        run("ip", "link", "set", "vpc", "up")
        run("ip", "address", "add", "10.0.1.1/24", "dev", "vpc")
        run("ip", "-6", "address", "add", "fd00:10:0:1::1/64", "dev", "vpc", "nodad")
        for address in ADDRESSES:
            run("ip", "address", "replace", f"{address}/32", "dev", "lo")
        run("ip", "-6", "address", "replace", f"{LATTICE_V6}/128", "dev", "lo", "nodad")
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", "eth0", "up")
        self.ip("address", "add", f"{CONSUMER}/24", "dev", "eth0")
        self.ip("route", "add", "default", "via", "10.0.1.1")
        self.ip("-6", "address", "add", "fd00:10:0:1::10/64", "dev", "eth0", "nodad")
        self.ip("-6", "route", "add", "default", "via", "fd00:10:0:1::1")

    def ip(self, *words):
        """ip(8) as the consumer."""
        run(*self.wrap, "ip", *words)

    def __exit__(self, *_):
        if self.keeper:
            self.keeper.kill()
            self.keeper.wait()
        # The consumer's namespace takes its end of the cable along, but not while a daemon lives there.
        subprocess.run(["ip", "link", "delete", "vpc"], capture_output=True, check=False)
