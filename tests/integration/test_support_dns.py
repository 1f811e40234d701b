# SPDX-License-Identifier: Apache-2.0
"""Each thing the DNS server can be told really comes out on the wire. The decoder here is its own."""

import ipaddress
import json
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

import dns_server
import service

SUPPORT = pathlib.Path(dns_server.__file__).parent
NAME = "svc.probe.test"
A, CNAME, SOA, AAAA, OPT = 1, 5, 6, 28, 41
SOON_S = 0.2  # how long a silent server is watched


def question(name=NAME, kind=A, message_id=0x1234, edns=0):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    additional = b"\0" + struct.pack(">HHIH", OPT, edns, 0, 0) if edns else b""
    return (struct.pack(">HHHHHH", message_id, 0x0100, 1, 0, 0, 1 if edns else 0) + labels + b"\0" +
            struct.pack(">HH", kind, 1) + additional)


class Decoded:
    """A reply taken apart; records are (owner, type, ttl, data)."""

    def __init__(self, packet):
        self.packet = packet
        self.id, flags, questions, answers, authorities, additionals = struct.unpack(">HHHHHH", packet[:12])
        self.is_reply, self.aa = bool(flags & 0x8000), bool(flags & 0x0400)
        self.tc, self.rd, self.ra = bool(flags & 0x0200), bool(flags & 0x0100), bool(flags & 0x0080)
        self.rcode = flags & 15
        assert questions == 1
        self.name, at = self.read_name(12)
        self.type = struct.unpack(">H", packet[at:at + 2])[0]
        at += 4
        self.answer, at = self.read_records(at, answers)
        self.authority, at = self.read_records(at, authorities)
        self.additional, at = self.read_records(at, additionals)
        assert at == len(packet)

    def read_name(self, at):
        labels, end, jumps = [], None, 0
        while self.packet[at]:
            if self.packet[at] >= 0xc0:
                end = end or at + 2
                at = struct.unpack(">H", self.packet[at:at + 2])[0] & 0x3fff
                jumps += 1
                assert jumps < 10, "pointer loop"
                continue
            labels.append(self.packet[at + 1:at + 1 + self.packet[at]].decode())
            at += 1 + self.packet[at]
        return ".".join(labels), end or at + 1

    def read_records(self, at, count):
        records = []
        for _ in range(count):
            owner, at = self.read_name(at)
            kind, _, ttl, length = struct.unpack(">HHIH", self.packet[at:at + 10])
            at += 10
            assert at + length <= len(self.packet), "rdlength beyond the packet"
            data = self.packet[at:at + length]
            if kind in (A, AAAA):
                data = str(ipaddress.ip_address(data))
            elif kind == CNAME:
                data = self.read_name(at)[0]
            records.append((owner, kind, ttl, data))
            at += length
        return records, at

    def addresses(self):
        return [data for _, kind, _, data in self.answer if kind in (A, AAAA)]


class Client:
    def __init__(self, address):
        self.where = service.parse_address(address)
        self.sock = socket.socket(service.family_of(self.where[0]), socket.SOCK_DGRAM)
        self.sock.settimeout(5)

    def ask_raw(self, packet):
        self.sock.sendto(packet, self.where)
        return self.sock.recvfrom(65535)[0]

    def ask(self, *arguments, **more):
        return Decoded(self.ask_raw(question(*arguments, **more)))

    def is_silent_to(self, packet):
        self.sock.settimeout(SOON_S)
        try:
            self.ask_raw(packet)
            return False
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(5)

    def ask_tcp(self, packet):
        with socket.create_connection(self.where, 5) as connection, connection.makefile("rb") as stream:
            connection.sendall(struct.pack(">H", len(packet)) + packet)
            connection.settimeout(2)
            length = struct.unpack(">H", stream.read(2))[0]
            return stream.read(length)


@pytest.fixture
def client(dns):
    made = Client(dns.address)
    yield made
    made.sock.close()


def test_a_list_of_addresses_is_sorted_into_families(dns, client):
    dns.set(NAME, ["127.0.0.1", "127.0.0.2", "::1"])
    assert client.ask().addresses() == ["127.0.0.1", "127.0.0.2"]
    assert client.ask(kind=AAAA).addresses() == ["::1"]


def test_it_looks_like_the_vpc_resolver(dns, client):
    dns.set(NAME, ["127.0.0.1"])
    reply = client.ask("SVC.Probe.test", message_id=77)
    assert reply.id == 77 and reply.is_reply and reply.ra and reply.rd and not reply.aa
    assert reply.name == "SVC.Probe.test"  # the case of the question comes back
    assert reply.answer == [("SVC.Probe.test", A, 60, "127.0.0.1")]


def test_unknown_names_are_nxdomain_with_an_soa(client):
    reply = client.ask("nobody.probe.test")
    assert reply.rcode == 3 and reply.answer == []
    assert [(owner, kind) for owner, kind, _, _ in reply.authority] == [("probe.test", SOA)]


def test_a_type_the_name_does_not_have_is_nodata(dns, client):
    dns.set(NAME, ["127.0.0.1"])
    reply = client.ask(kind=AAAA)
    assert reply.rcode == 0 and reply.answer == [] and reply.authority[0][1] == SOA


@pytest.mark.parametrize("rcode, number", [("FORMERR", 1), ("SERVFAIL", 2), ("NXDOMAIN", 3), ("NOTIMP", 4),
                                           ("REFUSED", 5)])
def test_every_rcode(dns, client, rcode, number):
    dns.set(NAME, {"*": {"rcode": rcode}})
    assert client.ask().rcode == number


def test_a_wildcard_answers_for_names_below_it_only(dns, client):
    dns.set("*.zone.test", ["192.0.2.1"])
    assert client.ask("a.b.zone.test").addresses() == ["192.0.2.1"]
    assert client.ask("zone.test").rcode == 3


def test_a_chain_of_aliases_comes_in_order(dns, client):
    dns.set(NAME, {"A": {"cname": ["one.test", "two.test"], "addresses": ["192.0.2.9"], "ttl": 7}})
    assert client.ask().answer == [(NAME, CNAME, 7, "one.test"), ("one.test", CNAME, 7, "two.test"),
                                   ("two.test", A, 7, "192.0.2.9")]


def test_an_alias_loop(dns, client):
    dns.set(NAME, {"A": {"cname_loop": True}})
    (_, _, _, first), (owner, _, _, second) = client.ask().answer
    assert first == owner and second == NAME


def test_the_largest_ttl(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "ttl": 0xffffffff}})
    assert client.ask().answer[0][2] == 0xffffffff


def test_drop_is_silent_and_counted(dns, client):
    dns.set(NAME, {"A": {"drop": True}})
    assert client.is_silent_to(question())
    assert dns.count(NAME, "A") == 1 and dns.log[-1]["answered_us"] is None


def test_drop_first_lets_the_next_one_through(dns, client):
    dns.set(NAME, {"A": {"drop_first": 2, "addresses": ["192.0.2.1"]}})
    assert client.is_silent_to(question()) and client.is_silent_to(question())
    assert client.ask().addresses() == ["192.0.2.1"]
    dns.set(NAME, {"A": {"drop_first": 1, "addresses": ["192.0.2.1"]}})
    assert client.is_silent_to(question())  # a name that is set again starts again


def test_a_sequence_stays_at_its_last(dns, client):
    dns.set(NAME, {"A": {"sequence": [{"rcode": "SERVFAIL"}, {"addresses": ["192.0.2.1"]}]}})
    assert [client.ask().rcode for _ in range(3)] == [2, 0, 0]


def test_delay_is_as_long_as_said_and_does_not_hold_up_others(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "delay_ms": 400}, "AAAA": {"addresses": ["::1"]}})
    client.sock.sendto(question(), client.where)
    assert client.ask(kind=AAAA).addresses() == ["::1"]
    assert Decoded(client.sock.recv(512)).addresses() == ["192.0.2.1"]
    entry = next(each for each in dns.queries()["log"] if each["type"] == "A")
    assert 400_000 <= entry["answered_us"] - entry["received_us"] < 800_000


def test_truncation_over_udp_and_the_whole_over_tcp(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "truncate": True}})
    reply = client.ask()
    assert reply.tc and reply.answer == []
    whole = Decoded(client.ask_tcp(question()))
    assert not whole.tc and whole.addresses() == ["192.0.2.1"]
    assert [entry["transport"] for entry in dns.log] == ["udp", "tcp"]


def test_4000_addresses_are_truncated_over_udp_and_whole_over_tcp(dns, client):
    dns.set(NAME, {"A": {"many": 4000}})
    assert client.ask(edns=4096).tc
    assert len(set(Decoded(client.ask_tcp(question())).addresses())) == 4000


def test_edns_raises_the_udp_limit_and_is_answered_with_opt(dns, client):
    dns.set(NAME, {"A": {"many": 60}})  # 60 * 16 bytes: over 512, under 1232
    assert client.ask().tc
    reply = client.ask(edns=1232)
    assert not reply.tc and len(reply.addresses()) == 60 and reply.additional[0][1] == OPT


def test_an_old_server_says_formerr_to_edns(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "edns": "formerr"}})
    reply = client.ask(edns=1232)
    assert reply.rcode == 1 and reply.additional == []
    assert client.ask().addresses() == ["192.0.2.1"]


@pytest.mark.parametrize("word", ["close", "silent", "partial"])
def test_tcp_faults(dns, client, word):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "tcp": word}})
    packet = question()
    with socket.create_connection(client.where, 5) as connection:
        connection.settimeout(SOON_S)
        connection.sendall(struct.pack(">H", len(packet)) + packet)
        if word == "silent":
            with pytest.raises(TimeoutError):
                connection.recv(1)
            return
        got = connection.recv(2)
        if word == "close":
            assert got == b""
            return
        piece = connection.recv(512)
        assert 0 < len(piece) < struct.unpack(">H", got)[0]
        with pytest.raises(TimeoutError):
            connection.recv(1)


def malformed(dns, client, kind):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "malformed": kind}})
    return client.ask_raw(question())


def test_a_wrong_id(dns, client):
    assert Decoded(malformed(dns, client, "wrong_id")).id != 0x1234


def test_a_wrong_question(dns, client):
    reply = Decoded(malformed(dns, client, "wrong_question"))
    assert reply.id == 0x1234 and reply.name == "forged.example.test"


def test_a_query_instead_of_a_reply(dns, client):
    assert not Decoded(malformed(dns, client, "not_a_reply")).is_reply


def test_a_short_packet(dns, client):
    assert len(malformed(dns, client, "short")) == 5


def test_a_header_without_the_rest(dns, client):
    packet = malformed(dns, client, "header_only")
    assert len(packet) == 12 and struct.unpack(">H", packet[6:8])[0] == 1


def test_garbage_has_the_right_id_only(dns, client):
    packet = malformed(dns, client, "garbage")
    assert packet[:2] == b"\x12\x34" and len(packet) == 92


def test_a_pointer_loop(dns, client):
    with pytest.raises(AssertionError, match="pointer loop"):
        Decoded(malformed(dns, client, "pointer_loop"))


def test_a_bad_rdlength(dns, client):
    with pytest.raises(AssertionError, match="rdlength beyond"):
        Decoded(malformed(dns, client, "bad_rdlength"))


def test_counts_that_lie(dns, client):
    with pytest.raises((IndexError, struct.error)):
        Decoded(malformed(dns, client, "count_lies"))


def test_a_reply_from_another_port(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "malformed": "other_port"}})
    client.sock.sendto(question(), client.where)
    packet, sender = client.sock.recvfrom(512)
    assert Decoded(packet).addresses() == ["192.0.2.1"] and sender[1] != client.where[1]


def test_a_forged_reply_comes_before_the_true_one(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "forged_first": "wrong_id"}})
    assert client.ask().id != 0x1234
    assert Decoded(client.sock.recv(512)).id == 0x1234


def test_unrelated_records_follow_the_answer(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "extra": 2}})
    assert [owner for owner, _, _, _ in client.ask().answer] == [NAME, "unrelated-0.other.test",
                                                                 "unrelated-1.other.test"]


def test_an_authoritative_answer(dns, client):
    dns.set(NAME, {"A": {"addresses": ["192.0.2.1"], "authoritative": True}})
    assert client.ask().aa


def test_bytes_that_are_no_question_get_no_answer(dns, client):
    assert client.is_silent_to(b"\x01")
    dns.set(NAME, ["192.0.2.1"])
    assert client.ask().addresses() == ["192.0.2.1"]


@pytest.mark.parametrize("script", [
    {"nmaes": {}}, {"names": {NAME: {"A": {"adresses": []}}}}, {"names": {NAME: {"B": {}}}},
    {"names": {NAME: {"A": {"malformed": "slightly"}}}}, {"names": {NAME: {"A": {"addresses": ["1.2.3"]}}}},
    {"default": {"rcode": "NOPE"}}])
def test_a_script_with_a_mistake_is_refused(script):
    with pytest.raises(ValueError):
        dns_server.Script(script)


def test_ipv6_and_several_addresses():
    with dns_server.DnsServer({"names": {NAME: ["::1"]}}, ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]) as server:
        for address in server.listening:
            client = Client(address)
            assert client.ask(kind=AAAA).addresses() == ["::1"]
            client.sock.close()
        assert server.count(NAME, "AAAA") == 3
        assert sorted(entry["server"] for entry in server.log) == sorted(server.listening)


def control(address, path, value=None):
    data = None if value is None else json.dumps(value).encode()
    with urllib.request.urlopen(f"http://{address}{path}", data, timeout=5) as response:
        return json.load(response)


def test_as_a_program_with_a_control_port(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"names": {NAME: ["192.0.2.1"]}}), encoding="utf-8")
    command = [sys.executable, SUPPORT / "dns_server.py", "--listen", "127.0.0.1:0", "--script", script,
               "--control", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            listening = process.stdout.readline().split()
            where = process.stdout.readline().split()
            assert listening[0] == "listening" and where[0] == "control"
            client = Client(listening[1])
            assert client.ask().addresses() == ["192.0.2.1"]
            control(where[1], "/script", {"names": {NAME: ["192.0.2.2"]}})
            assert client.ask().addresses() == ["192.0.2.2"]
            assert control(where[1], "/queries")["counts"] == {f"{NAME} A": 2}
            control(where[1], "/reset", {})
            assert control(where[1], "/queries")["total"] == 0
            with pytest.raises(urllib.error.HTTPError, match="400"):
                control(where[1], "/script", {"bad": 1})
            client.sock.close()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
