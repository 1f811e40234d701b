# SPDX-License-Identifier: Apache-2.0
"""What tests/install/run hands to the tests, and a machine for each file of them.

The cases of a file are the steps of one story on one machine, in the order in which they stand there. One
that fails ends the story: the steps behind it fail as well, without being run.
"""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "lab"), str(HERE.parent / "support")]

import laboratory  # noqa: E402
import machine as machine_module  # noqa: E402

JOURNAL_LINES = 60
story = {"failed": None, "machine": None}


def given(name):
    """A file or folder that tests/install/run names in the environment."""
    path = os.environ.get(f"LATTICE_PROBE_INSTALL_{name}", "")
    if not os.path.exists(path):
        pytest.fail(f"no {name} at '{path}'; tests/install/run sets it")
    return pathlib.Path(path).absolute()  # not resolved: a virtual environment's python is a link


@pytest.fixture(scope="session")
def lab():
    made = laboratory.Lab(f"t{os.getpid()}")
    made.up(given("MOTO_PYTHON"))
    yield made
    made.down()


@pytest.fixture(scope="module")
def machine(lab):
    """A booted machine without lattice-probe, where what it depends on is installed."""
    layers = [given("ADDED"), given("SYSTEM")]
    with machine_module.Machine(lab.name, layers, given("FOLDER") / lab.name, lab) as made:
        story["machine"] = made
        made.boot()
        yield made
        story["machine"] = None


@pytest.fixture(scope="session")
def deb():
    return given("DEB")


@pytest.fixture(scope="session")
def previous():
    """The same package as an earlier release would be."""
    return given("PREVIOUS")


@pytest.fixture(scope="session")
def rpm():
    return given("RPM")


def pytest_runtest_setup(item):
    if story["failed"] not in (None, item.name):
        pytest.fail(f"not run, since {story['failed']} failed", pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """With the first failure comes what the machine said last."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed or story["failed"] is not None:
        return
    story["failed"] = item.name
    made = story["machine"]
    if made is not None and made.init is not None:
        lines = made.run("journalctl", "--no-pager", "--quiet", "--output=short-precise", "--unit=lattice-probe",
                         f"--lines={JOURNAL_LINES}", check=False).stdout
        report.sections.append(("journal of the unit", lines))
