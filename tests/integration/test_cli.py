# SPDX-License-Identifier: Apache-2.0
"""The command line as a person or a script meets it: usage, exit status, terminals, pipes, signals."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import fcntl
import unicodedata

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COMMANDS = ("run", "once", "diagnose", "status", "check-config", "iam-policy", "alarms", "dashboard", "version")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(command, *words, columns=80, env=None, timeout_s=30):
    """Runs on a pseudo-terminal of that width; returns (exit status, what it showed)."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = command.environment({"TERM": "xterm", **(env or {})})
    process = subprocess.Popen([command.binary, *map(str, words)], stdin=subprocess.DEVNULL, stdout=terminal,
                               stderr=terminal, env=environment)
    os.close(terminal)
    shown = read_all(controller, time.monotonic() + timeout_s)
    os.close(controller)
    return process.wait(timeout_s), shown.decode("utf-8").replace("\r\n", "\n")


def read_all(controller, deadline):
    """Reads until the last writer has closed its end, which a terminal reports as EIO."""
    shown = b""
    while select.select([controller], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            piece = os.read(controller, 65536)
        except OSError:
            return shown
        if not piece:
            return shown
        shown += piece
    raise TimeoutError(shown)


def width(line):
    """Columns on a terminal."""
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
               for letter in ESCAPE.sub("", line))


def too_wide(text, columns=80):
    """Lines wider than that; where the configuration is installed is not ours to say."""
    text = re.sub(r"\(/\S+/lattice-probe\.conf\)", "", text)
    return [line for line in text.splitlines() if width(line) > columns]


# ---- usage

def test_without_a_command_it_says_what_there_is(command):
    answer = command.command()
    assert answer.code == 2 and answer.stdout == ""
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", answer.stderr, re.MULTILINE)


@pytest.mark.parametrize("words", (("--help",), ("-h",), ("help",), ("help", "help")))
def test_help_goes_to_stdout(command, words):
    answer = command.command(*words)
    assert answer.code == 0 and answer.stderr == "" and "usage: lattice-probe" in answer.stdout


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("words", (("{}", "--help"), ("{}", "-h"), ("help", "{}"), ("--help", "{}")))
def test_help_of_each_command(command, name, words):
    answer = command.command(*(word.format(name) for word in words))
    assert answer.code == 0 and answer.stderr == ""
    assert answer.stdout.startswith(f"usage: lattice-probe {name}")
    assert not too_wide(answer.stdout)


@pytest.mark.parametrize("words", (("probe",), ("help", "probe")))
def test_an_unknown_command(command, words):
    answer = command.command(*words)
    assert answer.code == 2 and answer.stdout == "" and "'probe'" in answer.stderr
    assert "did you mean" not in answer.stderr


def test_a_misspelt_command(command):
    for words in (("sttaus",), ("help", "sttaus")):
        answer = command.command(*words)
        assert answer.code == 2 and "no command 'sttaus'; did you mean status?" in answer.stderr


@pytest.mark.parametrize("words, meant", (
    (("once", "--jason"), "json"), (("run", "--dry-runs"), "dry-run"), (("diagnose", "--noaws"), "no-aws"),
    (("status", "--sokcet=/run/a.sock"), "socket"), (("check-config", "--confg", "a.conf"), "config"),
    (("version", "--jsn"), "json"), (("once", "--quickly"), None), (("once", "-x"), None), (("status", "--socket"), None)))
def test_a_misspelt_option(command, words, meant):
    answer = command.command(*words)
    assert answer.code == 2 and answer.stdout == "" and f"usage: lattice-probe {words[0]}" in answer.stderr
    assert re.findall(r"did you mean --([\w-]+)\?", answer.stderr) == ([meant] if meant else [])


@pytest.mark.parametrize("words", (
    ("once", "--jason"), ("run", "--dray"), ("run", "word"), ("version", "--long"), ("check-config", "--jsn"),
    ("once", "-c"), ("run", "--config")))
def test_wrong_usage(command, words):
    answer = command.command(*words)
    assert answer.code == 2 and answer.stdout == "" and answer.stderr != ""
    assert not too_wide(answer.stderr)


def test_version(command):
    for words in (("version",), ("--version",)):
        answer = command.command(*words)
        assert answer.code == 0 and re.match(r"lattice-probe \d+\.\d+", answer.stdout)
        for library in ("libcurl", "c-ares", "OpenSSL", "libuv"):
            assert re.search(rf"^  {library} +\d", answer.stdout, re.MULTILINE)
    assert {"version", "libraries"} <= set(command.command("version", "--json").json)


# ---- which probes

def test_once_without_a_configuration(command, nginx):
    answer = command.once(f"http://127.0.0.1:{nginx.http_port}/healthz")
    assert answer.code == 0 and answer.result["outcome"] == "ok"


def test_once_runs_urls_in_the_order_given(command, nginx):
    base = f"http://127.0.0.1:{nginx.http_port}"
    answer = command.once(f"{base}/status/503", f"{base}/", f"{base}/status/404")
    assert answer.code == 1
    assert [result["status"] for result in answer.results] == [503, 200, 404]
    assert [result["url"] for result in answer.results] == [f"{base}/status/503", f"{base}/", f"{base}/status/404"]


@pytest.mark.parametrize("bad", ("http://", "ftp://127.0.0.1/", "http://user:hush@127.0.0.1/", "http://a b/",
                                 "http://127.0.0.1:99999/", "https://%00/"))
def test_one_bad_url_stops_all(command, origin, bad):
    answer = command.once(f"http://127.0.0.1:{origin.http_port}/", bad)
    assert answer.code == 2 and answer.stdout == "" and bad.replace("user:hush", "***") in answer.stderr
    assert origin.connections() == []


def test_an_unknown_probe(command, nginx):
    conf = command.conf({"web": {"url": f"http://127.0.0.1:{nginx.http_port}/"}})
    answer = command.once("wbe", conf=conf)
    assert answer.code == 2 and answer.stdout == "" and "'wbe'" in answer.stderr


def test_once_without_any_probe(command):
    answer = command.once(conf=command.conf())
    assert answer.code == 2 and answer.stdout == "" and "[probe NAME]" in answer.stderr


def test_a_configuration_that_is_not_there(command):
    for words in (("once", "-c", "/nonexistent.conf"), ("run", "-c", "/nonexistent.conf"),
                  ("check-config", "-c", "/nonexistent.conf")):
        answer = command.command(*words)
        assert answer.code == 2 and answer.stdout == "" and "/nonexistent.conf" in answer.stderr


def test_once_of_a_name_without_a_scheme(command):
    """No -c: whether there is an installed configuration or not."""
    answer = command.command("once", "example.test")
    assert answer.code == 2 and answer.stdout == "" and "mistake" not in answer.stderr
    assert "'example.test'" in answer.stderr and "https://" in answer.stderr


def test_a_query_is_not_shown(command, nginx):
    answer = command.once(f"http://127.0.0.1:{nginx.http_port}/?token=hush")
    assert answer.code == 0 and "hush" not in answer.stdout + answer.stderr


# ---- what people see

def faulty(command, world):
    """A configuration of many looks: ok, slow, failing, with names as long as they come."""
    port = world.nginx.http_port
    first = f"127.0.0.1:{world.unreachable_udp_port()}"
    long_name = "a-service-with-a-name-that-is-as-long-as-a-name-may-be.production"
    return command.conf({
        "web": {"url": f"http://127.0.0.1:{port}/healthz"},
        long_name[:64]: {"url": f"http://127.0.0.1:{port}/status/503"},
        "long-url": {"url": f"http://127.0.0.1:{port}/{'a-path-that-is-longer-than-a-line/' * 5}"},
        # Multicast of this interface alone: TCP never sends there, the kernel says so at once.
        "v6": {"url": "http://[ff01:1111:2222:3333:4444:5555:6666:7777]:8080/"},
        "fallback": world.https("fallback") | {"resolver": f"{first}, {world.dns.address}"},
        "both": world.http("both", ip="both"),
        "nobody": {"url": "http://nobody.example.test/", "resolver": "[::1]:9", "dns_timeout": "300ms"},
        "body": {"url": f"http://127.0.0.1:{port}/healthz", "expect_body": "a body that is not there " * 4},
        "untrusted": {"url": f"https://127.0.0.1:{world.nginx.https_port}/"}})


def test_a_terminal_of_80_columns_is_wide_enough(command, world):
    code, shown = on_a_terminal(command, "once", "-c", faulty(command, world))
    assert code == 1 and "9 probes, 2 ok, 7 failed" in shown and "(fallback)" in shown
    assert not too_wide(shown)


def test_a_wide_terminal(command, nginx):
    conf = command.conf({"web": {"url": f"http://127.0.0.1:{nginx.http_port}/"}})
    code, shown = on_a_terminal(command, "once", "-c", conf, columns=120)
    assert code == 0 and not too_wide(shown, 120) and max(map(width, shown.splitlines())) > 80


def test_a_terminal_gets_colour_and_bars(command, nginx):
    conf = command.conf({"web": {"url": f"http://127.0.0.1:{nginx.http_port}/slow"}})
    command.conf()
    _, shown = on_a_terminal(command, "once", "-c", conf)
    assert ESCAPE.search(shown) and "where it failed" in shown
    bars = [line for line in ESCAPE.sub("", shown).splitlines() if re.fullmatch(r"  [DCTFX!][DCTFX! ]*", line)]
    assert len(bars) == 1 and width(bars[0]) >= 60


def test_each_probe_has_a_bar(command, nginx):
    """Also one that is over in no time beside the longest."""
    port = nginx.http_port
    conf = command.conf({"slow": {"url": f"http://127.0.0.1:{port}/slow", "timeout": "2s"},
                         "quick": {"url": f"http://127.0.0.1:{port}/"}, "bad": {"url": "http://127.0.0.1:1/"}})
    _, shown = on_a_terminal(command, "once", "-c", conf)
    bars = [line for line in ESCAPE.sub("", shown).splitlines() if re.fullmatch(r"  [DCTFX! ]*", line)]
    assert len(bars) == 3 and all(bar.strip() for bar in bars) and not too_wide(shown)


@pytest.mark.parametrize("value, coloured", (("1", False), ("", True)))
def test_no_color(command, nginx, value, coloured):
    conf = command.conf({"web": {"url": f"http://127.0.0.1:{nginx.http_port}/"}})
    _, shown = on_a_terminal(command, "once", "-c", conf, env={"NO_COLOR": value})
    assert bool(ESCAPE.search(shown)) == coloured
    assert "where it failed" in shown


def test_a_pipe_gets_neither_colour_nor_bars(command, world):
    conf = faulty(command, world)
    answer = command.command("once", "-c", conf)
    assert answer.code == 1 and not ESCAPE.search(answer.stdout) and "where it failed" not in answer.stdout
    assert not re.search(r"^  [DCTFX!]{5,}$", answer.stdout, re.MULTILINE)
    assert not too_wide(answer.stdout)


def test_a_plain_locale_gets_plain_letters(command, nginx):
    url = f"http://127.0.0.1:{nginx.http_port}/"
    plain = command.command("once", url, env={"LC_ALL": "C"})
    assert plain.code == 0 and plain.stdout.isascii()
    assert not command.command("once", url, env={"LC_ALL": "C.UTF-8"}).stdout.isascii()


def test_json_is_the_same_on_a_terminal(command, world):
    conf = faulty(command, world)
    code, shown = on_a_terminal(command, "once", "--json", "-c", conf)
    assert code == 1 and len(json.loads(shown)["results"]) == 9


def test_output_that_cannot_be_written_is_no_success(command, nginx):
    """A full disk behind stdout: the answer is lost, and the exit status says so."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([command.binary, "once", "--json", f"http://127.0.0.1:{nginx.http_port}/"],
                              stdout=full, stderr=subprocess.PIPE, env=command.environment(), check=False, timeout=30)
    assert done.returncode == 3 and done.stderr


@pytest.mark.parametrize("closed, code", ((">&-", 3), ("<&- 2>&-", 0), ("<&- >&- 2>&-", 3)))
def test_closed_standard_descriptors(command, nginx, closed, code):
    """Nothing of ours takes their numbers; what goes to a closed stdout is output that cannot be written."""
    answer = command.command("once", f"http://127.0.0.1:{nginx.http_port}/", wrap=("sh", "-c", f'exec "$@" {closed}', "sh"))
    assert answer.code == code, answer


# ---- check-config

def test_the_shipped_configuration_is_good(command):
    path = ROOT / "conf" / "lattice-probe.conf"
    answer = command.command("check-config", "-c", path)
    assert answer.code == 0, answer
    assert not too_wide(answer.stdout.replace(str(path), "PATH"))  # the tree may lie deep


def test_all_mistakes_are_reported(command):
    conf = command.path("broken.conf")
    conf.write_text("""[agent]
timeout = 5
intervall = 10s
[cloudwatch]
period = 7s
[probe a]
url = ftp://example.test/
expect_status = 99
[probe b]
method = GET
[probe a]
url = http://example.test/
""", encoding="utf-8")
    for words in (("check-config", "-c", conf), ("once", "-c", conf), ("run", "-c", conf)):
        answer = command.command(*words)
        assert answer.code == 2, answer
        lines = {int(number) for number in re.findall(rf"{re.escape(str(conf))}:(\d+): \[", answer.stderr + answer.stdout)}
        assert {2, 3, 5, 7, 8} <= lines and lines & {9, 10} and lines & {11, 12}, answer


def test_check_config_shows_probes_and_cost(command):
    conf = command.conf({"web": {"url": "https://web.example.test/"}, "api": {"url": "https://api.example.test/"}})
    answer = command.command("check-config", "-c", conf)
    assert answer.code == 0 and "web" in answer.stdout and "$" in answer.stdout and not too_wide(answer.stdout)
    code, shown = on_a_terminal(command, "check-config", "-c", conf)
    assert code == 0 and not too_wide(shown)
    assert command.command("check-config", "--json", "-c", conf).json


# ---- signals

@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_a_signal_ends_once_at_once(command, origin, number):
    origin.set_script({"routes": {"*": {"first_byte_delay_ms": 20_000}}})
    conf = command.conf({"slow": {"url": f"http://127.0.0.1:{origin.http_port}/", "interval": "60s",
                                  "timeout": "30s"}})
    process = subprocess.Popen([command.binary, "once", "--json", "-c", conf], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=command.environment())
    deadline = time.monotonic() + 20
    while not origin.requests():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=5)
    assert process.returncode == -number and stdout == b""
