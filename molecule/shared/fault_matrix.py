# SPDX-License-Identifier: Apache-2.0
"""What a cell of the fault matrix is, and the page that all cells make.

A scenario that shows faults has a file `fault_cells.py` with `CELLS`; its tests hold that each cell ends as it says.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import sys
import typing as t

FIRST = "first provision"
SECOND = "second provision"
CHANGE = "configuration change"
CHECK = "drift check"
MEND = "drift mend"
RESTART = "service restart"
BOOT = "host restart"
AUDIT = "audit"
#: In the order of the table's columns.
PHASES = (FIRST, SECOND, CHANGE, CHECK, MEND, RESTART, BOOT, AUDIT)

HEALED = "healed"
REFUSED = "refused"
LAST_GOOD = "last good"
OUTCOMES = {
    HEALED: "the run, or the next one, puts everything right by itself",
    REFUSED: "a sentence says what was found; what was there stays as it was, and with the fault gone the next run puts everything right",
    LAST_GOOD: "dockerd serves with the configuration that was proved last",
}
MOLECULE = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One fault in one phase.

    Attributes:
        fault: the row.
        phase: the column, one of PHASES.
        outcome: one of OUTCOMES.
        says: words of the sentence that is said.
        scenario: which shows it.
        seen: whether a run on a live host has shown it so; those that have stand in the file seen.json beside the cells.
    """

    fault: str
    phase: str
    outcome: str
    says: str = ""
    scenario: str = ""
    seen: bool = False


def cells(molecule: pathlib.Path = MOLECULE) -> list[Cell]:
    """Return the cells of all scenarios, each with the scenario's name."""
    found: list[Cell] = []
    for path in sorted(molecule.glob("*/fault_cells.py")):
        name = path.parent.name
        specification = importlib.util.spec_from_file_location(f"fault_cells_of_{name}", path)
        if specification is None or specification.loader is None:
            raise ImportError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(specification)
        # A dataclass looks its own module up.
        sys.modules[specification.name] = module
        specification.loader.exec_module(module)
        seen = _seen(path.with_name("seen.json"))
        found += [dataclasses.replace(cell, scenario=name, seen=(cell.fault, cell.phase) in seen) for cell in module.CELLS]
    return found


def _seen(path: pathlib.Path) -> set[tuple[str, str]]:
    return set(map(tuple, json.loads(path.read_text(encoding="utf-8")))) if path.exists() else set()


_INTRODUCTION = """\
# What happens when something breaks: the fault matrix

<!-- Written by `make docs` from molecule/*/fault_cells.py; do not edit. -->

Each cell is a case for a live host: a host in order, one fault, one thing that is done while it lasts, and then the next run. There are
{count} cells, {counted}. **{seen} of them have been seen to end so**, and carry a ✓; the others say what is expected and were not run to the end.

{outcomes}
- empty: not tried in this phase.

In **every** cell that was run the tests hold, from before the fault until after the next run, that

- no volume and no layer of a container has lost or changed anything (a hash of content, modes and owners before and after);
- nothing was written under a mount point, into another root of Docker or to a filesystem that is not the one with the recorded UUID;
- a dockerd that was started since runs with user namespaces, in its root, with all its filesystems;
- no address listens that did not listen before, and the API's socket is open to nobody else;
- nothing passed in silence: what ended well left a host in order, and what did not says why.

A check and an audit change nothing: *refused* means there that the host is not said to be in order, and that a sentence says why.
"""


def page(found: t.Sequence[Cell]) -> str:
    """Return the text of docs/fault-matrix.md."""
    counted = ", ".join(f"{sum(cell.outcome == outcome for cell in found)} {outcome}" for outcome in OUTCOMES)
    outcomes = "\n".join(f"- **{outcome}**: {meaning};" for outcome, meaning in OUTCOMES.items())
    said = [(cell.fault, cell.phase, cell.outcome, cell.says, f"`molecule/{cell.scenario}`") for cell in found if cell.says]
    return "\n".join(
        (
            _INTRODUCTION.format(count=len(found), counted=counted, outcomes=outcomes, seen=sum(cell.seen for cell in found)),
            _matrix(found),
            "## What is said\n\nThe words that the sentence has to hold, and where that is shown.\n",
            _table(("fault", "phase", "outcome", "words", "shown by"), said),
        )
    )


def _matrix(found: t.Sequence[Cell]) -> str:
    rows = []
    for fault in dict.fromkeys(cell.fault for cell in found):
        of = {cell.phase: cell for cell in found if cell.fault == fault}
        rows.append((fault, *(_said(of[phase]) if phase in of else "" for phase in PHASES)))
    return _table(("fault", *PHASES), rows)


def _said(cell: Cell) -> str:
    return f"{cell.outcome} ✓" if cell.seen else cell.outcome


def _table(head: tuple[str, ...], rows: t.Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
