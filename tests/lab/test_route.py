# SPDX-License-Identifier: Apache-2.0
"""What route says of a kernel's tables, and host of a driver's counters, in two network namespaces."""

import json
import os
import time

import pytest

from laboratory import run

LATTICE = "169.254.171.33"
LATTICE_V6 = "fd00:ec2:80::a9fe:ab21"
MAIN_TABLE, OTHER_TABLE = 254, 77
ENETUNREACH, EACCES, EINVAL, EHOSTUNREACH, EADDRNOTAVAIL = 101, 13, 22, 113, 99
PREFIX = "lproute"
WAIT_S = 20


def clear_killed_runs():
    """Namespaces are named after the process that made them; those whose maker is gone go too."""
    for line in run("ip", "netns", "list").stdout.splitlines():
        name = line.split()[0]
        maker = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(PREFIX) and maker.isdigit() and not os.path.exists(f"/proc/{maker}"):
            run("ip", "netns", "delete", name, check=False)


class Pair:
    """A host (eth0 10.9.0.10, fd00:9::10) and a router (10.9.0.1, fd00:9::1) on one link."""

    def __init__(self, tool):
        self.tool = tool
        self.names = {room: f"{PREFIX}{os.getpid()}-{room}" for room in ("host", "router")}

    def up(self):
        for name in self.names.values():
            run("ip", "netns", "add", name)
        run("ip", "-n", self.names["host"], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0",
            "netns", self.names["router"])
        for room, number in (("host", 10), ("router", 1)):
            self.inside(room, "sh", "-c", "for each in /proc/sys/net/ipv6/conf/*; do echo 0 >$each/accept_dad; done")
            self.ip("link set lo up", room)
            self.ip("link set eth0 up", room)
            self.ip(f"address add 10.9.0.{number}/24 dev eth0", room)
            self.ip(f"address add fd00:9::{number}/64 dev eth0", room)

    def down(self):
        for name in self.names.values():
            run("ip", "netns", "delete", name, check=False)

    def inside(self, room, *command):
        return run("ip", "netns", "exec", self.names[room], *command).stdout

    def ip(self, words, room="host"):
        return run("ip", "-n", self.names[room], *words.split()).stdout

    def ask(self, *arguments):
        answers = [json.loads(line) for line in self.inside("host", self.tool, *arguments).splitlines()]
        return answers if len(arguments) > 1 else answers[0]

    def link_local(self, room):
        """The address that the kernel gives an interface once its link is up."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            shown = json.loads(self.inside(room, "ip", "-j", "-6", "address", "show", "dev", "eth0"))
            for each in shown[0]["addr_info"]:
                if each["scope"] == "link" and "tentative" not in each:
                    return each["local"]
            time.sleep(0.02)
        pytest.fail(f"no link-local address in {room}")

    def touch(self, address):
        """Connects without waiting for the answer; gives the errno. The host looks for its neighbour."""
        family = "AF_INET6" if ":" in address else "AF_INET"
        return int(self.inside("host", "python3", "-c", f"import socket; s = socket.socket(socket.{family}); "
                               f"s.setblocking(False); print(s.connect_ex(('{address}', 443)))"))

    def wait_for_neighbour(self, address, *states):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if any(state in self.ip(f"neigh show to {address}") for state in states):
                return
            time.sleep(0.02)
        pytest.fail(f"{address} never became {states}: {self.ip('neigh show')}")


@pytest.fixture
def pair(lattice_probe):
    if os.geteuid() != 0:
        pytest.fail("the lab needs root")
    tool = lattice_probe.parent / "tests" / "support" / "route_tool"
    if not os.access(tool, os.X_OK):
        pytest.fail(f"no route_tool at {tool}; make check-lab builds it")
    clear_killed_runs()
    made = Pair(tool)
    try:
        made.up()
        yield made
    finally:
        made.down()


def test_without_a_default_route_there_is_none(pair):
    for address in (LATTICE, "2001:db8::1"):
        seen = pair.ask(address)
        assert (seen["kind"], seen["error"], seen["device"], seen["prefix_length"]) == ("none", ENETUNREACH, "", -1)
        assert pair.touch(address) == ENETUNREACH
    assert [each["has_default"] for each in pair.ask("default-4", "default-6")] == [False, False]


def test_without_ipv6_there_is_no_route(pair):
    pair.ip("route add default via fd00:9::1")
    pair.inside("host", "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    seen = pair.ask(LATTICE_V6)
    assert (seen["kind"], seen["error"]) == ("none", ENETUNREACH)
    assert pair.touch(LATTICE_V6) in (ENETUNREACH, EADDRNOTAVAIL)
    assert not pair.ask("default-6")["has_default"]


def test_the_default_route_leads_over_the_gateway(pair):
    pair.ip("route add default via 10.9.0.1")
    pair.ip("route add default via fd00:9::1")
    v4, v6 = pair.ask(f"{LATTICE}:443", f"[{LATTICE_V6}]:443")
    assert v4 == {"kind": "unicast", "error": 0, "device": "eth0", "gateway": "10.9.0.1", "gateway_scope": 0,
                  "source": "10.9.0.10", "prefix": "0.0.0.0", "prefix_length": 0, "table": MAIN_TABLE,
                  "is_link_scope": False, "neighbour": "none"}
    assert v6 == {"kind": "unicast", "error": 0, "device": "eth0", "gateway": "fd00:9::1", "gateway_scope": 0,
                  "source": "fd00:9::10", "prefix": "::", "prefix_length": 0, "table": MAIN_TABLE,
                  "is_link_scope": False, "neighbour": "none"}
    assert [each["has_default"] for each in pair.ask("default-4", "default-6")] == [True, True]
    pair.touch(LATTICE)
    pair.wait_for_neighbour("10.9.0.1", "REACHABLE", "STALE", "DELAY")
    assert pair.ask(LATTICE)["neighbour"] == "reachable"


def test_a_link_local_gateway_has_its_link(pair):
    gateway = pair.link_local("router")
    pair.ip(f"route add default via {gateway} dev eth0")
    index = json.loads(pair.inside("host", "ip", "-j", "link", "show", "eth0"))[0]["ifindex"]
    seen = pair.ask(LATTICE_V6)
    assert (seen["gateway"], seen["gateway_scope"], seen["device"]) == (gateway, index, "eth0")
    pair.touch(LATTICE_V6)
    pair.wait_for_neighbour(gateway, "REACHABLE", "STALE", "DELAY")
    assert pair.ask(LATTICE_V6)["neighbour"] == "reachable"


@pytest.mark.parametrize("kind, error", [("blackhole", EINVAL), ("prohibit", EACCES), ("unreachable", EHOSTUNREACH)])
def test_a_route_that_refuses_is_told_by_its_kind(pair, kind, error):
    pair.ip("route add default via 10.9.0.1")
    pair.ip("route add default via fd00:9::1")
    pair.ip(f"route add {kind} 169.254.171.0/24")
    pair.ip(f"route add {kind} fd00:ec2:80::/64")
    for seen in pair.ask(LATTICE, LATTICE_V6):
        assert (seen["kind"], seen["error"], seen["device"]) == (kind, error, "")
        assert (seen["prefix"], seen["prefix_length"]) == ("", -1)
    assert pair.touch(LATTICE) == error and pair.touch(LATTICE_V6) == error


def test_a_default_route_that_refuses_leads_nowhere(pair):
    pair.ip("-6 route add unreachable default dev lo metric 4294967295")
    seen = pair.ask(LATTICE_V6)
    assert (seen["kind"], seen["error"]) == ("unreachable", EHOSTUNREACH)
    assert not pair.ask("default-6")["has_default"]
    pair.ip("route add blackhole default")
    assert not pair.ask("default-4")["has_default"]


def test_two_halves_are_a_default_route(pair):
    pair.ip("route add 0.0.0.0/1 via 10.9.0.1")
    assert not pair.ask("default-4")["has_default"]
    pair.ip("route add 128.0.0.0/1 via 10.9.0.1")
    pair.ip("route add 2000::/3 via fd00:9::1")
    assert [each["has_default"] for each in pair.ask("default-4", "default-6")] == [True, True]


def test_rules_choose_the_table(pair):
    pair.ip("route add default via 10.9.0.1")
    pair.ip(f"route add 169.254.171.0/24 via 10.9.0.7 table {OTHER_TABLE}")
    pair.ip(f"rule add to 169.254.171.0/24 lookup {OTHER_TABLE}")
    seen = pair.ask(LATTICE)
    assert (seen["gateway"], seen["table"], seen["prefix"], seen["prefix_length"]) == (
        "10.9.0.7", OTHER_TABLE, "169.254.171.0", 24)


def test_rules_about_ports_and_protocols_hold(pair):
    pair.ip("route add default via 10.9.0.1")
    pair.ip(f"route add default via 10.9.0.7 table {OTHER_TABLE}")
    pair.ip(f"rule add ipproto tcp dport 443 lookup {OTHER_TABLE}")
    plain, secure = pair.ask(f"{LATTICE}:80", f"{LATTICE}:443")
    assert (plain["gateway"], secure["gateway"]) == ("10.9.0.1", "10.9.0.7")
    pair.ip("rule add to 192.0.2.0/24 prohibit")
    pair.ip("rule add to 198.51.100.0/24 unreachable")
    pair.ip("rule add to 203.0.113.0/24 blackhole")
    for address, kind in (("192.0.2.1", "prohibit"), ("198.51.100.1", "none"), ("203.0.113.1", "blackhole")):
        seen = pair.ask(address)
        assert (seen["kind"], seen["error"]) == (kind, pair.touch(address))


def test_a_zeroconf_route_asks_on_the_link_in_vain(pair):
    pair.ip("route add default via 10.9.0.1")
    pair.ip("route add 169.254.0.0/16 dev eth0 scope link")
    seen = pair.ask(LATTICE)
    assert (seen["kind"], seen["gateway"], seen["is_link_scope"], seen["neighbour"]) == ("unicast", "", True, "none")
    assert (seen["prefix"], seen["prefix_length"]) == ("169.254.0.0", 16)
    pair.touch(LATTICE)
    assert pair.ask(LATTICE)["neighbour"] == "incomplete"
    pair.wait_for_neighbour(LATTICE, "FAILED")
    assert pair.ask(LATTICE)["neighbour"] == "failed"


def test_a_router_that_answers_for_it_is_a_neighbour(pair):
    pair.ip("route add 169.254.0.0/16 dev eth0 scope link")
    pair.inside("router", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/proxy_arp")
    pair.inside("router", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    pair.ip("link add other type veth peer name beyond", "router")
    pair.ip("link set other up", "router")
    pair.ip("route add 169.254.171.0/24 dev other", "router")
    pair.touch(LATTICE)
    pair.wait_for_neighbour(LATTICE, "REACHABLE", "STALE", "DELAY")
    seen = pair.ask(LATTICE)
    assert seen["is_link_scope"] and seen["neighbour"] == "reachable"


def test_an_ipv6_neighbour_that_never_answers_has_failed(pair):
    pair.ip("-6 route add fd00:ec2:80::/64 dev eth0")
    assert pair.ask(LATTICE_V6)["is_link_scope"]
    pair.touch(LATTICE_V6)
    pair.wait_for_neighbour(LATTICE_V6, "FAILED")
    assert pair.ask(LATTICE_V6)["neighbour"] == "failed"


def test_an_ipv4_route_may_have_an_ipv6_gateway(pair):
    pair.ip("route add 169.254.171.0/24 via inet6 fd00:9::1 dev eth0")
    seen = pair.ask(LATTICE)
    assert (seen["gateway"], seen["is_link_scope"], seen["prefix_length"]) == ("fd00:9::1", False, 24)
    pair.touch(LATTICE)
    pair.wait_for_neighbour("fd00:9::1", "REACHABLE", "STALE", "DELAY")
    assert pair.ask(LATTICE)["neighbour"] == "reachable"


def test_of_several_next_hops_one_is_told(pair):
    pair.ip("route add 169.254.171.0/24 nexthop via 10.9.0.1 nexthop via 10.9.0.7")
    seen = pair.ask(LATTICE)
    assert seen["gateway"] in ("10.9.0.1", "10.9.0.7") and seen["prefix_length"] == 24 and seen["device"] == "eth0"


def test_an_address_of_this_host_is_local(pair):
    pair.ip(f"address add {LATTICE}/32 dev lo")
    pair.ip(f"address add {LATTICE_V6}/128 dev lo")
    for seen in pair.ask(LATTICE, LATTICE_V6):
        assert (seen["kind"], seen["device"], seen["is_link_scope"]) == ("local", "lo", False)


def test_statistics_of_a_driver_are_read_by_name(pair):
    index = json.loads(pair.inside("router", "ip", "-j", "link", "show", "eth0"))[0]["ifindex"]
    peer, none, loopback, missing = pair.ask("eth0/peer_ifindex", "eth0/peer_ifinde", "lo/peer_ifindex",
                                             "eth9/peer_ifindex")
    assert peer == {"is_counted": True, "count": index}
    assert not none["is_counted"] and not loopback["is_counted"] and not missing["is_counted"]
