# SPDX-License-Identifier: Apache-2.0
"""What diagnose says of the worked example's own rules, with a piece left out.

Terraform makes the example with a provider that makes nothing; the rules that it would have made are put into
the lab's control plane, the data plane drops what AWS would drop, and diagnose must find the piece.
"""

import json
import os
import pathlib

import pytest

import terraform_example
from laboratory import CHECKOUT

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("LATTICE_PROBE_BUILD", ROOT / "build"))
INSTANCE_GROUP = "sg-0123456789abcdef0"  # the lab's

# With nothing left out the rules let the connection through, so that they are not to blame.
EXPECTED = {
    "": ("path-silent", "likely"),
    "vpc_association": ("vpc-not-associated", "certain"),
    "instance_egress": ("instance-sg-blocks", "certain"),
    "network_acl_entry": ("nacl-blocks", "certain"),
    "association_ingress": ("association-sg-blocks", "certain"),
}


def of_type(state, kind, name=""):
    return {address: values for address, values in state.items() if address.startswith(f"{kind}.{name}")}


def rule(address, values):
    """As aws_world.py has it."""
    made = {"protocol": values["ip_protocol"], "from": values["from_port"], "to": values["to_port"]}
    if values["prefix_list_id"].startswith("ec2_managed_prefix_list"):
        return made | {"list": "ipv6" if "ipv6" in address else "ipv4"}
    if values["cidr_ipv4"][0].isdigit():
        return made | {"cidr": values["cidr_ipv4"]}
    return made | {"group": INSTANCE_GROUP}


def entry(values):
    made = {"number": values["rule_number"], "egress": values["egress"], "allow": values["rule_action"] == "allow",
            "protocol": {"tcp": "6"}.get(values["protocol"], values["protocol"]), "cidr": values["cidr_block"]}
    return made | ({"from": values["from_port"], "to": values["to_port"]} if made["protocol"] == "6" else {})


def world(state):
    """What the control plane would say of the example."""
    agent = state["aws_security_group.agent"]["id"]
    associations = of_type(state, "aws_vpclattice_service_network_vpc_association")
    return {
        "instance_egress": [rule(address, values) for address, values
                            in of_type(state, "aws_vpc_security_group_egress_rule").items()
                            if values["security_group_id"] == agent],
        "association_ingress": [rule(address, values) for address, values in
                                of_type(state, "aws_vpc_security_group_ingress_rule", "association").items()],
        "nacl": [entry(values) for values in of_type(state, "aws_network_acl_rule").values()],
        "association": {} if associations else None,
    }


@pytest.fixture(scope="module")
def worlds(tmp_path_factory, moto_python):
    """The control plane with each piece left out."""
    provider = terraform_example.Provider(tmp_path_factory.mktemp("provider"), moto_python,
                                          terraform_example.schema(BUILD, moto_python))
    try:
        found = {}
        for piece in EXPECTED:
            example = terraform_example.Example(tmp_path_factory.mktemp("example"), provider)
            example.apply(without=piece)
            found[piece] = world(example.state())
        return found
    finally:
        provider.close()


@pytest.mark.parametrize("checked", ["by-Terraform" if terraform_example.TERRAFORM else "not-there-is-no-Terraform-here"])
def test_the_verdicts_are_checked(checked):
    assert bool(terraform_example.TERRAFORM) == (checked == "by-Terraform")


class TestTerraform:
    __test__ = bool(terraform_example.TERRAFORM)

    def test_diagnose_finds_the_piece_that_is_left_out(self, lab, lattice_probe, worlds):
        lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
        found = {}
        for piece, said in worlds.items():
            lab.world(**said)
            done = lab.run(lattice_probe, "diagnose", "--json", f"https://{CHECKOUT}/healthz", check=False)
            answer = json.loads(done.stdout)
            found[piece] = (answer["verdict"], answer["confidence"])
        assert found == EXPECTED
