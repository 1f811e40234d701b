# SPDX-License-Identifier: Apache-2.0
"""Where the daemon's credentials come from, how they are renewed, and the clock they are used by."""

import pytest

import probe_command
from probe_command import check_no_secret
from probe_runner import balanced


def publishes(runner, world, label, env, **how):
    """Runs at least once, and publishes what is left when it is stopped."""
    daemon = runner.start({"good": world.http(label)}, "--verbose", env=env, **how)
    daemon.wait_until(daemon.runs, "a run")
    counters = balanced(daemon.stop())
    assert runner.samples("Success") == counters["run"] >= 1 and counters["samples_dropped"] == 0
    return daemon


@pytest.fixture
def wants_token(gate):
    gate.set_rules({"require_token": True})


def test_credentials_of_the_instance(runner, world, gate, imds, wants_token):
    publishes(runner, world, "imds", {
        "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    assert gate.rejections() == [] and imds.count("PUT", "/latest/api/token") >= 1
    assert all(entry["status"] != 401 for entry in imds.requests())


def test_a_signed_probe_waits_for_the_first_credentials(runner, world, origin, imds):
    """Were it to start before they are there, each start would be a local fault."""
    imds.apply({"faults": [{"action": "delay", "delay_ms": 300}]})
    origin.script.routes["/"] = {}
    daemon = runner.start({"signed": world.scripted_tls("slow-keys", {}, auth="sigv4", sign_host="slow-keys.probe.test")},
                          "--verbose", env={"AWS_EC2_METADATA_DISABLED": "false",
                                            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    daemon.wait_until(daemon.runs, "a run")
    assert balanced(daemon.stop())["local"] == 0, daemon.log


def test_the_instance_names_agent_region_and_dimensions(runner, world, gate, imds, wants_token):
    daemon = publishes(runner, world, "facts", {
        "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url},
        agent={"agent_id": None}, cloudwatch={"region": "auto", "dimension_sets": "Service,AvailabilityZoneId",
                                            "agent_metrics": "agent"})
    line = probe_command.pairs(daemon.wait_for_line("event=started"))
    assert (line["agent_id"], line["agent_id_from"], line["region"]) == ("i-0123456789abcdef0", "imds", "us-east-1")
    assert {entry["dimensions"].get("AvailabilityZoneId") for entry in runner.entries("Success")} == {"use1-az4"}
    assert gate.rejections() == []


def test_credentials_of_the_container(runner, world, gate, container_credentials, wants_token):
    container_credentials.apply({"authorization": "Bearer EXAMPLE-of-a-container-token"})
    daemon = publishes(runner, world, "container", {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{container_credentials.url}/v2/credentials/1",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer EXAMPLE-of-a-container-token"})
    assert gate.rejections() == []
    check_no_secret(daemon.log, "EXAMPLE-of-a-container-token")


def test_the_container_token_comes_from_a_file(runner, world, command, gate, container_credentials, wants_token):
    token = command.path("pod-token")
    token.write_text("EXAMPLE-of-a-pod-token", encoding="utf-8")
    container_credentials.apply({"authorization": "EXAMPLE-of-a-pod-token"})
    daemon = publishes(runner, world, "pod", {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{container_credentials.url}/v2/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)})
    assert gate.rejections() == []
    check_no_secret(daemon.log, "EXAMPLE-of-a-pod-token")


def test_credentials_by_web_identity(runner, world, command, gate, sts, wants_token):
    token = command.path("web-token")
    token.write_text("EXAMPLE.of.a-web-identity-token", encoding="utf-8")
    sts.apply({"web_identity_token": "EXAMPLE.of.a-web-identity-token"})
    daemon = publishes(runner, world, "web-identity", {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/probe",
        "AWS_ENDPOINT_URL_STS": sts.url, "AWS_ENDPOINT_URL": gate.url})
    assert gate.rejections() == [] and sts.requests()
    check_no_secret(daemon.log, "EXAMPLE.of.a-web-identity-token")


def test_credentials_of_a_profile(runner, world, command, gate):
    shared = command.path("credentials")
    shared.write_text(f"[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wrong\n"
                      f"[probe]\naws_access_key_id = {probe_command.ACCESS_KEY}\n"
                      f"aws_secret_access_key = {probe_command.SECRET_KEY}\n", encoding="utf-8")
    shared.chmod(0o600)
    publishes(runner, world, "profile", {
        "AWS_SHARED_CREDENTIALS_FILE": str(shared), "AWS_PROFILE": "probe"})
    assert gate.rejections() == []


def test_credentials_that_come_late_lose_nothing(runner, world, imds, gate, wants_token):
    imds.apply({"role": None})
    daemon = runner.start({"good": world.http("late-role")}, env={
        "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    daemon.wait_until(lambda: any(entry["status"] == 404 for entry in imds.requests()), "a look for the role")
    imds.apply({"role": "lattice-probe-role"})
    runner.wait_for_samples(daemon, "Success", 2)
    counters = balanced(daemon.stop())
    assert runner.samples("Success") == counters["run"] and gate.rejections() == []


def test_rotation_and_expiry_lose_nothing(runner, world, imds, gate, wants_token):
    """Credentials that live for seconds: they are fetched anew ahead of their end, again and again."""
    imds.apply({"lifetime_s": 4, "renew_before_s": 3})
    daemon = runner.start({"good": world.http("rotation")}, env={
        "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    runner.wait_for_samples(daemon, "Success", 5)
    counters = balanced(daemon.stop())
    assert len({request["access_key"] for request in gate.requests()}) == 2, "they were never rotated"
    assert runner.samples("Success") == counters["run"] and counters["samples_dropped"] == 0


@pytest.mark.parametrize("action", ("expire_400", "expire_403"))
def test_an_expired_token_is_renewed_once_told(runner, world, imds, gate, wants_token, action):
    daemon = runner.start({"good": world.http("expired-token")}, env={
        "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    runner.wait_for_samples(daemon, "Success", 1)
    imds.rotate()
    asked = len(imds.requests())
    gate.set_faults([{"action": action, "times": 1}])
    daemon.wait_until(lambda: gate.summary()["faults_served"].get(action), "the refusal")
    runner.wait_for_samples(daemon, "Success", 4)
    counters = balanced(daemon.stop())
    assert len(imds.requests()) > asked and runner.samples("Success") == counters["run"]
    assert [entry["cause"] for entry in gate.rejections()] == ["fault"]


# ---- the clock of CloudWatch

@pytest.mark.parametrize("shift_s", (600, -600))
def test_a_clock_that_is_off_is_followed(runner, world, gate, shift_s):
    gate.set_clock({"shift_s": shift_s})
    daemon = runner.start({"good": world.http("skew")})
    runner.wait_for_samples(daemon, "Success", 3)
    assert "event=clock_skew" in daemon.wait_for_line("event=clock_skew")
    counters = balanced(daemon.stop())
    assert runner.samples("Success") == counters["run"] and counters["samples_dropped"] == 0
    assert {entry["cause"] for entry in gate.rejections()} <= {"signature"} and len(gate.rejections()) <= 3
    corrected = [entry for entry in runner.entries("Success")
                 if abs(entry["timestamp"] - shift_s - entry["received_us"] / 1e6) < 60]
    assert corrected, "no window was stamped by the clock of AWS"
