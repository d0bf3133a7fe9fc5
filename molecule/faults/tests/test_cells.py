# SPDX-License-Identifier: Apache-2.0
"""Each cell of the matrix ended as the page says, and nothing happened that must never happen."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fault_cells import CELLS, FAULTS, HOSTS
from fault_matrix import OUTCOMES, PHASES
from judge import outcome

NOTED = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "faults"


@pytest.fixture(scope="session")
def seen():
    """Return what was seen of every cell that was tried."""
    lines = [line for part in ("first", "later") for line in (NOTED / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]
    return {(told["fault"], told["phase"]): told for told in map(json.loads, lines)}


@pytest.mark.parametrize("cell", [pytest.param(cell, marks=pytest.mark.cell(cell), id=f"{cell.fault} / {cell.phase}") for cell in CELLS])
def test_it_ended_as_the_page_says(cell, seen):
    told = seen.get((cell.fault, cell.phase))
    assert told is not None, "the driver has not tried it"
    ended, wrong = outcome(cell.phase, told)
    assert wrong == [], told["said"]
    assert ended == cell.outcome, told["said"]
    assert cell.says.lower() in told["said"].lower(), told["said"]


def test_every_cell_is_one_of_the_outcomes_and_refusals_say_something():
    assert {cell.outcome for cell in CELLS} <= set(OUTCOMES)
    assert {cell.phase for cell in CELLS} <= set(PHASES)
    assert [cell for cell in CELLS if cell.outcome == "refused" and len(cell.says) < 4] == []
    assert len(CELLS) >= 60


def test_nothing_was_tried_that_the_page_does_not_have(seen):
    assert set(seen) == {(cell.fault, cell.phase) for cell in CELLS}


def test_every_fault_is_tried_on_hosts_that_there_are():
    assert {host for fault in FAULTS.values() for host in fault.hosts} <= set(HOSTS)
