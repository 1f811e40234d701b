#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The accounts behind the gate: CloudWatch and EC2 by moto, VPC Lattice by this file, one world for all.

Run by the python that has moto (tests/support/venv prints it); the gate in front of it checks signatures.
EC2 is moto's own, filled in over its API; ids go out as tests/support/imds_server.py names them, and come
in likewise. Of VPC Lattice moto lacks GetServiceNetworkVpcAssociation and names of the real form, so the
three calls that `diagnose` makes are answered here.

GET /world shows it; POST /world merges into it; POST /reset puts back what it was at the start:
  {"association": null or {"status": "ACTIVE", "securityGroupIds": [..], "failureMessage": TEXT},
   "services": [{"id", "name", "domain", "custom", "status"}, ..]    associations of the network
   "owner": "123456789012",            of the VPC
   "refuse": ["ec2:DescribeVpcs", ..]  403
   "fail": [ACTION, ..]                500     "silent": [ACTION, ..]  no answer for 60 s
   "page_items": N                     of VPC Lattice's lists
   "instance_egress": [RULE, ..]       of the instance's group
   "association_ingress": [RULE, ..]   of the association's group
   "nacl": [ENTRY, ..]                 of the consumer's subnet, besides "deny all"
   "routes": [{"list": "ipv4" or "ipv6"} or {"cidr": CIDR}, ..]    of the subnet's table
   "dns_support": true, "dns_hostnames": true}
RULE: {"protocol": "tcp", "from": N, "to": N} and one of "cidr", "list" ("ipv4", "ipv6"), "group" (an id)
ENTRY: {"number": N, "egress": true, "allow": true, "protocol": "6", "from": N, "to": N, "cidr": CIDR}
"""

import copy
import io
import json
import pathlib
import re
import sys
import threading
import urllib.parse
import xml.sax.saxutils

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import service  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

REGION = "us-east-1"
ACCOUNT = "123456789012"
VPC, SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"
INSTANCE_GROUP, ASSOCIATION_GROUP = "sg-0123456789abcdef0", "sg-0a55c1a7e0a55c1a7"
ACL, TABLE = "acl-0123456789abcdef0", "rtb-0123456789abcdef0"
LISTS = {"ipv4": "pl-0123456789abcdef4", "ipv6": "pl-0123456789abcdef6"}
NETWORK, ASSOCIATION = "sn-0123456789abcdef0", "snva-0123456789abcdef0"
SUFFIX = f"7d67968.vpc-lattice-svcs.{REGION}.on.aws"
SILENCE_S = 60

WORLD = {
    "association": {"status": "ACTIVE", "securityGroupIds": [ASSOCIATION_GROUP], "failureMessage": None},
    "services": [
        {"id": "svc-0a1b2c3d4e5f67890", "name": "checkout", "domain": f"checkout-0a1b2c3d4e5f67890.{SUFFIX}",
         "custom": "shop.example.com", "status": "ACTIVE"},
        {"id": "svc-0f1e2d3c4b5a69788", "name": "payments", "domain": f"payments-0f1e2d3c4b5a69788.{SUFFIX}",
         "custom": None, "status": "ACTIVE"},
        {"id": "svc-01234567890abcdef", "name": "catalog", "domain": f"catalog-01234567890abcdef.{SUFFIX}",
         "custom": None, "status": "ACTIVE"}],
    "owner": ACCOUNT, "refuse": [], "fail": [], "silent": [], "page_items": 100,
    "instance_egress": [{"protocol": "-1", "cidr": "0.0.0.0/0"}, {"protocol": "tcp", "from": 0, "to": 65535, "list": "ipv6"}],
    "association_ingress": [{"protocol": "tcp", "from": 0, "to": 65535, "group": INSTANCE_GROUP}],
    "nacl": [{"number": 100 + family, "egress": egress, "allow": True, "protocol": "-1", "cidr": cidr}
             for family, cidr in enumerate(("0.0.0.0/0", "::/0")) for egress in (True, False)],
    "routes": [{"list": "ipv4"}, {"list": "ipv6"}],
    "dns_support": True, "dns_hostnames": True,
}
# What moto keeps; the rest is only looked at when a call is answered.
KEPT_BY_MOTO = ("instance_egress", "association_ingress", "nacl", "routes", "dns_support", "dns_hostnames")


class Refusal(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


class Ec2:
    """moto's EC2, spoken to over its own API; `names` are the ids of this world and moto's."""

    def __init__(self, app):
        self.app = app
        self.names = {}

    def call(self, action, parameters=()):
        form = urllib.parse.urlencode([("Action", action), ("Version", "2016-11-15"),
                                       *((name, self.inwards(str(value))) for name, value in parameters)])
        scope = f"AKIDEXAMPLE/20260101/{REGION}/ec2/aws4_request"
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "ec2",
                   "HTTP_HOST": f"ec2.{REGION}.amazonaws.com", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
                   "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
                   "CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(form)),
                   "wsgi.input": io.BytesIO(form.encode()), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr}
        said = []
        text = b"".join(self.app(environ, lambda status, headers, _=None: said.append(status))).decode()
        if not said[0].startswith("200"):
            raise RuntimeError(f"{action}: {said[0]} {text}")
        return text

    def make(self, name, action, tag, parameters=()):
        """Makes something and calls it `name` from now on."""
        made = re.search(f"<{tag}>([^<]+)</{tag}>", self.call(action, parameters))
        self.names[name] = made.group(1)

    def inwards(self, text):
        for name, known in self.names.items():
            text = text.replace(name, known)
        return text

    def outwards(self, text):
        for name, known in self.names.items():
            text = text.replace(known, name)
        return text

    def build(self):
        self.make(VPC, "CreateVpc", "vpcId", [("CidrBlock", "10.0.0.0/16")])
        self.make(SUBNET, "CreateSubnet", "subnetId", [("VpcId", VPC), ("CidrBlock", "10.0.1.0/24")])
        for group, name in ((INSTANCE_GROUP, "consumer"), (ASSOCIATION_GROUP, "association")):
            self.make(group, "CreateSecurityGroup", "groupId",
                      [("GroupName", name), ("GroupDescription", name), ("VpcId", VPC)])
        self.make("igw-0123456789abcdef0", "CreateInternetGateway", "internetGatewayId")
        self.call("AttachInternetGateway", [("VpcId", VPC), ("InternetGatewayId", "igw-0123456789abcdef0")])
        self.make(TABLE, "CreateRouteTable", "routeTableId", [("VpcId", VPC)])
        self.call("AssociateRouteTable", [("RouteTableId", TABLE), ("SubnetId", SUBNET)])
        for family, middle in (("ipv4", ""), ("ipv6", "ipv6.")):
            self.make(LISTS[family], "DescribeManagedPrefixLists", "prefixListId", [
                ("Filter.1.Name", "prefix-list-name"), ("Filter.1.Value.1", f"com.amazonaws.{REGION}.{middle}vpc-lattice")])
        self.make(ACL, "CreateNetworkAcl", "networkAclId", [("VpcId", VPC)])
        before = self.call("DescribeNetworkAcls", [("Filter.1.Name", "association.subnet-id"), ("Filter.1.Value.1", SUBNET)])
        was = re.search("<networkAclAssociationId>([^<]+)<", before).group(1)
        self.call("ReplaceNetworkAclAssociation", [("AssociationId", was), ("NetworkAclId", ACL)])

    # -- changes

    def set_rules(self, group, direction, rules, before):
        for verb, each in [*(("Revoke", rule) for rule in before), *(("Authorize", rule) for rule in rules)]:
            self.call(f"{verb}SecurityGroup{direction}", [("GroupId", group), *rule_parameters(each)])

    def set_acl(self, entries, before):
        for each in before:
            self.call("DeleteNetworkAclEntry", [("NetworkAclId", ACL), ("RuleNumber", each["number"]),
                                                ("Egress", str(each["egress"]).lower())])
        for each in entries:
            ports = [("PortRange.From", each["from"]), ("PortRange.To", each["to"])] if "from" in each else []
            block = "Ipv6CidrBlock" if ":" in each["cidr"] else "CidrBlock"
            self.call("CreateNetworkAclEntry", [
                ("NetworkAclId", ACL), ("RuleNumber", each["number"]), ("Egress", str(each["egress"]).lower()),
                ("RuleAction", "allow" if each["allow"] else "deny"), ("Protocol", each["protocol"]),
                (block, each["cidr"]), *ports])

    def set_routes(self, routes, before):
        for verb, each in [*(("Delete", route) for route in before), *(("Create", route) for route in routes)]:
            to = ("DestinationPrefixListId", LISTS[each["list"]]) if "list" in each else (
                "DestinationIpv6CidrBlock" if ":" in each["cidr"] else "DestinationCidrBlock", each["cidr"])
            gateway = [("GatewayId", "igw-0123456789abcdef0")] if verb == "Create" else []
            self.call(f"{verb}Route", [("RouteTableId", TABLE), to, *gateway])

    def change(self, key, value, before):
        if key in ("instance_egress", "association_ingress"):
            group, direction = ((INSTANCE_GROUP, "Egress") if key == "instance_egress" else (ASSOCIATION_GROUP, "Ingress"))
            self.set_rules(group, direction, value, before)
        elif key == "nacl":
            self.set_acl(value, before)
        elif key == "routes":
            self.set_routes(value, before)
        else:
            name = {"dns_support": "EnableDnsSupport", "dns_hostnames": "EnableDnsHostnames"}[key]
            self.call("ModifyVpcAttribute", [("VpcId", VPC), (f"{name}.Value", str(value).lower())])


def rule_parameters(rule):
    at = "IpPermissions.1"
    found = [(f"{at}.IpProtocol", rule["protocol"])]
    if "from" in rule:
        found += [(f"{at}.FromPort", rule["from"]), (f"{at}.ToPort", rule["to"])]
    if "list" in rule:
        return [*found, (f"{at}.PrefixListIds.1.PrefixListId", LISTS[rule["list"]])]
    if "group" in rule:
        return [*found, (f"{at}.Groups.1.GroupId", rule["group"])]
    kind = "Ipv6Ranges.1.CidrIpv6" if ":" in rule["cidr"] else "IpRanges.1.CidrIp"
    return [*found, (f"{at}.{kind}", rule["cidr"])]


class World:
    def __init__(self):
        self.lock = threading.RLock()
        self.app = DomainDispatcherApplication(create_backend_app)
        self.ec2 = Ec2(self.app)
        self.ec2.build()
        # moto's new groups let everything out, and moto's new tables have the local route.
        self.state = {**copy.deepcopy(WORLD), "instance_egress": [{"protocol": "-1", "cidr": "0.0.0.0/0"}],
                      "association_ingress": [], "nacl": [], "routes": [], "dns_support": None, "dns_hostnames": None}
        self.merge(WORLD)

    def merge(self, changes):
        unknown = set(changes or {}) - set(WORLD)
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)}; known: {sorted(WORLD)}")
        with self.lock:
            for key, value in copy.deepcopy(changes or {}).items():
                if key in KEPT_BY_MOTO and value != self.state[key]:
                    self.ec2.change(key, value, self.state[key])
                if key == "association" and value is not None:
                    value = {**WORLD["association"], **value}
                self.state[key] = value
        return self.show()

    def show(self):
        with self.lock:
            return {**copy.deepcopy(self.state), "ids": {
                "vpc": VPC, "subnet": SUBNET, "instance_group": INSTANCE_GROUP, "association_group": ASSOCIATION_GROUP,
                "acl": ACL, "table": TABLE, "lists": LISTS, "network": NETWORK, "association": ASSOCIATION}}

    # -- requests

    def __call__(self, environ, start_response):
        scope = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/]*)/", environ.get("HTTP_AUTHORIZATION", ""))
        name = scope.group(1) if scope else ""
        if name == "vpc-lattice":
            return self.answer(start_response, "application/json", error_json, self.lattice, environ)
        if name == "ec2":
            return self.answer(start_response, "text/xml", error_xml, self.ask_ec2, environ)
        return self.app(environ, start_response)

    def answer(self, start_response, content_type, error, call, environ):
        try:
            status, text = 200, call(environ)
        except Refusal as refusal:
            status, text = refusal.status, error(refusal)
        body = text.encode()
        start_response(f"{status} x", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    def check(self, action):
        with self.lock:
            state = self.state
        if action in state["silent"]:
            threading.Event().wait(SILENCE_S)
        if action in state["refuse"]:
            code = "UnauthorizedOperation" if action.startswith("ec2:") else "AccessDeniedException"
            raise Refusal(403, code, f"User: arn:aws:sts::{ACCOUNT}:assumed-role/probe/i is not authorized to perform: {action}")
        if action in state["fail"]:
            raise Refusal(500, "InternalError", "as scripted")

    def ask_ec2(self, environ):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        form = urllib.parse.parse_qsl(environ["wsgi.input"].read(length).decode(), keep_blank_values=True)
        action = dict(form).get("Action", "")
        self.check(f"ec2:{action}")
        with self.lock:
            try:
                text = self.ec2.call(action, [pair for pair in form if pair[0] not in ("Action", "Version")])
            except RuntimeError as error:
                raise Refusal(400, "InvalidParameterValue", str(error)) from None
            if action == "DescribeVpcs":
                text = re.sub("<ownerId>[^<]*<", f"<ownerId>{self.state['owner']}<", text)
            return self.ec2.outwards(text)

    def lattice(self, environ):
        path = urllib.parse.unquote(environ["PATH_INFO"])
        query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", "")))
        with self.lock:
            state = copy.deepcopy(self.state)
        if path == "/servicenetworkvpcassociations":
            self.check("vpc-lattice:ListServiceNetworkVpcAssociations")
            found = [association_summary(state)] if state["association"] and query.get("vpcIdentifier") == VPC else []
            return page(found, query, state["page_items"])
        if path.startswith("/servicenetworkvpcassociations/"):
            self.check("vpc-lattice:GetServiceNetworkVpcAssociation")
            if state["association"] is None or not path.endswith(ASSOCIATION):
                raise Refusal(404, "ResourceNotFoundException", "no such association")
            extra = {key: value for key, value in state["association"].items() if value is not None}
            return json.dumps({**association_summary(state), **extra})
        if path == "/servicenetworkserviceassociations":
            self.check("vpc-lattice:ListServiceNetworkServiceAssociations")
            if not query.get("serviceNetworkIdentifier", "").endswith(NETWORK):
                raise Refusal(404, "ResourceNotFoundException", "no such network")
            return page([service_summary(each) for each in state["services"]], query, state["page_items"])
        raise Refusal(404, "UnknownOperationException", path)


def arn(path):
    return f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:{path}"


def association_summary(state):
    return {"id": ASSOCIATION, "arn": arn(f"servicenetworkvpcassociation/{ASSOCIATION}"), "vpcId": VPC,
            "status": state["association"]["status"], "serviceNetworkId": NETWORK, "serviceNetworkName": "shop",
            "serviceNetworkArn": arn(f"servicenetwork/{NETWORK}"), "createdBy": ACCOUNT}


def service_summary(each):
    found = {"id": each["id"].replace("svc-", "snsa-"), "serviceId": each["id"], "serviceName": each["name"],
             "serviceArn": arn(f"service/{each['id']}"), "serviceNetworkId": NETWORK, "status": each["status"],
             "dnsEntry": {"domainName": each["domain"], "hostedZoneId": "Z0123456789ABCDEFGHIJ"}}
    return {**found, "customDomainName": each["custom"]} if each["custom"] else found


def page(items, query, page_items):
    first = int(query.get("nextToken", "0"))
    end = first + min(page_items, int(query.get("maxResults", "100")))
    found = {"items": items[first:end]}
    return json.dumps({**found, "nextToken": str(end)} if end < len(items) else found)


def error_json(refusal):
    return json.dumps({"__type": refusal.code, "message": str(refusal)})


def error_xml(refusal):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
            f"<Code>{refusal.code}</Code><Message>{xml.sax.saxutils.escape(str(refusal))}</Message>"
            "</Error></Errors><RequestID>0</RequestID></Response>")


class WorldServer(service.Server):
    def __init__(self, addresses, script=None):
        self.world = World()
        self.world.merge(script)
        self.start_state = copy.deepcopy({key: self.world.state[key] for key in WORLD})
        self.addresses = addresses
        self.servers = []
        self.listening = []

    def start(self):
        for address in self.addresses:
            host, port = service.parse_address(address)
            server = make_server(host, port, self.world, threaded=True)
            server.daemon_threads = True
            server.block_on_close = False
            self.servers.append(server)
            self.listening.append(service.format_address(server.socket.getsockname()))
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def control_routes(self):
        return {("GET", "/world"): lambda _: self.world.show(), ("POST", "/world"): self.world.merge,
                ("POST", "/reset"): lambda _: self.world.merge(self.start_state)}


def main():
    options = service.program_arguments("the accounts behind the gate").parse_args()
    server = WorldServer(options.listen or ["127.0.0.1:0"], service.read_script(options.script))
    service.run_until_signal(server, options.control)


if __name__ == "__main__":
    main()
