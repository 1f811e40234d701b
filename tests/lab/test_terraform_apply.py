# SPDX-License-Identifier: Apache-2.0
"""The worked example against the arguments that the AWS provider takes, and under Terraform itself.

Terraform validates, plans, applies and destroys it with a provider that makes nothing. Where there is no
Terraform the names of arguments and blocks are checked by our own reader, and nothing more.
"""

import json
import os
import pathlib
import subprocess

import pytest

import terraform_example
from terraform_example import HOST, SERVICE_ARN, TERRAFORM

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("LATTICE_PROBE_BUILD", ROOT / "build"))
META_ARGUMENTS = {"count", "for_each", "depends_on", "provider"}
META_BLOCKS = {"lifecycle", "dynamic"}

S3 = {"package_url": "s3://packages/lattice-probe.rpm"}
DEBIAN = {"package_url": "https://example.com/lattice-probe.deb", "system": "debian12"}
VARIANTS = {
    "private-nat": {},
    "private-endpoints": {"egress": "endpoints"} | S3,
    "public": {"subnet": "public"},
    "debian": DEBIAN,
    "debian-public-amd64": DEBIAN | {"subnet": "public", "architecture": "amd64"},
    "signed-and-mailed": {"auth": "sigv4", "alarm_email": "sre@example.com"},
    "other-names": {"name": "watch", "service": "orders", "environment": "prod", "region": "eu-central-1"},
}

# What each piece is made of; nothing else may change when it is left out.
ASSOCIATION = "aws_vpclattice_service_network_vpc_association.consumer[0]"
PIECES = {
    "vpc_association": {ASSOCIATION: ["delete"]},
    "service_association": {"aws_vpclattice_service_network_service_association.this[0]": ["delete"]},
    "instance_egress": {'aws_vpc_security_group_egress_rule.lattice["ipv4"]': ["delete"],
                        'aws_vpc_security_group_egress_rule.lattice["ipv6"]': ["delete"],
                        'aws_vpc_security_group_egress_rule.https["0.0.0.0/0"]': ["delete"]} | {
                            f'aws_vpc_security_group_egress_rule.https["{network}"]': ["create"]
                            for network in ("0.0.0.0/1", "128.0.0.0/3", "160.0.0.0/5", "172.0.0.0/6", "176.0.0.0/4",
                                            "192.0.0.0/2")},
    "network_acl_entry": {"aws_network_acl_rule.lattice_out[0]": ["delete"]},
    "association_ingress": {"aws_vpc_security_group_ingress_rule.association[0]": ["delete"]},
    "targets": {"aws_ecs_service.this": ["update"]},
    "auth_policy": {"aws_vpclattice_service.this": ["update"]},
    "put_metric_data": {"aws_iam_role_policy.agent": ["update"]},
    "monitoring_endpoint": {'aws_vpc_endpoint.interface["monitoring"]': ["delete"]},
    "dns_support": {"aws_vpc.consumer": ["update"]},
}

ALARM_KEYS = ("namespace", "metric_name", "dimensions", "statistic", "extended_statistic", "period",
              "evaluation_periods", "datapoints_to_alarm", "comparison_operator", "threshold", "treat_missing_data")

REFUSED = {
    "a package without a checksum": ({"package_sha256": ""}, "64 hexadecimal digits"),
    "a package of another system": ({"system": "debian12"}, "must end with .deb"),
    "a package over plain HTTP": ({"package_url": "http://example.com/a.rpm"}, "package_url is https"),
    "a name that VPC Lattice refuses": ({"name": "Probe--1"}, "lower-case letters"),
    "a name that looks like an id": ({"name": "svc-checkout"}, "begin with sg-"),
    "a subnet of another kind": ({"subnet": "isolated"}, "private or public"),
    "the internet behind endpoints": ({"egress": "endpoints"}, "package_url must be s3://"),
    "Debian behind endpoints": (DEBIAN | {"egress": "endpoints", "package_url": "s3://b/a.deb"}, "Debian's archive"),
    "an endpoint of another service": ({"interface_endpoints": '["s3"]'}, "interface_endpoints are some of"),
    "a piece that there is not": ({"without": "listener"}, "one of the pieces in README.md"),
    "an endpoint that is not there": ({"without": "monitoring_endpoint"}, "only with subnet"),
    "DNS that the endpoints need": (S3 | {"egress": "endpoints", "without": "dns_support"}, "need the VPC's DNS"),
}


# ---- by our own reader: names ----

def findings(block, body, place):
    known = body["arguments"]
    for name in block.arguments:
        if name not in META_ARGUMENTS and (name not in known or not known[name]["settable"]):
            yield f"{place}: there is no argument {name}"
    for name, argument in known.items():
        if argument["required"] and name not in block.arguments:
            yield f"{place}: {name} is missing"
    inner = [nested for nested in block.blocks if nested.kind not in META_BLOCKS]
    for nested in inner:
        if nested.kind not in body["blocks"]:
            yield f"{place}: there is no block {nested.kind}"
        else:
            yield from findings(nested, body["blocks"][nested.kind]["body"], f"{place}.{nested.kind}")
    for name, nested in body["blocks"].items():
        count = sum(block.kind == name for block in inner)
        if nested["required"] and not count or nested["single"] and count > 1:
            yield f"{place}: {name} is there {count} times"


def all_findings(blocks, schema):
    return [finding for block in terraform_example.things(blocks)
            for finding in findings(block, schema[f"{block.kind} {block.labels[0]}"], block.address)]


@pytest.fixture(scope="module")
def schema(moto_python):
    return terraform_example.schema(BUILD, moto_python)


def test_each_argument_is_one_that_the_provider_takes(schema):
    blocks = terraform_example.blocks()
    assert len(terraform_example.things(blocks)) > 50
    assert all_findings(blocks, schema) == []


def test_a_wrong_name_and_a_missing_one_are_found(schema):
    blocks = terraform_example.blocks()
    subnet = next(block for block in blocks if block.address == "aws_subnet.consumer")
    del subnet.arguments["vpc_id"]
    subnet.arguments["cidr"] = []
    group = next(block for block in blocks if block.address == "aws_vpclattice_target_group.this")
    group.blocks[0].arguments["port_number"] = []
    assert set(all_findings(blocks, schema)) == {
        "aws_subnet.consumer: there is no argument cidr", "aws_subnet.consumer: vpc_id is missing",
        "aws_vpclattice_target_group.this.config: there is no argument port_number"}


@pytest.mark.parametrize("checked", ["by-Terraform" if TERRAFORM else "names-only-there-is-no-Terraform-here"])
def test_the_example_is_checked(checked):
    assert bool(TERRAFORM) == (checked == "by-Terraform")


# ---- by Terraform ----

@pytest.fixture(scope="module")
def provider(tmp_path_factory, moto_python, schema):
    made = terraform_example.Provider(tmp_path_factory.mktemp("provider"), moto_python, schema)
    yield made
    made.close()


@pytest.fixture
def example(tmp_path, provider):
    return terraform_example.Example(tmp_path, provider)


@pytest.fixture(scope="module")
def built(tmp_path_factory, provider):
    """The folders of examples that stand, with and without endpoints."""
    folders = {}
    for name in ("private-nat", "private-endpoints"):
        made = terraform_example.Example(tmp_path_factory.mktemp(name), provider)
        made.apply(**VARIANTS[name])
        folders[name] = made.folder
    return folders


@pytest.fixture
def applied(tmp_path, provider, built):
    return terraform_example.Example(tmp_path, provider, built["private-nat"])


def agent_configuration(example, folder):
    """A file with what user data writes."""
    script = example.state()["aws_instance.agent"]["user_data"]
    path = folder / "lattice-probe.conf"
    path.write_text(script.partition("<<'CONFIGURATION'\n")[2].partition("CONFIGURATION\n")[0], encoding="utf-8")
    return script, path


def generated(lattice_probe, path, *words):
    done = subprocess.run([lattice_probe, *words, "-c", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def alarms(example):
    """{name: what makes it an alarm}, without what the provider made up."""
    return {values["alarm_name"]: {key: values[key] for key in ALARM_KEYS
                                   if not str(values[key]).startswith("cloudwatch_metric_alarm-")}
            for address, values in example.state().items() if address.startswith("aws_cloudwatch_metric_alarm.")}


def drawn(body):
    """The series of a dashboard: namespace, metric, dimensions, statistic."""
    rows = [row for widget in body["widgets"] for row in widget["properties"].get("metrics", [])]
    return {(*words[:2], tuple(sorted(zip(words[2::2], words[3::2]))), look["stat"])
            for *words, look in rows if words}


def index_of(events, moment, address):
    return next(index for index, (when, _action, where) in enumerate(events)
                if when == moment and where.partition("[")[0] == address)


class TestTerraform:
    __test__ = bool(TERRAFORM)

    def test_it_is_valid(self, example):
        assert json.loads(example.must("validate", "-json"))["diagnostics"] == []

    def test_what_is_not_valid_is_found(self, example):
        (example.folder / "wrong.tf").write_text('resource "aws_eip" "wrong" {\n  domain = [1]\n  adress = "a"\n}\n',
                                                  encoding="utf-8")
        text = json.dumps(json.loads(example.run("validate", "-json").stdout)["diagnostics"])
        assert "adress" in text and "string required" in text

    @pytest.mark.parametrize("variables", VARIANTS.values(), ids=VARIANTS)
    def test_it_is_applied_and_destroyed(self, example, variables):
        example.apply(**variables)
        made = example.state()
        assert len(made) > 45
        assert example.plan(**variables) == {}
        assert any(address.startswith("aws_nat_gateway") for address in made) == (
            variables.get("subnet") != "public" and variables.get("egress") != "endpoints")
        destroyed = [where for when, _action, where in example.destroy(**variables) if when == "apply_complete"]
        assert sorted(destroyed) == sorted(made)
        assert example.state() == {}

    @pytest.mark.parametrize("piece", PIECES)
    def test_leaving_out_a_piece_changes_that_alone(self, tmp_path, provider, built, piece):
        name = "private-endpoints" if piece == "monitoring_endpoint" else "private-nat"
        example = terraform_example.Example(tmp_path, provider, built[name])
        assert example.plan(without=piece, **VARIANTS[name]) == PIECES[piece]
        example.apply(without=piece, **VARIANTS[name])
        assert set(example.plan(**VARIANTS[name])) == set(PIECES[piece])

    def test_the_policy_of_a_signed_service_is_left_out_too(self, example):
        example.apply(auth="sigv4")
        assert example.plan(auth="sigv4", without="auth_policy") == {"aws_vpclattice_auth_policy.this[0]": ["delete"]}

    @pytest.mark.parametrize("variables, words", REFUSED.values(), ids=REFUSED)
    def test_what_cannot_work_is_refused_with_the_reason(self, example, variables, words):
        done = example.run("plan", "-no-color", **variables)
        assert done.returncode == 1
        assert words in " ".join(done.stderr.replace("│", " ").split())

    def test_what_holds_an_interface_goes_before_its_subnet(self, applied):
        events = applied.destroy()
        association = "aws_vpclattice_service_network_vpc_association.consumer"
        for first, later in [("aws_instance.agent", association), (association, "aws_subnet.consumer"),
                             (association, "aws_security_group.association"),
                             ("aws_ecs_service.this", "aws_iam_role_policy_attachment.ecs_infrastructure"),
                             ("aws_ecs_service.this", "aws_vpclattice_target_group.this"),
                             ("aws_ecs_service.this", "aws_subnet.provider")]:
            assert index_of(events, "apply_complete", first) < index_of(events, "apply_start", later), (first, later)

    def test_the_configuration_written_is_one_that_the_agent_takes(self, applied, lattice_probe, tmp_path):
        script, path = agent_configuration(applied, tmp_path)
        done = subprocess.run([lattice_probe, "check-config", "-c", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "checkout: every 10s" in done.stdout
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0

    @pytest.mark.parametrize("auth", ["none", "sigv4"])
    def test_the_role_may_do_what_iam_policy_says_and_no_more(self, example, lattice_probe, tmp_path, auth):
        example.apply(auth=auth)
        _script, path = agent_configuration(example, tmp_path)
        ours = example.outputs()["agent_policy"].replace(SERVICE_ARN, SERVICE_ARN.replace("123456789012", "*"))
        assert json.loads(ours) == json.loads(generated(lattice_probe, path, "iam-policy"))

    def test_the_alarms_are_those_that_lattice_probe_makes(self, applied, provider, lattice_probe, tmp_path):
        _script, path = agent_configuration(applied, tmp_path)
        alone = tmp_path / "alone"
        alone.mkdir()
        text = generated(lattice_probe, path, "alarms", "--format", "terraform")
        (alone / "alarms.tf").write_text(f'provider "aws" {{\n  region = "us-east-1"\n}}\n\n{text}', encoding="utf-8")
        made = terraform_example.Example(tmp_path / "made", provider, alone, variables={})
        assert json.loads(made.must("validate", "-json"))["diagnostics"] == []
        made.apply()
        assert alarms(applied) == alarms(made) and len(alarms(made)) == 4

    def test_the_dashboard_draws_what_that_of_lattice_probe_draws(self, applied, lattice_probe, tmp_path):
        _script, path = agent_configuration(applied, tmp_path)
        body = json.loads(applied.state()["aws_cloudwatch_dashboard.this"]["dashboard_body"])
        assert drawn(body) == drawn(json.loads(generated(lattice_probe, path, "dashboard")))

    def test_the_outputs_say_how_to_go_on(self, applied):
        outputs = applied.outputs()
        assert outputs["service_url"] == f"https://{HOST}/healthz"
        assert outputs["start_session"] == "aws ssm start-session --region us-east-1 --target i-0123456789abcdef0"
        names = {values["alarm_name"] for address, values in applied.state().items()
                 if address.startswith("aws_cloudwatch_metric_alarm.")}
        assert set(outputs["alarm_names"]) == names and len(names) == 4

    def test_no_two_widgets_of_the_dashboard_overlap(self, applied):
        body = json.loads(applied.state()["aws_cloudwatch_dashboard.this"]["dashboard_body"])
        taken = [(column, row) for widget in body["widgets"] for column in range(widget["x"], widget["x"] + widget["width"])
                 for row in range(widget["y"], widget["y"] + widget["height"])]
        assert len(taken) == len(set(taken)) > 0 and max(taken)[0] < 24
