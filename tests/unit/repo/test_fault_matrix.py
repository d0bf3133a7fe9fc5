# SPDX-License-Identifier: Apache-2.0
"""The matrix has what it promises, and its judge lets nothing pass that must never be."""

from __future__ import annotations

import copy
import importlib
import json
import pathlib
import sys

import fault_matrix
import pytest
from fault_matrix import AUDIT, BOOT, CHANGE, CHECK, FIRST, HEALED, LAST_GOOD, MEND, REFUSED, RESTART, SECOND

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "molecule" / "faults" / "drivers"))
judge = importlib.import_module("judge")
CELLS = fault_matrix.cells()

ENGINE = {"root": "/r", "userns": True, "containers": ["lab-kept"], "volumes": ["lab-kept"]}
LOOK = {
    "volumes": "aa", "layer": "bb",
    "mounts": {"/r/volumes": {"uuid": "1", "read-only": False, "layers": 1}, "/r/overlay2": {"uuid": "2", "read-only": False, "layers": 1}},
    "under": {"/r/volumes": {"immutable": True, "entries": []}, "/r/overlay2": {"immutable": True, "entries": []}}, "roots": ["1.1"], "listening": ["tcp *:22"],
    "socket": "0660", "engine": ENGINE, "units": {"docker.service": "active"}, "invocation": "one", "files": {judge.CONFIG: "f", "/etc/fstab": "g"},
    "manifest": "in order", "packages": {"half": "", "held": [], "there": True}, "disks": {},
}


def seen(during=None, after=None, **told):
    looks = {"before": LOOK, "during": _with(during), "after": _with(after)}
    return {"refused": False, "lasts": False, "cut": False, "heals": False, "said": "", **copy.deepcopy(looks), **told}


def _with(changes):
    look = copy.deepcopy(LOOK)
    for where, value in (changes or {}).items():
        *path, last = where.split(" ")
        place = look
        for part in path:
            place = place[part]
        place[last] = value
    return look


def test_there_are_enough_cells_and_each_is_one():
    assert len(CELLS) >= 60
    assert {cell.phase for cell in CELLS} <= set(fault_matrix.PHASES)
    assert {cell.outcome for cell in CELLS} <= set(fault_matrix.OUTCOMES)
    assert len({(cell.fault, cell.phase) for cell in CELLS}) == len(CELLS)


def test_the_page_has_every_cell():
    text = fault_matrix.page(CELLS)
    for cell in CELLS:
        row = next(line for line in text.splitlines() if line.startswith(f"| {cell.fault} | "))
        assert row.split("|")[2 + fault_matrix.PHASES.index(cell.phase)].strip() == cell.outcome + (" ✓" if cell.seen else "")
        assert not cell.says or f"| {cell.fault} | {cell.phase} | {cell.outcome} | {cell.says} |" in text
    assert f"{len(CELLS)} cells" in text
    assert f"**{sum(cell.seen for cell in CELLS)} of them have been seen" in text


def test_what_was_seen_is_a_cell():
    for path in ROOT.glob("molecule/*/seen.json"):
        assert {tuple(entry) for entry in json.loads(path.read_text(encoding="utf-8"))} <= {(cell.fault, cell.phase) for cell in CELLS}


def test_a_refusal_and_a_mended_host_are_told_apart():
    assert judge.outcome(SECOND, seen()) == (HEALED, [])
    assert judge.outcome(SECOND, seen(refused=True)) == (REFUSED, [])
    assert judge.outcome(MEND, seen({"mounts /r/volumes": None}, cut=True, refused=True)) == (HEALED, [])
    assert judge.outcome(CHECK, seen(refused=True, lasts=True)) == (REFUSED, [])


def test_the_last_good_configuration_is_one_that_serves():
    assert judge.outcome(CHANGE, seen({"invocation": "two"}, refused=True)) == (LAST_GOOD, [])
    assert judge.outcome(CHANGE, seen({"invocation": "two", "engine": {}}, refused=True)) == (REFUSED, [])
    assert judge.outcome(RESTART, seen({"invocation": "two"}, lasts=True)) == (LAST_GOOD, [])


@pytest.mark.parametrize(
    ("phase", "during", "after"),
    [
        (SECOND, {"files /etc/fstab": "damaged"}, {}),
        (RESTART, {"engine": {}}, {}),
        (BOOT, {"engine": {}}, {}),
    ],
)
def test_what_passes_in_silence_is_no_outcome(phase, during, after):
    ended, wrong = judge.outcome(phase, seen(during, after, lasts=phase != SECOND))
    assert ended == ""
    assert "silence" in wrong[0]


def test_a_run_that_was_to_be_cut_off_and_was_not_is_no_outcome():
    assert judge.outcome(SECOND, seen(cut=True))[1] == ["the run was not cut off"]


@pytest.mark.parametrize("phase", [CHECK, AUDIT])
def test_a_look_that_calls_a_broken_host_good_is_no_outcome(phase):
    assert judge.outcome(phase, seen(lasts=True)) == ("", ["a look passed in silence"])


@pytest.mark.parametrize("phase", [phase for phase in fault_matrix.PHASES if phase != FIRST])
@pytest.mark.parametrize(
    "bad",
    [
        {"volumes": "other"},
        {"layer": "gone"},
        {"under /r/volumes": {"immutable": True, "entries": ["lab"]}},
        {"roots": ["1.1", "2.2"]},
        {"listening": ["tcp *:22", "tcp *:2375"]},
        {"socket": "0666"},
        {"mounts /r/volumes": {"uuid": "9", "read-only": False, "layers": 1}},
        {"invocation": "two", "engine": {**ENGINE, "userns": False}},
        {"files /etc/fstab": "damaged"},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_what_must_never_be_is_no_outcome(phase, bad):
    for told in ({"refused": True}, {"cut": True}, {}):
        ended, wrong = judge.outcome(phase, seen({}, bad, **told))
        assert ended == ""
        assert wrong


@pytest.mark.parametrize(
    "bad",
    [
        {"invocation": "two", "mounts /r/volumes": {"uuid": "9", "read-only": False, "layers": 1}},
        {"invocation": "two", "engine": {**ENGINE, "root": "/elsewhere"}},
        {"under /r/overlay2": {"immutable": False, "entries": ["layer"]}},
        {"roots": ["1.1", "volumes"]},
        {"listening": ["tcp *:22", "tcp *:2375"]},
    ],
    ids=str,
)
def test_nor_while_the_fault_lasts(bad):
    assert judge.outcome(RESTART, seen(bad, refused=True, lasts=True))[0] == ""


def test_a_refused_first_provision_leaves_disks_as_they_are():
    blank = {"engine": {}, "mounts": {}, "under": {}, "roots": [], "disks": {"/dev/loop1": ""}}
    told = seen(refused=True)
    for name in ("before", "during", "after"):
        told[name].update(copy.deepcopy(blank))
    assert judge.outcome(FIRST, told) == (REFUSED, [])
    told["after"]["disks"] = {"/dev/loop1": "gpt"}
    assert judge.outcome(FIRST, told)[0] == ""


def test_a_first_provision_that_went_on_made_a_host():
    told = seen(heals=True)
    told["before"].update(engine={}, roots=[])
    assert judge.outcome(FIRST, told) == (HEALED, [])
    told["after"]["engine"] = {**ENGINE, "userns": False}
    assert judge.outcome(FIRST, told)[0] == ""
