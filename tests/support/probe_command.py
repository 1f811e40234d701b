# SPDX-License-Identifier: Apache-2.0
"""The binary under test: writes its configuration, runs its commands, reads what it says.

Command(binary, directory) keeps everything below that directory. conf() writes a configuration, once()
runs `once --json`, run() starts the daemon. The environment is the caller's without anything AWS-like;
what a test wants it passes as env.
"""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import lab_credentials

ACCESS_KEY = lab_credentials.ACCESS_KEYS[0]
SECRET_KEY = lab_credentials.SECRETS[ACCESS_KEY]
STATIC_CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
NO_CREDENTIALS = {"AWS_EC2_METADATA_DISABLED": "true"}
PHASES = ("dns_us", "connect_us", "tls_us", "first_byte_us", "transfer_us")
TIMEOUT_S = 60
PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def pairs(line):
    """The key=value pairs of a log line."""
    return {key: value.strip('"') for key, value in PAIR.findall(line)}


def section(name, settings):
    """One INI section. A list becomes a value with continuation lines; None leaves the key out."""
    lines = [f"[{name}]"]
    for key, value in settings.items():
        if value is None:
            continue
        lines.append(f"{key} = " + ("\n  ".join(value) if isinstance(value, (list, tuple)) else str(value)))
    return "\n".join(lines) + "\n"


def check_no_secret(said, *more):
    """Neither the secret key, nor a session token of the tests, nor a signature is in it."""
    assert SECRET_KEY not in said and "Signature=" not in said, said
    assert not re.search(r"EXAMPLE[A-Za-z0-9+/_=-]{20,}", said), said
    for secret in more:
        assert secret not in said, said


class Answer:
    """What a finished command said; never a secret."""

    def __init__(self, code, stdout, stderr):
        check_no_secret(stdout + stderr)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def json(self):
        return json.loads(self.stdout)

    @property
    def results(self):
        return self.json["results"]

    @property
    def result(self):
        """The only result."""
        assert len(self.results) == 1, self.stdout
        return self.results[0]

    def __repr__(self):
        return f"exit {self.code}\n{self.stdout}\n{self.stderr}"


class Daemon:
    """A running `lattice-probe run`. Lines of stderr are kept as they come."""

    def __init__(self, arguments, env, stdout):
        self.lines = []
        self.changed = threading.Condition()
        self.stdout_path = stdout
        with open(stdout, "wb") as out:
            self.process = subprocess.Popen(arguments, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    @property
    def log(self):
        return "\n".join(self.lines)

    @property
    def stdout(self):
        return pathlib.Path(self.stdout_path).read_text(encoding="utf-8")

    def datums(self):
        """The datums of --dry-run printed so far, one a line in the shape of a PutMetricData of its own."""
        calls = [json.loads(line) for line in self.stdout.splitlines(True) if line.endswith("\n")]
        assert all(call["Namespace"] == "LatticeProbe" and len(call["MetricData"]) == 1 for call in calls), calls
        return [call["MetricData"][0] for call in calls]

    def wait_for_line(self, text, timeout_s=TIMEOUT_S):
        """The first line that holds text."""
        found = []

        def seen():
            found[:] = [line for line in self.lines if text in line]
            return found or self.process.poll() is not None
        with self.changed:
            self.changed.wait_for(seen, timeout_s)
        assert found, f"no line with {text!r}:\n{self.log}"
        return found[0]

    def wait_until(self, condition, what, timeout_s=TIMEOUT_S):
        """Until condition() holds; looks every 20 ms, since what it asks has no bell of its own."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, f"it ended by itself:\n{self.log}"
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}\n{self.log}"
            time.sleep(0.02)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout_s=TIMEOUT_S):
        code = self.process.wait(timeout_s)
        self.reader.join(timeout_s)
        return code

    def stop(self, timeout_s=TIMEOUT_S):
        """SIGTERM, and the counters of the closing line as numbers. It never said a secret."""
        self.signal(signal.SIGTERM)
        code = self.wait(timeout_s)
        assert code == 0, f"exit {code}\n{self.log}"
        check_no_secret(self.log + self.stdout)
        return self.closing()

    def closing(self):
        found = [line for line in self.lines if "event=stopped" in line]
        assert len(found) == 1, self.log
        return {key: int(value) for key, value in pairs(found[0]).items() if value.isdigit()}

    def runs(self):
        """What --verbose said of each run that has ended: {(outcome, is lagged): how many}."""
        counted = collections.Counter()
        for line in self.lines:
            if "level=debug target=" in line and " outcome=" in line:
                said = pairs(line)
                counted[said["outcome"], said.get("mark") == "lagged"] += int(said.get("repeated", 1))
        return counted

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()


class Command:
    def __init__(self, binary, directory):
        self.binary = str(binary)
        self.directory = pathlib.Path(directory)
        self.daemons = []
        self.serial = 0

    def path(self, name):
        return self.directory / name

    def conf(self, probes=None, agent=None, cloudwatch=None, text=""):
        """Writes a configuration of these sections, and `text` behind them; returns its path. Unless asked
        for, no socket and no store that daemons would share, and no diagnosis whose requests a test would count."""
        self.serial += 1
        usual = {"fleet": "tests", "agent_id": "agent-1", "status_socket": "none", "state_directory": "none",
                 "diagnose": "no"}
        parts = [section("agent", {**usual, **(agent or {})}),
                 section("cloudwatch", {"region": "us-east-1", "dimension.Environment": "test", **(cloudwatch or {})})]
        parts += [section(f"probe {name}", settings) for name, settings in (probes or {}).items()]
        path = self.path(f"conf-{self.serial}") / "lattice-probe.conf"
        path.parent.mkdir()
        path.write_text("\n".join(parts) + text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def environment(self, env=None):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.directory), **(env or {})}

    def command(self, *words, env=None, wrap=(), timeout_s=TIMEOUT_S, **options):
        """Runs to its end; wrap is a command in front of it."""
        done = subprocess.run([*map(str, wrap), self.binary, *map(str, words)], env=self.environment(env),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s,
                              check=False, **options)
        return Answer(done.returncode, done.stdout, done.stderr)

    def once(self, *words, conf=None, **options):
        chosen = () if conf is None else ("-c", conf)
        return self.command("once", "--json", *chosen, *words, **options)

    def probe(self, settings, agent=None, cloudwatch=None, **options):
        """`once` of a configuration with this one probe."""
        return self.once(conf=self.conf({"it": settings}, agent, cloudwatch), **options)

    def run(self, conf, *words, env=None, wrap=()):
        """Starts the daemon."""
        self.serial += 1
        arguments = [*map(str, wrap), self.binary, "run", "-c", str(conf), *words]
        daemon = Daemon(arguments, self.environment(env), self.path(f"stdout-{self.serial}"))
        self.daemons.append(daemon)
        return daemon

    def close(self):
        for daemon in self.daemons:
            daemon.kill()


def check_phases(result):
    """Completed phases are counts, in order; on a success they sum to the total. Returns the completed."""
    completed = {phase: result[phase] for phase in PHASES if result[phase] is not None}
    assert all(isinstance(value, int) and value >= 0 for value in completed.values()), result
    assert isinstance(result["total_us"], int) and result["total_us"] >= sum(completed.values()), result
    if result["outcome"] == "ok":
        assert sum(completed.values()) == result["total_us"], result
    return completed
