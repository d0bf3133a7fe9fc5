# SPDX-License-Identifier: Apache-2.0
"""What happened on the hosts, and the cases that it has to be compared with."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import typing as t

import yaml

ENGINES = ("bookworm", "trixie", "forky")
_SCENARIO = pathlib.Path(__file__).resolve().parents[1]


def cases(kind: str) -> list[tuple[str, dict[str, t.Any]]]:
    """Return each case of a kind, bad or good, with each engine that it is for."""
    listed = yaml.safe_load((_SCENARIO / "files" / f"{kind}.yml").read_text(encoding="utf-8"))
    return [(engine, case) for case in listed for engine in case.get("engines", ENGINES)]


@functools.cache
def of(engine: str) -> dict[str, t.Any]:
    """Return everything that a host reported."""
    directory = pathlib.Path(os.environ["LAB_RUNS"]).parent
    return json.loads((directory / f"configurations-{engine}.json").read_text(encoding="utf-8"))


def record(kind: str, engine: str, case: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what happened in one case; the test fails when the case did not run to its end."""
    found = of(engine)[kind][case["name"]]
    assert "crashed" not in found, found["crashed"]
    return found


def identifier(value: object) -> str:
    """Return the name of a parameter of a test."""
    return value if isinstance(value, str) else value["name"].replace(" ", "-")
