#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A scriptable DNS server that looks like the VPC resolver (RA=1, AA=0), over UDP and TCP.

Script:
  {"default": ANSWER, "names": {NAME: {TYPE: ANSWER, ...} or [ADDRESS, ...]}}
NAME may be "*.zone"; TYPE may be "*". A list of addresses is sorted into A and AAAA. A type that a
known name does not have is NODATA; an unknown name gets `default`, which is NXDOMAIN unless said.

ANSWER, all keys optional:
  addresses [..]     the records; many N instead makes N of them (4000 A records fit one TCP reply)
  cname [..]         chain before the addresses, the question's name first points to cname[0]
  cname_loop true    the name points to an alias that points back
  ttl N              seconds, 60 by default, up to 4294967295
  rcode NAME         NXDOMAIN SERVFAIL REFUSED FORMERR NOTIMP; NXDOMAIN carries an SOA, and a cname
                     the chain that ends there
  nodata true        NOERROR, no answer, SOA
  authoritative true AA=1
  delay_ms N         answer that much later
  drop true          never answer; drop_first N: not the first N questions
  sequence [..]      one ANSWER per question, the last one stays
  truncate true      over UDP: TC=1 and no records; TCP gets the whole
  tcp WORD           over TCP: close, silent or partial (half the reply, then silence)
  edns "formerr"     a question with EDNS gets FORMERR without it, as from an old server
  extra N            N unrelated records behind the answer
  forged_first WORD  sends a false reply first: wrong_id, wrong_question or other_port
  malformed WORD     the reply itself is false or broken: wrong_id wrong_question other_port
                     not_a_reply short header_only garbage pointer_loop bad_rdlength
                     count_lies (says more records than follow)
The log has received_us (for UDP the kernel's own stamp) and answered_us (just before the reply leaves),
both on CLOCK_MONOTONIC.
Control port: GET /queries (counts, and the log with times), POST /script (replaces the script),
POST /names (replaces single names), POST /reset (forgets counts, log, and turns of sequences).
"""

import collections
import ipaddress
import random
import select
import socket
import struct
import threading

import dns_wire
import service
from dns_wire import RCODES

LOG_MAX = 200_000
TCP_IDLE_S = 10
MALFORMED = ("wrong_id", "wrong_question", "other_port", "not_a_reply", "short", "header_only",
             "garbage", "pointer_loop", "bad_rdlength", "count_lies")
FORGED = ("wrong_id", "wrong_question", "other_port")
ANSWER_KEYS = frozenset((
    "addresses", "many", "cname", "cname_loop", "ttl", "rcode", "nodata", "authoritative", "delay_ms",
    "drop", "drop_first", "sequence", "truncate", "tcp", "edns", "extra", "forged_first", "malformed"))
QUESTION_NAME = b"\xc0\x0c"  # a compression pointer to the name in the question


def check_answer(answer):
    """Refuses what would otherwise be silently ignored."""
    unknown = set(answer) - ANSWER_KEYS
    if unknown:
        raise ValueError(f"unknown keys in an answer: {sorted(unknown)}")
    for key, allowed in (("rcode", tuple(RCODES)), ("malformed", MALFORMED), ("forged_first", FORGED),
                         ("tcp", ("close", "silent", "partial")), ("edns", ("formerr",))):
        if key in answer and answer[key] not in allowed:
            raise ValueError(f"{key}: {answer[key]}, want one of {allowed}")
    for address in answer.get("addresses", ()):
        ipaddress.ip_address(address)
    for each in answer.get("sequence", ()):
        check_answer(each)


class Script:
    """What to answer; turns of sequences are counted here per (name, type)."""

    def __init__(self, script=None):
        script = script or {}
        unknown = set(script) - {"default", "names"}
        if unknown:
            raise ValueError(f"unknown keys in the script: {sorted(unknown)}")
        self.default = script.get("default", {"rcode": "NXDOMAIN"})
        check_answer(self.default)
        self.names = {}
        self.asked = collections.Counter()
        self.update(script.get("names", {}))

    def update(self, names):
        """Replaces these names; their sequences start again."""
        parsed = {name.rstrip(".").lower(): self._parse_name(value) for name, value in names.items()}
        self.names.update(parsed)
        for name, kind in list(self.asked):
            if any(name == new or name.endswith(new.removeprefix("*")) for new in parsed):
                del self.asked[name, kind]

    @staticmethod
    def _parse_name(value):
        if isinstance(value, list):
            types = {}
            for address in value:
                kind = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
                types.setdefault(kind, {"addresses": []})["addresses"].append(address)
            return types
        for kind, answer in value.items():
            if kind != "*" and kind not in dns_wire.TYPES:
                raise ValueError(f"unknown type {kind}")
            check_answer(answer)
        return value

    def _types_of(self, name):
        if name in self.names:
            return self.names[name]
        while "." in name:
            name = name.partition(".")[2]
            if f"*.{name}" in self.names:
                return self.names[f"*.{name}"]
        return None

    def answer_for(self, name, type_name):
        types = self._types_of(name)
        if types is None:
            answer = self.default
        else:
            answer = types.get(type_name, types.get("*", {"nodata": True}))
        turn = self.asked[name, type_name]
        self.asked[name, type_name] += 1
        if turn < answer.get("drop_first", 0):
            return {"drop": True}
        turn -= answer.get("drop_first", 0)
        sequence = answer.get("sequence")
        return sequence[min(turn, len(sequence) - 1)] if sequence else answer


def generated_addresses(count, type_name):
    first = ipaddress.ip_address("127.64.0.1" if type_name == "A" else "fd00:64::1")
    return [str(first + i) for i in range(count)]


def answer_records(query, answer):
    """The answer section: the chain of aliases, then addresses of the asked family."""
    ttl = answer.get("ttl", 60)
    if answer.get("cname_loop"):
        return [dns_wire.record(QUESTION_NAME, "CNAME", ttl, dns_wire.encode_name("loop.alias.test")),
                dns_wire.record("loop.alias.test", "CNAME", ttl, dns_wire.encode_name(query.name))]
    records, owner = [], QUESTION_NAME
    for alias in answer.get("cname", ()):
        records.append(dns_wire.record(owner, "CNAME", ttl, dns_wire.encode_name(alias)))
        owner = alias
    version = {"A": 4, "AAAA": 6}.get(query.type_name)
    addresses = answer.get("addresses") or generated_addresses(answer.get("many", 0), query.type_name)
    records += [dns_wire.address_record(owner, address, ttl) for address in addresses
                if ipaddress.ip_address(address).version == version]
    for number in range(answer.get("extra", 0)):
        records.append(dns_wire.address_record(f"unrelated-{number}.other.test", "192.0.2.66", ttl))
    return records


def whole_reply(query, answer):
    """The honest reply, of any size."""
    rcode = RCODES[answer.get("rcode", "NOERROR")]
    bits = dns_wire.flags(query, rcode, authoritative=answer.get("authoritative", False))
    records = answer_records(query, answer) if not rcode or answer.get("cname") else []
    if answer.get("nodata"):
        records = []
    authority = []
    if answer.get("nodata") or rcode == RCODES["NXDOMAIN"]:
        zone = query.name.partition(".")[2] or query.name
        authority = [dns_wire.soa_record(zone.lower(), answer.get("ttl", 60))]
    return dns_wire.message(query, bits, records, authority)


def truncated_reply(query, answer):
    rcode = RCODES[answer.get("rcode", "NOERROR")]
    return dns_wire.message(query, dns_wire.flags(query, rcode, truncated=True))


def false_reply(query, answer, kind, randomness):
    """A reply that must not be believed, or cannot be parsed."""
    bits = dns_wire.flags(query, 0)
    one_pointer = struct.pack(">HH", query.type, dns_wire.CLASS_IN)
    if kind == "wrong_id":
        return dns_wire.message(query, bits, answer_records(query, answer), message_id=query.id ^ 0x5555)
    if kind == "wrong_question":
        other = dns_wire.encode_name("forged.example.test") + one_pointer
        return dns_wire.message(query, bits, answer_records(query, answer), question=other)
    if kind == "not_a_reply":
        return dns_wire.message(query, dns_wire.flags(query, 0, is_reply=False), answer_records(query, answer))
    if kind == "short":
        return whole_reply(query, answer)[:5]
    if kind == "header_only":
        return whole_reply(query, answer)[:dns_wire.HEADER_BYTES]
    if kind == "garbage":
        return struct.pack(">H", query.id) + randomness.randbytes(90)
    if kind == "pointer_loop":
        # The question's name is a pointer to itself, at offset 12.
        return dns_wire.message(query, bits, [dns_wire.address_record(QUESTION_NAME, "192.0.2.1", 60)],
                                question=b"\xc0\x0c" + one_pointer)
    if kind == "bad_rdlength":
        rdata = socket.inet_aton("192.0.2.1")
        broken = QUESTION_NAME + struct.pack(">HHIH", query.type, dns_wire.CLASS_IN, 60, 4096) + rdata
        return dns_wire.message(query, bits, [broken])
    if kind == "count_lies":
        reply = bytearray(dns_wire.message(query, bits, answer_records(query, answer)))
        reply[6:8] = struct.pack(">H", 20)
        return bytes(reply)
    return whole_reply(query, answer)  # other_port: the bytes are right, the sender is not


class DnsServer(service.Server):
    """Listens on each address with UDP and TCP. The script may be changed while it runs."""

    def __init__(self, script=None, addresses=("127.0.0.1:0",), seed=1):
        self.script = Script(script)
        self.addresses = addresses
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.log = collections.deque(maxlen=LOG_MAX)
        self.randomness = random.Random(seed)
        self.timers = service.Timers()
        self.sockets = []
        self.listening = []

    # -- for the test that owns it

    def set_script(self, script):
        parsed = Script(script)
        with self.lock:
            self.script = parsed
        return {}

    def set_names(self, names):
        with self.lock:
            self.script.update(names)
        return {}

    def set(self, name, answer):
        """Replaces one name: a list of addresses or {TYPE: ANSWER}."""
        self.set_names({name: answer})

    def count(self, name, type_name):
        """How many datagrams and TCP questions asked for it."""
        with self.lock:
            return self.counts[name.rstrip(".").lower(), type_name]

    def reset(self):
        with self.lock:
            self.counts.clear()
            self.log.clear()
            self.script.asked.clear()
        return {}

    def queries(self):
        with self.lock:
            counts = {f"{name} {kind}": count for (name, kind), count in self.counts.items()}
            return {"total": sum(counts.values()), "counts": counts, "log": [dict(e) for e in self.log]}

    def control_routes(self):
        return {("GET", "/queries"): lambda _: self.queries(),
                ("POST", "/script"): self.set_script,
                ("POST", "/names"): self.set_names,
                ("POST", "/reset"): lambda _: self.reset()}

    # -- sockets

    def start(self):
        for address in self.addresses:
            tcp, udp = open_pair(address)
            self.sockets += [tcp, udp]
            self.listening.append(service.format_address(tcp.getsockname()))
        self.wake_reader, self.wake_writer = socket.socketpair()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.timers.start()
        self.thread.start()

    def stop(self):
        self.wake_writer.send(b"x")
        self.thread.join()
        self.timers.stop()
        for each in [*self.sockets, self.wake_reader, self.wake_writer]:
            each.close()

    def _serve(self):
        while True:
            readable, _, _ = select.select([self.wake_reader, *self.sockets], [], [])
            if self.wake_reader in readable:
                return
            for each in readable:
                if each.type == socket.SOCK_STREAM:
                    connection, _ = each.accept()
                    threading.Thread(target=self._serve_tcp, args=(connection,), daemon=True).start()
                else:
                    packet, ancillary, _, client = each.recvmsg(4096, 256)
                    self._take(packet, UdpPeer(each, client), service.received_us(ancillary))

    def _serve_tcp(self, connection):
        """RFC 7766: several questions on one connection, each behind its length."""
        connection.settimeout(TCP_IDLE_S)
        peer = TcpPeer(connection)
        try:
            with connection, connection.makefile("rb") as stream:
                while len(prefix := stream.read(2)) == 2:
                    self._take(stream.read(struct.unpack(">H", prefix)[0]), peer, service.mono_us())
        except OSError:
            pass  # the client went away, or was silent too long

    # -- one question

    def _take(self, packet, peer, received_us):
        try:
            query = dns_wire.Query(packet)
        except (ValueError, IndexError, struct.error):
            return
        name = query.name.lower()
        entry = {"name": name, "type": query.type_name, "transport": peer.transport, "client": peer.client,
                 "server": peer.server, "id": query.id, "edns": query.has_edns,
                 "received_us": received_us, "answered_us": None}
        with self.lock:
            answer = self.script.answer_for(name, query.type_name)
            self.counts[name, query.type_name] += 1
            self.log.append(entry)
        if answer.get("drop"):
            return
        if delay_ms := answer.get("delay_ms", 0):
            self.timers.after(delay_ms / 1000, lambda: self._answer(query, answer, peer, entry))
        else:
            self._answer(query, answer, peer, entry)

    def _answer(self, query, answer, peer, entry):
        try:
            if forged := answer.get("forged_first"):
                peer.send({}, false_reply(query, answer, forged, self.randomness), forged == "other_port")
            peer.reply(entry, query, answer, self.randomness)
        except OSError:
            pass  # the client went away


class UdpPeer:
    transport = "udp"

    def __init__(self, sock, client):
        self.sock = sock
        self.sockaddr = client
        self.client = service.format_address(client)
        self.server = service.format_address(sock.getsockname())

    def send(self, entry, packet, from_other_port=False):
        """Stamps the entry before the packet leaves: whoever has the packet can see the stamp."""
        if not from_other_port:
            entry["answered_us"] = service.mono_us()
            self.sock.sendto(packet, self.sockaddr)
            return
        with socket.socket(self.sock.family, socket.SOCK_DGRAM) as stranger:
            stranger.bind((self.sock.getsockname()[0], 0))
            entry["answered_us"] = service.mono_us()
            stranger.sendto(packet, self.sockaddr)

    def reply(self, entry, query, answer, randomness):
        kind = answer.get("malformed")
        if kind is not None:
            self.send(entry, false_reply(query, answer, kind, randomness), kind == "other_port")
        elif answer.get("edns") == "formerr" and query.has_edns:
            query.has_edns = False
            self.send(entry, dns_wire.message(query, dns_wire.flags(query, RCODES["FORMERR"])))
        elif answer.get("truncate"):
            self.send(entry, truncated_reply(query, answer))
        else:
            packet = whole_reply(query, answer)
            self.send(entry, packet if len(packet) <= query.udp_bytes else truncated_reply(query, answer))


class TcpPeer:
    transport = "tcp"

    def __init__(self, connection):
        self.connection = connection
        self.client = service.format_address(connection.getpeername())
        self.server = service.format_address(connection.getsockname())

    def send(self, entry, packet, _=False):
        entry["answered_us"] = service.mono_us()
        self.connection.sendall(struct.pack(">H", len(packet)) + packet)

    def reply(self, entry, query, answer, randomness):
        how = answer.get("tcp")
        kind = answer.get("malformed")
        if how == "close":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif how == "partial":
            packet = whole_reply(query, answer)
            self.connection.sendall(struct.pack(">H", len(packet)) + packet[:len(packet) // 2])
        elif how != "silent":
            self.send(entry, false_reply(query, answer, kind, randomness) if kind else whole_reply(query, answer))


def open_pair(address):
    """TCP and UDP on one port; with port 0, one that both have free."""
    host, port = service.parse_address(address)
    for attempt in range(20):
        tcp = service.listen_tcp(address)
        udp = socket.socket(tcp.family, socket.SOCK_DGRAM)
        if udp.family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.setsockopt(socket.SOL_SOCKET, service.SO_TIMESTAMPNS, 1)
        try:
            udp.bind((host, tcp.getsockname()[1]))
            return tcp, udp
        except OSError:
            tcp.close()
            udp.close()
            if port != 0 or attempt == 19:
                raise
    raise AssertionError("unreachable")


def main():
    parser = service.program_arguments("scriptable DNS server")
    options = parser.parse_args()
    server = DnsServer(service.read_script(options.script), options.listen or ["127.0.0.1:0"])
    service.run_until_signal(server, options.control)


if __name__ == "__main__":
    main()
