# SPDX-License-Identifier: Apache-2.0
"""The documents for the AWS side before those who judge them: cfn-lint, IAM and CloudWatch by moto, Terraform with
a provider that makes nothing but knows what the AWS provider takes."""

import json
import os
import pathlib
import subprocess

import pytest

import hcl
import probe_command
import provider_schema
import terraform_example
from terraform_example import TERRAFORM

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SUPPORT = ROOT / "tests" / "support"
BUILD = pathlib.Path(os.environ.get("LATTICE_PROBE_BUILD", ROOT / "build"))
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
PROBES = {"checkout": {"url": "https://checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws/healthz",
                       "auth": "sigv4"},
          "slow.one_2": {"url": "https://own.example/", "interval": "8h", "auth": "sigv4", "sign_host": "own.example"}}
HOSTILE = {"namespace": 'My "own" ${a} %{b}', "dimension.Stage": 'a"b ${c} %{d} \\ $${e} %%{f}', "dimension.it's ${g}": "<&>",
           "dimension.Long": "x" * 1024}
CONFIGURATIONS = {"plain": {}, "hostile": HOSTILE, "fast": {"period": "1s", "failure_metrics": "always"},
                  "slow": {"period": "1h", "agent_metrics": "both",
                           "dimension_sets": "Service | Service,AvailabilityZoneId | VpcId"}}


@pytest.fixture
def command(lattice_probe, tmp_path):
    return probe_command.Command(lattice_probe, tmp_path)


@pytest.fixture(params=CONFIGURATIONS)
def conf(request, command):
    return command.conf(PROBES, agent={"fleet": 'f"${x}' if request.param == "hostile" else "f"},
                        cloudwatch=CONFIGURATIONS[request.param])


def made(command, conf, *words):
    failures = ["--failures"] if words[0] == "alarms" and "failure_metrics = always" in conf.read_text() else []
    answer = command.command(*words, *failures, "-c", conf)
    assert answer.code == 0, answer
    return answer.stdout


def properties_of(template):
    return {resource["Properties"]["AlarmName"]: resource["Properties"] for resource in template["Resources"].values()}


# ---- CloudFormation ----


def lint(python, path):
    return subprocess.run([pathlib.Path(python).parent / "cfn-lint", "--format", "parseable", "--non-zero-exit-code", "informational",
                           "--include-checks", "I", "--regions", "us-east-1", "--", path], capture_output=True, text=True,
                          timeout=300, check=False, env={"PATH": os.environ["PATH"], "HOME": str(path.parent)})


def test_cfn_lint_finds_nothing(command, conf, moto_python, tmp_path):
    path = tmp_path / "alarms.json"
    path.write_text(made(command, conf, "alarms"), encoding="utf-8")
    done = lint(moto_python, path)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_cfn_lint_finds_something_where_there_is(command, moto_python, tmp_path):
    template = json.loads(made(command, command.conf(PROBES), "alarms"))
    broken = next(iter(template["Resources"].values()))["Properties"]
    broken["ComparisonOperator"] = "Less"
    broken["Periods"] = broken.pop("Period")
    path = tmp_path / "alarms.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    done = lint(moto_python, path)
    assert done.returncode != 0 and "E3030" in done.stdout and "Periods" in done.stdout


# ---- IAM and CloudWatch ----


def put(python, command, conf, topic):
    documents = {"policy": made(command, conf, "iam-policy"), "template": json.loads(made(command, conf, "alarms")),
                 "dashboard": made(command, conf, "dashboard"), "topic": topic}
    done = subprocess.run([python, SUPPORT / "documents_in_aws.py"], input=json.dumps(documents), capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return documents, json.loads(done.stdout)


@pytest.mark.parametrize("topic", [TOPIC, ""])
def test_what_is_put_into_aws_comes_back(command, conf, moto_python, topic):
    given, found = put(moto_python, command, conf, topic)
    assert json.loads(found["dashboard"]) == json.loads(given["dashboard"])
    assert found["policy"] == json.loads(given["policy"])
    wanted = properties_of(given["template"])
    assert {alarm["AlarmName"] for alarm in found["alarms"]} == set(wanted)
    for alarm in found["alarms"]:
        expected = wanted[alarm["AlarmName"]]
        for name in expected.keys() - {"AlarmActions", "OKActions", "Dimensions"}:
            assert alarm[name] == expected[name], name
        assert sorted(alarm["Dimensions"], key=str) == sorted(expected["Dimensions"], key=str)
        assert alarm["AlarmActions"] == alarm["OKActions"] == ([topic] if topic else [])


# ---- Terraform ----


@pytest.fixture(scope="module")
def schema(moto_python):
    return provider_schema.schema(BUILD, moto_python, ["provider", "resource aws_cloudwatch_metric_alarm"])


@pytest.fixture(scope="module")
def provider(tmp_path_factory, moto_python, schema):
    running = terraform_example.Provider(tmp_path_factory.mktemp("provider"), moto_python, schema)
    yield running
    running.close()


def test_each_argument_is_one_that_the_provider_takes(command, conf, schema):
    blocks = hcl.read(made(command, conf, "alarms", "--format", "terraform"), "alarms.tf")
    alarms = [block for block in blocks if block.kind == "resource"]
    known = schema["resource aws_cloudwatch_metric_alarm"]["arguments"]
    assert len(alarms) >= 6 and {block.kind for block in blocks} == {"resource", "variable"}
    for alarm in alarms:
        assert alarm.labels[0] == "aws_cloudwatch_metric_alarm" and set(alarm.arguments) <= set(known)
        assert {name for name, argument in known.items() if argument["required"]} <= set(alarm.arguments)


class TestTerraform:
    """Where there is Terraform; the arguments are checked without it."""

    __test__ = bool(TERRAFORM)

    def test_it_makes_the_same_alarms(self, command, conf, provider, tmp_path):
        source = tmp_path / "source"
        source.mkdir()
        text = made(command, conf, "alarms", "--format", "terraform")
        (source / "alarms.tf").write_text(text, encoding="utf-8")
        subprocess.run([TERRAFORM, "fmt", "-check", "-diff", source], check=True, timeout=120)
        example = terraform_example.Example(tmp_path, provider, source, variables={})
        example.must("init")
        example.must("validate")
        example.must("plan", "-out=plan", alarm_topic_arns=f'["{TOPIC}"]')
        planned = json.loads(example.must("show", "-json", "plan"))["planned_values"]["root_module"]["resources"]
        wanted = properties_of(json.loads(made(command, conf, "alarms")))
        assert {resource["values"]["alarm_name"] for resource in planned} == set(wanted)
        for resource in planned:
            values, expected = resource["values"], wanted[resource["values"]["alarm_name"]]
            assert values["dimensions"] == {dimension["Name"]: dimension["Value"] for dimension in expected["Dimensions"]}
            assert values["alarm_actions"] == values["ok_actions"] == [TOPIC]
            for name, argument in (("AlarmDescription", "alarm_description"), ("Namespace", "namespace"),
                                   ("MetricName", "metric_name"), ("Statistic", "statistic"), ("Threshold", "threshold"),
                                   ("ExtendedStatistic", "extended_statistic"), ("TreatMissingData", "treat_missing_data"),
                                   ("ComparisonOperator", "comparison_operator"), ("Period", "period"),
                                   ("EvaluationPeriods", "evaluation_periods"), ("DatapointsToAlarm", "datapoints_to_alarm")):
                assert values.get(argument) == expected.get(name), argument
