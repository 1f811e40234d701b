# SPDX-License-Identifier: Apache-2.0
"""The manual says what the program is: every command, option, key, outcome, metric, verdict, variable and
event has its place in it, with the values of the program's own tables, and nothing else has."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

import manual_page
import program_tables

BUILD = pathlib.Path(os.environ.get("LATTICE_PROBE_BUILD", program_tables.ROOT / "build"))
PAGES = {name: BUILD / "packaging" / "man" / name
         for name in ("lattice-probe.8", "lattice-probe.conf.5", "lattice-probe-diagnose.8")}
# What mandoc remarks and is no fault of the page: our own .Os, and pages that are not installed here.
REMARKS = re.compile(r"operating system explicitly specified|referenced manual not found|outdated mandoc\.db")
UNITS = {"": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6,
         "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
HOPS = {"none": "Nothing wrong, or nothing known", "dns": "Finding the address", "route": "This host",
        "connect": "The way to the service", "tls": "TLS", "http": "The answer", "publish": "Publishing"}
# Read by libc and OpenSSL, or under a name that says nothing about AWS.
OTHER_VARIABLES = {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "SSL_CERT_DIR", "SSL_CERT_FILE"}


def needs(tool):
    if not shutil.which(tool):
        pytest.skip(f"no {tool} here; packaging/install-deps --test installs it")


@pytest.fixture(scope="module")
def pages():
    needs("mandoc")
    return {name: manual_page.Page(path) for name, path in PAGES.items()}


@pytest.fixture(scope="module")
def daemon_page(pages):
    return pages["lattice-probe.8"]


@pytest.fixture(scope="module")
def conf_page(pages):
    return pages["lattice-probe.conf.5"]


@pytest.fixture(scope="module")
def diagnose_page(pages):
    return pages["lattice-probe-diagnose.8"]


@pytest.fixture(scope="module")
def tables():
    return program_tables.library()


def sentence(words):
    """The words of a table as a page writes them."""
    return words[0].upper() + words[1:] + ("" if words.endswith(".") else ".")


# ---- form

@pytest.mark.parametrize("name", PAGES)
def test_mandoc_finds_no_fault(name):
    needs("mandoc")
    done = subprocess.run(["mandoc", "-Tlint", PAGES[name]], capture_output=True, text=True, check=False, timeout=60)
    assert [line for line in (done.stdout + done.stderr).splitlines() if not REMARKS.search(line)] == []


@pytest.mark.parametrize("name", PAGES)
def test_groff_finds_no_fault_and_80_columns_are_enough(name):
    needs("groff")
    # A build for tests has its configuration in a long folder.
    text = re.sub(r"/\S+(?=/etc/lattice-probe\b)", "", PAGES[name].read_text(encoding="utf-8"))
    done = subprocess.run(["groff", "-ww", "-mandoc", "-K", "utf8", "-T", "utf8", "-P-c", "-rLL=78n"], input=text,
                          capture_output=True, encoding="utf-8", check=True, timeout=60)
    assert done.stderr == ""
    plain = re.sub(".\b", "", done.stdout)
    assert len(plain.splitlines()) > 100
    assert [line for line in plain.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", PAGES)
def test_version_day_and_folder_are_filled_in(name, command):
    text = PAGES[name].read_text(encoding="utf-8")
    version = command.command("version", "--json").json["version"]
    assert f".Os lattice-probe {version}\n" in text and "@" not in text
    assert re.search(r"^\.Dd [A-Z][a-z]+ \d{1,2}, \d{4}$", text, re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_typed_has_hyphens_that_can_be_typed(name):
    """groff shows a plain - as a hyphen that no shell knows; in examples it is written \\-."""
    literal = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", PAGES[name].read_text(encoding="utf-8"),
                         re.MULTILINE | re.DOTALL)
    assert not [line for block in literal for line in block.splitlines() if re.search(r"(?<!\\)-", line)]


@pytest.mark.parametrize("name", PAGES)
def test_examples_fit_beside_the_indent(pages, name):
    """groff 1.23 indents by 7 columns, before it was 5."""
    assert [line for block in pages[name].blocks for line in block.splitlines() if len(line) > 73] == []


# ---- commands, options, exit statuses

def test_each_command_has_a_section_and_a_line_of_the_synopsis(daemon_page):
    commands = {*program_tables.commands(), "help"}
    assert set(daemon_page.subsections["COMMANDS"]) == commands
    assert set(re.findall(r"lattice-probe ([a-z-]+)", daemon_page.words("SYNOPSIS"))) == commands


@pytest.mark.parametrize("name", program_tables.commands())
def test_each_option_has_an_item_and_stands_in_the_synopsis(daemon_page, name):
    options = program_tables.options(name)
    found = {}
    for item in daemon_page.of("COMMANDS", name):
        match = re.fullmatch(r"(?:-(\w), )?--([\w-]+)( .+)?", item.head)
        found[match.group(2)] = (match.group(1), bool(match.group(3)))
        assert item.body
    assert found == {long: kind for long, kind in options.items() if long != "help"}
    assert "-h or --help" in daemon_page.words("COMMANDS")
    usage = re.search(rf"lattice-probe {name}\b(.*?)(?=lattice-probe [a-z]|$)", daemon_page.words("SYNOPSIS")).group(1)
    shown = set(re.findall(r"\[(--?[\w-]+)", usage))
    assert shown == {"-c" if long == "config" else f"--{long}" for long in options if long != "help"}


def test_each_option_of_diagnose_has_an_item_in_its_own_page(diagnose_page):
    found = {re.search(r"--([\w-]+)", item.head).group(1) for item in diagnose_page.of("DESCRIPTION")}
    assert found == set(program_tables.options("diagnose"))


def test_the_exit_statuses_are_those_of_the_program(daemon_page, diagnose_page):
    text = (program_tables.CLI / "cli_internal.h").read_text(encoding="utf-8")
    statuses = re.findall(r"CLI_EXIT_\w+ = (\d)", text)
    for page in (daemon_page, diagnose_page):
        assert [item.head for item in page.of("EXIT STATUS")] == statuses


# ---- what the daemon says and asks for

def test_each_outcome_has_an_item_with_its_words(daemon_page, tables):
    items = {item.head: item.body for item in daemon_page.of("OUTCOMES")}
    assert list(items) == [outcome["name"] for outcome in tables["outcomes"]]
    for outcome in tables["outcomes"]:
        assert items[outcome["name"]].startswith(sentence(outcome["words"])), outcome


def test_each_metric_has_an_item_with_its_unit(daemon_page, tables):
    assert [item.head for item in daemon_page.of("METRICS")] == [f"{metric['name']} ({metric['unit']})"
                                                                   for metric in tables["metrics"]]


def test_each_variable_has_an_item(daemon_page):
    named = {name for item in daemon_page.of("ENVIRONMENT") for name in re.findall(r"[A-Z][A-Z0-9_]+", item.head)}
    assert named - OTHER_VARIABLES == program_tables.environment()


def test_each_event_of_the_log_has_an_item(daemon_page):
    named = [event for item in daemon_page.of("DIAGNOSTICS") for event in re.findall(r"event=(\w+)", item.head)]
    assert len(named) == len(set(named)) and set(named) == program_tables.events()


def test_each_cause_of_a_lost_sample_is_named(daemon_page):
    text = (program_tables.ROOT / "src" / "sink" / "sink.c").read_text(encoding="utf-8")
    causes = re.findall(r'case SINK_DROP_\w+: return "(\w+)"', text)
    body = next(item.body for item in daemon_page.of("DIAGNOSTICS") if item.head == "event=samples_dropped")
    assert causes and [cause for cause in causes if not re.search(rf"\b{cause}\b", body)] == []


def test_each_cause_of_a_failed_self_check_is_named(daemon_page):
    text = (program_tables.ROOT / "src" / "agent" / "self_check.c").read_text(encoding="utf-8")
    causes = set(re.findall(r'\[SELF_CHECK_\w+\] = \{ "(\w+)"', text)) - {"none"}
    body = next(item.body for item in daemon_page.of("DIAGNOSTICS") if "self_check_failed" in item.head)
    assert len(causes) > 5 and {cause for cause in causes if not re.search(rf"\b{cause}\b", body)} == set()


def test_each_signal_has_an_item(daemon_page):
    text = "\n".join(path.read_text(encoding="utf-8") for path in (program_tables.ROOT / "src" / "agent").glob("*.c"))
    caught = set(re.findall(r"\b(SIG(?:TERM|INT|HUP|USR1|USR2))\b", text))
    named = {name for item in daemon_page.of("SIGNALS") for name in re.findall(r"SIG\w+", item.head)}
    assert named == caught


def test_each_key_of_a_result_is_named(daemon_page, command, nginx):
    result = command.once(f"http://127.0.0.1:{nginx.http_port}/").result
    named = set(re.findall(r"\w+", daemon_page.words("OUTPUT")))
    assert set(result) - named == set()


# ---- the configuration

def section_of(key):
    """Where the page has it."""
    if set(key["sections"]) == {"agent", "probe"}:
        return "[agent], and [probe NAME] where a probe differs"
    return {"agent": "[agent]", "cloudwatch": "[cloudwatch]", "probe": "[probe NAME]"}[key["sections"][0]]


def items_of_keys(page):
    """{name: item}, a family ending in its dot as in the table."""
    found = {}
    for item in page.items:
        if not item.section.startswith("["):
            continue
        name = item.head.partition(" = ")[0].removesuffix("NAME")
        assert name not in found, name
        found[name] = item
    return found


def test_each_key_has_an_item_in_its_section_and_nothing_else_has(conf_page, tables):
    found = {name: item.section for name, item in items_of_keys(conf_page).items()}
    assert found == {key["name"]: section_of(key) for key in tables["keys"]}


def test_each_key_has_its_default(conf_page, tables):
    items = items_of_keys(conf_page)
    for key in tables["keys"]:
        wanted = f"efault {key['default']}." if key["default"] else "o default"
        assert wanted in items[key["name"]].body, key["name"]


def test_each_number_has_its_range(conf_page, tables):
    items = items_of_keys(conf_page)
    words = {"integer": "number", "duration": "duration", "size": "size"}
    for key in tables["keys"]:
        if key["type"] not in words:
            continue
        item = items[key["name"]]
        found = re.search(r"\bFrom (\d+)(\w*) to (\d+)(\w*);", item.body)
        assert found, key["name"]
        least, most = (int(found.group(place)) * UNITS[found.group(place + 1)] for place in (1, 3))
        assert (least, most) == (key["min"], key["max"]), key["name"]
        assert item.head == f"{key['name']} = {words[key['type']]}"


def test_each_choice_is_there(conf_page, tables):
    items = items_of_keys(conf_page)
    for key in tables["keys"]:
        choices = {"choice": key["choices"], "bool": "yes|no"}.get(key["type"])
        if choices:
            assert items[key["name"]].head == f"{key['name']} = {choices.replace('|', ' | ')}"


def test_the_keys_that_go_on_in_indented_lines_say_so(conf_page, tables):
    items = items_of_keys(conf_page)
    # A header takes indented lines only to refuse them in words.
    goes_on = {key["name"] for key in tables["keys"] if key["goes_on"]} - {"header."}
    assert {name for name, item in items.items() if "ndented lines" in item.body} == goes_on


def test_each_key_says_what_a_reload_makes_of_it(conf_page, tables):
    whens = {"at once": "at once", "at once, and end the windows that are open": "new windows",
             "after a restart": "restart"}
    found = {}
    for item in conf_page.of("RELOADING"):
        for name in re.findall(r"\b[a-z]+_[a-z_]+|\b(?:fleet|metrics|namespace|period|region|endpoint|proxy|resolver)\b|"
                               r"\bdimension\.(?=NAME)", item.body):
            found[name] = whens[item.head]
    assert found == tables["reloads"]


def test_each_metric_that_may_be_chosen_is_there(conf_page, tables):
    body = items_of_keys(conf_page)["metrics"].body
    for metric in tables["metrics"]:
        assert (metric["scope"] != "chosen") or re.search(rf"\b{metric['name']}\b", body), metric


# ---- the examples

def write_conf(command, text):
    folder = command.path("example")
    folder.mkdir(exist_ok=True)
    conf = folder / "lattice-probe.conf"
    for name, content in (("lattice-probe.conf", text), ("orders.key", "a-key\n")):
        (folder / name).write_text(content, encoding="utf-8")
        (folder / name).chmod(0o640)
    return conf


def test_the_examples_of_the_configuration_are_good(conf_page, command):
    examples = [block for block in conf_page.blocks if "[probe " in block and not block.startswith("$")]
    assert len(examples) >= 3
    for text in examples:
        answer = command.command("check-config", "-c", write_conf(command, text))
        assert answer.code == 0 and "mistake" not in answer.stderr, (text, answer)


def test_the_mistakes_that_are_shown_are_those_that_come(conf_page, command):
    block = next(block for block in conf_page.blocks if "bad.conf" in block)
    conf = write_conf(command, "[agent]\ntimeout = 5\nflet = one\n[probe a]\nurl = ftp://example.com/\n"
                               "[cloudwatch]\nnamespace = Example\n")
    answer = command.command("check-config", "-c", conf)
    shown = answer.stderr.replace(str(conf), "bad.conf")
    assert block == "$ lattice-probe check-config -c bad.conf\n" + shown.strip()


def test_the_costs_that_are_shown_are_those_that_come(conf_page, command):
    example = next(block for block in conf_page.blocks if "[cloudwatch]" in block)
    block = next(block for block in conf_page.blocks if "this agent" in block)
    answer = command.command("check-config", "-c", write_conf(command, example))
    assert ("$ lattice-probe check-config\n" + answer.stdout).startswith(block.removesuffix("..."))


# ---- diagnose

def test_each_verdict_has_an_item_with_sentence_and_basis(diagnose_page, tables):
    found = [(item.subsection, item.head, item.body) for item in diagnose_page.of("VERDICTS")]
    assert found == [(HOPS[verdict["hop"]], f"{verdict['name']} ({verdict['basis']})", verdict["words"])
                     for verdict in tables["verdicts"]]


def test_each_right_is_named_and_no_other(diagnose_page, tables):
    named = set(re.findall(r"\b(?:ec2|vpc-lattice):\w+", diagnose_page.words("RIGHTS")))
    # Two calls make one question: the entries of a prefix list are asked for when the list is known.
    assert named == {*tables["rights"], "ec2:GetManagedPrefixListEntries"}


@pytest.mark.parametrize("function, item", (("story_to_json", None), ("where_of", "where"), ("step_of", "evidence"),
                                            ("ruled_out_of", "ruled_out"), ("fixes_of", "fix")))
def test_each_key_of_the_json_is_named(diagnose_page, function, item):
    text = (program_tables.ROOT / "src" / "diagnose" / "story_json.c").read_text(encoding="utf-8")
    body = re.search(rf"^[\w *]*\b{function}\(.*?^}}", text, re.MULTILINE | re.DOTALL).group(0)
    keys = re.findall(r'put(?:_text)?\(&writer, "(\w+)"', body)
    items = {found.head: found.body for found in diagnose_page.of("JSON")}
    if item is None:
        assert list(items) == keys
    else:
        assert re.search(r"\{(.*)\}", items[item]).group(1).split(", ") == keys


def test_each_mark_and_each_degree_of_confidence_is_named(diagnose_page):
    words = diagnose_page.words("OUTPUT")
    text = "\n".join((program_tables.ROOT / "src" / "diagnose" / name).read_text(encoding="utf-8")
                     for name in ("story_json.c", "diagnosis.c"))
    for name in re.findall(r'\[(?:STORY_(?:GOOD|BAD|UNKNOWN|SKIPPED)|DIAGNOSIS_(?:CERTAIN|LIKELY|CANDIDATES)|'
                           r'DIAGNOSIS_BASIS_\w+)\] = "(\w+)"', text):
        assert re.search(rf"\b{name}\b", words), name
