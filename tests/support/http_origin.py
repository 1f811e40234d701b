#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A scriptable HTTP/1.1 origin for what nginx cannot do: late, slow, broken and lying.

Script: {"connection": CONNECTION, "sni": {NAME: CONNECTION}, "routes": {PATH: ROUTE}}
PATH is "/x", "POST /x" or "*"; the query is not part of it. Unknown paths get "*", else 404.

CONNECTION, before any request is read (sni: for that name only; TLS alone knows it):
  tls_delay_ms N     wait before ServerHello
  tls WORD           silent (never a ServerHello), close, reset, garbage, alert (handshake_failure),
                     plain (answers HTTP in clear text)
  certificate KIND   which certificate to show, a KIND of certs.py
  request_delay_ms N wait before the request is read
  fault WORD         close or reset right after accept, before reading
ROUTE, all keys optional:
  status N, reason TEXT, headers {..} or [[name, value], ..], body TEXT, json VALUE, body_base64 TEXT,
  body_bytes N       a generated body of N bytes
  echo_headers [NAME, ..]   headers of the request that come back as headers of the answer
  echo true          answers the request as JSON: method, path, query, headers, body, sni
  redirect URL       302 with Location ("{port}" and "{host}" are filled in); status may say which 3xx
  first_byte_delay_ms N, body_delay_ms N (between header and body)
  drip {"bytes": N, "every_ms": M}   the body in pieces
  chunked true       Transfer-Encoding: chunked
  content_length N   what the header says, whatever the body is; null leaves it out
  close true         Connection: close, and closes
  raw TEXT           these bytes (latin-1) instead of an answer, then closes
  fault WORD         empty (closes without a byte), reset (RST without a byte), garbage_status,
                     endless_headers, endless_body, huge_header (header_bytes N, 1 MiB by default),
                     gzip_bomb (bomb_mib N, 64 by default), stall (header, then nothing)
  close_after N, reset_after N, stall_after N    after N bytes of the answer
  sequence [..]      one ROUTE per request, the last one stays
A late accept cannot be scripted: the kernel finishes the TCP handshake whatever this program does.
Origin(backlog=0), saturate() and release() leave SYNs unanswered meanwhile, so that connect lasts
until the SYN's next repetition (1 s, 3 s); finer delays are for the lab.

Instants are CLOCK_MONOTONIC in µs: accept and reads when the call returned, sends when begun (the
last byte: when the last send returned). `arrived_wall_us` is the kernel's own receive time of the
client's first bytes (SO_TIMESTAMPNS, wall clock), where it gave one.
Control port: GET /connections, POST /script, POST /reset, POST /saturate, POST /release.
"""

import base64
import gzip
import json
import select
import socket
import ssl
import struct
import threading
import time
import urllib.parse

import certs
import service

REQUEST_MAX = 4 * 1024 * 1024
ENDLESS_MAX = 512 * 1024 * 1024
ENDLESS_MAX_S = 60
IDLE_S = 30
HELLO_ANSWERS = {
    "close": b"", "reset": b"", "garbage": b"\x16\x03\x03\xff\xff" + bytes(range(64)),
    "alert": b"\x15\x03\x03\x00\x02\x02\x28",  # fatal, handshake_failure
    "plain": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"}
CONNECTION_KEYS = frozenset(("tls_delay_ms", "tls", "certificate", "request_delay_ms", "fault"))
CONNECTION_TLS = (None, "silent", "close", "reset", "garbage", "alert", "plain")
ROUTE_KEYS = frozenset((
    "status", "reason", "headers", "body", "json", "body_base64", "body_bytes", "echo", "echo_headers", "redirect",
    "first_byte_delay_ms", "body_delay_ms", "drip", "chunked", "content_length", "close", "raw", "fault",
    "header_bytes", "bomb_mib", "close_after", "reset_after", "stall_after", "sequence"))
ROUTE_FAULTS = (None, "empty", "reset", "garbage_status", "endless_headers", "endless_body", "huge_header",
                "gzip_bomb", "stall")


class Ended(Exception):
    """This connection is over, for the reason in the text."""


def check_connection(connection):
    unknown = set(connection) - CONNECTION_KEYS
    if unknown:
        raise ValueError(f"unknown keys in a connection: {sorted(unknown)}")
    if connection.get("tls") not in CONNECTION_TLS or connection.get("fault") not in (None, "close", "reset"):
        raise ValueError(f"unknown word in {connection}")


def check_route(route):
    unknown = set(route) - ROUTE_KEYS
    if unknown:
        raise ValueError(f"unknown keys in a route: {sorted(unknown)}")
    if route.get("fault") not in ROUTE_FAULTS:
        raise ValueError(f"unknown fault {route['fault']}, want one of {ROUTE_FAULTS}")
    for each in route.get("sequence", ()):
        check_route(each)


class Script:
    def __init__(self, script=None):
        script = script or {}
        unknown = set(script) - {"connection", "sni", "routes"}
        if unknown:
            raise ValueError(f"unknown keys in the script: {sorted(unknown)}")
        self.connection = script.get("connection", {})
        self.sni = script.get("sni", {})
        self.routes = script.get("routes", {"*": {"body": "ok\n"}})
        for connection in (self.connection, *self.sni.values()):
            check_connection(connection)
        for route in self.routes.values():
            check_route(route)
        self.turns = {}

    def connection_for(self, name):
        return {**self.connection, **self.sni.get(name, {})}

    def route_for(self, method, path):
        for key in (f"{method} {path}", path, "*"):
            if key in self.routes:
                return self._turn(key, self.routes[key])
        return {"status": 404, "body": "no such route\n"}

    def _turn(self, key, route):
        sequence = route.get("sequence")
        if not sequence:
            return route
        turn = self.turns.get(key, 0)
        self.turns[key] = turn + 1
        return sequence[min(turn, len(sequence) - 1)]


class Origin(service.Server):
    """http: addresses in clear text; https: addresses with TLS. Records every connection."""

    def __init__(self, script=None, http=("127.0.0.1:0",), https=(), certificates=None, backlog=512):
        self.script = Script(script)
        self.wanted = [(address, False) for address in http] + [(address, True) for address in https]
        self.certs = certificates
        if https and certificates is None:
            self.certs = certs.cached()
        self.backlog = backlog
        self.lock = threading.Lock()
        self.closed = threading.Condition(self.lock)
        self.records = []
        self.open = set()
        self.accepting = threading.Event()
        self.accepting.set()
        self.fillers = {}
        self.listeners = []
        self.threads = []
        self.listening = []

    http_port = property(lambda self: self._port(False))
    https_port = property(lambda self: self._port(True))

    def _port(self, tls):
        kinds = [is_tls for _, is_tls in self.wanted]
        return service.parse_address(self.listening[kinds.index(tls)])[1]

    def start(self):
        for address, is_tls in self.wanted:
            listener = service.listen_tcp(address, self.backlog)
            listener.setsockopt(socket.SOL_SOCKET, service.SO_TIMESTAMPNS, 1)  # accepted sockets inherit it
            self.listeners.append(listener)
            self.listening.append(service.format_address(listener.getsockname()))
            thread = threading.Thread(target=self._accept, args=(listener, is_tls), daemon=True)
            thread.start()
            self.threads.append(thread)

    def stop(self):
        self.release()
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for listener in self.listeners:
            listener.close()
        with self.lock:
            for connection in self.open:
                connection.hang_up()

    def set_script(self, script):
        parsed = Script(script)
        with self.lock:
            self.script = parsed
        return {}

    def saturate(self):
        """Stops accepting and fills every backlog; needs backlog=0, where one connection fills it."""
        if self.backlog != 0:
            raise ValueError("saturate() needs an Origin with backlog=0")
        self.accepting.clear()
        for listener in self.listeners:
            filler = socket.create_connection(listener.getsockname()[:2])
            self.fillers[service.format_address(filler.getsockname())] = filler
        return {}

    def release(self):
        for filler in self.fillers.values():
            filler.close()
        self.accepting.set()
        return {}

    def finished(self, timeout_s=5):
        """The records, once every connection has ended: all stamps, bytes and endings are in."""
        with self.lock:
            if not self.closed.wait_for(lambda: not self.open, timeout_s):
                raise TimeoutError(f"{len(self.open)} connections are still open")
        return self.connections()

    def connections(self):
        with self.lock:
            return [json.loads(json.dumps(record)) for record in self.records]

    def requests(self):
        return [request for record in self.connections() for request in record["requests"]]

    def reset(self):
        with self.lock:
            self.records.clear()
            self.script.turns.clear()
        return {}

    def control_routes(self):
        return {("GET", "/connections"): lambda _: self.connections(),
                ("POST", "/script"): self.set_script,
                ("POST", "/saturate"): lambda _: self.saturate(),
                ("POST", "/release"): lambda _: self.release(),
                ("POST", "/reset"): lambda _: self.reset()}

    def _accept(self, listener, is_tls):
        while True:
            self.accepting.wait()
            try:
                select.select([listener], [], [])
                if not self.accepting.is_set():
                    continue
                sock, client = listener.accept()
            except OSError:
                return
            accepted_us = service.mono_us()
            if self.fillers.pop(service.format_address(client), None):
                sock.close()
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            record = {"client": service.format_address(client), "accepted_us": accepted_us, "tls": is_tls,
                      "arrived_wall_us": None, "hello_us": None, "tls_done_us": None, "closed_us": None,
                      "sni": None, "ended": None, "requests": []}
            connection = Connection(self, sock, is_tls, record)
            with self.lock:
                self.records.append(record)
                self.open.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def route_for(self, method, path):
        with self.lock:
            return self.script.route_for(method, path)

    def forget(self, connection):
        with self.lock:
            self.open.discard(connection)
            self.closed.notify_all()


class Connection:
    """One accepted connection, in a thread of its own."""

    def __init__(self, origin, sock, is_tls, record):
        self.origin = origin
        self.sock = sock
        self.is_tls = is_tls
        self.record = record
        self.buffer = b""
        self.request = None
        self.started = time.monotonic()

    def run(self):
        self.sock.settimeout(IDLE_S)
        try:
            self._open()
            while self._one_request():
                pass
            self._end("closed")
        except Ended as ended:
            self._end(str(ended))
        except (OSError, ValueError) as error:
            self._end(repr(error))
        finally:
            self.origin.forget(self)

    def hang_up(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # its thread was quicker

    def _end(self, reason):
        self.record["ended"] = reason
        if reason == "reset":
            service.close_with_reset(self.sock)
        else:
            if reason == "closed" and self.record["tls_done_us"] is not None:
                self._say_goodbye()
            self.sock.close()
        self.record["closed_us"] = service.mono_us()

    def _say_goodbye(self):
        """Sends close_notify: without it an answer that ends with the connection counts as cut."""
        self.sock.settimeout(0.05)
        try:
            self.sock.unwrap()
        except (OSError, ValueError):
            pass  # the client does not wait for it

    # -- before the first request

    def _open(self):
        how = self.origin.script.connection_for(None)
        if how.get("fault"):
            raise Ended(how["fault"])
        self._wait_for_bytes()
        if self.is_tls:
            self.record["hello_us"] = service.mono_us()
            self.record["sni"] = server_name(self.sock.recv(16384, socket.MSG_PEEK))
            how = self.origin.script.connection_for(self.record["sni"])
            self._handshake(how)
        time.sleep(how.get("request_delay_ms", 0) / 1000)

    def _wait_for_bytes(self):
        """Waits for the client's first bytes without taking them; notes the kernel's receive time."""
        first, ancillary, _, _ = self.sock.recvmsg(1, 256, socket.MSG_PEEK)
        self.record["arrived_wall_us"] = service.kernel_stamp_us(ancillary)
        if not first:
            raise Ended("client closed before its first byte")

    def _handshake(self, how):
        time.sleep(how.get("tls_delay_ms", 0) / 1000)
        fault = how.get("tls")
        if fault == "silent":
            self._wait_for_close()
        if fault is not None:
            self.sock.recv(16384)  # unread bytes would turn a close into a reset
            self.sock.sendall(HELLO_ANSWERS[fault])
            raise Ended(fault)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chosen = self.origin.certs[how.get("certificate", "valid")]
        context.load_cert_chain(chosen.chain, chosen.key)
        context.set_alpn_protocols(["http/1.1"])
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.record["tls_done_us"] = service.mono_us()

    def _wait_for_close(self):
        """Silent until the client gives up."""
        self.sock.settimeout(ENDLESS_MAX_S)
        while self.sock.recv(65536):
            pass
        raise Ended("client gave up")

    # -- requests

    def _one_request(self):
        head = self._read_until(b"\r\n\r\n")
        if head is None:
            return False
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = (lines[0].split(" ") + ["", ""])[:3]
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if ":" in line]
        self.request["method"], self.request["target"] = method, target
        self.request["headers"] = headers
        body = self._read_body({name.lower(): value for name, value in headers})
        self.request["body"] = body.decode("latin-1")
        self.request["complete_us"] = service.mono_us()
        route = self.origin.route_for(method, target.partition("?")[0])
        Answer(self, route).give()
        return not route.get("close")

    def _read_until(self, marker):
        while marker not in self.buffer:
            piece = self.sock.recv(65536)
            if not piece:
                return None
            if not self.buffer:
                self.request = {"first_byte_us": service.mono_us(), "first_response_byte_us": None,
                                "last_response_byte_us": None, "status": None, "bytes_sent": 0}
                self.record["requests"].append(self.request)
            self.buffer += piece
            if len(self.buffer) > REQUEST_MAX:
                raise Ended("request too large")
        head, _, self.buffer = self.buffer.partition(marker)
        return head

    def _read_body(self, headers):
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        wanted = int(headers.get("content-length", 0))
        if wanted > REQUEST_MAX or "transfer-encoding" in headers:
            raise Ended("request body too large or chunked")
        while len(self.buffer) < wanted:
            piece = self.sock.recv(65536)
            if not piece:
                raise Ended("client closed inside its body")
            self.buffer += piece
        body, self.buffer = self.buffer[:wanted], self.buffer[wanted:]
        return body


class Answer:
    """Writes one answer as its route says, counting bytes for close_after and the others."""

    def __init__(self, connection, route):
        self.connection = connection
        self.route = route
        self.request = connection.request
        self.limits = [(route[key], word) for key, word in
                       (("close_after", "close"), ("reset_after", "reset"), ("stall_after", "stall")) if key in route]

    def send(self, data):
        limit, word = min(self.limits, default=(None, None))
        room = None if limit is None else max(0, limit - self.request["bytes_sent"])
        piece = data if room is None else data[:room]
        if piece:
            # Stamped before it leaves, so that whoever has it can see the stamp; once more after, for
            # a piece that the client was slow to take.
            now = service.mono_us()
            self.request["first_response_byte_us"] = self.request["first_response_byte_us"] or now
            self.request["last_response_byte_us"] = now
            self.request["bytes_sent"] += len(piece)
            self.connection.sock.sendall(piece)
            self.request["last_response_byte_us"] = service.mono_us()
        if room is not None and len(data) >= room:
            self._stop(word)

    def _stop(self, word):
        if word == "stall":
            self.connection._wait_for_close()
        raise Ended(word)

    def give(self):
        route = self.route
        time.sleep(route.get("first_byte_delay_ms", 0) / 1000)
        if fault := route.get("fault"):
            getattr(self, f"fault_{fault}")()
            return
        if "raw" in route:
            self.send(route["raw"].encode("latin-1"))
            raise Ended("close")
        body = self.body()
        self.send(self.head(body))
        time.sleep(route.get("body_delay_ms", 0) / 1000)
        if self.request["method"] != "HEAD":
            self.send_body(body)

    # -- an honest answer, or nearly

    def body(self):
        route = self.route
        if route.get("echo"):
            return json.dumps(self.echo()).encode()
        if "json" in route:
            return json.dumps(route["json"]).encode()
        if "body_base64" in route:
            return base64.b64decode(route["body_base64"])
        if "body_bytes" in route:
            return (b"0123456789abcdef" * (route["body_bytes"] // 16 + 1))[:route["body_bytes"]]
        return route.get("body", "").encode()

    def echo(self):
        path, _, query = self.request["target"].partition("?")
        return {"method": self.request["method"], "path": path, "query": urllib.parse.parse_qsl(query, True),
                "target": self.request["target"], "headers": self.request["headers"], "body": self.request["body"],
                "sni": self.connection.record["sni"]}

    def status(self):
        return self.route.get("status", 302 if "redirect" in self.route else 200)

    def head(self, body):
        route = self.route
        self.request["status"] = self.status()
        headers = route.get("headers", [])
        headers = list(headers.items()) if isinstance(headers, dict) else list(headers)
        wanted = [name.lower() for name in route.get("echo_headers", ())]
        headers += [(name, value) for name, value in self.request["headers"] if name.lower() in wanted]
        if "redirect" in route:
            host, port = self.connection.sock.getsockname()[:2]
            headers.append(("Location", route["redirect"].replace("{port}", str(port)).replace("{host}", host)))
        if "json" in route or route.get("echo"):
            headers.append(("Content-Type", "application/json"))
        if route.get("chunked"):
            headers.append(("Transfer-Encoding", "chunked"))
        elif route.get("content_length", "true size") is not None:
            headers.append(("Content-Length", route.get("content_length", len(body))))
        if route.get("close"):
            headers.append(("Connection", "close"))
        return self.head_bytes(headers)

    def head_bytes(self, headers):
        lines = [f"HTTP/1.1 {self.status()} {self.route.get('reason', 'Scripted')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send_body(self, body):
        drip = self.route.get("drip")
        size = drip["bytes"] if drip else max(1, len(body))
        for start in range(0, len(body), size):
            if start and drip:
                time.sleep(drip["every_ms"] / 1000)
            self.send(self.chunk(body[start:start + size]))
        if self.route.get("chunked"):
            self.send(b"0\r\n\r\n")

    def chunk(self, piece):
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self.route.get("chunked") else piece

    # -- faults

    def fault_empty(self):
        raise Ended("close")

    def fault_reset(self):
        raise Ended("reset")

    def fault_garbage_status(self):
        self.send(b"HTTQ/9.9 banana\r\n\x00\x01\x02\r\n\r\n")
        raise Ended("close")

    def fault_endless_headers(self):
        self.send(b"HTTP/1.1 200 OK\r\n")
        self.endless(lambda number: b"x-filler-%d: %b\r\n" % (number, b"x" * 1000))

    def fault_endless_body(self):
        self.send(self.head_bytes([("Connection", "close")]))
        self.endless(lambda _: b"x" * 65536)

    def endless(self, piece):
        deadline = time.monotonic() + ENDLESS_MAX_S
        number = 0
        while self.request["bytes_sent"] < ENDLESS_MAX and time.monotonic() < deadline:
            self.send(piece(number))
            number += 1
        raise Ended("endless came to its end")

    def fault_huge_header(self):
        size = self.route.get("header_bytes", 1024 * 1024)
        self.send(self.head_bytes([("x-huge", "x" * size), ("Content-Length", 0)]))

    def fault_gzip_bomb(self):
        packed = gzip.compress(bytes(self.route.get("bomb_mib", 64) * 1024 * 1024))
        self.send(self.head_bytes([("Content-Encoding", "gzip"), ("Content-Length", len(packed))]))
        self.send(packed)

    def fault_stall(self):
        self.send(self.head_bytes([("Content-Length", 100)]))
        self.connection._wait_for_close()


def server_name(hello):
    """The SNI of a ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3), None without one."""
    try:
        at = 5 + 4 + 2 + 32                                        # record, handshake, version, random
        at += 1 + hello[at]                                        # session id
        at += 2 + int.from_bytes(hello[at:at + 2], "big")          # cipher suites
        at += 1 + hello[at]                                        # compression methods
        end = at + 2 + int.from_bytes(hello[at:at + 2], "big")
        at += 2
        while at + 4 <= min(end, len(hello)):
            kind, length = struct.unpack(">HH", hello[at:at + 4])
            if kind == 0:
                return hello[at + 9:at + 4 + length].decode("ascii")
            at += 4 + length
    except (IndexError, UnicodeDecodeError, struct.error):
        pass  # not a ClientHello: the handshake will say so
    return None


def main():
    parser = service.program_arguments("scriptable HTTP/1.1 origin")
    parser.add_argument("--listen-tls", action="append", default=[], metavar="ADDR:PORT")
    parser.add_argument("--certs", metavar="DIR", help="where certs.py has put its certificates")
    parser.add_argument("--backlog", type=int, default=512, help="0 for /saturate")
    options = parser.parse_args()
    http = options.listen or ([] if options.listen_tls else ["127.0.0.1:0"])
    made = certs.existing(options.certs) if options.certs else None
    server = Origin(service.read_script(options.script), http, options.listen_tls, made,
                    options.backlog)
    service.run_until_signal(server, options.control)


if __name__ == "__main__":
    main()
