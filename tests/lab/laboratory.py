# SPDX-License-Identifier: Apache-2.0
"""A consumer VPC in network namespaces, with what stands around it. Needs root.

    NAME-consumer  eth0 10.0.1.10 fd00:10:0:1::10, MTU 9001; the agent runs here
    NAME-router    forwards between the three others; what it does not know it drops, as a VPC does
    NAME-lattice   the data plane: 169.254.171.0/24, 129.224.0.0/17 and fd00:ec2:80::/64 are all local,
                   10.0.2.50 is a service-network endpoint; nginx on ports 80 and 443, and, where a fault
                   puts it in the way, a scripted server
    NAME-svc       resolvers (resolvers.py): the VPC's 10.0.0.2, 169.254.169.253, fd00:ec2::253; 10.0.0.53,
                   10.0.0.54, 203.0.113.53; a scripted one 10.0.0.55; IMDS 169.254.169.254, fd00:ec2::254;
                   container credentials 169.254.170.2 and 169.254.170.23; the gate 10.0.0.10, fd00:10::10
                   (monitoring, ec2, vpc-lattice; aws_world.py behind it); STS 10.0.0.11

What a fault may change stands in bending.py, and clear() puts it back. Everything a lab leaves behind carries its name: the namespaces, /etc/netns/NAME-consumer, and a
state folder with certificates, control sockets, logs and the ids of the processes. So down() can
clear a lab that was killed half-way, without any word from whoever started it.
"""

import glob
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import bending
import network
import resolvers
from network import ROOMS, run

HERE = pathlib.Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
sys.path.append(str(SUPPORT))

import imds_server  # noqa: E402

REGION = "us-east-1"
SUFFIX = f"7d67968.vpc-lattice-svcs.{REGION}.on.aws"
SERVICES = {f"checkout-0a1b2c3d4e5f67890.{SUFFIX}": ["169.254.171.33", "fd00:ec2:80::a9fe:ab21"],
            f"payments-0f1e2d3c4b5a69788.{SUFFIX}": ["169.254.171.34", "fd00:ec2:80::a9fe:ab22"],
            f"catalog-01234567890abcdef.{SUFFIX}": ["169.254.171.35"]}
CUSTOM_DOMAIN = "shop.example.com"  # of checkout, in a private zone, with its certificate
BARE_DOMAIN = "till.example.com"    # an alias that may be added; the listener has no certificate for it
ENDPOINT = f"vpce-0a1b2c3d4e5f60718-snsa-0a1b2c3d4e5f60718.{SUFFIX}"
ENDPOINT_ADDRESS = "10.0.2.50"
RESOURCE = f"snra-0a1b2c3d4e5f60718.rcfg-0a1b2c3d4e5f60718.4232ccc.vpc-lattice-rsc.{REGION}.on.aws"
GATE_ADDRESSES = ["10.0.0.10", "fd00:10::10"]
AWS_NAMES = {f"monitoring.{REGION}.amazonaws.com": ["10.0.0.10"],
             f"monitoring.{REGION}.api.aws": GATE_ADDRESSES,
             f"ec2.{REGION}.amazonaws.com": ["10.0.0.10"],
             f"vpc-lattice.{REGION}.amazonaws.com": ["10.0.0.10"],
             f"sts.{REGION}.amazonaws.com": ["10.0.0.11"]}
CHECKOUT, PAYMENTS, CATALOG = SERVICES
PUBLIC_NAMES = {**SERVICES, ENDPOINT: [ENDPOINT_ADDRESS], **AWS_NAMES}
ZONES = {"vpc": {**PUBLIC_NAMES, CUSTOM_DOMAIN: CHECKOUT}, "outside": PUBLIC_NAMES, "custom": AWS_NAMES}
SERVED_NAMES = (f"*.{SUFFIX}", CUSTOM_DOMAIN)
CERTIFICATE_NAMES = (*SERVED_NAMES, *AWS_NAMES, "localhost", "127.0.0.1", "probe.test", "*.probe.test")
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 5

# Where commands of the consumer's room run, /sys is theirs alone: the firmware's strings come from a folder.
SHOW_IDENTITY = 'mount -t overlay -o "lowerdir=$1:/sys/class" overlay /sys/class; shift; exec "$@"'

def start_time(pid):
    """When a process began, in clock ticks: with the id it names a process for good. None: it is gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def names():
    """The labs that have left a state folder here, up or not."""
    found = glob.glob(f"{tempfile.gettempdir()}/lattice-probe-lab.*.*")
    return sorted({pathlib.Path(path).name.split(".")[1] for path in found})


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("lab", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Lab(bending.Bending):
    def __init__(self, name="demo"):
        if not re.fullmatch(r"[a-z][a-z0-9]{0,9}", name):
            raise ValueError(f"{name}: a lab's name is a letter and up to nine letters or digits")
        self.name = name
        self.resolv = pathlib.Path(f"/etc/netns/{name}-consumer")

    # -- where things are

    def room(self, room):
        return f"{self.name}-{room}"

    def folders(self):
        """State folders of this name; more than one only when runs were killed while starting."""
        return sorted(map(pathlib.Path, glob.glob(f"{tempfile.gettempdir()}/lattice-probe-lab.{self.name}.*")))

    @property
    def folder(self):
        folders = self.folders()
        if not folders:
            raise RuntimeError(f"lab {self.name} is not up")
        return folders[-1]

    @property
    def ca(self):
        return self.folder / "certs" / "ca.pem"

    def environment(self):
        """What a command in the consumer's room is told."""
        return {"LAB_NAME": self.name, "LAB_FOLDER": str(self.folder), "AWS_CA_BUNDLE": str(self.ca),
                "SSL_CERT_FILE": str(self.ca), "CURL_CA_BUNDLE": str(self.ca)}

    # -- up

    def up(self, moto_python):
        """moto_python: the python that tests/support/venv printed."""
        self.down()
        tempfile.mkdtemp(prefix=f"lattice-probe-lab.{self.name}.")
        try:
            self._build_network()
            self._start_world(moto_python)
            self._start_resolvers()
            run(sys.executable, SUPPORT / "certs.py", self.folder / "certs", *CERTIFICATE_NAMES)
            self._start_services()
            self.take_pictures()
            for server in self.processes():
                self._wait_ready(server)
        except BaseException:
            self.down()
            raise

    def _build_network(self):
        network.build(self.room)
        self.resolv.mkdir(parents=True)
        self.resolv_conf(*bending.NAMESERVERS)
        (self.folder / "class" / "dmi" / "id").mkdir(parents=True)
        self.identity()

    def _start_world(self, moto_python):
        self.start("world", "svc", [moto_python, HERE / "aws_world.py", *listen("127.0.0.1:5000"),
                                    "--control", f"unix:{self.folder / 'world.sock'}"])

    def _start_resolvers(self):
        resolvers.write_configuration(self.folder / "dns", ZONES)
        for server, command in resolvers.commands(self.folder / "dns").items():
            self.start(server, "svc", command)
        self.serve("dns", "dns_server.py", *listen("10.0.0.55:53"))

    def _start_services(self):
        certs = self.folder / "certs"
        tls = ["--tls-cert", certs / "valid.pem", "--tls-key", certs / "valid.key"]
        self.serve("imds", "imds_server.py", *listen("169.254.169.254:80", "[fd00:ec2::254]:80"))
        self.serve("container", "credential_servers.py", "--kind", "container",
                   *listen("169.254.170.2:80", "169.254.170.23:80", "[fd00:ec2::23]:80"))
        self.serve("sts", "credential_servers.py", "--kind", "sts", *listen("10.0.0.11:443"), *tls)
        self.serve("gate", "gate.py", "--moto", "http://127.0.0.1:5000", "--ledger", self.folder / "ledger",
                   "--service", "ec2", "--service", "vpc-lattice", *listen("10.0.0.10:443", "[fd00:10::10]:443"), *tls)
        served = [word for name in SERVED_NAMES for word in ("--serve", name)]
        self.serve("nginx", "nginx.py", "--certs", certs, "--http", "0.0.0.0:80", "--http", "[::]:80",
                   "--h2", "0.0.0.0:443", "--h2", "[::]:443", *served, room="lattice")
        plain, secure = bending.ORIGIN_HTTP, bending.ORIGIN_HTTPS
        self.serve("origin", "http_origin.py", "--certs", certs, *listen(f"0.0.0.0:{plain}", f"[::]:{plain}"),
                   "--listen-tls", f"0.0.0.0:{secure}", "--listen-tls", f"[::]:{secure}", room="lattice")

    def serve(self, server, program, *arguments, room="svc"):
        """Starts one of the test servers, its control port at a socket in the state folder."""
        self.start(server, room, [sys.executable, SUPPORT / program, *arguments,
                                  "--control", f"unix:{self.folder / server}.sock"])

    def start(self, server, room, command):
        """Runs command in a room; its output goes to SERVER.log, its id to SERVER.pid."""
        with open(self.folder / f"{server}.log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(["ip", "netns", "exec", self.room(room), *map(str, command)],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       cwd="/", env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                                       start_new_session=True)
        (self.folder / f"{server}.pid").write_text(f"{process.pid} {start_time(process.pid)}", encoding="utf-8")

    def _wait_ready(self, server):
        """Ready is when a server says so; "control" comes last of what ours print."""
        word = "start of service" if server.startswith("unbound") else "control"
        log = self.folder / f"{server}.log"
        deadline = time.monotonic() + START_TIMEOUT_S
        while word not in log.read_text(encoding="utf-8"):
            if not self.is_running(server) or time.monotonic() > deadline:
                raise RuntimeError(f"{server} does not start: {log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.01)

    # -- processes

    def processes(self, folder=None):
        return sorted(path.stem for path in (folder or self.folder).glob("*.pid"))

    @staticmethod
    def _pid(folder, server):
        """The process id, if it still is that process."""
        pid, _, began = (folder / f"{server}.pid").read_text(encoding="utf-8").partition(" ")
        return int(pid) if began and start_time(pid) == began else None

    def is_running(self, server):
        return self._pid(self.folder, server) is not None

    def stop(self, server):
        """Ends one server, for a test that wants it gone."""
        end_processes([self._pid(self.folder, server)])

    # -- down

    def down(self):
        """Ends and removes everything of this name; nothing there is fine too. The world has nothing to tidy
        up, and would take a second to do so."""
        end_processes([self._pid(folder, "world") for folder in self.folders() if (folder / "world.pid").exists()],
                      (signal.SIGKILL,))
        end_processes([self._pid(folder, server) for folder in self.folders() for server in self.processes(folder)])
        present = set(run("ip", "netns", "list").stdout.split())
        rooms = [room for room in map(self.room, ROOMS) if room in present]
        end_processes([int(pid) for room in rooms for pid in run("ip", "netns", "pids", room).stdout.split()])
        for room in rooms:
            run("ip", "netns", "del", room)
        shutil.rmtree(self.resolv, ignore_errors=True)
        try:
            self.resolv.parent.rmdir()
        except OSError:
            pass  # another lab's, or there was none
        for folder in self.folders():
            shutil.rmtree(folder, ignore_errors=True)

    # -- for tests

    def command(self, command, room="consumer"):
        enter = ["ip", "netns", "exec", self.room(room)]
        if room == "consumer":
            enter += ["sh", "-c", SHOW_IDENTITY, "sh", str(self.folder / "class")]
        return [*enter, *map(str, command)]

    def run(self, *command, room="consumer", check=True):
        """Runs a command in a room to its end, with the lab's environment; returns CompletedProcess."""
        done = subprocess.run(self.command(command, room), text=True, capture_output=True, check=False,
                              env={**os.environ, **self.environment()})
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode} {done.stderr}")
        return done

    def control(self, server, path, value=None):
        """GET, or POST when a value is given, at a server's control port; returns the decoded JSON."""
        connection = UnixConnection(self.folder / f"{server}.sock")
        try:
            if value is None:
                connection.request("GET", path)
            else:
                connection.request("POST", path, json.dumps(value))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"{server} {path}: {answer}")
        return answer

    # -- for bending

    @staticmethod
    def zones():
        return ZONES

    @staticmethod
    def metadata():
        return imds_server.METADATA

def listen(*addresses):
    return [word for address in addresses for word in ("--listen", address)]


def end_processes(pids, numbers=(signal.SIGTERM, signal.SIGKILL)):
    """SIGTERM to all, and SIGKILL to those that do not go; None among them is one already gone."""
    living = {pid: start_time(pid) for pid in pids if pid is not None}
    for number in numbers:
        for pid in living:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # it went by itself meanwhile
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while living and time.monotonic() < deadline:
            living = {pid: began for pid, began in living.items() if start_time(pid) == began and not is_zombie(pid)}
            time.sleep(0.005)


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
