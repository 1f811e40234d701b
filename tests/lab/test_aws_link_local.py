# SPDX-License-Identifier: Apache-2.0
"""Metadata and container credentials at their real addresses, in a network namespace with nothing else."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"

# Runs in the namespace: {"addresses", "imds", "container", "environment", "tool", "commands"} as argument.
INSIDE = """
import contextlib, json, os, subprocess, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import credential_servers, imds_server
say = json.loads(sys.argv[2])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "flush", "dev", "lo"], check=True)
for address in say["addresses"]:
    subprocess.run(["ip", "address", "add", address, "dev", "lo"] + ["nodad"] * (":" in address), check=True)
with contextlib.ExitStack() as stack:
    imds = stack.enter_context(imds_server.ImdsServer(addresses=(say["imds"],)))
    if say["container"]:
        container = stack.enter_context(credential_servers.ContainerServer(addresses=(say["container"],)))
    done = subprocess.run([say["tool"]], input="".join(say["commands"]), text=True, capture_output=True,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **say["environment"]}, timeout=60)
    print(json.dumps({"answers": [json.loads(line) for line in done.stdout.splitlines()], "status": done.returncode,
                      "imds": imds.requests(), "container": container.requests() if say["container"] else []}))
"""


@pytest.fixture
def inside(lattice_probe):
    tool = lattice_probe.parent / "tests" / "support" / "credentials_tool"
    if not os.access(tool, os.X_OK):
        pytest.fail(f"no credentials_tool at {tool}; make check builds it")

    def run(commands, addresses, imds, container=None, **environment):
        say = {"addresses": addresses, "imds": imds, "container": container, "environment": environment,
               "tool": str(tool), "commands": [command + "\n" for command in commands]}
        done = subprocess.run(["unshare", "--net", sys.executable, "-c", INSIDE, SUPPORT, json.dumps(say)],
                              check=True, stdout=subprocess.PIPE, text=True, timeout=120)
        return json.loads(done.stdout)

    return run


def test_metadata_is_at_its_ipv4_address(inside):
    seen = inside(["wait", "region"], ["169.254.169.254/32", "fd00:ec2::254/128"], "169.254.169.254:80")
    keys, region = seen["answers"]
    assert keys["source"] == "imds" and region["region"] == "us-east-1" and seen["status"] == 0


def test_without_an_ipv4_route_metadata_is_at_its_ipv6_address(inside):
    seen = inside(["wait", "facts"], ["fd00:ec2::254/128"], "[fd00:ec2::254]:80")
    keys, facts = seen["answers"]
    assert keys["source"] == "imds" and facts["instance_id"].startswith("i-") and seen["status"] == 0


def test_the_mode_asks_for_the_ipv6_address(inside):
    seen = inside(["wait"], ["169.254.169.254/32", "fd00:ec2::254/128"], "[fd00:ec2::254]:80",
                  AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE="IPv6")
    assert seen["answers"][0]["source"] == "imds"


def test_a_relative_uri_is_below_the_address_of_ecs(inside):
    seen = inside(["wait"], ["169.254.169.254/32", "169.254.170.2/32"], "169.254.169.254:80", "169.254.170.2:80",
                  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/credentials/0123")
    assert seen["answers"][0]["source"] == "container"
    assert [entry["path"] for entry in seen["container"]] == ["/v2/credentials/0123"] and seen["imds"] == []


@pytest.mark.parametrize("address", ["169.254.170.23", "fd00:ec2::23"])
def test_a_full_uri_may_be_that_of_pod_identity(inside, address):
    host = f"[{address}]" if ":" in address else address
    prefix = 128 if ":" in address else 32
    seen = inside(["wait"], [f"{address}/{prefix}", "169.254.169.254/32"], "169.254.169.254:80", f"{host}:80",
                  AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{host}/v2/credentials",
                  AWS_CONTAINER_AUTHORIZATION_TOKEN="EXAMPLE")
    assert seen["answers"][0]["source"] == "container"
    assert [entry["authorization"] for entry in seen["container"]] == ["EXAMPLE"]
