# SPDX-License-Identifier: Apache-2.0
"""The faults there are: one file each in faults/, named as the fault with "_" for "-".

A file is a docstring (first line: what one sees; then: what it imitates in AWS), VERDICT, CONFIDENCE and
BASIS (what `lattice-probe diagnose` must say), apply(lab), and where they differ from the usual
ARGUMENTS (of diagnose) and CONFIGURATION (an INI file; "{configuration}" in ARGUMENTS is its path). With
ASKS_PUBLISHING the probe checkout of a configuration is asked about, and so the agent's own publishing.
"""

import importlib
import pathlib

import laboratory

FAULTS = pathlib.Path(__file__).resolve().parent / "faults"
USUAL_ARGUMENTS = ["--no-aws", f"https://{laboratory.CHECKOUT}/healthz"]
PUBLISHING_ARGUMENTS = ["-c", "{configuration}", "checkout"]
PUBLISHING_CONFIGURATION = f"""
[probe checkout]
url = https://{laboratory.CHECKOUT}/healthz
tls_ca = {{ca}}
"""


def names():
    return sorted(path.stem.replace("_", "-") for path in FAULTS.glob("*.py") if path.stem != "pairs")


def load(name):
    if name not in names():
        raise ValueError(f"{name}: no such fault; lab list names them")
    return importlib.import_module("faults." + name.replace("-", "_"))


def headline(fault):
    return fault.__doc__.strip().partition("\n")[0]


def has_own_arguments(fault):
    return hasattr(fault, "ARGUMENTS") or hasattr(fault, "ASKS_PUBLISHING")


def arguments(fault, lab):
    """What diagnose is called with; writes the configuration where there is one."""
    asks_publishing = getattr(fault, "ASKS_PUBLISHING", False)
    words = list(getattr(fault, "ARGUMENTS", PUBLISHING_ARGUMENTS if asks_publishing else USUAL_ARGUMENTS))
    text = getattr(fault, "CONFIGURATION", PUBLISHING_CONFIGURATION if asks_publishing else None)
    if text is None:
        return words
    place = lab.folder / "diagnose.conf"
    place.write_text(text.replace("{ca}", str(lab.ca)), encoding="utf-8")
    return [word.replace("{configuration}", str(place)) for word in words]


def pairs():
    return importlib.import_module("faults.pairs").PAIRS
