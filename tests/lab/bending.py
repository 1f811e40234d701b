# SPDX-License-Identifier: Apache-2.0
"""What a fault may do to a lab, and how all of it is undone: the helpers that tests/lab/faults use.

Only what stands here may be changed by a fault: clear() knows it and puts it back.
"""

import json

import network
import resolvers

IDENTITY = {"sys_vendor": "Amazon EC2", "product_name": "t3.micro", "board_asset_tag": "i-0123456789abcdef0"}
NAMESERVERS = ("10.0.0.2",)
ORIGIN_HTTP, ORIGIN_HTTPS = 8080, 8443


class Bending:
    """For Lab, which has name, folder, resolv, room(), run(), control()."""

    # -- rooms

    def nft(self, room, hook, *rules):
        """Adds filter rules at a hook (input, output, forward, prerouting) of a room; prerouting sees packets
        before redirect() does."""
        lines = "\n".join(f"add rule inet fault {hook} {rule}" for rule in rules)
        self._nft(room, f"add table inet fault\nadd chain inet fault {hook} "
                        f"{{ type filter hook {hook} priority {-200 if hook == 'prerouting' else 0}; }}\n{lines}\n")

    def redirect(self, room, *rules):
        """Adds rules that change where incoming packets go: "tcp dport 443 redirect to :8443"."""
        lines = "\n".join(f"add rule inet fault dstnat {rule}" for rule in rules)
        self._nft(room, "add table inet fault\nadd chain inet fault dstnat "
                        f"{{ type nat hook prerouting priority -100; }}\n{lines}\n")

    def _nft(self, room, text):
        network.run(*self.command(["nft", "-f", "-"], room), text_in=text)

    def clear_nft(self, room):
        self._nft(room, "flush ruleset\n")

    def ip(self, room, *lines):
        """Runs lines of ip(8) in a room: "route del default"."""
        for line in lines:
            network.run("ip", "-n", self.room(room), *line.split())

    def resolv_conf(self, *addresses):
        """The consumer's name servers. Written in place: the file is mounted where commands run."""
        text = "".join(f"nameserver {address}\n" for address in addresses)
        (self.resolv / "resolv.conf").write_text(text, encoding="utf-8")

    def identity(self, **strings):
        """What the consumer's firmware says: sys_vendor, product_name, board_asset_tag; "" for nothing."""
        for name, text in {**IDENTITY, **strings}.items():
            place = self.folder / "class" / "dmi" / "id" / name
            if text:
                place.write_text(text + "\n", encoding="utf-8")
            else:
                place.unlink(missing_ok=True)

    # -- DNS

    def names(self, changes, zone="vpc"):
        """Changes what a resolver knows: {NAME: [ADDRESS, ..], "ALIAS OF", or None: gone}."""
        folder = self.folder / "dns"
        now = {**resolvers.read_zone(folder, zone), **changes}
        resolvers.load_zone(folder, zone, {name: value for name, value in now.items() if value is not None})

    def dnsdist(self, *lines):
        """Lua for the console of the VPC resolver's front: "addAction(AllRule(), DropAction())"."""
        done = self.run("dnsdist", "-C", self.folder / "dns" / "front.conf", "-e", "; ".join(lines), room="svc")
        if "rror" in done.stdout:
            raise RuntimeError(f"dnsdist: {done.stdout.strip()}")

    def scripted_dns(self, names, takes_over=True):
        """The scriptable server (tests/support/dns_server.py, 10.0.0.55) says this; it takes over the VPC
        resolver's IPv4 addresses unless said otherwise."""
        self.control("dns", "/script", {"names": names})
        if takes_over:
            self.redirect("svc", *(f"ip daddr {{ 10.0.0.2, 169.254.169.253 }} {kind} dport 53 dnat ip to 10.0.0.55"
                                   for kind in ("udp", "tcp")))

    # -- the data plane

    def http(self, routes=None, connection=None, sni=None):
        """Another listener stands in for nginx on ports 80 and 443: the script of
        tests/support/http_origin.py. Faults add up: what is not said here stays as it was."""
        said = {"routes": routes, "connection": connection, "sni": sni}
        script = {"routes": {"*": {"json": {"status": "ok"}}}, **self._changes().get("http", {}),
                  **{key: value for key, value in said.items() if value is not None}}
        self._change({"http": script})
        self.control("origin", "/script", script)
        self.redirect("lattice", f"tcp dport 80 redirect to :{ORIGIN_HTTP}",
                      f"tcp dport 443 redirect to :{ORIGIN_HTTPS}")

    # -- AWS

    def imds(self, **script):
        """As tests/support/imds_server.py says; metadata={PATH: TEXT} below /latest/meta-data/."""
        if "metadata" in script:
            self._change({"metadata": {**self._changes().get("metadata", {}), **script["metadata"]}})
        self.control("imds", "/script", script)

    def gate(self, *faults):
        """Faults of the gate before CloudWatch (tests/support/gate.py)."""
        self.control("gate", "/faults", list(faults))

    def aws_clock(self, shift_s):
        """By how much AWS's clock is ahead of this host's."""
        self.control("gate", "/clock", {"shift_s": shift_s})

    def world(self, **changes):
        """What the control plane says (tests/lab/aws_world.py)."""
        self.control("world", "/world", changes)

    # -- what was changed, and undoing it

    def _changes(self):
        place = self.folder / "changes.json"
        return json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}

    def _change(self, entries):
        (self.folder / "changes.json").write_text(json.dumps({**self._changes(), **entries}), encoding="utf-8")

    def faults(self):
        """The names of the faults that were applied since the last clear()."""
        return self._changes().get("faults", [])

    def fault(self, each):
        """Applies a fault: a module of tests/lab/faults."""
        name = each.__name__.rpartition(".")[2].replace("_", "-")
        self._change({"faults": [*self.faults(), name]})
        each.apply(self)

    def take_pictures(self):
        """Notes how everything is before any fault."""
        pictures = {room: network.picture(self.room(room)) for room in network.ROOMS}
        (self.folder / "pictures.json").write_text(json.dumps(pictures), encoding="utf-8")
        for zone in self.zones():
            names = resolvers.read_zone(self.folder / "dns", zone)
            (self.folder / f"zone-{zone}.json").write_text(json.dumps(names), encoding="utf-8")

    def clear(self):
        """Puts everything back to what it was when the lab came up."""
        pictures = json.loads((self.folder / "pictures.json").read_text(encoding="utf-8"))
        for room, before in pictures.items():
            network.restore(room, self.room(room), before)
        self.resolv_conf(*NAMESERVERS)
        self.identity()
        self._clear_dns()
        self.control("origin", "/script", {})
        self._clear_aws()
        (self.folder / "changes.json").unlink(missing_ok=True)

    def _clear_dns(self):
        folder = self.folder / "dns"
        self.dnsdist("clearRules()")
        self.control("dns", "/script", {})
        for zone in self.zones():
            before = json.loads((self.folder / f"zone-{zone}.json").read_text(encoding="utf-8"))
            if resolvers.read_zone(folder, zone) != before:
                resolvers.load_zone(folder, zone, before)
        resolvers.forget(folder, "rebind")

    def _clear_aws(self):
        metadata = {path: self.metadata().get(path) for path in self._changes().get("metadata", {})}
        self.control("imds", "/script", {"role": "lattice-probe-role", "code": "Success", "enabled": True,
                                         "lifetime_s": 6 * 3600, "metadata": metadata, "faults": []})
        self.gate()
        self.aws_clock(0)
        self.control("gate", "/rules", {"require_token": False})
        self.control("world", "/reset", {})
