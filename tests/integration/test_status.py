# SPDX-License-Identifier: Apache-2.0
"""`status` and the socket behind it: what the running agent says of itself, to whom, and at what cost."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import socket
import stat
import struct
import subprocess
import termios
import time

import pytest

import probe_command

CLIENTS_MAX = 16


@pytest.fixture
def path(short_folder):
    return short_folder / "s"


def ask(command, path, *words):
    return command.command("status", "--socket", path, *words)


def answer(command, path):
    """The agent's answer; a healthy, ill or young one."""
    said = ask(command, path, "--json")
    assert said.code in (0, 1, 3) and said.stdout, said
    return said.json


def probes(status):
    return {probe["probe"]: probe for probe in status["probes"]}


def many(origin, count=500):
    """Probes that run once a day; what is told of them is more than a socket's buffer holds."""
    url = f"http://127.0.0.1:{origin.http_port}/{'x' * 1500}"
    return {f"probe-with-a-long-name-{number:04}": {"url": url, "interval": "1d"} for number in range(count)}


def dry(command, probes_, path, agent=None):
    conf = command.conf(probes_, {"interval": "1s", "timeout": "900ms", "dns_timeout": "400ms",
                                  "connect_timeout": "500ms", "tls_timeout": "500ms", "diagnose": "no",
                                  "status_socket": path, **(agent or {})}, {"max_metrics": 5000})
    daemon = command.run(conf, "--dry-run", "--verbose")
    daemon.wait_for_line("event=started")
    return daemon


# ---- what it says

def test_a_healthy_agent_tells_all_of_itself(runner, world, command, path):
    daemon = runner.start({"web": world.http("web")}, agent={"status_socket": path})
    daemon.wait_until(lambda: path.exists() and answer(command, path)["queue"]["delivered"] > 0, "a delivery")
    said = ask(command, path, "--json")
    status = said.json
    assert said.code == 0
    assert status["pid"] == daemon.process.pid and status["agent_id"] == "agent-1" and status["fleet"] == "tests"
    assert status["state"] == "running" and status["version"] and status["started"] and status["uptime_s"] >= 0
    web = probes(status)["web"]
    assert web["url"].startswith("http://web.probe.test") and web["state"] == "healthy" and web["outcome"] == "ok"
    assert web["status"] == 200 and web["streak"] == web["runs_hour"] > 0 and web["streak_of"] == "ok"
    assert web["failed_hour"] == 0 and web["diagnosis"] is None
    assert web["last"]["probe"] == "web" and web["last"]["total_us"] == web["total_us"]
    assert web["p50_us"] is None or 0 < web["p50_us"] <= web["p99_us"]
    runs = status["runs"]
    assert runs["run"] + runs["missed"] <= runs["scheduled"] and runs["local"] == 0
    assert set(status["queue"]) == {"samples_waiting", "datums_waiting", "delivered", "dropped", "in_doubt", "requests"}
    assert status["credentials"] == {"usable": True, "source": "environment", "expires": None, "why": None}
    assert status["dns"]["datagrams"] > 0 and abs(status["clock_skew_s"]) < 5
    daemon.stop()
    assert not path.exists()


def test_percentiles_of_the_hour(command, world, origin, path):
    origin.set_script({"routes": {"*": {"first_byte_delay_ms": 50}}})
    daemon = dry(command, {"slow": {"url": f"http://127.0.0.1:{origin.http_port}/"}}, path)
    daemon.wait_until(lambda: probes(answer(command, path))["slow"]["p99_us"], "a run")
    slow = probes(answer(command, path))["slow"]
    assert 50_000 <= slow["p50_us"] <= slow["p99_us"] < 900_000
    daemon.stop()


def test_no_secret_is_in_it(runner, world, command, path):
    settings = world.scripted("secret", {"status": 500})
    secret = command.path("header")
    secret.write_text("Bearer hush-header\n", encoding="utf-8")
    secret.chmod(0o600)
    settings |= {"url": settings["url"] + "?key=hush-query", "header_file.Authorization": secret}
    daemon = runner.start({"it": settings}, agent={"status_socket": path, "diagnose": "no"}, env={
        **probe_command.STATIC_CREDENTIALS, "AWS_SESSION_TOKEN": "EXAMPLEhush-token"})
    daemon.wait_until(lambda: path.exists() and answer(command, path)["runs"]["run"] > 1, "two runs")
    for said in (ask(command, path, "--json"), ask(command, path)):
        assert "hush" not in said.stdout and "Bearer" not in said.stdout, said
    daemon.stop()


def test_a_probe_turns_unhealthy_after_three_and_healthy_after_two(command, origin, path):
    origin.set_script({"routes": {"*": {"status": 500}}})
    daemon = dry(command, {"web": {"url": f"http://127.0.0.1:{origin.http_port}/"}}, path)
    line = daemon.wait_for_line("target=web event=unhealthy")
    assert "after=3 outcome=http_status" in line and "level=warning" in line
    said = ask(command, path)
    assert said.code == 1 and "http_status" in said.stdout and "1 unhealthy" in said.stdout, said
    assert probes(answer(command, path))["web"]["streak_of"] == "failed"
    origin.set_script({"routes": {"*": {"status": 200}}})
    assert "after=2" in daemon.wait_for_line("target=web event=healthy")
    said = ask(command, path)
    assert said.code == 0 and "1 healthy" in said.stdout, said
    daemon.stop()
    runs = [probe_command.pairs(each) for each in daemon.lines]
    kinds = [each.get("event") or each["outcome"] for each in runs if each.get("target") == "web" and
             (each["level"] == "debug" or "event" in each)]
    ill, well = kinds.index("unhealthy"), kinds.index("healthy")
    assert kinds[:ill] == ["http_status"] * 3 and kinds[well - 2:well] == ["ok", "ok"] and kinds[well - 3] != "ok", kinds


def test_an_agent_that_knows_nothing_yet_is_no_healthy_one(command, origin, path):
    daemon = dry(command, {"later": {"url": f"http://127.0.0.1:{origin.http_port}/", "interval": "1d"}}, path)
    said = ask(command, path)
    assert said.code == 3 and "1 unknown" in said.stdout, said
    daemon.stop()


def test_an_agent_that_waits_for_its_identity_says_so(command, path):
    conf = command.conf({}, {"status_socket": path}, {"region": "auto"})
    daemon = command.run(conf)
    daemon.wait_for_line("event=identity_unknown")
    said = ask(command, path, "--json")
    assert said.code == 3 and said.json["state"] == "starting" and said.json["probes"] == []
    daemon.stop()


def test_local_faults_do_not_count(command, world, path):
    daemon = dry(command, {"denied": world.denied()}, path)
    daemon.wait_until(lambda: answer(command, path)["runs"]["local"] >= 4, "four local outcomes")
    denied = probes(answer(command, path))["denied"]
    assert denied["state"] == "unknown" and denied["streak"] == 0 and denied["runs_hour"] == 0
    assert denied["outcome"] == "local_denied"
    daemon.stop()


# ---- the table

def test_the_table_fits_80_columns_and_begins_with_the_ill(command, world, origin, path):
    origin.set_script({"routes": {"/ill": {"status": 500}, "*": {}}})
    base = f"http://127.0.0.1:{origin.http_port}"
    names = ["a-well", "z-ill", "n" * 64]
    daemon = dry(command, {name: {"url": base + ("/ill" if "ill" in name else "/")} for name in names}, path,
                 {"agent_id": "i-" + "0123456789abcdef" * 6})
    daemon.wait_for_line("target=z-ill event=unhealthy")
    said = ask(command, path)
    lines = said.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), said
    assert "z-ill" in lines[1] and "500" in lines[2] and said.stdout.index("z-ill") < said.stdout.index("a-well")
    for words in ("STREAK", "P50 ms", "scheduled", "delivered", "credentials", "fleet tests"):
        assert words in said.stdout
    daemon.stop()


# ---- the socket

def test_the_mode_is_0660_whatever_the_umask(command, origin, short_folder):
    for umask in ("0", "0777"):
        path = short_folder / umask
        conf = command.conf({}, {"status_socket": path})
        daemon = command.run(conf, "--dry-run", wrap=("sh", "-c", f'umask {umask}; exec "$@"', "sh"))
        daemon.wait_for_line("event=started")
        found = path.lstat()
        assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660
        assert sorted(each.name for each in short_folder.iterdir()) == [umask], "something else was left there"
        daemon.stop()


def test_a_stale_socket_is_replaced(command, path):
    first = dry(command, {}, path)
    first.kill()
    assert stat.S_ISSOCK(path.lstat().st_mode)
    said = ask(command, path)
    assert said.code == 3 and "no agent listens" in said.stderr and str(path) in said.stderr
    second = dry(command, {}, path)
    assert answer(command, path)["pid"] == second.process.pid
    second.stop()
    assert not path.exists()


def test_a_live_socket_is_not(command, path):
    first = dry(command, {}, path)
    second = dry(command, {}, path)
    line = second.wait_for_line("event=no_status_socket")
    assert f"process {first.process.pid} listens there already" in line and "level=warning" in line
    assert answer(command, path)["pid"] == first.process.pid
    second.stop()
    assert answer(command, path)["pid"] == first.process.pid
    first.stop()


def test_a_file_in_the_way_stays(command, path):
    path.write_text("mine", encoding="utf-8")
    daemon = dry(command, {}, path)
    assert "no socket" in daemon.wait_for_line("event=no_status_socket")
    daemon.stop()
    assert path.read_text(encoding="utf-8") == "mine"


def test_without_its_folder_the_agent_carries_on(command, origin, short_folder):
    daemon = dry(command, {"web": {"url": f"http://127.0.0.1:{origin.http_port}/"}}, short_folder / "none" / "s")
    daemon.wait_until(lambda: len(origin.requests()) >= 2, "two runs")
    daemon.stop()
    said = [line for line in daemon.lines if "event=no_status_socket" in line]
    assert len(said) == 1 and "folder" in said[0]


def test_none_is_no_socket(command, short_folder):
    conf = command.conf({}, {"status_socket": "none"})
    daemon = command.run(conf, "--dry-run")
    daemon.wait_for_line("event=started")
    said = command.command("status", "-c", conf)
    assert said.code == 3 and "status_socket = none" in said.stderr
    daemon.stop()
    assert "no_status_socket" not in daemon.log


# ---- many probes, many clients

def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(str(path))
    return client


def wait_for_hangup(client, timeout_s=30):
    poll = select.poll()
    poll.register(client, select.POLLHUP)
    assert poll.poll(timeout_s * 1000), "the agent held on"


def read_all(client):
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def rss_kib(daemon):
    text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="utf-8")
    return int(text.partition("VmRSS:")[2].split()[0])


def test_five_hundred_probes(command, origin, path):
    daemon = dry(command, many(origin), path)
    status = answer(command, path)
    assert len(status["probes"]) == 500 and len(probes(status)) == 500
    table = ask(command, path)
    assert table.stdout.count("probe-with-...ng-name-") == 500, table
    daemon.stop()


def test_a_client_that_never_reads_is_left(command, origin, path):
    daemon = dry(command, many(origin), path)
    with connect(path) as client:
        wait_for_hangup(client)
        said = read_all(client)
    assert said.startswith(b'{"version"') and not said.endswith(b"]}\n"), said[-100:]
    assert len(answer(command, path)["probes"]) == 500
    daemon.stop()


def test_a_client_that_drips_is_left(command, origin, path):
    """A byte now and then is progress, but not for ever."""
    daemon = dry(command, many(origin), path)
    began = time.monotonic()
    with connect(path) as client:
        poll = select.poll()
        poll.register(client, select.POLLHUP)
        while not poll.poll(500):
            client.recv(20000)
            assert time.monotonic() - began < 30
    assert time.monotonic() - began > 2
    daemon.stop()


def test_the_seventeenth_client_waits_its_turn(command, origin, path):
    daemon = dry(command, many(origin), path)
    answer(command, path)
    before_kib = rss_kib(daemon)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(path)) for _ in range(CLIENTS_MAX)]
        began = time.monotonic()
        assert len(answer(command, path)["probes"]) == 500
        assert time.monotonic() - began > 1, "no place was taken"
        for client in idle:
            wait_for_hangup(client)
    # A snapshot for each would be 16 times a megabyte. A sanitizer holds freed memory back for a while.
    assert rss_kib(daemon) - before_kib < 2048 or b"__asan_init" in pathlib.Path(command.binary).read_bytes()
    daemon.stop()


def test_a_client_that_leaves_at_once_costs_nothing(command, origin, path):
    daemon = dry(command, many(origin), path)
    open_before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    for _ in range(100):
        connect(path).close()
    assert len(answer(command, path)["probes"]) == 500
    daemon.wait_until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= open_before, "descriptors back")
    daemon.stop()


def test_it_stops_with_clients_connected(command, origin, path):
    daemon = dry(command, many(origin), path)
    with connect(path) as client:
        answer(command, path)
        daemon.stop()
        wait_for_hangup(client)
    assert not path.exists()


# ---- the command

def test_the_socket_of_the_configuration(command, path):
    conf = command.conf({}, {"status_socket": path})
    daemon = command.run(conf, "--dry-run")
    daemon.wait_for_line("event=started")
    said = command.command("status", "-c", conf, "--json")
    assert said.code == 0 and said.json["pid"] == daemon.process.pid
    daemon.stop()


def test_usage(command, short_folder):
    for words in (("extra",), ("--nonsense",), ("--socket",), ("-c", short_folder / "missing.conf")):
        said = command.command("status", *words)
        assert said.code == 2 and said.stdout == "" and said.stderr, said
    said = command.command("status", "--help")
    assert said.code == 0 and "--watch" in said.stdout


def test_no_agent(command, short_folder):
    said = ask(command, short_folder / "s")
    assert said.code == 3 and said.stdout == "" and f"no agent listens at {short_folder}/s" in said.stderr
    said = ask(command, "/" + "x" * 200)
    assert said.code == 3 and said.stdout == ""


@pytest.mark.parametrize("reply", (b"", b"nonsense", b"[]", b'{"probes": 1}', b'{"probes":[{"probe":"a"'))
def test_something_else_that_answers(command, path, reply):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        asked = subprocess.Popen([command.binary, "status", "--socket", str(path)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=command.environment(), text=True)
        client, _ = listener.accept()
        client.sendall(reply)
        client.close()
        out, err = asked.communicate(timeout=30)
    assert asked.returncode == 3 and out == "" and "no agent, or it broke off" in err


def test_an_answer_of_odd_values_breaks_nothing(command, path):
    odd = {"version": 7, "state": "running", "probes": [None, 3, {"probe": "a\u001b[2J\n", "state": "unhealthy",
           "outcome": {}, "p50_us": "x", "start": "never", "diagnosis": {"summary": "\u0007" + "w" * 3000}}], "queue": []}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        asked = subprocess.Popen([command.binary, "status", "--socket", str(path)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=command.environment(), text=True)
        client, _ = listener.accept()
        client.sendall(json.dumps(odd).encode())
        client.close()
        out, err = asked.communicate(timeout=30)
    assert asked.returncode == 1 and err == "" and "\x1b" not in out and "\x07" not in out and "a?[2J?" in out


# ---- --watch

class Watch:
    """`status --watch` in a terminal of 80 × 24."""

    def __init__(self, command, path):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen([command.binary, "status", "--socket", str(path), "--watch"], stdin=slave,
                                        stdout=slave, stderr=slave, env=command.environment({"LC_ALL": "C.UTF-8"}))
        self.text = ""

    def read_until(self, condition, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while not condition(self.text):
            assert time.monotonic() < deadline, self.text
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode("utf-8", "replace")

    def end(self):
        code = self.process.wait(30)
        while select.select([self.master], [], [], 0.1)[0]:
            self.text += os.read(self.master, 65536).decode("utf-8", "replace")
        restored = termios.tcgetattr(self.slave) == self.before
        os.close(self.slave)
        os.close(self.master)
        return code, restored


FRAME = "\033[H\033[2J"


def pictures(text):
    return text.split(FRAME)[1:]


def test_watch_redraws_until_q(command, origin, path):
    origin.set_script({"routes": {"*": {}}})
    daemon = dry(command, {"web": {"url": f"http://127.0.0.1:{origin.http_port}/"}}, path)
    daemon.wait_until(lambda: answer(command, path)["runs"]["run"] > 0, "a run")
    watch = Watch(command, path)
    watch.read_until(lambda text: len(pictures(text)) >= 3)
    assert "web" in pictures(watch.text)[0] and "\033[?25l" in watch.text
    os.write(watch.master, b"xq")
    assert watch.end() == (0, True)
    assert watch.text.endswith("\033[?25h")
    daemon.stop()


def test_watch_ends_with_an_interrupt_and_outlives_the_agent(command, origin, path):
    daemon = dry(command, {}, path)
    watch = Watch(command, path)
    watch.read_until(lambda text: "0 healthy" in text)
    daemon.stop()
    watch.read_until(lambda text: "no agent listens" in text)
    watch.process.send_signal(signal.SIGINT)
    assert watch.end() == (3, True)
    assert watch.text.endswith("\033[?25h")


def test_watch_shows_what_the_terminal_has_room_for(command, origin, path):
    daemon = dry(command, many(origin), path)
    watch = Watch(command, path)
    watch.read_until(lambda text: len(pictures(text)) >= 2)
    picture = pictures(watch.text)[0]
    assert picture.count("\n") < 24 and "more, for which this terminal is too low" in picture and "agent:" in picture
    os.write(watch.master, b"q")
    assert watch.end()[1]
    daemon.stop()


def test_watch_ends_with_its_terminal(command, path):
    watch = Watch(command, path)
    watch.read_until(lambda text: "no agent listens" in text)
    os.close(watch.master)
    os.close(watch.slave)
    assert watch.process.wait(30) == 3


@pytest.mark.parametrize("words, check", (((), lambda line: " healthy=0 unhealthy=0 " in line),
                                          (("--json",), lambda line: json.loads(line)["probes"] == [])))
def test_watch_without_a_terminal_is_a_line_each_second(command, path, words, check):
    daemon = dry(command, {}, path)
    watch = subprocess.Popen([command.binary, "status", "--socket", str(path), "--watch", *words],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=command.environment(), text=True)
    lines = [watch.stdout.readline() for _ in range(3)]
    assert all(check(line) for line in lines), lines
    watch.send_signal(signal.SIGTERM)
    rest = watch.communicate(timeout=30)[0]
    assert watch.returncode == 0 and "\033" not in "".join(lines) + rest
    daemon.stop()


def test_watch_ends_when_nobody_reads_and_no_agent_answers(command, path):
    watch = subprocess.Popen([command.binary, "status", "--socket", str(path), "--watch"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=command.environment(), text=True)
    assert "no agent listens" in watch.stderr.readline()
    watch.stdout.close()
    assert watch.wait(30) == 3
    watch.stderr.close()


def test_watch_ends_when_nobody_reads(command, path):
    daemon = dry(command, {}, path)
    watch = subprocess.Popen([command.binary, "status", "--socket", str(path), "--watch"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=command.environment(), text=True)
    watch.stdout.readline()
    watch.stdout.close()
    assert watch.wait(30) in (0, 3)  # it saw so before it wrote, or by writing
    watch.stderr.close()
    daemon.stop()
