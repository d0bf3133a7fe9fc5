# SPDX-License-Identifier: Apache-2.0
"""What a run of checks found, and what it could not run."""

from __future__ import annotations

import dataclasses
import os
import re

from shell import log_path, say, show_tail

PYTEST_COUNT = re.compile(r"\b(\d+) (passed|failed|errors?)\b")
PYTEST_FAILURE = re.compile(r"^[│ ]*((?:FAILED|ERROR) \S+::.*?)[│ ]*$", re.MULTILINE)
NAMED_FAILURES = 20


@dataclasses.dataclass
class Result:
    name: str
    ok: bool
    seconds: str
    passed: int = 1
    failed: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if self.ok:
            self.failed = 0
        else:
            self.failed = max(self.failed, 1)
            self.passed = min(self.passed, 0) if self.passed == 1 else self.passed


@dataclasses.dataclass
class Report:
    results: list[Result] = dataclasses.field(default_factory=list)
    not_run: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    failed_tests: list[str] = dataclasses.field(default_factory=list)

    def add(self, result: Result, log: str, failure: str | None = None) -> None:
        """Report a result; failure is the text in the log after which only cleaning up follows."""
        self.results.append(result)
        if not result.ok:
            show_tail(log, before=failure)
            self.failed_tests += pytest_failures(log)
        verdict = "ok" if result.ok else "FAILED"
        note = f", {result.note}" if result.note else ""
        where = "" if result.ok else f", see {log_path(log)}"
        say(f"{result.name:<40} {verdict} ({result.seconds}{note}{where})")

    def skip(self, what: str, reason: str) -> None:
        self.not_run.append((what, reason))

    def close(self) -> int:
        """Print what did not run and the sum; the exit code."""
        strict = os.environ.get("CI", "").lower() in ("1", "true")
        for what, reason in self.not_run:
            say(f"not run here: {what}: {reason}")
        # The tail of a log may be cut off before the test's name, and who reads only the end still wants to know it.
        for line in self.failed_tests[:NAMED_FAILURES]:
            say(line)
        if len(self.failed_tests) > NAMED_FAILURES:
            say(f"and {len(self.failed_tests) - NAMED_FAILURES} more")
        passed = sum(result.passed for result in self.results)
        failed = sum(result.failed for result in self.results) + (len(self.not_run) if strict else 0)
        if self.not_run and strict:
            say("With CI=true each check that did not run counts as failed.")
        say(f"{passed} passed, {failed} failed")
        return 1 if failed or not passed else 0


def pytest_failures(log: str) -> list[str]:
    """The tests that a log's summaries call failed, each with pytest's reason."""
    return PYTEST_FAILURE.findall(log_path(log).read_text(encoding="utf-8", errors="replace"))


def pytest_counts(log: str) -> tuple[int, int, str]:
    """Passed, failed and the closing line of the last pytest run in a log."""
    lines = log_path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    for line in reversed(lines):
        found = PYTEST_COUNT.findall(line)
        if found and " in " in line:
            passed = sum(int(number) for number, kind in found if kind == "passed")
            failed = sum(int(number) for number, kind in found if kind != "passed")
            return passed, failed, line.strip("│= \t")
    return 0, 0, ""
