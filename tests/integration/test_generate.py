# SPDX-License-Identifier: Apache-2.0
"""`iam-policy`, `alarms` and `dashboard`: what they print, what they say beside it, and that all of it is about
what the agent really does: the actions it signs, the series it publishes."""

import json
import os
import pathlib
import re

import pytest

import dashboard_body

ROOT = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
COMMANDS = ("iam-policy", "alarms", "dashboard")
HOST = "checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
CHECKOUT = {"checkout": {"url": f"https://{HOST}/healthz", "auth": "sigv4"}}
HOSTILE = {"namespace": 'My "own" ${a} %{b}', "dimension.Stage": 'a"b ${c} %{d} \\ $${e}', "dimension.it's": "<&>"}


def alarms_of(template):
    return [resource["Properties"] for resource in template["Resources"].values()]


def dimensions_of(entry):
    return {dimension["Name"]: dimension["Value"] for dimension in entry["Dimensions"]}


# ---- usage ----


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("words, status", [(["--help"], 0), (["--nonsense"], 2), (["word"], 2), (["-c"], 2)])
def test_usage_is_explained(command, name, words, status):
    answer = command.command(name, *words)
    assert answer.code == status
    assert f"usage: lattice-probe {name} [-c FILE]" in (answer.stderr if status else answer.stdout)
    said = re.sub(r"/\S+/lattice-probe\.conf", "", answer.stderr + answer.stdout)
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("words, remedy", [
    (("alarms", "--format", "yaml"), "write cloudformation or terraform"),
    (("alarms", "--availability", "99%"), "write 0.99 or the like"),
    (("alarms", "--availability", "1.01"), "write 0.99 or the like"),
    (("alarms", "--availability", "0"), "write 0.99 or the like"),
    (("alarms", "--availability", "nan"), "write 0.99 or the like"),
    (("alarms", "--latency", "250"), "write 250ms or the like"),
    (("alarms", "--certificate-days", "0"), "from 1 to 365"),
    (("alarms", "--dimension", "VpcId"), "write NAME=VALUE, NAME one of AvailabilityZone, AvailabilityZoneId, VpcId"),
    (("alarms", "--dimension", "Service=x"), "write NAME=VALUE"),
    (("alarms", "--dimension", "VpcId="), "write NAME=VALUE"),
    (("alarms", "--dimension", "VpcId=a", "--dimension", "VpcId=b"), "VpcId has two values"),
    (("dashboard", "--part", "3"), "write N/M"),
    (("dashboard", "--part", "3/2"), "write N/M"),
    (("dashboard", "--part", "0/2"), "write N/M"),
    (("dashboard", "--region", "Europe"), "write us-east-1 or the like"),
    (("iam-policy", "--region", "x y"), "write us-east-1 or the like")])
def test_a_wrong_value_is_refused_with_a_remedy(command, words, remedy):
    answer = command.command(*words, "-c", command.conf(CHECKOUT))
    assert (answer.code, answer.stdout) == (2, "")
    assert remedy in answer.stderr.splitlines()[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_configuration_with_mistakes_gives_no_document(command, name):
    answer = command.command(name, "-c", command.conf({"a": {}}))
    assert (answer.code, answer.stdout) == (2, "")
    assert "[probe a] url: is missing" in answer.stderr


@pytest.mark.parametrize("cloudwatch, words, remedy", [
    ({}, ("alarms", "--failures"), "set failure_metrics = always in [cloudwatch]"),
    ({}, ("alarms", "--certificate-days", "60"), "add it to metrics in [cloudwatch]"),
    ({"agent_metrics": "none"}, ("alarms",), "add a probe, or agent_metrics = fleet"),
    ({"agent_metrics": "none"}, ("dashboard",), "add a probe, or agent_metrics = fleet"),
    ({"region": "auto"}, ("dashboard",), "set region in [cloudwatch], AWS_REGION, or --region REGION")])
def test_what_does_not_fit_the_configuration_is_refused(command, cloudwatch, words, remedy):
    answer = command.command(*words, "-c", command.conf({}, cloudwatch=cloudwatch))
    assert (answer.code, answer.stdout) == (2, "")
    assert remedy in answer.stderr


# ---- the documents ----


def test_the_policy_allows_what_the_program_signs_and_nothing_else(command):
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.c") if path.parent.name != "generate"}
    whole = "\n".join(sources.values())
    signed = set(re.findall(r'\.service = "([\w-]+)"', whole))
    assert signed == {"monitoring", "vpc-lattice-svcs"}
    assert set(re.findall(r"GraniteServiceVersion20100801\.(\w+)", whole)) == {"PutMetricData"}
    used = {"cloudwatch:PutMetricData", "vpc-lattice-svcs:Invoke"}
    for path, text in sources.items():
        if path.name.startswith("control"):
            used |= set(re.findall(r'"((?:ec2|vpc-lattice):[A-Z]\w+)"', text))
    answer = command.command("iam-policy", "-c", command.conf(CHECKOUT))
    assert (answer.code, answer.stderr) == (0, "")
    allowed = [statement["Action"] for statement in answer.json["Statement"]]
    assert {action for one in allowed for action in ([one] if isinstance(one, str) else one)} == used
    assert {statement["Effect"] for statement in answer.json["Statement"]} == {"Allow"}


def test_the_policy_leaves_out_what_is_not_needed(command):
    answer = command.command("iam-policy", "--no-diagnose", "-c", command.conf({"a": {"url": f"https://{HOST}/"}}))
    assert [statement["Sid"] for statement in answer.json["Statement"]] == ["PublishMetrics"]


def test_a_note_goes_to_stderr_and_the_document_stays_json(command):
    conf = command.conf({"own": {"url": "https://own.example/", "auth": "sigv4", "sign_host": "own.example"}},
                        cloudwatch={"dimension_sets": "Service | Service,VpcId", "region": "auto"})
    answer = command.command("iam-policy", "-c", conf)
    assert "note: probe own: the name own.example does not tell the id" in answer.stderr
    assert answer.json["Statement"][1]["Resource"] == ["arn:aws:vpc-lattice:*:*:service/*/"]
    answer = command.command("iam-policy", "-c", conf, env={"AWS_REGION": "cn-north-1"})
    assert answer.json["Statement"][1]["Resource"] == ["arn:aws-cn:vpc-lattice:cn-north-1:*:service/*/"]
    answer = command.command("alarms", "-c", conf)
    assert "--dimension VpcId=VALUE" in answer.stderr and len(alarms_of(answer.json)) == 4
    answer = command.command("alarms", "-c", conf, "--dimension", "VpcId=vpc-1")
    assert answer.stderr == "" and len(alarms_of(answer.json)) == 7


def test_the_region_of_a_dashboard_is_found_as_the_agent_finds_it(command):
    def region(conf, *words, env=None):
        answer = command.command("dashboard", "-c", conf, *words, env=env)
        assert dashboard_body.findings(answer.stdout) == []
        return answer.json["widgets"][1]["properties"]["region"], answer.stderr
    automatic = command.conf(CHECKOUT, cloudwatch={"region": "auto"})
    named = command.conf(CHECKOUT)
    found, said = region(automatic)
    assert found == "eu-west-1" and "taken to be eu-west-1, where the probed services are" in said
    assert region(automatic, env={"AWS_DEFAULT_REGION": "us-west-2"}) == ("us-west-2", "")
    assert region(automatic, env={"AWS_REGION": "us-west-1", "AWS_DEFAULT_REGION": "us-west-2"}) == ("us-west-1", "")
    assert region(named, env={"AWS_REGION": "us-west-1"}) == ("us-east-1", "")
    assert region(named, "--region", "ap-south-1") == ("ap-south-1", "")


@pytest.mark.parametrize("cloudwatch", [
    {}, HOSTILE, {"failure_metrics": "always", "period": "10s"}, {"metrics": "TlsLatency", "period": "1h"},
    {"dimension_sets": "Service | Service,AvailabilityZoneId | VpcId", "agent_metrics": "both"},
    {"dimension.my-own name": "a b", "dimension_sets": "SubnetId,Service", "agent_metrics": "agent"}])
def test_a_dashboard_is_one_that_cloudwatch_takes(command, cloudwatch):
    probes = {**CHECKOUT, "plain": {"url": "http://10.0.0.1/", "interval": "90s"}}
    answer = command.command("dashboard", "-c", command.conf(probes, cloudwatch=cloudwatch))
    assert answer.code == 0
    assert dashboard_body.findings(answer.stdout) == []


def test_a_wrong_dashboard_is_found():
    rows = [["N", "M", {"stat": "p101", "id": "A"}], ["N"], [{"expression": "FILL(m9, 0)"}], ["N", "M", ".", "x"]]
    widgets = [{"type": "metric", "x": 20, "y": 0, "width": 8, "height": 6, "properties": {"metrics": []}},
               {"type": "metric", "x": 0, "y": 0, "width": 8, "height": 6,
                "properties": {"metrics": rows, "region": "us-east-1", "period": 90, "yAxis": {"left": {"min": "0"}}}},
               {"type": "text", "x": 7, "y": 5, "width": 8, "height": 6, "properties": {"text": "x"}}]
    found = "\n".join(dashboard_body.findings(json.dumps({"widgets": widgets, "begin": "x"})))
    for part in ("no begin", "widgets[0]: at 20,0", "region and metrics are required", "period or view", "stat p101",
                 "id A", "metrics[1]: ['N']", "what is 'FILL(m9, 0)'", "shorthand", "min is '0'", "widgets[2]: over another",
                 "widgets[2]: text"):
        assert part in found, part


def test_a_thousand_probes(command):
    probes = {f"p{number}": {"url": f"https://p{number}.example/"} for number in range(1000)}
    conf = command.conf(probes, cloudwatch={"max_metrics": 100000})
    answer = command.command("alarms", "-c", conf)
    assert (answer.code, answer.stdout) == (2, "")
    parts = int(re.search(r"--part 1/(\d+)", answer.stderr).group(1))
    names = set()
    for part in range(1, parts + 1):
        found = alarms_of(command.command("alarms", "-c", conf, "--part", f"{part}/{parts}").json)
        assert 1 <= len(found) <= 500
        names |= {alarm["AlarmName"] for alarm in found}
    assert len(names) == 3001
    assert command.command("alarms", "-c", conf, "--format", "terraform").stdout.count("\nresource ") == 3001
    parts = int(re.search(r"--part 1/(\d+)", command.command("dashboard", "-c", conf).stderr).group(1))
    for part in (1, parts):
        answer = command.command("dashboard", "-c", conf, "--part", f"{part}/{parts}")
        assert dashboard_body.findings(answer.stdout) == []


# ---- and what the agent publishes ----


def test_every_series_that_is_watched_or_shown_is_one_that_the_agent_publishes(command, world):
    probes = {"plain": world.http("documents-plain"), "secure": world.https("documents-secure")}
    conf = command.conf({name: {**settings, "interval": "1s", "timeout": "900ms"} for name, settings in probes.items()},
                        cloudwatch={"period": "1s", "failure_metrics": "always", "dimension.Stage": "x y",
                                    "dimension_sets": "Service | Stage", "metrics": "Latency, DnsLatency, TlsLatency, CertificateDaysRemaining"})
    template = command.command("alarms", "--failures", "-c", conf)
    body = command.command("dashboard", "-c", conf)
    assert template.stderr == body.stderr == ""
    watched = [(alarm["Namespace"], alarm["MetricName"], dimensions_of(alarm)) for alarm in alarms_of(template.json)]
    shown = list(dashboard_body.series(body.json))

    daemon = command.run(conf, "--dry-run")
    daemon.wait_until(lambda: "Heartbeat" in {datum["MetricName"] for datum in daemon.datums()}, "a heartbeat", timeout_s=90)
    daemon.stop()
    published = {("LatticeProbe", datum["MetricName"], frozenset(dimensions_of(datum).items())) for datum in daemon.datums()}
    # These come only when something is wrong, under the dimensions of the heartbeat.
    fleet = next(dimensions for _namespace, metric, dimensions in published if metric == "Heartbeat")
    sparse = {("LatticeProbe", metric, fleet) for metric in re.findall(
        r'^METRIC\(\w+, "(\w+)", \w+, AGENT\)', (ROOT / "include/lattice-probe/metric.def").read_text(encoding="utf-8"),
        re.MULTILINE)}
    assert len(watched) == (2 + 3) + (3 + 4) + (3 + 4) + 1
    for namespace, metric, dimensions in watched:
        assert (namespace, metric, frozenset(dimensions.items())) in published
    for namespace, metric, dimensions in shown:
        assert (namespace, metric, frozenset(dimensions.items())) in published | sparse
    # And the other way round: nothing that is published goes unshown.
    assert published - {(namespace, metric, frozenset(dimensions.items())) for namespace, metric, dimensions in shown} <= {
        ("LatticeProbe", "TlsFailures", frozenset({"Service": "plain", "Stage": "x y", "Environment": "test"}.items()))}
    periods = {alarm["MetricName"]: alarm["Period"] for alarm in alarms_of(template.json)}
    resolutions = {datum["MetricName"]: datum["StorageResolution"] for datum in daemon.datums()}
    assert all(period >= 60 or (period in (10, 30) and resolutions[metric] == 1) for metric, period in periods.items())
