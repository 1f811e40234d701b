# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the real servers on loopback, and the binary under test.

Every server is started for one test and stopped after it, on ports the kernel picks. What each can
be told is in the opening comment of its file under tests/support.
"""

import contextlib
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True  # the source tree may be read-only, and stays clean
sys.path.insert(0, str(HERE.parent / "support"))

import certs  # noqa: E402
import credential_servers  # noqa: E402
import dns_server  # noqa: E402
import gate as gate_server  # noqa: E402
import http_origin  # noqa: E402
import imds_server  # noqa: E402
import nginx as nginx_server  # noqa: E402
import probe_command  # noqa: E402
import probe_runner  # noqa: E402
import probe_world  # noqa: E402


@pytest.fixture(scope="session")
def lattice_probe():
    """The path of the binary: LATTICE_PROBE (make check sets it), else build/lattice-probe."""
    binary = pathlib.Path(os.environ.get("LATTICE_PROBE", ROOT / "build" / "lattice-probe"))
    if not os.access(binary, os.X_OK):
        pytest.fail(f"no lattice-probe at {binary}; build it or set LATTICE_PROBE")
    return binary.resolve()


@pytest.fixture
def short_folder():
    """A folder with a short name: the path of a socket has 99 bytes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lp-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def certificates():
    """One certificate of each kind of certs.Standard.KINDS, and .ca, the file to trust."""
    return certs.cached()


@pytest.fixture
def dns():
    """An empty DNS server: dns.set(name, addresses or {type: answer}), dns.count(name, type)."""
    with dns_server.DnsServer() as server:
        yield server


def need_nginx():
    if nginx_server.find_binary() is None:
        pytest.skip("there is no nginx; packaging/install-deps --test installs it")


@pytest.fixture
def nginx(certificates):
    need_nginx()
    with nginx_server.Nginx(certificates=certificates) as server:
        yield server


@pytest.fixture
def origin(certificates):
    """A scripted origin with http_port and https_port: origin.set_script({...})."""
    with http_origin.Origin(https=("127.0.0.1:0",), certificates=certificates) as server:
        yield server


@pytest.fixture
def imds():
    """IMDSv2 with a role: imds.url, imds.apply({...}), imds.count("PUT", path)."""
    with imds_server.ImdsServer() as server:
        yield server


@pytest.fixture
def container_credentials():
    with credential_servers.ContainerServer() as server:
        yield server


@pytest.fixture
def sts():
    with credential_servers.StsServer() as server:
        yield server


@pytest.fixture
def gate():
    """CloudWatch without a back end: gate.url, gate.ledger(), gate.rejections(), gate.set_faults([...])."""
    with gate_server.Gate() as server:
        yield server


@pytest.fixture
def command(lattice_probe, tmp_path):
    """The binary at work: command.once(...), command.run(...); its daemons end with the test."""
    made = probe_command.Command(lattice_probe, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(lattice_probe, certificates, tmp_path_factory):
    """DNS server, nginx, origin and binary for all cases of a file; see probe_world.py."""
    need_nginx()
    with contextlib.ExitStack() as stack:
        yield probe_world.World(tmp_path_factory.mktemp("world"), lattice_probe, certificates, stack)


@pytest.fixture
def runner(command, world, gate):
    """runner.start({name: settings}) starts a daemon that publishes to the gate."""
    return probe_runner.Runner(command, world, gate)
