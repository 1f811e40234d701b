# SPDX-License-Identifier: Apache-2.0
"""The installed agent on a machine: how it is configured, what it says, and what of it reaches CloudWatch."""

import json
import re

import laboratory
import machine as machine_module
from machine import wait_for

CONF = "/etc/lattice-probe/lattice-probe.conf"
CONF_D = "/etc/lattice-probe/conf.d"
SOCKET = "/run/lattice-probe/status.sock"
DROP_IN = "/etc/systemd/system/lattice-probe.service.d/lab.conf"
WATCHDOG_S = 6
ROLE = "role"  # what the metadata service writes into a session token; lab_credentials.Issuer
HEALTHZ = "https://{host}/healthz"
PACE = """# SPDX-License-Identifier: Apache-2.0
[agent]
interval = 1s
timeout = 900ms
dns_timeout = 400ms
connect_timeout = 500ms
tls_timeout = 500ms
[cloudwatch]
period = 5s
"""


class Agent:
    def __init__(self, machine, lab):
        self.machine, self.lab = machine, lab

    # -- configuration

    def trust_the_lab(self):
        """Where CloudWatch's certificate is from, and a watchdog that barks within a test; a restart takes it over."""
        self.machine.write(DROP_IN, f"[Service]\nEnvironment=AWS_CA_BUNDLE={machine_module.CA}\n"
                                    f"WatchdogSec={WATCHDOG_S}\n")
        self.machine.run("systemctl", "daemon-reload")

    def configure(self, name, text):
        """Writes a file of conf.d as an administrator does, with the owner and mode that the package gives its own."""
        path = f"{CONF_D}/{name}.conf"
        self.machine.write(path, text)
        self.machine.run("chown", "root:lattice-probe", path)
        self.machine.run("chmod", "640", path)

    def pace(self):
        """A run a second, and values that are out after a few."""
        self.configure("pace", PACE)

    def probe(self, name, host):
        self.configure(name, f"[probe {name}]\nurl = {HEALTHZ.format(host=host)}\ntls_ca = {machine_module.CA}\n")

    # -- what it says

    def is_active(self):
        return self.machine.run("systemctl", "is-active", "lattice-probe", check=False).stdout.strip() == "active"

    def status(self):
        """The agent's answer to status --json; None while it does not answer."""
        said = self.machine.run("lattice-probe", "status", "--json", check=False)
        return json.loads(said.stdout) if said.returncode in (0, 1, 3) and said.stdout else None

    def probes(self):
        status = self.status()
        return {each["probe"]: each for each in status["probes"]} if status else {}

    def wait_for_probes(self, *names):
        """All of them run, and no others; each has succeeded."""
        wait_for(lambda: self.healthy_probes() == set(names), f"healthy probes {names}")

    def healthy_probes(self):
        probes = self.probes()
        return set(probes) if all(each["outcome"] == "ok" for each in probes.values()) else None

    def wait_for_line(self, pattern, *words):
        """A line of the journal; returns the match."""
        return wait_for(lambda: re.search(pattern, self.machine.journal(*words)), f"a line with {pattern}")

    def problems(self, *words):
        """What the journal holds at warning or worse, of the agent and about its unit."""
        return [line for line in self.machine.journal("--priority=warning", *words).splitlines() if line]

    # -- what reaches CloudWatch

    def datums(self, service, since_us=0):
        """The ledger's Success datums of a probe that came in after an instant."""
        return [each for each in self.lab.control("gate", "/ledger")
                if each["metric"] == "Success" and each["dimensions"].get("Service") == service
                and each["received_us"] > since_us]

    def wait_for_datum(self, service, since_us):
        return wait_for(lambda: self.datums(service, since_us), f"a datum of {service}")[0]

    def refusals(self):
        return self.lab.control("gate", "/rejections")
