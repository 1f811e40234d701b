# SPDX-License-Identifier: Apache-2.0
"""What every test server here shares.

A server is an object with start(), stop() and `listening` (a list of "ADDR:PORT"); it may be used
as a context manager inside a test, or run as a program by run_until_signal(), which prints one
line `listening ADDR:PORT` per socket and `control ADDR:PORT` for the control port.

The control port is plain HTTP and speaks JSON: GET reads, POST changes. It is for the test that
started the server and checks nothing; as "unix:PATH" it is a socket in the file system, which the test
reaches even when the server lives in a network namespace.
"""

import argparse
import heapq
import json
import signal
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTROL_BODY_MAX = 8 * 1024 * 1024
SO_TIMESTAMPNS = 35  # not in Python's socket module


def parse_address(text):
    """Splits "127.0.0.1:0" or "[::1]:53" into a host without brackets and a port."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"{text}: want ADDRESS:PORT or [ADDRESS]:PORT")
    return host.strip("[]"), int(port)


def format_address(sockaddr):
    if isinstance(sockaddr, (str, bytes)):
        return f"unix:{sockaddr}"
    host, port = sockaddr[0], sockaddr[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen_tcp(address, backlog=512):
    """Opens a listening socket; an IPv6 one never takes IPv4 traffic, so both can share a port."""
    if address.startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(address.removeprefix("unix:"))
        listener.listen(backlog)
        return listener
    host, port = parse_address(address)
    listener = socket.socket(family_of(host), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def mono_us():
    """The clock of every record: CLOCK_MONOTONIC, the same for all processes of this machine."""
    return time.monotonic_ns() // 1000


def kernel_stamp_us(ancillary):
    """When the kernel received it, on the wall clock, from what recvmsg() gave; None without a stamp."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("ll", data[:16])
            return seconds * 1_000_000 + nanoseconds // 1000
    return None


def received_us(ancillary):
    """The same on CLOCK_MONOTONIC; without a stamp, now."""
    stamp = kernel_stamp_us(ancillary)
    return mono_us() if stamp is None else mono_us() - (time.time_ns() // 1000 - stamp)


def close_with_reset(connection):
    """Closes so that the peer sees RST instead of FIN."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    except OSError:
        pass  # already gone, which is what was wanted
    connection.close()


class Server:
    """start, stop, and the context manager around them."""

    listening = ()

    def start(self):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    @property
    def address(self):
        """The first address this server listens on, as "ADDR:PORT"."""
        return self.listening[0]

    @property
    def port(self):
        return parse_address(self.address)[1]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Timers:
    """Calls functions at instants, from one thread, to about 0.1 ms."""

    def __init__(self):
        self.heap = []
        self.serial = 0
        self.stopped = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        with self.changed:
            self.stopped = True
            self.changed.notify()
        self.thread.join()

    def after(self, delay_s, call):
        with self.changed:
            self.serial += 1
            heapq.heappush(self.heap, (time.monotonic() + delay_s, self.serial, call))
            self.changed.notify()

    def _next_due(self):
        """Waits for the next instant; None when stopped."""
        with self.changed:
            while not self.stopped:
                if not self.heap:
                    self.changed.wait()
                    continue
                left_s = self.heap[0][0] - time.monotonic()
                if left_s <= 0:
                    return heapq.heappop(self.heap)[2]
                self.changed.wait(left_s)
            return None

    def _run(self):
        while (call := self._next_due()) is not None:
            call()


class HttpListener(Server):
    """HTTP on one or several addresses, one thread per connection, with TLS when given a context."""

    def __init__(self, handler, addresses, tls=None):
        self.handler = handler
        self.addresses = addresses
        self.tls = tls
        self.servers = []
        self.threads = []
        self.listening = []

    def start(self):
        for address in self.addresses:
            server = self._bind(address)
            self.servers.append(server)
            self.listening.append(format_address(server.socket.getsockname()))
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _bind(self, address):
        server = _Threads(("", 0), self.handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listen_tcp(address)
        server.server_address = server.socket.getsockname()
        server.tls = self.tls
        return server

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        for thread in self.threads:
            thread.join()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    tls = None

    def finish_request(self, request, client_address):
        if self.tls is not None:
            request.settimeout(10)
            request = self.tls.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)

    def handle_error(self, request, client_address):
        pass  # a client that goes away, or fails a handshake, is an ordinary event in a test


class ControlPort(HttpListener):
    """Serves {("GET", "/path"): function(body) -> object} as JSON. ValueError and KeyError mean 400."""

    def __init__(self, routes, address="127.0.0.1:0"):
        routes = dict(routes)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.answer(None)

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                if length > CONTROL_BODY_MAX:
                    self.reply(413, {"error": "body too large"})
                    return
                self.answer(self.rfile.read(length))

            def answer(self, raw):
                call = routes.get((self.command, self.path))
                if call is None:
                    known = sorted(" ".join(route) for route in routes)
                    self.reply(404, {"error": f"{self.command} {self.path}", "known": known})
                    return
                try:
                    self.reply(200, call(json.loads(raw) if raw else None))
                except (ValueError, KeyError, TypeError) as error:
                    self.reply(400, {"error": repr(error)})

            def reply(self, status, value):
                text = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        super().__init__(Handler, [address])


class Faults:
    """An ordered list of faults; the first that matches and has turns left is served.

    Each is a dict with "action"; "times" limits how often it is served (default: until cleared).
    actions maps each action's name to the keys it needs.
    """

    def __init__(self, actions):
        self.actions = actions
        self.lock = threading.Lock()
        self.list = []
        self.served = {}

    def set(self, faults):
        for fault in faults:
            if fault.get("action") not in self.actions:
                raise ValueError(f"unknown action {fault.get('action')}; known: {sorted(self.actions)}")
            missing = [key for key in self.actions[fault["action"]] if key not in fault]
            if missing:
                raise ValueError(f"{fault} lacks {missing}")
        with self.lock:
            self.list = [dict(fault) for fault in faults]
        return {"faults": len(faults)}

    def take(self, matches=lambda fault: True):
        """Takes one turn of the first fault for which matches() holds; None without one."""
        with self.lock:
            for fault in self.list:
                times = fault.get("times")
                if times == 0 or not matches(fault):
                    continue
                if times is not None:
                    fault["times"] = times - 1
                action = fault["action"]
                self.served[action] = self.served.get(action, 0) + 1
                return dict(fault)
        return None

    def counts(self):
        with self.lock:
            return dict(self.served)


def server_tls(chain, key):
    """A TLS context that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


def program_arguments(description, tls=False):
    """The options every server takes; those with tls also --tls-cert and --tls-key."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--listen", action="append", metavar="ADDR:PORT",
                        help="where to listen; may be repeated; port 0 picks a free one")
    parser.add_argument("--control", metavar="ADDR:PORT|unix:PATH", help="control port (JSON over HTTP)")
    parser.add_argument("--script", metavar="FILE", help="JSON that says how to behave")
    if tls:
        parser.add_argument("--tls-cert", metavar="FILE", help="serve HTTPS with this certificate")
        parser.add_argument("--tls-key", metavar="FILE")
    return parser


def tls_of(options):
    return server_tls(options.tls_cert, options.tls_key) if options.tls_cert else None


def read_script(path):
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def run_until_signal(server, control_address=None):
    """Runs server, and its control port when an address is given, until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with server:
        for address in server.listening:
            print("listening", address, flush=True)
        if control_address is None:
            stop.wait()
            return
        with ControlPort(server.control_routes(), control_address) as control:
            print("control", control.address, flush=True)
            stop.wait()
