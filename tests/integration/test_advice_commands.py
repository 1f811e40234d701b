# SPDX-License-Identifier: Apache-2.0
"""Every command that diagnose advises is one that a shell reads and that AWS has.

The aws lines are held to botocore's models of the services: the operation is there, every option is one
of its members, and no member it needs is missing. What the AWS CLI adds to the models stands in OWN."""

import os
import pathlib
import shlex
import subprocess

import botocore.session
import pytest
from botocore import xform_name

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
def session():
    session = botocore.session.get_session()
    if "vpc-lattice" not in session.get_available_services():
        pytest.skip("this botocore does not know VPC Lattice")
    if "ServiceNetworkArn" not in session.get_service_model("ec2").operation_model("CreateVpcEndpoint").input_shape.members:
        pytest.skip("this botocore does not know service-network endpoints")
    return session


def faults_of(session, command):
    words = shlex.split(command)
    service, name = words[1], words[2]
    model = session.get_service_model(service)
    operation = {xform_name(each, "-"): each for each in model.operation_names}.get(name)
    if operation is None:
        return [f"{service} has no {name}"]
    shape = model.operation_model(operation).input_shape
    members = {xform_name(each, "-") for each in shape.members} if shape else set()
    needed = {xform_name(each, "-") for each in shape.required_members} if shape else set()
    given = {word[2:] for word in words[3:] if word.startswith("--")}
    added, replaced = OWN.get(name, (set(), set()))
    return [f"{name} has no --{each}" for each in sorted(given - members - GLOBAL - added)] + [
        f"{name} needs --{each}" for each in sorted(needed - given - replaced)
    ]


def test_a_shell_reads_every_command(commands):
    for command in commands:
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_aws_has_every_operation_and_option(commands, session):
    aws = [command for command in commands if command.startswith("aws ")]
    assert len(aws) > 30
    faults = {command: faults_of(session, command) for command in aws}
    assert not {command: found for command, found in faults.items() if found}


def test_the_check_itself_can_fail(session):
    assert faults_of(session, "aws ec2 describe-vpc --vpc-ids x") == ["ec2 has no describe-vpc"]
    assert faults_of(session, "aws ec2 describe-vpcs --vpc x") == ["describe-vpcs has no --vpc"]
    assert faults_of(session, "aws ec2 describe-vpc-attribute --vpc-id x") == ["describe-vpc-attribute needs --attribute"]
