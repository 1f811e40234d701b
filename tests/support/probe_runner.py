# SPDX-License-Identifier: Apache-2.0
"""Daemons that publish to the gate, and what the gate holds of them.

Windows of one second (storage resolution 1) and one run a second, so that a test takes seconds.
"""

import probe_command

FLEET = {"Fleet": "tests", "Environment": "test"}


def service(name):
    return {"Service": name, "Environment": "test"}


class Runner:
    """Starts daemons that publish to the gate; static credentials unless env says otherwise."""

    def __init__(self, command, world, gate):
        self.command = command
        self.world = world
        self.gate = gate

    def start(self, probes, *words, agent=None, cloudwatch=None, env=None, wrap=()):
        fast = {"interval": "1s", "timeout": "900ms", "dns_timeout": "400ms", "connect_timeout": "500ms",
                "tls_timeout": "500ms"}
        conf = self.command.conf(probes, {**fast, "shutdown_timeout": "5s", **(agent or {})},
                                 {"period": "1s", **(cloudwatch or {})})
        if env is None:
            env = probe_command.STATIC_CREDENTIALS
        return self.command.run(conf, *words, env={"AWS_ENDPOINT_URL_CLOUDWATCH": self.gate.url, **env},
                                wrap=wrap)

    def entries(self, metric, dimensions=None):
        return [entry for entry in self.gate.ledger() if entry["metric"] == metric and
                (dimensions is None or entry["dimensions"] == dimensions)]

    def samples(self, metric, dimensions=None):
        return sum(entry["sample_count"] for entry in self.entries(metric, dimensions))

    def total(self, metric, dimensions=None):
        """The sum of the values, as CloudWatch's Sum."""
        return sum(value * count for entry in self.entries(metric, dimensions)
                   for value, count in zip(entry["values"], entry["counts"]))

    def wait_for_samples(self, daemon, metric, count, dimensions=None):
        daemon.wait_until(lambda: self.samples(metric, dimensions) >= count, f"{count} samples of {metric}")


def balanced(counters):
    """What the closing line must say whatever happened."""
    assert counters["scheduled"] == counters["run"] + counters["missed"], counters
    return counters
