# SPDX-License-Identifier: Apache-2.0
"""What the three engines did with the cases of this scenario, and what the model says about each."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_config, daemon_json, versions
from cases import Case

HOSTS = ("oldstable", "stable", "testing")
#: What can become of a configuration.
EFFECTIVE, IGNORED, REFUSED = "effective", "ignored", "refused"


@dataclasses.dataclass(frozen=True)
class Reality:
    """Everything that one engine did."""

    name: str
    result: dict[str, t.Any]

    @property
    def version(self) -> versions.Version:
        return versions.parse(versions.reported(self.result["version"]) or "")

    def start(self, case: Case) -> dict[str, t.Any]:
        return self.result["starts"][self.result["cases"][case.name]["start"]]

    def of(self, case: Case) -> str:
        """Return what became of a case: EFFECTIVE, IGNORED or REFUSED."""
        start = self.start(case)
        if not start["serves"]:
            return REFUSED
        return EFFECTIVE if case.effect(start["seen"]) else IGNORED

    def words(self, case: Case) -> str:
        return self.start(case).get("words", "")[-300:].strip()

    def context(self) -> daemon_config.Context:
        """Return what the model is told about the host, as the module would gather it."""
        seen = next(start["seen"]["info"] for start in self.result["starts"] if start["serves"])
        return daemon_config.Context(cgroup_version=int(seen["CgroupVersion"]))

    def verdict(self, case: Case) -> list[str]:
        """Return why the model refuses a case on this engine."""
        try:
            if case.text is None:
                config = json.loads(json.dumps(case.config).replace("{dir}", "/scratch"))
            else:
                text = daemon_json.decode(case.text.encode("latin-1"))
                reason = daemon_json.unreadable(text, self.version)
                if reason:
                    return [reason]
                config = daemon_json.parse(text)
        except daemon_json.DaemonJsonError as error:
            return [str(error)]
        return [str(problem) for problem in daemon_config.problems(config, self.version, self.context())]


@functools.lru_cache
def reality(name: str) -> Reality:
    place = pathlib.Path(os.environ["LAB_RUNS"]).parent
    return Reality(name, json.loads(place.joinpath(f"schema-{name}.json").read_text(encoding="utf-8")))
