# SPDX-License-Identifier: Apache-2.0
"""The installed agent on a machine: how it is configured, what it says, and what of it reaches CloudWatch."""

import json
import re

import laboratory
import machine as machine_module
from machine import now_us, wait_for

CONF = "/etc/lattice-probe/lattice-probe.conf"
CONF_D = "/etc/lattice-probe/conf.d"
SOCKET = "/run/lattice-probe/status.sock"
DROP_IN = "/etc/systemd/system/lattice-probe.service.d/lab.conf"
SECRETS = "/etc/lattice-probe.secrets"
SECRETS_EXAMPLE = "/usr/share/doc/lattice-probe/examples/credentials.conf"
SECRETS_DROP_IN = "/etc/systemd/system/lattice-probe.service.d/secrets.conf"
WATCHDOG_S = 6
TWIN = "lattice-probe-twin"  # a unit with the settings of ours, for another command
# The folder of the socket is the agent's: the twin's end must not take it away.
TWIN_SETTINGS = """
[Service]
Type=oneshot
ExecStart=
ExecStart={command}
ExecReload=
SyslogIdentifier=lattice-probe-twin
Restart=no
RuntimeDirectory=
WatchdogSec=0
"""
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
PERIOD_S = 5


class Agent:
    def __init__(self, machine, lab):
        self.machine, self.lab = machine, lab

    # -- configuration

    def trust_the_lab(self):
        """Where CloudWatch's certificate is from, and a watchdog that barks within a test."""
        self.machine.write(DROP_IN, f"[Service]\nEnvironment=AWS_CA_BUNDLE={machine_module.CA}\n"
                                    f"WatchdogSec={WATCHDOG_S}\n")
        self.machine.run("systemctl", "daemon-reload")

    def configure(self, name, text):
        """Writes a file of conf.d, with the owner and mode that the package gives its own."""
        path = f"{CONF_D}/{name}.conf"
        self.machine.write(path, text)
        self.machine.run("chown", "root:lattice-probe", path)
        self.machine.run("chmod", "640", path)

    def edit(self, text):
        """Adds text to the configuration file; owner and mode stay."""
        with open(self.machine.path(CONF), "a", encoding="utf-8") as file:
            file.write(text)

    def pace(self):
        """A run a second, and values that are out after a few."""
        self.configure("pace", PACE)

    def probe(self, name, host, *lines):
        settings = [f"url = https://{host}/healthz", f"tls_ca = {machine_module.CA}", *lines]
        self.configure(name, f"[probe {name}]\n" + "".join(f"{line}\n" for line in settings))

    def secrets(self, **files):
        """Files that only root reads, where the example of a drop-in looks for them; the example becomes one."""
        for name, text in files.items():
            self.machine.write(f"{SECRETS}/{name}", text)
            self.machine.run("chmod", "600", f"{SECRETS}/{name}")
        self.machine.write(SECRETS_DROP_IN, self.machine.read(SECRETS_EXAMPLE))
        self.machine.run("systemctl", "daemon-reload")

    def forget_secrets(self):
        self.machine.run("rm", "-r", SECRETS, SECRETS_DROP_IN)
        self.machine.run("systemctl", "daemon-reload")

    # -- what it says

    def is_active(self):
        return self.machine.run("systemctl", "is-active", "lattice-probe", check=False).stdout.strip() == "active"

    def status(self):
        """The agent's answer to status --json; None while it does not answer."""
        said = self.machine.run("lattice-probe", "status", "--json", check=False)
        return json.loads(said.stdout) if said.returncode in (0, 1, 3) and said.stdout else None

    def status_text(self):
        """The same for people."""
        return self.machine.run("lattice-probe", "status", check=False).stdout

    def probes(self):
        status = self.status()
        return {each["probe"]: each for each in status["probes"]} if status else {}

    def wait_for_probes(self, *names):
        """All of them run, and no others; each has succeeded."""
        wait_for(lambda: self.healthy_probes() == set(names), f"healthy probes {names}")

    def healthy_probes(self):
        probes = self.probes()
        return set(probes) if all(each["outcome"] == "ok" for each in probes.values()) else None

    def wait_for_line(self, pattern, since_us=0):
        """A line of the journal; returns the match."""
        return wait_for(lambda: re.search(pattern, self.machine.journal(since_us=since_us)), f"a line with {pattern}")

    def problems(self, since_us=0):
        """What the journal holds at warning or worse, of the agent and about its unit."""
        return [line for line in self.machine.journal("--priority=warning", since_us=since_us).splitlines() if line]

    def run_in_sandbox(self, *command):
        """Runs a command to its end as the unit would: its user, its view of the system, its filters. Returns what
        it prints."""
        unit = self.machine.say("systemctl", "cat", "lattice-probe")
        settings = TWIN_SETTINGS.format(command=" ".join(command))
        self.machine.write(f"/etc/systemd/system/{TWIN}.service", unit + settings)
        self.machine.run("systemctl", "daemon-reload")
        since = now_us()
        self.machine.run("systemctl", "start", TWIN, check=False)
        said = self.machine.journal("--identifier=lattice-probe-twin", unit=TWIN, since_us=since)
        self.machine.path(f"/etc/systemd/system/{TWIN}.service").unlink()
        self.machine.run("systemctl", "reset-failed", TWIN, check=False)
        self.machine.run("systemctl", "daemon-reload")
        return said

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
