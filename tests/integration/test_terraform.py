# SPDX-License-Identifier: Apache-2.0
"""The worked example in packaging/terraform: whole, consistent, and true to the program.

Read here by our own reader, so that it is checked wherever the tests run; Terraform itself, where there is
one, has tests/lab/test_terraform_apply.py.
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

import hcl

ROOT = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
EXAMPLE = ROOT / "packaging" / "terraform"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
TERRAFORM = shutil.which("terraform")
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing
VALUES = {"name": "lattice-probe", "environment": "example", "region": "us-east-1", "service": "checkout",
          "url": "https://checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws/healthz",
          "system": "al2023", "package_url": "https://example.com/lattice-probe.rpm", "package_sha256": SHA256}

# What goes before what on destroy, and README.md says so.
BEFORE = [
    ("aws_instance.agent", "aws_vpclattice_service_network_vpc_association.consumer"),
    ("aws_instance.agent", "aws_route.consumer_default"),
    ("aws_instance.agent", "aws_network_acl_rule.all"),
    ("aws_instance.agent", "aws_vpc_endpoint.interface"),
    ("aws_instance.agent", "aws_vpc_security_group_egress_rule.https"),
    ("aws_vpclattice_service_network_vpc_association.consumer", "aws_subnet.consumer"),
    ("aws_vpclattice_service_network_vpc_association.consumer", "aws_route_table.consumer"),
    ("aws_vpclattice_service_network_vpc_association.consumer", "aws_security_group.association"),
    ("aws_vpclattice_service_network_service_association.this", "aws_vpclattice_listener.this"),
    ("aws_vpclattice_listener.this", "aws_vpclattice_service.this"),
    ("aws_vpclattice_listener.this", "aws_vpclattice_target_group.this"),
    ("aws_ecs_service.this", "aws_iam_role_policy_attachment.ecs_infrastructure"),
    ("aws_ecs_service.this", "aws_vpclattice_listener.this"),
    ("aws_ecs_service.this", "aws_vpclattice_target_group.this"),
    ("aws_ecs_service.this", "aws_subnet.provider"),
    ("aws_ecs_service.this", "aws_security_group.task"),
    ("aws_nat_gateway.consumer", "aws_eip.nat"),
    ("aws_nat_gateway.consumer", "aws_internet_gateway.consumer"),
    ("aws_vpc_endpoint.interface", "aws_security_group.endpoints"),
    ("aws_vpc_endpoint.interface", "aws_subnet.consumer"),
]


@pytest.fixture(scope="module")
def blocks():
    return hcl.read_folder(EXAMPLE)


def block(blocks, address):
    return next(each for each in blocks if each.address == address)


def definitions(blocks):
    """{address: tokens of what it is made of}."""
    found = {}
    for each in blocks:
        if each.kind == "locals":
            found |= {f"local.{name}": tokens for name, tokens in each.arguments.items()}
        elif each.kind not in ("terraform", "provider"):
            found[each.address] = list(each.all_tokens())
    return found


def needs(known, address):
    """All that an address depends on, directly or not."""
    found, todo = set(), [address]
    while todo:
        for other in hcl.references(known[todo.pop()]) - found:
            found.add(other)
            todo.append(other)
    return found


def table(heading):
    """The rows of the table below a heading, as lists of cells."""
    text = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


# ---- the language ----

def test_every_reference_has_a_definition(blocks):
    known = definitions(blocks)
    missing = {(address, other) for address, tokens in known.items() for other in hcl.references(tokens)
               if other not in known}
    assert len(known) > 90 and missing == set()


def test_what_is_defined_is_used(blocks):
    known = definitions(blocks)
    used = set().union(*(hcl.references(each.all_tokens()) for each in blocks))
    idle = {address for address in known if address.startswith(("var.", "local.", "data."))} - used
    assert idle == set()


def test_a_reference_without_a_definition_is_seen():
    read = hcl.read('resource "aws_eip" "a" {\n  tags = { Name = "${var.nam}-a", Zone = local.zone[0] }\n}\n', "a.tf")
    assert hcl.references(read[0].all_tokens()) == {"var.nam", "local.zone"}


@pytest.mark.parametrize("text", ['a "b" {\n', 'a "b" {\n  c = [1\n}\n', "a {\n  b = 1\n  b = 2\n}\n", "a {\n  b =\n}\n",
                                  "a {\n  ;\n}\n"])
def test_what_is_no_block_is_refused_with_its_line(text):
    with pytest.raises(hcl.HclError, match=r"x\.tf:\d"):
        hcl.read(text, "x.tf")


@pytest.mark.parametrize("by", ["terraform-fmt" if TERRAFORM else "our-own-rules-there-is-no-terraform-here"])
def test_it_is_formatted(by, tmp_path):
    if by == "terraform-fmt":
        environment = dict(os.environ, TF_CLI_CONFIG_FILE="/dev/null", CHECKPOINT_DISABLE="1", HOME=str(tmp_path))
        done = subprocess.run([TERRAFORM, "fmt", "-check", "-diff", "-no-color", EXAMPLE], env=environment,
                              capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    for path in EXAMPLE.glob("*.tf"):
        depth = 0
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert "\t" not in line and line == line.rstrip(), f"{path.name}:{number}"
            code = re.sub(r'"(?:[^"\\]|\\.)*"|#.*', "", line)
            closing = len(re.match(r"[\s\])}]*", code).group().replace(" ", ""))
            indent = len(line) - len(line.lstrip())
            assert not line or indent % 2 == 0 and indent <= 2 * max(depth - bool(closing), 0), f"{path.name}:{number}"
            depth += sum(code.count(sign) for sign in "{[(") - sum(code.count(sign) for sign in "}])")


# ---- what it says of itself ----

def test_every_variable_says_what_it_is_and_refuses_what_it_is_not(blocks):
    variables = [each for each in blocks if each.kind == "variable"]
    assert len(variables) > 10
    for variable in variables:
        assert {"description", "type"} <= set(variable.arguments), variable.address
        assert any(each.kind == "validation" for each in variable.blocks), variable.address
    needed = {variable.labels[0] for variable in variables if "default" not in variable.arguments}
    assert needed == {"package_url", "package_sha256"}


def test_every_output_says_what_it_is(blocks):
    outputs = [each for each in blocks if each.kind == "output"]
    assert outputs and all("description" in each.arguments for each in outputs)


def test_nobodys_account_and_no_secret_is_in_it():
    for path in sorted(EXAMPLE.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\b\d{12}\b|AKIA|ASIA|aws_secret|access_key", text), path.name


def test_each_file_is_in_the_readme_and_in_the_tarball():
    listed = (ROOT / "Makefile.am").read_text(encoding="utf-8")
    for path in sorted(EXAMPLE.rglob("*")):
        name = str(path.relative_to(EXAMPLE))
        if path.is_file() and not name.startswith(".terraform"):
            assert f"packaging/terraform/{name}" in listed, name
            assert f"`{name}`" in README or name.startswith(("templates/", "README", ".gitignore")), name


# ---- the order of destruction: what depends on something goes before it ----

@pytest.mark.parametrize("first, later", BEFORE)
def test_what_goes_first_depends_on_what_goes_later(blocks, first, later):
    assert later in needs(definitions(blocks), first)


def test_nothing_waits_for_itself(blocks):
    # The conditions of a variable name the variable itself.
    known = {address: tokens for address, tokens in definitions(blocks).items() if not address.startswith("var.")}
    inner = {address: [] for address in definitions(blocks)} | known
    assert [address for address in known if address in needs(inner, address)] == []


# ---- the verdicts ----

def test_each_piece_has_its_row_and_each_row_its_piece(blocks):
    validation = block(blocks, "var.without").blocks[0].arguments["condition"]
    allowed = [token.text.strip('"') for token in validation if token.kind == "text"]
    rows = [row[0].strip("`") for row in table("Leave out a piece")]
    assert rows == [piece for piece in allowed if piece]
    used = {token.text.strip('"') for each in blocks if each.kind != "variable" for token in each.all_tokens()}
    assert set(rows) <= used


def test_each_verdict_named_is_one_and_its_sentence_is_diagnoses():
    text = (ROOT / "include" / "lattice-probe" / "diagnosis.def").read_text(encoding="utf-8")
    words = dict(re.findall(r'^DIAGNOSIS\(\w+, "([\w-]+)", \w+, \w+, "([^"]+)"\)', text, re.MULTILINE))
    rows = table("Leave out a piece")
    assert len(rows) == 10
    for _piece, _missing, verdict, sentence, _fault in rows:
        assert words[verdict.strip("`")] == sentence
    prose = README.partition("Pieces that are no matter of Terraform")[2].partition("\n\n")[0]
    named = re.findall(r"`([a-z]+(?:-[a-z]+)+)`", prose)
    assert named and set(named) <= set(words)


def test_each_fault_of_the_lab_leads_to_that_verdict():
    for _piece, _missing, verdict, _sentence, fault in table("Leave out a piece"):
        path = ROOT / "tests" / "lab" / "faults" / f"{fault.strip('`').replace('-', '_')}.py"
        assert f'VERDICT = "{verdict.strip("`")}"' in path.read_text(encoding="utf-8")


# ---- what the instance gets ----

def render(name, **values):
    """A template as Terraform renders it, for plain names."""
    text = (EXAMPLE / "templates" / name).read_text(encoding="utf-8")
    known = VALUES | values
    text = re.sub(r"(?<!\$)\$\{(\w+)\}", lambda match: known[match.group(1)], text)
    return text.replace("$${", "${").replace("%%{", "%{")


def configuration(auth="none"):
    return render("lattice-probe.conf.tftpl", auth=auth)


@pytest.mark.parametrize("auth", ["none", "sigv4"])
def test_the_configuration_is_one_that_the_agent_takes(lattice_probe, tmp_path, auth):
    path = tmp_path / "lattice-probe.conf"
    path.write_text(configuration(auth), encoding="utf-8")
    done = subprocess.run([lattice_probe, "check-config", "-c", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "checkout: every 10s" in done.stdout


def user_data(**values):
    return render("user-data.sh.tftpl", configuration=configuration(), **values)


@pytest.mark.parametrize("system", ["al2023", "debian12"])
@pytest.mark.parametrize("url", ["https://example.com/a.rpm", "s3://bucket/a.rpm"])
def test_user_data_is_a_sound_script(tmp_path, system, url):
    path = tmp_path / "user-data.sh"
    path.write_text(user_data(system=system, package_url=url), encoding="utf-8")
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
    # SC2317 takes the functions of the other system for dead; SC2194 takes the values for constants.
    done = subprocess.run(["shellcheck", "--shell=bash", "--exclude=SC2317,SC2194,SC2050", path], capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


class Machine:
    """Commands that user data calls, as stand-ins that write down how they were called."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log"
        self.log.write_text("", encoding="utf-8")
        self.commands = folder / "commands"
        self.commands.mkdir()
        note = f'printf "%s\\n" "$(basename "$0") $*" >>"{self.log}"\n'
        for name in ("aws", "curl"):
            # The last word but one, or the last, is where the package goes.
            self.make(name, note + 'for word; do case $word in /*) : >"$word" ;; esac; done\n')
        for name in ("dnf", "apt-get", "mv", "systemctl", "lattice-probe", "sleep"):
            self.make(name, note)
        self.make("dpkg", "echo arm64\n")
        self.make("install", note + f'cat >"{folder}/written"\n')

    def make(self, name, script):
        path = self.commands / name
        path.write_text("#!/bin/bash\n" + script, encoding="utf-8")
        path.chmod(0o755)

    def run(self, **values):
        script = self.folder / "user-data.sh"
        script.write_text(user_data(**values), encoding="utf-8")
        environment = {"PATH": f"{self.commands}:/usr/bin:/bin", "TMPDIR": str(self.folder)}
        done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)
        return done, [line.split(" ") for line in self.log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_user_data_installs_configures_and_starts_in_this_order(machine):
    done, calls = machine.run()
    assert done.returncode == 0, done.stderr
    assert [call[0] for call in calls] == ["curl", "dnf", "install", "lattice-probe", "mv", "systemctl", "systemctl"]
    assert calls[1][1:3] == ["install", "-y"] and calls[1][3].endswith("/lattice-probe.rpm")
    assert calls[3][1] == "check-config" and calls[6][1:] == ["restart", "lattice-probe"]
    assert (machine.folder / "written").read_text(encoding="utf-8") == configuration()


def test_user_data_takes_the_package_from_a_bucket_and_on_debian_with_apt(machine):
    done, calls = machine.run(system="debian12", package_url="s3://bucket/lattice-probe.deb")
    assert done.returncode == 0, done.stderr
    fetched = next(call for call in calls if call[0] == "aws")
    assert fetched[1:6] == ["--region", "us-east-1", "s3", "cp", "--only-show-errors"]
    assert fetched[6] == "s3://bucket/lattice-probe.deb"
    installed = [call[-1].rpartition("/")[2] for call in calls if call[0] == "apt-get" and "install" in call]
    assert installed == ["curl", "amazon-ssm-agent.deb", "lattice-probe.deb"]


def test_a_package_with_another_checksum_is_not_installed(machine):
    done, calls = machine.run(package_sha256="0" * 64)
    assert done.returncode != 0
    assert [call[0] for call in calls] == ["curl"]


def test_a_network_that_is_late_is_waited_for_and_one_that_never_comes_is_given_up(machine):
    machine.make("curl", f'echo "curl $*" >>"{machine.log}"\nexit 6\n')
    done, calls = machine.run()
    assert done.returncode != 0
    assert [call[0] for call in calls].count("curl") == 5
    assert "try 5 of 5 failed" in done.stderr


def test_nothing_is_left_in_the_temporary_folder(machine):
    before = {path.name for path in machine.folder.iterdir()} | {"written", "user-data.sh"}
    machine.run()
    machine.run(package_sha256="0" * 64)
    assert {path.name for path in machine.folder.iterdir()} == before


# ---- metrics ----

def test_alarms_and_dashboard_name_metrics_that_there_are(blocks):
    text = (ROOT / "include" / "lattice-probe" / "metric.def").read_text(encoding="utf-8")
    metrics = set(re.findall(r'^METRIC\(\w+, "(\w+)"', text, re.MULTILINE))
    named = {each.arguments["metric_name"][0].text.strip('"') for each in blocks
             if each.labels and each.labels[0] == "aws_cloudwatch_metric_alarm"}
    assert named == {"Success", "Latency", "CertificateDaysRemaining", "Heartbeat"}
    for name in ("local.failures", "local.troubles"):
        named |= {token.text.strip('"') for token in definitions(blocks)[name] if token.kind == "text"}
    assert named <= metrics


def test_the_role_may_do_what_diagnose_asks(blocks):
    used = set()
    for path in (ROOT / "src" / "diagnose").glob("control*.c"):
        used |= set(re.findall(r'"((?:ec2|vpc-lattice):[A-Z]\w+)', path.read_text(encoding="utf-8")))
    policy = block(blocks, "aws_iam_role_policy.agent").arguments["policy"]
    allowed = {token.text.strip('"') for token in policy if re.match(r'"(ec2|vpc-lattice):', token.text)}
    assert allowed == used
