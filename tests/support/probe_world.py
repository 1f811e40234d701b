# SPDX-License-Identifier: Apache-2.0
"""One of each server of data, and the settings of probes that point to them.

Cases share a World: each asks for names and paths of its own, so that none sees another's script.
"""

import socket

import dns_server
import http_origin
import nginx as nginx_server
import probe_command


class World:
    """stack (a contextlib.ExitStack) ends what was started here."""

    def __init__(self, directory, binary, certificates, stack):
        self.command = probe_command.Command(binary, directory)
        self.ca = certificates.ca
        self.dns = stack.enter_context(dns_server.DnsServer())
        self.nginx = stack.enter_context(nginx_server.Nginx(certificates=certificates))
        self.origin = stack.enter_context(http_origin.Origin(https=("127.0.0.1:0",), certificates=certificates))
        self.stack = stack

    def settings(self, url, **more):
        trust = {"tls_ca": self.ca} if url.startswith("https:") else {}
        return {"url": url, "resolver": self.dns.address, **trust, **more}

    def name(self, label, answer=("127.0.0.1",)):
        """A name with that answer; a list of addresses, or {type: answer}."""
        self.dns.set(f"{label}.probe.test", list(answer) if isinstance(answer, tuple) else answer)
        return f"{label}.probe.test"

    def http(self, label, path="/", **more):
        """A probe of nginx in clear text."""
        return self.settings(f"http://{self.name(label)}:{self.nginx.http_port}{path}", **more)

    def https(self, label, path="/", **more):
        return self.settings(f"https://{self.name(label)}:{self.nginx.https_port}{path}", **more)

    def scripted(self, label, route, **more):
        """A probe of the scripted origin in clear text; its path is the label."""
        self.origin.script.routes[f"/{label}"] = route
        return self.settings(f"http://{self.name(label)}:{self.origin.http_port}/{label}", **more)

    def scripted_tls(self, label, connection, **more):
        self.origin.script.sni[f"{label}.probe.test"] = connection
        return self.settings(f"https://{self.name(label)}:{self.origin.https_port}/", **more)

    def denied(self):
        """A probe that ends as local_denied."""
        return self.settings(f"http://{self.name('metadata', ('169.254.169.254',))}/")

    def refusing_port(self):
        """A TCP port that answers RST, and stays so: bound, never listening."""
        held = self.stack.enter_context(socket.socket())
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]

    def unreachable_udp_port(self):
        """A UDP port that answers "port unreachable": its socket hears only somebody else."""
        held = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        held.bind(("127.0.0.1", 0))
        held.connect(("127.0.0.1", 9))
        return held.getsockname()[1]

    def silent_port(self):
        """A TCP port whose SYNs get no answer: its backlog is full."""
        full = http_origin.Origin(backlog=0)
        self.stack.enter_context(full)
        full.saturate()
        return full.http_port
