# SPDX-License-Identifier: Apache-2.0
"""The resolvers of a lab: real ones, each with what it would know.

    vpc       10.0.0.2, 169.254.169.253, fd00:ec2::253: dnsdist in front of unbound, as the VPC resolver
              looks to a client (RA=1, AA=0, a TTL that counts down); knows the public names and the
              private zone of the custom domain
    custom    10.0.0.53: unbound, an on-premises resolver: knows AWS's endpoints, nothing of Lattice
    rebind    10.0.0.54: unbound that forwards to the VPC resolver and strips link-local and private
              addresses (private-address)
    outside   203.0.113.53: unbound, a public resolver: knows what is public

What a zone holds is one JSON file, {NAME: [ADDRESS, ..] or "ALIAS OF"}, from which the zone file is
written. The zone is the root, so a name that is not there is NXDOMAIN at once.
"""

import ipaddress
import json
import subprocess

CONSOLE_PORT = 5199
CONSOLE_KEY = "bGF0dGljZS1wcm9iZS1sYWItZG5zZGlzdC1rZXktMzI="
TTL_S = 60
UNBOUND = {"vpc": "127.0.0.1@5301", "custom": "10.0.0.53@53", "rebind": "10.0.0.54@53", "outside": "203.0.113.53@53"}
FRONT_ADDRESSES = ("10.0.0.2:53", "169.254.169.253:53", "[fd00:ec2::253]:53")

COMMON = """
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  do-daemonize: no
  use-syslog: no
  interface: {listen}
  access-control: 0.0.0.0/0 allow
  module-config: "iterator"
  num-threads: 1
  do-not-query-localhost: no
{more}
remote-control:
  control-enable: yes
  control-interface: {folder}/{name}.control
  control-use-cert: no
"""

ZONE = """
auth-zone:
  name: "."
  zonefile: "{folder}/{name}.zone"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
"""

REBIND = """
  private-address: 169.254.0.0/16
  private-address: fd00::/8
  private-address: fe80::/10
"""

FORWARD = """
forward-zone:
  name: "."
  forward-addr: 10.0.0.2
"""

FRONT = """
setSecurityPollSuffix('')
setACL({{'0.0.0.0/0', '::/0'}})
{listens}
newServer({{address='127.0.0.1:5301', healthCheckMode='up'}})
controlSocket('127.0.0.1:{port}')
setKey('{key}')
"""


def write_configuration(folder, zones):
    """zones: {"vpc": {NAME: ..}, "custom": .., "outside": ..}; folder is made."""
    folder.mkdir()
    for name, listen in UNBOUND.items():
        text = COMMON.format(folder=folder, name=name, listen=listen, more=REBIND if name == "rebind" else "")
        text += FORWARD if name == "rebind" else ZONE.format(folder=folder, name=name)
        (folder / f"{name}.conf").write_text(text, encoding="utf-8")
    for name, names in zones.items():
        write_zone(folder, name, names)
    listens = [f"{'addLocal' if at else 'setLocal'}('{address}')" for at, address in enumerate(FRONT_ADDRESSES)]
    (folder / "front.conf").write_text(FRONT.format(listens="\n".join(listens), port=CONSOLE_PORT, key=CONSOLE_KEY),
                                       encoding="utf-8")


def commands(folder):
    """What to start: {server: command}."""
    made = {f"unbound-{name}": ["unbound", "-d", "-c", folder / f"{name}.conf"] for name in UNBOUND}
    return {**made, "dnsdist": ["dnsdist", "--supervised", "--disable-syslog", "-C", folder / "front.conf"]}


def records(name, value):
    if isinstance(value, str):
        return [f"{name}. {TTL_S} IN CNAME {value}."]
    kinds = {4: "A", 6: "AAAA"}
    return [f"{name}. {TTL_S} IN {kinds[ipaddress.ip_address(address).version]} {address}" for address in value]


def write_zone(folder, name, names):
    lines = [f". {TTL_S} IN SOA ns.lab. root.lab. 1 3600 600 86400 {TTL_S}", f". {TTL_S} IN NS ns.lab."]
    for owner, value in names.items():
        lines += records(owner, value)
    (folder / f"{name}.zone").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(names), encoding="utf-8")


def read_zone(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def tell_unbound(folder, name, *words):
    done = subprocess.run(["unbound-control", "-c", folder / f"{name}.conf", *words], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"unbound-control {name} {' '.join(words)}: {done.stdout}{done.stderr}")


def load_zone(folder, name, names):
    """Makes a running resolver know exactly these names."""
    write_zone(folder, name, names)
    tell_unbound(folder, name, "auth_zone_reload", ".")
    forget(folder, name)
    if name == "vpc":
        forget(folder, "rebind")


def forget(folder, name):
    """Empties a resolver's cache, and what it thinks of servers that were silent."""
    tell_unbound(folder, name, "flush_zone", ".")
    tell_unbound(folder, name, "flush_infra", "all")
