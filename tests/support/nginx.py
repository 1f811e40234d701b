#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The distribution's nginx, unprivileged, with a configuration made for probes.

Ports: http (HTTP/1.1), https (HTTP/1.1 only), h2 (TLS, ALPN h2 and http/1.1).
Virtual hosts on https and h2, by SNI: expired.probe.test, not-yet.probe.test, ten-days.probe.test,
wrong-name.probe.test, self-signed.probe.test, untrusted.probe.test, refused.probe.test (rejects the
handshake); every other name gets the valid certificate, or, when the names to serve are said, only those
do and the handshake of any other is rejected, as VPC Lattice does.
Paths: /  /healthz  /status/CODE  /large (1 MiB)  /page (16 KiB)  /slow (20 kB/s)  /close (empty reply)  /reset (RST)
/redirect (302 to /healthz)  /redirect-loop  /redirect-imds  /headers  /auth-denied (Lattice's 403)
/no-route (a 404 without a marker of the application).
As a program: runs in the foreground until SIGTERM, prints the usual `listening` lines.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import certs
import service

STATUSES = (200, 201, 202, 204, 206, 400, 401, 403, 404, 405, 408, 410, 413, 418, 429,
            500, 501, 502, 503, 504, 599)
VHOSTS = {"expired.probe.test": "expired", "not-yet.probe.test": "not_yet_valid",
          "ten-days.probe.test": "ten_days", "wrong-name.probe.test": "wrong_name",
          "self-signed.probe.test": "self_signed", "untrusted.probe.test": "untrusted"}
LARGE_BYTES = 1024 * 1024
START_TIMEOUT_S = 10
DENIED = ("AccessDeniedException: User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke "
          "on resource: arn:aws:vpc-lattice:us-east-1:123456789012:service/svc-0a1b2c3d4e5f67890/ "
          "because no service-based policy allows the vpc-lattice-svcs:Invoke action")

MAIN = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
worker_processes 1;
worker_shutdown_timeout 1s;
{user}
events {{ worker_connections 2048; }}
http {{
  log_format probe escape=json '{{"at":$msec,"connection":$connection,"sni":"$ssl_server_name",'
    '"host":"$http_host","protocol":"$server_protocol","method":"$request_method","uri":"$request_uri",'
    '"status":$status,"bytes":$bytes_sent,"user_agent":"$http_user_agent","authorization":"$http_authorization"}}';
  access_log {directory}/access.log probe;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server_tokens off;
  # Lattice gives every request an id, or echoes the client's own.
  map $http_x_amzn_requestid $lattice_request_id {{ default $http_x_amzn_requestid; "" $request_id; }}
  ssl_session_cache shared:tls:1m;
  server_names_hash_bucket_size 128;
  types {{ text/html html; }}
  default_type text/plain;
{servers}
}}
"""

SERVER = """
  server {{
{listens}
    server_name {name};
    {tls}
    add_header x-probe-server nginx always;
    add_header x-amzn-requestid $lattice_request_id always;
    location = / {{ return 200 "ok\\n"; }}
    location = /healthz {{ default_type application/json; return 200 '{{"status":"ok"}}'; }}
    location = /close {{ return 444; }}
    location = /reset {{ reset_timedout_connection on; return 444; }}
    location = /large {{ alias {directory}/large; }}
    location = /page {{ alias {directory}/page; }}
    location = /slow {{ limit_rate 20000; alias {directory}/large; }}
    location = /redirect {{ return 302 /healthz; }}
    location = /redirect-loop {{ return 302 /redirect-loop; }}
    location = /redirect-imds {{ return 302 http://169.254.169.254/latest/meta-data/; }}
    location = /headers {{ add_header x-probe-version 1.2.3; add_header x-probe-empty ""; return 200 "ok\\n"; }}
    location = /auth-denied {{ return 403 "{denied}"; }}
    location = /no-route {{ return 404 "Not Found"; }}
{statuses}
{locations}
  }}
"""


def free_address(host):
    """An address that was free a moment ago; starting is tried again when somebody was quicker."""
    with socket.socket(service.family_of(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return service.format_address(probe.getsockname())


def find_binary():
    """The path of nginx, as configure found it (LATTICE_PROBE_NGINX, "no" for none) or on the PATH."""
    found = os.environ.get("LATTICE_PROBE_NGINX")
    if found:
        return None if found == "no" else found
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


class Nginx(service.Server):
    """http, https and h2 are lists of "ADDR:PORT"; port 0 picks a free one."""

    def __init__(self, http=("127.0.0.1:0",), https=("127.0.0.1:0",), h2=("127.0.0.1:0",), certificates=None,
                 locations="", directory=None, names=()):
        self.wanted = {"http": http, "https": https, "h2": h2}
        self.certs = certificates or certs.cached()
        self.locations = locations
        self.parent_directory = directory
        self.names = names
        self.addresses = {}
        self.process = None

    def start(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="lattice-probe-nginx-", dir=self.parent_directory))
        (self.directory / "large").write_bytes(b"0123456789abcdef" * (LARGE_BYTES // 16))
        (self.directory / "page").write_bytes(b"0123456789abcdef" * 1024)
        for _ in range(5):
            self._choose_addresses()
            if self._launch():
                return
        log = self._log_tail()
        self.stop()
        raise RuntimeError(f"nginx does not start: {log}")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def port_of(self, kind):
        return service.parse_address(self.addresses[kind][0])[1]

    http_port = property(lambda self: self.port_of("http"))
    https_port = property(lambda self: self.port_of("https"))
    h2_port = property(lambda self: self.port_of("h2"))

    def requests(self):
        """The access log, one dict per finished request."""
        text = (self.directory / "access.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def control_routes(self):
        return {("GET", "/requests"): lambda _: self.requests()}

    def _choose_addresses(self):
        for kind, wanted in self.wanted.items():
            self.addresses[kind] = []
            for address in wanted:
                host, port = service.parse_address(address)
                self.addresses[kind].append(address if port else free_address(host))
        self.listening = [address for kind in self.addresses.values() for address in kind]

    def _launch(self):
        config = self.directory / "nginx.conf"
        config.write_text(self._config(), encoding="utf-8")
        binary = find_binary()
        if binary is None:
            raise RuntimeError("nginx is not installed; run packaging/install-deps --test")
        # setpriv: should the test be killed, nginx goes too. -e: no complaint about /var/log.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", binary, "-p", str(self.directory), "-c", str(config),
             "-e", str(self.directory / "error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        return all(self._accepts(address) for address in self.listening)

    def _accepts(self, address):
        """Waits until nginx answers there; False when it has ended, as with a port taken meanwhile."""
        host, port = service.parse_address(address)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection((host, port), 1).close()
                return True
            except OSError:
                time.sleep(0.005)
        return False

    def _log_tail(self):
        log = self.directory / "error.log"
        return log.read_text(encoding="utf-8")[-2000:] if log.exists() else "no log"

    def _config(self):
        servers = [self._server("http", "_", "", " default_server")]
        for kind, options in (("https", " ssl"), ("h2", " ssl http2")):
            others = "ssl_reject_handshake on;" if self.names else self._tls("valid")
            servers.append(self._server(kind, "_", others, options + " default_server"))
            if self.names:
                servers.append(self._server(kind, " ".join(self.names), self._tls("valid"), options))
            for name, which in VHOSTS.items():
                servers.append(self._server(kind, name, self._tls(which), options))
            servers.append(self._server(kind, "refused.probe.test", "ssl_reject_handshake on;", options))
        # As root nginx would give up root, and then could not read its own directory.
        user = "user root;" if os.geteuid() == 0 else ""
        return MAIN.format(directory=self.directory, user=user, servers="".join(servers))

    def _tls(self, kind):
        return f"ssl_certificate {self.certs[kind].chain}; ssl_certificate_key {self.certs[kind].key};"

    def _server(self, kind, name, tls, options):
        statuses = "\n".join(f'    location = /status/{code} {{ return {code} "status {code}\\n"; }}'
                             for code in STATUSES)
        listens = "\n".join(f"    listen {address}{options};" for address in self.addresses[kind])
        return SERVER.format(listens=listens, name=name, tls=tls, directory=self.directory, denied=DENIED,
                             statuses=statuses, locations=self.locations)


def main():
    parser = argparse.ArgumentParser(description="nginx for probes")
    for kind in ("http", "https", "h2"):
        parser.add_argument(f"--{kind}", action="append", default=[], metavar="ADDR:PORT")
    parser.add_argument("--certs", metavar="DIR", help="where certs.py has put its certificates")
    parser.add_argument("--serve", action="append", default=[], metavar="NAME", help="by TLS, and no other name")
    parser.add_argument("--control", metavar="ADDR:PORT")
    options = parser.parse_args()
    made = certs.existing(options.certs) if options.certs else None
    server = Nginx(options.http, options.https, options.h2, certificates=made, names=options.serve)
    service.run_until_signal(server, options.control)


if __name__ == "__main__":
    main()
