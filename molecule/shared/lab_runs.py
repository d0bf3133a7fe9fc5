# SPDX-License-Identifier: Apache-2.0
"""What the playbook runs of a scenario did, for its tests: `from lab_runs import runs, changed_tasks, module_runs`."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import typing as t

Record = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Run:
    """One playbook run; action is prepare, check, side_effect, converge, idempotence or another playbook's name."""

    number: int
    action: str
    check: bool
    records: tuple[Record, ...]


def _load(path: pathlib.Path) -> Run:
    first, *records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    number, action = path.stem.split("-", 1)
    return Run(int(number), action, first["check"], tuple(records))


def runs(action: str | None = None) -> list[Run]:
    """The runs since the hosts were created, in order; with an action, only those."""
    directory = pathlib.Path(os.environ["LAB_RUNS"])
    return [run for run in map(_load, sorted(directory.glob("*.jsonl"))) if action in (None, run.action)]


def last(action: str) -> Run:
    """The last run of an action; fails when there is none, so that no test passes on nothing."""
    found = runs(action)
    if not found:
        raise LookupError(f"The scenario recorded no {action!r} run; it has {[run.action for run in runs()]}.")
    return found[-1]


def _select(run: Run, kind: str, host: str | None) -> list[Record]:
    return [record for record in run.records if record["type"] == kind and host in (None, record["host"])]


def tasks(run: Run, host: str | None = None) -> list[Record]:
    return _select(run, "task", host)


def changed_tasks(run: Run, host: str | None = None) -> list[Record]:
    return [task for task in tasks(run, host) if task["changed"]]


def module_runs(run: Run, host: str | None = None) -> list[Record]:
    """Each module that really ran, in loops and inside actions such as template as well; delegated ones included."""
    return _select(run, "module", host)


def transfers(run: Run, host: str | None = None) -> list[Record]:
    """Files sent to a host besides modules, as copy and template do."""
    return _select(run, "transfer", host)
