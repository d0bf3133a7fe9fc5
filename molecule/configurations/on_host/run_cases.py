# SPDX-License-Identifier: Apache-2.0
"""Gives one configuration after the other to docker_daemon_config on this host, and writes what happened.

    run_cases HOST OUTPUT [PATTERN]

HOST is its name in the lab. OUTPUT gets one record for each of its cases whose name fits the pattern; judging them is the
tests' business.
"""

from __future__ import annotations

import json
import pathlib
import pkgutil
import re
import sys
import time
import traceback
import typing as t

import effects
import module_runs
import naive
import preparations
import witness

Record = dict[str, t.Any]


def settings_of(case: dict[str, t.Any], base: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the good settings with what is special in a case; features are switched one by one."""
    special = case.get("settings", {})
    settings = {**{key: value for key, value in base.items() if key not in case.get("without", [])}, **special}
    if "features" in special:
        settings["features"] = {**base.get("features", {}), **special["features"]}
    return settings


def bad_case(case: dict[str, t.Any], base: dict[str, t.Any], watched: witness.Witness) -> Record:
    """Run one case that must not come through, and look what it left."""
    kept = witness.memory()
    daemon = witness.daemon_property("MainPID")
    watched.stand_by()
    with preparations.prepared(case):
        before = witness.files()
        answer = module_runs.configure(settings=settings_of(case, base), **case.get("arguments", {}))
        record: Record = {"answer": answer, "files": {"before": before, "after": witness.files()}}
        record["same_daemon"] = witness.daemon_property("MainPID") == daemon
        record["complaints"] = watched.complaints()
    broken = watched.broken_streams()
    if witness.daemon_property("ActiveState") != "active":
        preparations.recover()
    following = module_runs.configure(settings=base)
    record["following"] = {name: following.get(name) for name in ("changed", "action", "msg", "warnings")}
    now = witness.memory()
    record["memory"] = {name: [kept.get(name), now.get(name)] for name in kept if name not in ("good",)}
    record["broken"] = broken
    return record


def good_case(case: dict[str, t.Any], base: dict[str, t.Any], watched: witness.Witness) -> Record:
    """Run one case that must come through, look whether it works, and run it again."""
    watched.stand_by()
    started = time.time()
    daemon = witness.daemon_property("MainPID")
    with preparations.prepared(case):
        arguments = {"settings": settings_of(case, base), **case.get("arguments", {})}
        predicted = module_runs.configure(check=True, **arguments)
        answer = module_runs.configure(**arguments)
        record: Record = {"answer": answer, "predicted": {name: predicted.get(name) for name in ("changed", "action", "changes", "msg")}}
        record["same_daemon"] = witness.daemon_property("MainPID") == daemon
        record["broken"] = watched.broken_streams()
        record["complaints"] = watched.complaints()
        record["effects"] = effects.differing(case.get("shows", {}), started, answer)
        again = module_runs.configure(**arguments)
        if case.get("alone"):
            module_runs.configure(settings=base)
    record["again"] = {name: again.get(name) for name in ("changed", "action", "msg", "changes")}
    return record


def main(host: str, output: str, pattern: str = "") -> None:
    given = json.loads(pkgutil.get_data(witness.__name__, "cases.json") or b"")
    base = module_runs.base_settings()
    module_runs.configure(settings=base)
    watched = witness.Witness()
    records: dict[str, dict[str, Record]] = {"bad": {}, "good": {}}
    for kind, run in (("bad", bad_case), ("good", good_case)):
        for case in given[kind]:
            if host not in case.get("engines", [host]) or not re.search(pattern, case["name"]):
                continue
            begun = time.monotonic()
            try:
                record = run(case, base, watched)
            except Exception:
                record = {"crashed": traceback.format_exc()}
            record["seconds"] = round(time.monotonic() - begun, 1)
            records[kind][case["name"]] = record
            # Whoever stops the run has what was found until then.
            pathlib.Path(output).write_text(json.dumps(records), encoding="utf-8")
    following = module_runs.configure(settings=base)
    records["end"] = {
        "following": following,
        "again": module_runs.configure(settings=base),
        "complaints": watched.complaints(),
        "opened": watched.opened,
        "slowest": {name: round(stream.slowest, 2) for name, stream in watched.streams.items()},
        "returned": {name: stream.returned for name, stream in watched.streams.items()},
    }
    if not pattern:
        records["naive"] = naive.run(base, watched)
    pathlib.Path(output).write_text(json.dumps(records), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
