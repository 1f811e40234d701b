# SPDX-License-Identifier: Apache-2.0
"""The worked example under Terraform itself, with a provider that makes nothing.

Provider(folder, python, schema) is that provider; Example(folder, provider) copies packaging/terraform, or
another source, into a folder of its own; apply(), plan() and destroy() run Terraform there. Nothing is
installed and nothing leaves the machine.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import hcl
import provider_schema

SUPPORT = pathlib.Path(__file__).resolve().parent
SOURCE = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", SUPPORT.parent.parent)) / "packaging" / "terraform"
TERRAFORM = shutil.which("terraform")

HOST = "lattice-probe-checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws"
SERVICE_ARN = "arn:aws:vpc-lattice:us-east-1:123456789012:service/svc-0a1b2c3d4e5f67890"
# What AWS would say, where something hangs on it.
ANSWERS = {
    "data aws_availability_zones": {"names": ["us-east-1a", "us-east-1b"]},
    "data aws_ec2_managed_prefix_list": {"entries": [{"cidr": "169.254.171.0/24", "description": ""}]},
    "data aws_partition": {"partition": "aws"},
    "resource aws_instance": {"id": "i-0123456789abcdef0"},
    "resource aws_vpclattice_service": {"arn": SERVICE_ARN, "dns_entry": [
        {"domain_name": HOST, "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}]},
}
PACKAGE = {"package_url": "https://example.com/lattice-probe.rpm", "package_sha256": "0" * 64}


def blocks():
    return hcl.read_folder(SOURCE)


def things(found=None):
    """Resources and data sources."""
    return [block for block in found or blocks() if block.kind in ("resource", "data")]


def schema(build, python):
    kinds = {f"{block.kind} {block.labels[0]}" for block in things()}
    return provider_schema.schema(build, python, sorted(kinds | {"provider"}))


class Provider:
    def __init__(self, folder, python, schema):
        (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
        (folder / "answers.json").write_text(json.dumps(ANSWERS), encoding="utf-8")
        self.process = subprocess.Popen(
            [python, SUPPORT / "fake_provider.py", folder / "schema.json", folder / "answers.json"],
            stdout=subprocess.PIPE, text=True)
        word, _space, self.reattach = self.process.stdout.readline().strip().partition(" ")
        assert word == "reattach", "the provider did not start"

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.process.stdout.close()


class Example:
    def __init__(self, folder, provider, source=SOURCE, variables=PACKAGE):
        self.variables = variables
        self.folder = folder / "example"
        shutil.copytree(source, self.folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        # No file of the user's, no question, and no look for a newer version.
        self.environment = kept | {"TF_REATTACH_PROVIDERS": provider.reattach, "TF_CLI_CONFIG_FILE": "/dev/null",
                                   "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}

    def run(self, *words, **variables):
        """One command; variables besides those that have no default."""
        takes_variables = words[0] not in ("init", "validate", "show")
        options = [f"-var={name}={value}" for name, value in (self.variables | variables).items() if takes_variables]
        return subprocess.run([TERRAFORM, *words, *options], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=120, check=False)

    def must(self, *words, **variables):
        done = self.run(*words, **variables)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def events(self, *words, **variables):
        """What Terraform did, as it says with -json: (moment, action, address)."""
        lines = [json.loads(line) for line in self.must(*words, "-auto-approve", "-json", **variables).splitlines()]
        return [(line["type"], line["hook"]["action"], line["hook"]["resource"]["addr"])
                for line in lines
                if line["type"] in ("apply_start", "apply_complete") and line["hook"]["action"] != "read"]

    def apply(self, **variables):
        return self.events("apply", **variables)

    def destroy(self, **variables):
        return self.events("destroy", **variables)

    def plan(self, **variables):
        """{address: actions} of what would change."""
        self.must("plan", "-out=plan", **variables)
        plan = json.loads(self.must("show", "-json", "plan"))
        return {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]
                if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]}

    def state(self):
        """{address: values} of what is there."""
        shown = json.loads(self.must("show", "-json"))
        root = shown.get("values", {}).get("root_module", {})
        return {thing["address"]: thing["values"] for thing in root.get("resources", []) if thing["mode"] == "managed"}

    def outputs(self):
        shown = json.loads(self.must("show", "-json"))
        return {name: output["value"] for name, output in shown["values"]["outputs"].items()}
