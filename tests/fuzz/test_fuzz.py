"""A short campaign, and what it covers; ``make fuzz`` runs a long one."""

import matplotlib

from tests.fuzz.campaign import run, try_one
from tests.fuzz.targets import EXCEPTIONS, TARGETS
from tests.test_public_api import PACKAGE, lines_of, public_modules

matplotlib.use("Agg")


def test_random_inputs_are_answered_or_refused_in_words():
    report = run(120)
    assert sum(counts.total() for counts in report.counts.values()) >= 120
    assert not report.faults, "\n\n".join(
        f"{fault.call}\n    {fault.text}" for fault in report.faults.values()
    )


def test_every_public_callable_is_tried_or_excepted():
    missing = []
    for line in (line for module in public_modules() for line in lines_of(module)):
        name, _, _ = line.removeprefix(f"{PACKAGE}.").partition("(")
        tried = any(name == known or name.endswith(f".{known}") for known in TARGETS)
        if not tried and not any(part in line for part in EXCEPTIONS):
            missing.append(line)
    assert not missing, f"Add to tests/fuzz/targets.py, or except, {missing}"


def test_a_fault_is_found_and_named():
    target = TARGETS["degrade.speckle"]
    broken = type(target)("f", lambda values: 1 / 0, target.arguments)
    outcome, fault = try_one(broken, {})
    assert outcome == "fault" and "ZeroDivisionError" in fault.text
    mute = type(target)("f", lambda values: int("x"), target.arguments)
    assert try_one(mute, {"sigma": ("'x'", lambda rng: "x")})[0] == "fault"
