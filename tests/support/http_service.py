# SPDX-License-Identifier: Apache-2.0
"""An HTTP service whose whole behaviour is one function: answer(Request) -> Reply.

The AWS stand-ins are made of this. A Reply may also be late, or no reply at all.
"""

import os
import socket
import time
from http.server import BaseHTTPRequestHandler

import service

BODY_MAX = 16 * 1024 * 1024
SILENT_MAX_S = 60


class Request:
    def __init__(self, method, target, headers, body, client):
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers  # [(name, value)] as they came
        self.body = body
        self.client = client

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key.lower() == name.lower()), default)


class Reply:
    """ending: "send" (normal), "silent" (nothing until the client leaves), "close" or "reset" (no byte).

    on_sent(sent) is called once it is known whether the reply went out.
    """

    def __init__(self, status=200, body=b"", headers=(), content_type="text/plain", delay_s=0, ending="send",
                 on_sent=None):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = list(headers)
        self.content_type = content_type
        self.delay_s = delay_s
        self.ending = ending
        self.on_sent = on_sent or (lambda sent: None)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "lab"
    sys_version = ""
    owner = None
    timeout = 120

    def log_message(self, *_):
        pass

    def handle_any(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_MAX:
            self.give(Reply(413))
            return
        request = Request(self.command, self.path, list(self.headers.items()), self.rfile.read(length),
                          service.format_address(self.client_address))
        self.give(self.owner.answer(request))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

    def give(self, reply):
        time.sleep(reply.delay_s)
        if reply.ending != "send":
            self.close_connection = True
            self.vanish(reply.ending)
            reply.on_sent(False)
            return
        try:
            self.write(reply)
        except OSError:
            self.close_connection = True
            reply.on_sent(False)
            return
        reply.on_sent(True)

    def vanish(self, ending):
        if ending == "silent":
            self.connection.settimeout(SILENT_MAX_S)
            try:
                while self.connection.recv(4096):
                    pass
            except OSError:
                pass  # the client left, one way or the other
        elif ending == "reset":
            # Closed below the feet of http.server, which would send FIN first.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            os.close(self.connection.detach())

    def write(self, reply):
        self.send_response_only(reply.status)
        if not any(name.lower() == "date" for name, _ in reply.headers):
            self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)


class HttpService(service.Server):
    """Subclasses say answer(request)."""

    def __init__(self, addresses=("127.0.0.1:0",), tls=None):
        self.listener = service.HttpListener(type("Bound", (Handler,), {"owner": self}), addresses, tls)

    @property
    def listening(self):
        return self.listener.listening

    @property
    def url(self):
        return f"{'https' if self.listener.tls else 'http'}://{self.address}"

    def start(self):
        self.listener.start()

    def stop(self):
        self.listener.stop()

    def answer(self, request):
        raise NotImplementedError
