# SPDX-License-Identifier: Apache-2.0
"""A lab of its own for each test; needs root, nft and the virtual environment with moto."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import laboratory  # noqa: E402


@pytest.fixture(scope="session")
def lattice_probe():
    """The path of the binary: LATTICE_PROBE (make check-lab sets it), else build/lattice-probe."""
    binary = pathlib.Path(os.environ.get("LATTICE_PROBE", ROOT / "build" / "lattice-probe"))
    if not os.access(binary, os.X_OK):
        pytest.fail(f"no lattice-probe at {binary}; build it or set LATTICE_PROBE")
    return binary.resolve()


@pytest.fixture(scope="session")
def moto_python():
    """The python that has moto: LATTICE_PROBE_MOTO_PYTHON (make check-lab sets it), else build/venv's."""
    if os.geteuid() != 0:
        pytest.fail("the lab needs root")
    clear_killed_runs()
    if "LATTICE_PROBE_MOTO_PYTHON" in os.environ:
        return os.environ["LATTICE_PROBE_MOTO_PYTHON"]
    made = subprocess.run([laboratory.SUPPORT / "venv", ROOT / "build"], stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip()


def clear_killed_runs():
    """Labs of tests are named after the process that made them; those whose maker is gone go too."""
    for name in laboratory.names():
        maker = re.fullmatch(r"t(\d+)[a-z]?", name)
        if maker and not os.path.exists(f"/proc/{maker[1]}"):
            laboratory.Lab(name).down()


@pytest.fixture
def lab(moto_python):
    made = laboratory.Lab(f"t{os.getpid()}")
    made.up(moto_python)
    yield made
    made.down()
