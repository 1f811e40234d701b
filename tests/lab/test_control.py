# SPDX-License-Identifier: Apache-2.0
"""The control plane and the publishing check against the gate and a world of accounts, on loopback."""

import json
import os
import subprocess
import urllib.request

import pytest

import gate as gate_program
import gate_signature
import lab_credentials
import laboratory

HERE = laboratory.HERE
ACTIONS = ("vpc-lattice:ListServiceNetworkVpcAssociations", "vpc-lattice:GetServiceNetworkVpcAssociation",
           "vpc-lattice:ListServiceNetworkServiceAssociations", "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute",
           "ec2:DescribeSecurityGroups", "ec2:DescribeRouteTables", "ec2:DescribeNetworkAcls",
           "ec2:DescribeManagedPrefixLists")
PATH_CLAIMS = ("instance_sg_allows", "association_sg_allows", "nacl_allows_out", "nacl_allows_back", "has_route")
CLAIMS = ("owns_vpc", "is_associated", "is_service_in_network", "dns_support", "dns_hostnames", *PATH_CLAIMS)
HOST = f"checkout-0a1b2c3d4e5f67890.{laboratory.SUFFIX}"
KEY, SECRET = next(iter(lab_credentials.SECRETS.items()))
GOOD = {"account": "123456789012", "vpc": "vpc-0123456789abcdef0", "subnet": "subnet-0123456789abcdef0",
        "groups": "sg-0123456789abcdef0", "source": "10.0.1.10", "destination": "169.254.171.33:443", "host": HOST,
        "timeout_ms": "20000"}


class Accounts:
    """The world, the gate before it, and the tool that asks."""

    def __init__(self, tool, gate, control):
        self.tool, self.gate, self.control = tool, gate, control

    def change(self, **changes):
        request = urllib.request.Request(f"http://{self.control}/world", json.dumps(changes).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read())

    def reset(self):
        urllib.request.urlopen(f"http://{self.control}/reset", b"{}", timeout=30).close()
        self.gate.set_faults([])
        self.gate.set_clock({"shift_s": 0})
        self.gate.reset()

    def run(self, *arguments, **environment):
        url = f"http://{self.gate.address}"
        done = subprocess.run([self.tool, *arguments], capture_output=True, text=True, timeout=60, check=True, env={
            "PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_EC2": url,
            "AWS_ENDPOINT_URL_VPC_LATTICE": url + "/", "AWS_ENDPOINT_URL_CLOUDWATCH": url, **environment})
        return json.loads(done.stdout)

    def ask(self, environment=(), **question):
        return self.run("control", *{**GOOD, **question}.values(), **dict(environment))

    def publish(self, endpoint="auto", timeout_ms="5000", **environment):
        return self.run("publishing", endpoint, timeout_ms, **environment)


@pytest.fixture(scope="module")
def standing(lattice_probe, moto_python):
    tool = lattice_probe.parent / "tests" / "support" / "control_tool"
    if not os.access(tool, os.X_OK):
        pytest.fail(f"no control_tool at {tool}; make check-lab builds it")
    process = subprocess.Popen([moto_python, HERE / "aws_world.py", "--control", "127.0.0.1:0"], text=True,
                               stdout=subprocess.PIPE, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        where = dict(process.stdout.readline().split() for _ in range(2))
        rules = gate_signature.Rules("us-east-1", ("monitoring", "ec2", "vpc-lattice"))
        with gate_program.Gate(moto=f"http://{where['listening']}", rules=rules) as gate:
            yield Accounts(tool, gate, where["control"])
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def accounts(standing):
    standing.reset()
    return standing


def claims(seen, names=CLAIMS):
    return {name: seen[name] for name in names}


# -- the control plane


def test_a_good_path_is_allowed_in_every_way(accounts):
    seen = accounts.ask()
    assert claims(seen) == dict.fromkeys(CLAIMS, "yes"), seen
    assert seen["ends"] == dict.fromkeys(ACTIONS, "ok") and seen["first_refusal"] == "" and seen["blocked_by"] == ""
    assert seen["association_status"] == "ACTIVE" and seen["generated_name"] == HOST and seen["networks"] > 0
    assert accounts.gate.rejections() == []


def test_a_path_over_ipv6_is_allowed_too(accounts):
    seen = accounts.ask(source="fd00:10:0:1::10", destination="[fd00:ec2:80::a9fe:ab21]:443")
    assert claims(seen, PATH_CLAIMS) == dict.fromkeys(PATH_CLAIMS, "yes"), seen


def test_a_custom_name_leads_to_the_generated_one(accounts):
    seen = accounts.ask(host="Shop.Example.com")
    assert seen["is_service_in_network"] == "yes" and seen["generated_name"] == HOST
    assert accounts.ask(host="other.example.com")["is_service_in_network"] == "no"


@pytest.mark.parametrize("status, claim", [
    ("ACTIVE", "yes"), ("CREATE_IN_PROGRESS", "no"), ("CREATE_FAILED", "no"), ("DELETE_IN_PROGRESS", "no"),
    ("DELETE_FAILED", "unknown"), ("UPDATE_IN_PROGRESS", "unknown"), ("UPDATE_FAILED", "unknown")])
def test_the_status_of_an_association_counts(accounts, status, claim):
    accounts.change(association={"status": status, "failureMessage": "account 123456789012 may not"})
    seen = accounts.ask()
    assert (seen["is_associated"], seen["association_status"]) == (claim, status)
    assert seen["association_failure"] == "account *** may not"


def test_without_an_association_nothing_is_asked_of_it(accounts):
    accounts.change(association=None)
    seen = accounts.ask()
    assert seen["is_associated"] == "no" and seen["association_id"] == ""
    assert seen["is_service_in_network"] == seen["association_sg_allows"] == "unknown"
    assert seen["ends"]["vpc-lattice:GetServiceNetworkVpcAssociation"] == "not_asked"


def test_in_a_shared_subnet_an_empty_list_is_unknown(accounts):
    accounts.change(association=None, owner="210987654321")
    seen = accounts.ask()
    assert (seen["owns_vpc"], seen["is_associated"]) == ("no", "unknown")
    accounts.change(refuse=["ec2:DescribeVpcs"])
    seen = accounts.ask()
    assert (seen["owns_vpc"], seen["is_associated"]) == ("unknown", "unknown")


@pytest.mark.parametrize("rules, claim", [
    ([], "no"), ([{"protocol": "tcp", "from": 80, "to": 80, "cidr": "0.0.0.0/0"}], "no"),
    ([{"protocol": "tcp", "from": 443, "to": 443, "cidr": "169.254.171.0/24"}], "yes"),
    ([{"protocol": "udp", "from": 443, "to": 443, "cidr": "0.0.0.0/0"}], "no"),
    ([{"protocol": "tcp", "from": 1, "to": 1024, "list": "ipv4"}], "yes"),
    ([{"protocol": "tcp", "from": 443, "to": 443, "list": "ipv6"}], "no"),
    ([{"protocol": "tcp", "from": 443, "to": 443, "group": "sg-0a55c1a7e0a55c1a7"}], "no")])
def test_the_instance_may_or_may_not_go_out(accounts, rules, claim):
    accounts.change(instance_egress=rules)
    seen = accounts.ask()
    assert seen["instance_sg_allows"] == claim
    assert seen["blocked_by"] == ("sg-0123456789abcdef0" if claim == "no" else "")


@pytest.mark.parametrize("rules, claim", [
    ([], "no"), ([{"protocol": "tcp", "from": 443, "to": 443, "cidr": "10.0.0.0/16"}], "yes"),
    ([{"protocol": "tcp", "from": 443, "to": 443, "cidr": "10.1.0.0/16"}], "no"),
    ([{"protocol": "-1", "group": "sg-0123456789abcdef0"}], "yes"),
    ([{"protocol": "-1", "group": "sg-0a55c1a7e0a55c1a7"}], "no")])
def test_the_association_may_or_may_not_let_in(accounts, rules, claim):
    accounts.change(association_ingress=rules)
    seen = accounts.ask()
    assert seen["association_sg_allows"] == claim
    assert seen["blocked_by"] == ("sg-0a55c1a7e0a55c1a7" if claim == "no" else "")


def test_an_association_without_groups_filters_nothing(accounts):
    accounts.change(association={"securityGroupIds": []}, association_ingress=[])
    assert accounts.ask()["association_sg_allows"] == "yes"


def test_a_group_that_is_not_to_be_seen_is_unknown(accounts):
    accounts.change(association={"securityGroupIds": ["sg-0fffffffffffffff0"]})
    assert accounts.ask()["association_sg_allows"] == "unknown"
    assert accounts.ask(groups="-")["instance_sg_allows"] == "unknown"


@pytest.mark.parametrize("entries, out, back", [
    ([], "no", "no"),
    ([{"number": 100, "egress": True, "allow": True, "protocol": "6", "from": 443, "to": 443, "cidr": "0.0.0.0/0"},
      {"number": 100, "egress": False, "allow": True, "protocol": "6", "from": 1024, "to": 65535, "cidr": "0.0.0.0/0"}],
     "yes", "yes"),
    ([{"number": 90, "egress": True, "allow": False, "protocol": "-1", "cidr": "169.254.0.0/16"},
      {"number": 100, "egress": True, "allow": True, "protocol": "-1", "cidr": "0.0.0.0/0"},
      {"number": 100, "egress": False, "allow": True, "protocol": "6", "from": 32768, "to": 60999, "cidr": "0.0.0.0/0"}],
     "no", "unknown")])
def test_the_acl_lets_out_and_back(accounts, entries, out, back):
    accounts.change(nacl=entries)
    seen = accounts.ask()
    assert (seen["nacl_allows_out"], seen["nacl_allows_back"]) == (out, back)
    assert seen["blocked_by"] == ("acl-0123456789abcdef0" if out == "no" else "")


@pytest.mark.parametrize("routes, claim", [
    ([], "no"), ([{"list": "ipv4"}], "yes"), ([{"list": "ipv6"}], "no"), ([{"cidr": "169.254.171.0/24"}], "yes"),
    ([{"cidr": "0.0.0.0/0"}], "unknown")])
def test_the_table_leads_there_or_not(accounts, routes, claim):
    accounts.change(routes=routes)
    assert accounts.ask()["has_route"] == claim


def test_a_subnet_of_no_table_has_the_main_one(accounts):
    seen = accounts.ask(subnet="subnet-0fffffffffffffff0")
    assert (seen["has_route"], seen["nacl_allows_out"]) == ("no", "unknown")


def test_dns_settings_are_told(accounts):
    accounts.change(dns_support=False)
    seen = accounts.ask()
    assert (seen["dns_support"], seen["dns_hostnames"]) == ("no", "yes")
    accounts.change(dns_support=True, dns_hostnames=False)
    seen = accounts.ask()
    assert (seen["dns_support"], seen["dns_hostnames"]) == ("yes", "no")


@pytest.mark.parametrize("action, lost", [
    ("vpc-lattice:ListServiceNetworkVpcAssociations", ("is_associated", "is_service_in_network", "association_sg_allows")),
    ("vpc-lattice:GetServiceNetworkVpcAssociation", ("association_sg_allows",)),
    ("vpc-lattice:ListServiceNetworkServiceAssociations", ("is_service_in_network",)), ("ec2:DescribeVpcs", ("owns_vpc",)),
    ("ec2:DescribeVpcAttribute", ("dns_support", "dns_hostnames")),
    ("ec2:DescribeSecurityGroups", ("instance_sg_allows", "association_sg_allows")),
    ("ec2:DescribeRouteTables", ("has_route",)), ("ec2:DescribeNetworkAcls", ("nacl_allows_out", "nacl_allows_back")),
    ("ec2:DescribeManagedPrefixLists", ("has_route",))])
def test_a_refusal_leaves_only_its_claims_unknown(accounts, action, lost):
    accounts.change(refuse=[action])
    seen = accounts.ask()
    assert claims(seen) == {**dict.fromkeys(CLAIMS, "yes"), **dict.fromkeys(lost, "unknown")}
    assert seen["ends"][action] == "denied"
    assert seen["first_refusal"].startswith(action) and "123456789012" not in seen["first_refusal"]


def test_the_entries_of_a_list_are_refused_by_their_own_name(accounts):
    accounts.change(refuse=["ec2:GetManagedPrefixListEntries"])
    seen = accounts.ask()
    assert seen["ends"]["ec2:DescribeManagedPrefixLists"] == "denied" and seen["has_route"] == "unknown"
    assert seen["first_refusal"].startswith("ec2:GetManagedPrefixListEntries: ") and seen["networks"] == 0


def test_an_error_is_no_refusal(accounts):
    accounts.change(fail=["ec2:DescribeVpcs"])
    seen = accounts.ask()
    assert seen["ends"]["ec2:DescribeVpcs"] == "failed" and seen["owns_vpc"] == "unknown" and seen["first_refusal"] == ""


def test_every_page_is_read(accounts):
    known = accounts.change()["services"]
    others = [{"id": f"svc-{i:017x}", "name": f"s{i}", "domain": f"s{i}-{i:017x}.{laboratory.SUFFIX}", "custom": None,
               "status": "ACTIVE"} for i in range(15)]
    accounts.change(services=others + known, page_items=1)
    assert accounts.ask()["is_service_in_network"] == "yes"


def test_pages_without_end_are_not_all_read(accounts):
    others = [{"id": f"svc-{i:017x}", "name": f"s{i}", "domain": f"s{i}-{i:017x}.{laboratory.SUFFIX}", "custom": None,
               "status": "ACTIVE"} for i in range(25)]
    accounts.change(services=others, page_items=1)
    seen = accounts.ask()
    assert seen["is_service_in_network"] == "unknown"
    assert seen["ends"]["vpc-lattice:ListServiceNetworkServiceAssociations"] == "failed"


def test_what_is_silent_ends_with_the_time(accounts):
    accounts.change(silent=["vpc-lattice:ListServiceNetworkVpcAssociations"])
    seen = accounts.ask(timeout_ms="3000")
    assert seen["ends"]["vpc-lattice:ListServiceNetworkVpcAssociations"] == "unreachable"
    assert seen["is_associated"] == "unknown" and seen["instance_sg_allows"] == "yes"
    assert 2_900_000 < seen["elapsed_us"] < 8_000_000


def test_no_way_to_the_endpoints_is_unreachable(accounts):
    closed = {"AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_VPC_LATTICE": "http://127.0.0.1:1"}
    seen = accounts.ask(closed)
    asked = {action: end for action, end in seen["ends"].items() if end != "not_asked"}
    assert set(asked.values()) == {"unreachable"} and claims(seen) == dict.fromkeys(CLAIMS, "unknown")


def test_a_clock_that_is_off_is_corrected(accounts):
    accounts.gate.set_clock({"shift_s": 3600})
    assert claims(accounts.ask()) == dict.fromkeys(CLAIMS, "yes")


def test_without_credentials_or_vpc_nothing_is_asked(accounts):
    seen = accounts.ask({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    assert not seen["is_asked"] and set(seen["ends"].values()) == {"not_asked"}
    assert not accounts.ask(vpc="-")["is_asked"]


def test_without_an_address_no_path_is_judged(accounts):
    seen = accounts.ask(source="-", destination="-")
    assert claims(seen, PATH_CLAIMS) == dict.fromkeys(PATH_CLAIMS, "unknown")
    assert seen["is_associated"] == seen["is_service_in_network"] == "yes"


# -- publishing


def test_who_may_publish_is_refused_for_an_empty_call(accounts):
    seen = accounts.publish()
    assert seen["class"] == "invalid" and seen["is_call_made"] and seen["has_credentials"], seen
    assert seen["source"] == "environment" and seen["principal"] == "…" + KEY[-4:]
    assert seen["endpoint"] == f"http://{accounts.gate.address}" and seen["skew_us"] == 0


@pytest.mark.parametrize("fault, class_", [
    ({"action": "deny"}, "denied"), ({"action": "throttle_400"}, "throttled"), ({"action": "expire_403"}, "expired"),
    ({"action": "error_503"}, "server"), ({"action": "silent"}, "in_doubt"), ({"action": "reset_before"}, "in_doubt")])
def test_what_cloudwatch_says_is_told(accounts, fault, class_):
    accounts.gate.set_faults([fault])
    seen = accounts.publish(timeout_ms="1500")
    assert seen["class"] == class_ and seen["is_call_made"]


def test_a_closed_port_is_unreachable(accounts):
    assert accounts.publish("http://127.0.0.1:1")["class"] == "unreachable"


def test_a_clock_that_is_off_is_measured(accounts):
    accounts.gate.set_clock({"shift_s": 3600})
    seen = accounts.publish()
    assert seen["class"] == "skewed" and abs(seen["skew_us"] - 3_600_000_000) < 5_000_000


def test_an_expired_token_is_told(accounts):
    seen = accounts.publish(AWS_SESSION_TOKEN=lab_credentials.make_token("test", KEY, 1_000_000_000))
    assert (seen["class"], seen["code"]) == ("expired", "ExpiredToken")


def test_without_credentials_the_chain_says_why(accounts):
    seen = accounts.publish(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert not seen["has_credentials"] and not seen["is_call_made"] and seen["why"]
