# SPDX-License-Identifier: Apache-2.0
"""Keys, tokens and whatever else is secret: made to fail in many ways, the agent says none of it anywhere,
writes none of it, and forgets the old keys when there are new ones."""

import os
import pathlib
import re
import stat

import pytest

import probe_command

HEADER_SECRET = "hush-header-5f2c91"
QUERY_SECRET = "hush-query-77ab03"
USER_SECRET = "hush-user-19d4ee"
BODY_SECRET = "hush-body-c0ffee"


@pytest.fixture
def path(short_folder):
    return short_folder / "s"


def role_of(imds):
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}


def unfortunate(world, command):
    """Probes that carry secrets into every kind of failure."""
    secret = command.path("header")
    secret.write_text(f"Bearer {HEADER_SECRET}\n", encoding="utf-8")
    secret.chmod(0o600)
    body = command.path("body")
    body.write_text(f'{{"password":"{BODY_SECRET}"}}', encoding="utf-8")
    body.chmod(0o600)
    carried = {"header_file.Authorization": secret}
    query = f"?token={QUERY_SECRET}"

    def scripted(label, route, **more):
        settings = world.scripted(label, route, **carried, **more)
        return settings | {"url": settings["url"] + query}
    echo = {"echo": True, "status": 500, "headers": {"X-Echo": f"{HEADER_SECRET}"}}
    return {
        "echo": scripted("echo", echo, expect_body="nothing of it", body_file=body, method="POST"),
        "reset": scripted("secret-reset", {"fault": "reset"}),
        "garbage": scripted("secret-garbage", {"raw": f"{HEADER_SECRET} {QUERY_SECRET}\r\n\r\n"}),
        "redirect": scripted("secret-redirect", {"redirect": f"http://169.254.169.254/{QUERY_SECRET}"},
                             follow_redirects="yes"),
        "nxdomain": {**carried, **world.settings(f"http://missing.probe.test/{query}")},
        "refused": {**carried, "url": f"http://127.0.0.1:{world.refusing_port()}/{query}"},
        "untrusted": {**carried, **world.https("secret-untrusted", f"/{query}"), "tls_ca": None},
        "signed": {**world.https("secret-signed", f"/status/403{query}", auth="sigv4",
                                            sign_host="secret-signed.probe.test")},
    }


def issued(imds, seen):
    """Adds the role's present key and session token to all that was secret so far."""
    current = imds.issuer.get()
    seen |= {current["secret_key"], current["token"]}
    return seen


def check_all(secrets, said):
    for what, text in said.items():
        for secret in secrets:
            assert secret not in text, f"{what} says {secret!r}"
        assert not re.search(r"Signature=[0-9a-f]{16}", text), what


def shell(command, path, probes):
    """What people may ask for while it runs."""
    said = {}
    for words in (("status", "--socket", path), ("status", "--socket", path, "--json")):
        answer = command.command(*words)
        said[" ".join(map(str, words))] = answer.stdout + answer.stderr
    return said


def files_below(folder, but=()):
    return [each for each in pathlib.Path(folder).rglob("*") if each.is_file() and each not in but]


def make_it_talk(daemon, gate, imds):
    for action in ("error_500", "reset_before", "lose_reply", "expire_400", "deny"):
        gate.set_faults([{"action": action, "times": 1}])
        daemon.wait_until(lambda: gate.summary()["faults_served"].get(action), action)
        imds.apply({"faults": [{"action": "invalid_json", "path": "/latest/meta-data/iam", "times": 1}]})
        if action == "expire_400":
            imds.rotate()
            imds.expire_tokens()
        if action == "deny":
            daemon.wait_for_line("AccessDenied")


def test_no_secret_is_said_or_written_whatever_fails(runner, world, command, gate, imds, path):
    probes = unfortunate(world, command)
    before = set(files_below(command.directory))
    seen = {HEADER_SECRET, QUERY_SECRET, BODY_SECRET}
    daemon = runner.start(probes, "--verbose", env=role_of(imds),
                          agent={"status_socket": path, "diagnose": "yes", "timeout": "700ms"})
    runner.wait_for_samples(daemon, "Success", len(probes))
    issued(imds, seen)
    make_it_talk(daemon, gate, imds)
    daemon.wait_for_line("event=diagnosis")
    issued(imds, seen)
    said = shell(command, path, probes)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    conf = sorted(command.directory.glob("conf-*/lattice-probe.conf"))[0]
    env = {**role_of(imds), "AWS_ENDPOINT_URL_CLOUDWATCH": gate.url}
    for words in (("diagnose", "-c", conf, "echo"), ("diagnose", "-c", conf, "signed", "--json"),
                  ("diagnose", "-c", conf, "garbage", "--verbose"), ("once", "-c", conf), ("once", "--json", "-c", conf),
                  ("check-config", "-c", conf)):
        answer = command.command(*words, env=env)
        said[" ".join(map(str, words))] = answer.stdout + answer.stderr
    daemon.stop()
    issued(imds, seen)
    said["log"] = daemon.log
    said["stdout"] = daemon.stdout
    for each in set(files_below(command.directory)) - before - {conf}:
        said[str(each)] = each.read_bytes().decode("latin-1")
        assert stat.S_IMODE(each.stat().st_mode) & 0o077 == 0 or each.name.startswith("stdout-"), each
    assert len(seen) >= 5 and all(said.values()) or not daemon.stdout
    check_all(seen, said)
    assert daemon.log.count("level=warning") >= len(probes) - 1


def test_a_url_with_user_and_password_is_refused_without_repeating_it(command):
    conf = command.conf({"it": {"url": f"https://admin:{USER_SECRET}@checkout.example.com/"}})
    for words in (("check-config", "-c", conf), ("run", "-c", conf), ("once", "-c", conf),
                  ("once", f"https://admin:{USER_SECRET}@checkout.example.com/"),
                  ("diagnose", f"https://admin:{USER_SECRET}@checkout.example.com/")):
        answer = command.command(*words)
        assert answer.code == 2 and USER_SECRET not in answer.stdout + answer.stderr, answer


# ---- what stays in memory

def writable_memory(pid):
    """All writable memory of the process but for what is larger than any of ours (a sanitizer's shadow)."""
    pieces = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if "w" not in rights or end - start > 64 * 1024 * 1024 or "[v" in line:
                continue
            try:
                memory.seek(start)
                pieces.append(memory.read(end - start))
            except OSError:
                pass
    return b"\0".join(pieces)


def test_old_keys_are_gone_from_memory_once_there_are_new_ones(runner, world, gate, imds):
    """As in a core: of what freed memory held the first bytes are overwritten, so the end is looked for."""
    imds.apply({"lifetime_s": 6, "renew_before_s": 3})
    daemon = runner.start({"signed": world.https("memory", auth="sigv4", sign_host="memory.probe.test")},
                          "--verbose", env=role_of(imds))
    runner.wait_for_samples(daemon, "Success", 2)
    if b"__asan_init" in pathlib.Path(runner.command.binary).read_bytes():
        daemon.stop()
        return  # it keeps freed memory back
    daemon.wait_until(lambda: gate.requests()[-1]["access_key"] == imds.issuer.current["access_key"], "the keys in use")
    old = dict(imds.issuer.current)
    assert old["secret_key"].encode()[-24:] in writable_memory(daemon.process.pid), "the search finds nothing"
    imds.issuer.lifetime_s = 3600  # the next ones stay
    daemon.wait_until(lambda: imds.issuer.current["serial"] > old["serial"], "new keys handed out")
    asked = len(gate.requests())
    daemon.wait_until(lambda: len(gate.requests()) > asked + 2, "three more requests")
    assert gate.requests()[-1]["access_key"] != old["access_key"]
    memory = writable_memory(daemon.process.pid)
    assert old["secret_key"].encode()[-24:] not in memory and old["token"].encode()[-24:] not in memory
    daemon.stop()


def test_no_core_holds_its_memory(command, origin):
    daemon = command.run(command.conf({"it": {"url": f"http://127.0.0.1:{origin.http_port}/"}}), "--dry-run")
    daemon.wait_for_line("event=started")
    process = pathlib.Path(f"/proc/{daemon.process.pid}")
    limits = process.joinpath("limits").read_text(encoding="utf-8")
    assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE), limits
    assert int(process.joinpath("coredump_filter").read_text(encoding="utf-8"), 16) == 0
    daemon.stop()
