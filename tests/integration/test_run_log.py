# SPDX-License-Identifier: Apache-2.0
"""What the daemon says while it runs, to whom, and what it never says."""

import os
import re
import subprocess
import time

import lab_credentials
import probe_command
from probe_command import check_no_secret


def test_nothing_secret_is_said_even_when_refused(runner, world, command, gate):
    """Faults make it talk; the probe carries a secret header and a signature of its own."""
    secret = command.path("header")
    secret.write_text("Bearer hush-hush", encoding="utf-8")
    secret.chmod(0o600)
    gate.set_faults([{"action": "error_500", "times": 1}, {"action": "reset_before", "times": 1},
                     {"action": "lose_reply", "times": 1}])
    probes = {"signed": world.https("signed-run", auth="sigv4", sign_host="signed-run.probe.test",
                                    **{"header_file.Authorization2": secret}),
              "bad": world.http("secret-bad", "/status/500?token=hush-query")}
    daemon = runner.start(probes, "--verbose", env={**probe_command.STATIC_CREDENTIALS,
                                                    "AWS_SESSION_TOKEN": session_token()})
    runner.wait_for_samples(daemon, "Success", 2)
    gate.set_faults([{"action": "deny", "times": 1}])
    daemon.wait_for_line("AccessDenied")
    daemon.stop()
    check_no_secret(daemon.log, "hush-hush", "hush-query", session_token())


def session_token():
    return lab_credentials.make_token("test", probe_command.ACCESS_KEY, 4102444800)


def test_a_change_of_outcome_is_said_once(runner, world, origin):
    origin.set_script({"routes": {"*": {"sequence": [{}, {"status": 500}, {"status": 500}, {"status": 500}, {}]}}})
    daemon = runner.start({"web": {"url": f"http://127.0.0.1:{origin.http_port}/"}})
    daemon.wait_until(lambda: len(origin.requests()) >= 6, "six runs")
    daemon.stop()
    said = [probe_command.pairs(line)["outcome"] for line in daemon.lines if " target=web outcome=" in line]
    assert said == ["http_status", "ok"], daemon.log


def test_the_journal_gets_priorities_of_mistakes_too(command):
    """What a refused start prints is no less an error than what it would have logged."""
    conf = command.conf({"web": {"url": "https://web.probe.test", "timeout": "5"}}, cloudwatch={"dimension.Environment": None})
    path = command.path("journal-of-mistakes")
    with open(path, "wb") as journal:
        status = os.fstat(journal.fileno())
        done = subprocess.run([command.binary, "run", "-c", conf], stdin=subprocess.DEVNULL, stderr=journal, check=False,
                              env=command.environment({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}))
    assert done.returncode == 2
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines and all(line.startswith("<3>" if "warning: " not in line else "<4>") for line in lines), lines


def test_the_journal_gets_priorities(command, world, gate):
    """$JOURNAL_STREAM names stderr's own device and inode (systemd.exec(5)): <N> instead of the time."""
    conf = command.conf({"bad": world.http("journal", "/status/500")}, {"interval": "1s", "timeout": "900ms"}, {"period": "1s"})
    path = command.path("journal")
    with open(path, "wb") as journal:
        status = os.fstat(journal.fileno())
        stream = f"{status.st_dev}:{status.st_ino}"
        process = subprocess.Popen([command.binary, "run", "-c", conf, "--dry-run"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=journal,
                                   env=command.environment({"JOURNAL_STREAM": stream}))
        deadline = time.monotonic() + 30
        while b"target=bad" not in path.read_bytes():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.terminate()
        assert process.wait(30) == 0
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"<[3467]>[a-z]", line) for line in lines), lines
    assert [line[:3] for line in lines if "outcome=http_status" in line] == ["<4>"]
