# SPDX-License-Identifier: Apache-2.0
"""The rooms of a lab: how each is laid out, what it looks like, and how it is put back.

A picture is everything that a fault may change in a room: addresses, links, rules, routes, filters and
the neighbours written in by hand. A room whose picture differs from the one taken at the start is laid
out again from nothing, and must then look as it did.
"""

import subprocess
import time

ROOMS = ("consumer", "router", "lattice", "svc")
SETTLE_S = 2

# Settings of each room, for every interface it has. Without accept_dad = 0, before the links go up, an
# IPv6 address is under detection for a second, and a SYN meanwhile leaves from ::1 and is never answered.
SETTINGS = """
for each in /proc/sys/net/ipv6/conf/*; do
  echo 0 > $each/accept_dad
  echo {forward} > $each/forwarding
done
for each in /proc/sys/net/ipv4/conf/*; do
  echo 0 > $each/rp_filter
done
echo {forward} > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
"""

LINKS = {
    "consumer": """
link set lo up
link set eth0 mtu 9001 up
addr add 10.0.1.10/24 dev eth0
addr add fd00:10:0:1::10/64 dev eth0
route add default via 10.0.1.1
route add default via fd00:10:0:1::1
""",
    "router": """
link set lo up
link set consumer mtu 9001 up
link set lattice mtu 8500 up
link set svc mtu 9001 up
addr add 10.0.1.1/24 dev consumer
addr add 10.0.3.1/24 dev lattice
addr add 10.0.0.1/24 dev svc
addr add fd00:10:0:1::1/64 dev consumer
addr add fd00:10:0:3::1/64 dev lattice
addr add fd00:10::1/64 dev svc
route add 169.254.171.0/24 via 10.0.3.2
route add 129.224.0.0/17 via 10.0.3.2
route add 10.0.2.0/24 via 10.0.3.2
route add 203.0.113.53/32 via 10.0.0.2
route add 169.254.169.253/32 via 10.0.0.2
route add 169.254.169.254/32 via 10.0.0.2
route add 169.254.170.2/32 via 10.0.0.2
route add 169.254.170.23/32 via 10.0.0.2
route add blackhole default
route add fd00:ec2:80::/64 via fd00:10:0:3::2
route add fd00:ec2::253/128 via fd00:10::2
route add fd00:ec2::254/128 via fd00:10::2
route add fd00:ec2::23/128 via fd00:10::2
route add blackhole ::/0
""",
    "lattice": """
link set lo up
link set eth0 mtu 8500 gso_max_segs 1 up
addr add 10.0.3.2/24 dev eth0
addr add fd00:10:0:3::2/64 dev eth0
route add default via 10.0.3.1
route add default via fd00:10:0:3::1
addr add 10.0.2.50/32 dev lo
route add local 169.254.171.0/24 dev lo
route add local 129.224.0.0/17 dev lo
route add local fd00:ec2:80::/64 dev lo
""",
    "svc": """
link set lo up
link set eth0 mtu 9001 up
addr add 10.0.0.2/24 dev eth0
addr add 10.0.0.10/24 dev eth0
addr add 10.0.0.11/24 dev eth0
addr add 10.0.0.53/24 dev eth0
addr add 10.0.0.54/24 dev eth0
addr add 10.0.0.55/24 dev eth0
addr add fd00:10::2/64 dev eth0
addr add fd00:10::10/64 dev eth0
addr add 203.0.113.53/32 dev lo
addr add 169.254.169.253/32 dev lo
addr add 169.254.169.254/32 dev lo
addr add 169.254.170.2/32 dev lo
addr add 169.254.170.23/32 dev lo
addr add fd00:ec2::253/128 dev lo
addr add fd00:ec2::254/128 dev lo
addr add fd00:ec2::23/128 dev lo
route add default via 10.0.0.1
route add default via fd00:10::1
""",
}

PICTURE = """
ip -o address
ip -o link
ip rule
ip -6 rule
ip -o route show table all
ip -o -6 route show table all
ip neigh show nud permanent
ip neigh show proxy
ip -6 neigh show proxy
nft list ruleset
"""

# What the lists above do not show of a room, and what has no picture since it comes and goes by itself.
FORGET = """
nft flush ruleset
ip neigh flush all
ip -6 neigh flush all
ip route flush cache
ip -6 route flush cache
ip tcp_metrics flush
conntrack -F 2>/dev/null || true
"""

EMPTY = """
rule flush
rule add from all lookup main pref 32766
rule add from all lookup default pref 32767
-6 rule flush
-6 rule add from all lookup main pref 32766
route flush table all
-6 route flush table all
"""


def run(*command, text_in=None, check=True):
    done = subprocess.run(list(map(str, command)), input=text_in, text=True, capture_output=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done


def lay_out(room, space):
    """Sysctls, addresses and routes of a room whose links exist; space is its namespace."""
    settings = SETTINGS.format(forward=1 if room == "router" else 0)
    run("ip", "netns", "exec", space, "sh", "-ec", settings)
    run("ip", "-n", space, "-batch", "-", text_in=LINKS[room])


def build(space_of):
    """Makes the rooms; space_of names the namespace of each."""
    plan = [f"netns add {space_of(room)}" for room in ROOMS]
    for room in ("consumer", "lattice", "svc"):
        plan.append(f"link add eth0 netns {space_of(room)} type veth peer name {room} netns {space_of('router')}")
    run("ip", "-batch", "-", text_in="\n".join(plan))
    for room in ROOMS:
        lay_out(room, space_of(room))


def picture(space):
    """Lines, sorted: the kernel lists routes in the order in which they came."""
    shown = run("ip", "netns", "exec", space, "sh", "-c", PICTURE).stdout
    return "\n".join(sorted(line.rstrip() for line in shown.splitlines()))


def restore(room, space, before):
    """Puts a room back to what `before` shows; RuntimeError when it does not get there."""
    run("ip", "netns", "exec", space, "sh", "-c", FORGET)
    if picture(space) == before:
        return
    lines = run("ip", "-n", space, "-o", "link").stdout.splitlines()
    devices = [line.split(":")[1].split("@")[0].strip() for line in lines]
    steps = [f"link del {name}" for name in devices if f": {name}@" not in before and f": {name}:" not in before]
    for name in devices:
        if f"link del {name}" not in steps:
            steps += [f"link set {name} down", f"addr flush dev {name}"]
    run("ip", "-n", space, "-force", "-batch", "-", text_in="\n".join(steps), check=False)
    for line in EMPTY.strip().splitlines():
        run("ip", "-n", space, *line.split(), check=False)
    lay_out(room, space)
    _wait_for(space, before)


def _wait_for(space, before):
    """A link's addresses are tentative for a moment after it came up."""
    deadline = time.monotonic() + SETTLE_S
    while (after := picture(space)) != before:
        if time.monotonic() > deadline:
            changed = sorted(set(after.splitlines()) ^ set(before.splitlines()))
            raise RuntimeError(f"{space} is not as it was: " + "; ".join(changed))
