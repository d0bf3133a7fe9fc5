# SPDX-License-Identifier: Apache-2.0
"""Molecule passes a scenario without playbook or tests in silence; this does not."""

from __future__ import annotations

import pathlib
import re

import pytest

MOLECULE = pathlib.Path(__file__).resolve().parents[3] / "molecule"
# shared is no scenario, and demo is for people to look at.
SCENARIOS = sorted(path.name for path in MOLECULE.iterdir() if path.is_dir() and path.name not in ("shared", "demo"))


def test_there_are_scenarios():
    assert SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_converges_and_asserts(name):
    scenario = MOLECULE / name
    assert (scenario / "molecule.yml").is_file(), f"molecule/{name} has no molecule.yml"
    assert (scenario / "converge.yml").is_file(), f"molecule/{name} has no converge.yml, so nothing is tested"
    tests = [path.read_text(encoding="utf-8") for path in scenario.glob("tests/**/test_*.py")]
    assert any(re.search(r"^\s*def test_", text, re.MULTILINE) for text in tests), f"molecule/{name}/tests holds no test"
