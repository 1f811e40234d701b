# SPDX-License-Identifier: Apache-2.0
"""Every command that diagnose advises is one that a shell reads and that AWS has.

The aws lines are held to botocore's models of the services: the operation is there, every option is one
of its members, and no member it needs is missing. What the AWS CLI adds to the models stands in OWN.
The models are those of the virtual environment: distributions have none of VPC Lattice yet."""

import json
import os
import pathlib
import shlex
import subprocess

import pytest

# Runs in the virtual environment: {service: {operation: [its options, those it needs]}}.
MODELS = """
import json, sys
import botocore.session
from botocore import xform_name
session = botocore.session.get_session()
models = {}
for service in sys.argv[1:]:
    model = session.get_service_model(service)
    models[service] = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members = [xform_name(each, "-") for each in (shape.members if shape else ())]
        needed = [xform_name(each, "-") for each in (shape.required_members if shape else ())]
        models[service][xform_name(name, "-")] = [members, needed]
print(json.dumps(models))
"""

GLOBAL = {"query", "output"}
# Options that the AWS CLI makes of members of another shape (its command reference of ec2).
OWN = {
    "authorize-security-group-ingress": ({"protocol", "port", "cidr"}, set()),
    "create-network-acl-entry": ({"ingress"}, {"egress"}),  # a pair of flags for one boolean
}


@pytest.fixture(scope="module")
def commands():
    built = pathlib.Path(os.environ.get("LATTICE_PROBE", "build/lattice-probe")).parent
    path = built / "tests" / "support" / "advice_tool"
    if not os.access(path, os.X_OK):
        pytest.fail(f"no advice_tool at {path}; make check builds it")
    done = subprocess.run([path], capture_output=True, text=True, timeout=30, check=True)
    found = sorted(set(done.stdout.splitlines()))
    assert len(found) > 50
    return found


@pytest.fixture(scope="module")
def models(commands, moto_python):
    services = sorted({shlex.split(command)[1] for command in commands if command.startswith("aws ")} | {"ec2"})
    done = subprocess.run([moto_python, "-c", MODELS, *services], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def faults_of(models, command):
    words = shlex.split(command)
    service, name = words[1], words[2]
    if name not in models[service]:
        return [f"{service} has no {name}"]
    members, needed = map(set, models[service][name])
    given = {word[2:] for word in words[3:] if word.startswith("--")}
    added, replaced = OWN.get(name, (set(), set()))
    return [f"{name} has no --{each}" for each in sorted(given - members - GLOBAL - added)] + [
        f"{name} needs --{each}" for each in sorted(needed - given - replaced)
    ]


def test_a_shell_reads_every_command(commands):
    for command in commands:
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_aws_has_every_operation_and_option(commands, models):
    aws = [command for command in commands if command.startswith("aws ")]
    assert len(aws) > 30
    faults = {command: faults_of(models, command) for command in aws}
    assert not {command: found for command, found in faults.items() if found}


def test_the_check_itself_can_fail(models):
    assert faults_of(models, "aws ec2 describe-vpc --vpc-ids x") == ["ec2 has no describe-vpc"]
    assert faults_of(models, "aws ec2 describe-vpcs --vpc x") == ["describe-vpcs has no --vpc"]
    assert faults_of(models, "aws ec2 describe-vpc-attribute --vpc-id x") == ["describe-vpc-attribute needs --attribute"]
