# SPDX-License-Identifier: Apache-2.0
"""For tests that show cells of the fault matrix: those with the mark `cell` that passed become seen.json.

A conftest.py registers this module as a plugin. FAULTS_SEEN=1 has the list written beside the scenario's cells, for `make docs`.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

_shown: dict[tuple[str, str], bool] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cell(cell): the test shows that cell of the fault matrix")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> t.Generator[None, t.Any, None]:
    report = (yield).get_result()
    for mark in item.iter_markers("cell"):
        key = (mark.args[0].fault, mark.args[0].phase)
        # A cell that several tests show is seen when none of them failed or was passed over.
        _shown[key] = _shown.get(key, True) and report.outcome == "passed"


def pytest_sessionfinish() -> None:
    seen = sorted(key for key, shown in _shown.items() if shown)
    text = "[\n" + ",\n".join(f"  {json.dumps(key)}" for key in seen) + "\n]\n"
    for directory in [os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], *([os.environ["MOLECULE_SCENARIO_DIRECTORY"]] if os.environ.get("FAULTS_SEEN") else [])]:
        (pathlib.Path(directory) / "seen.json").write_text(text, encoding="utf-8")
