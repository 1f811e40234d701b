# SPDX-License-Identifier: Apache-2.0
"""The truth table: every fault of the lab is made, and `lattice-probe diagnose` must name it, with the
confidence and the basis that its evidence allows. Prints the confusion matrix and the time of each."""

import collections
import json
import os
import queue
import subprocess
import threading
import time

import pytest

import catalogue
import laboratory

LABS = 3
BASELINE_EVERY = 10
LIMIT_S = 15.5  # diagnose promises 15; the rest is starting a process on a busy machine

Scenario = collections.namedtuple("Scenario", "name faults expected arguments_of")
Result = collections.namedtuple("Result", "scenario got elapsed_s trouble")


def single(name):
    fault = catalogue.load(name)
    return Scenario(name, [fault], (fault.VERDICT, fault.CONFIDENCE, fault.BASIS), fault)


def pair(first, second, verdict):
    """Asked as the first fault is, unless only the second says how to ask."""
    faults = [catalogue.load(first), catalogue.load(second)]
    asks = next((fault for fault in faults if catalogue.has_own_arguments(fault)), faults[0])
    return Scenario(f"{first} + {second}", faults, (verdict, None, None), asks)


def scenarios():
    return [*map(single, catalogue.names()), *(pair(*each) for each in catalogue.pairs())]


def diagnose(lab, binary, arguments):
    """(verdict, confidence, basis), seconds, and what is wrong with the answer itself, or None."""
    began = time.monotonic()
    done = lab.run(binary, "diagnose", "--json", *arguments, check=False)
    elapsed_s = time.monotonic() - began
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return ("no answer", None, None), elapsed_s, f"exit status {done.returncode}, {done.stderr.strip()[-200:]}"
    trouble = None
    code = {"healthy": 0, "undetermined": 3}.get(answer["verdict"], 1)
    if done.returncode != code:
        trouble = f"exit status {done.returncode}, want {code}"
    elif elapsed_s > LIMIT_S:
        trouble = f"took {elapsed_s:.1f} s"
    elif not answer["summary"] or (code == 1 and not answer["fix"]):
        trouble = "no summary, or nothing to do about it"
    return (answer["verdict"], answer["confidence"], answer["basis"]), elapsed_s, trouble


def run_one(lab, binary, scenario):
    try:
        arguments = catalogue.arguments(scenario.arguments_of, lab)
        for fault in scenario.faults:
            lab.fault(fault)
        return Result(scenario, *diagnose(lab, binary, arguments))
    except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
        return Result(scenario, ("not made", None, None), 0, repr(error))
    finally:
        lab.clear()


def work(lab, binary, todo, results):
    """One lab's share; after every tenth fault the cleared lab must be healthy again."""
    healthy = single("healthy-association")
    for count in range(1, 10_000):
        try:
            scenario = todo.get_nowait()
        except queue.Empty:
            return
        results.put(run_one(lab, binary, scenario))
        if count % BASELINE_EVERY == 0:
            results.put(run_one(lab, binary, healthy._replace(name=f"after clearing {scenario.name}")))


def is_wrong(result):
    return bool(result.trouble) or any(want not in (None, got) for want, got in
                                       zip(result.scenario.expected, result.got))


def matrix(results):
    """Expected verdicts down, what was got to the right of each; a verdict got rightly stands first."""
    rows = collections.defaultdict(collections.Counter)
    for result in results:
        rows[result.scenario.expected[0]][result.got[0]] += 1
    lines = [f"{'expected':26} right  got instead"]
    for expected in sorted(rows):
        others = ", ".join(f"{got} {count}" for got, count in sorted(rows[expected].items()) if got != expected)
        lines.append(f"{expected:26} {rows[expected][expected]:5}  {others or '-'}")
    wrong = sum(result.got[0] != result.scenario.expected[0] for result in results)
    return lines + [f"{'all':26} {len(results) - wrong:5}  {wrong} off the diagonal"]


def times(results):
    cells = [f"{result.elapsed_s:5.1f} {result.scenario.name[:48]:48}" for result in
             sorted(results, key=lambda result: -result.elapsed_s)]
    return ["", "seconds of each scenario"] + [" ".join(cells[at:at + 2]).rstrip() for at in range(0, len(cells), 2)]


def complaint(result):
    def words(triple):
        return " ".join(word or "(any)" for word in triple)
    return (f"{result.scenario.name}: want {words(result.scenario.expected)}, got {words(result.got)}"
            f"{'; ' + result.trouble if result.trouble else ''}")


@pytest.fixture
def labs(moto_python):
    made = [laboratory.Lab(f"t{os.getpid()}{letter}") for letter in "abc"[:LABS]]
    try:
        for lab in made:
            lab.up(moto_python)
        yield made
    finally:
        for lab in made:
            lab.down()


def test_every_fault_is_named(labs, lattice_probe, capsys):
    todo, results = queue.Queue(), queue.Queue()
    chosen = os.environ.get("LAB_FAULTS", "").split(",") if os.environ.get("LAB_FAULTS") else None
    for scenario in scenarios():
        if chosen is None or any(word in scenario.name for word in chosen):
            todo.put(scenario)
    threads = [threading.Thread(target=work, args=(lab, lattice_probe, todo, results)) for lab in labs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results = list(results.queue)
    with capsys.disabled():
        print("\n" + "\n".join(matrix(results) + times(results)))
    assert todo.empty(), "a lab gave up"
    wrong = [complaint(result) for result in results if is_wrong(result)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_verdict_has_a_fault():
    """All rows of diagnosis.def but "undetermined"."""
    rows = (laboratory.HERE.parent.parent / "include" / "lattice-probe" / "diagnosis.def").read_text(encoding="utf-8")
    verdicts = {line.split('"')[1] for line in rows.splitlines() if line.startswith("DIAGNOSIS(")} - {"undetermined"}
    assert {catalogue.load(name).VERDICT for name in catalogue.names()} >= verdicts
    assert all(verdict in verdicts for _, _, verdict in catalogue.pairs())
