# SPDX-License-Identifier: Apache-2.0
"""Running commands: quiet when all goes well, the log's tail when not."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOGS = VENV / "logs"
TAIL_LINES = 40


class ToolError(Exception):
    """One sentence for the person at the terminal."""


def say(text: str) -> None:
    print(text, flush=True)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> t.Iterator[None]:
    """Two make targets may run at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def log_path(name: str) -> pathlib.Path:
    LOGS.mkdir(parents=True, exist_ok=True)
    return LOGS / f"{name}.log"


def run_logged(
    name: str, command: t.Sequence[str | pathlib.Path], env: dict[str, str] | None = None, cwd: pathlib.Path = ROOT, append: bool = False
) -> int:
    with open(log_path(name), "ab" if append else "wb") as log:
        log.write(f"$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        return subprocess.run(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env, cwd=cwd, check=False
        ).returncode


def show_tail(name: str, lines: int = TAIL_LINES, before: str | None = None) -> None:
    """Print the end of a log; with before, the lines that lead to the last line holding that text."""
    text = log_path(name).read_text(encoding="utf-8", errors="replace").splitlines()
    ends = [number for number, line in enumerate(text, 1) if before and before in line]
    text = text[: ends[-1]] if ends else text
    print("\n".join(f"    {line}" for line in text[-lines:]), file=sys.stderr, flush=True)


def must(name: str, what: str, command: t.Sequence[str | pathlib.Path], env: dict[str, str] | None = None, cwd: pathlib.Path = ROOT) -> None:
    """Run a step that nothing else can do without."""
    if run_logged(name, command, env, cwd):
        show_tail(name)
        raise ToolError(f"{what} failed; the whole log is {log_path(name).relative_to(ROOT)}.")


def output(*command: str) -> str | None:
    """What a command prints, or nothing if it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def without_shims() -> list[str]:
    """PATH without pyenv's shims: they exist for interpreters that they then refuse to run."""
    return [directory for directory in os.environ.get("PATH", "").split(os.pathsep) if not directory.endswith("/.pyenv/shims")]


class Timer:
    def __init__(self) -> None:
        self.start = time.monotonic()

    def __str__(self) -> str:
        return f"{time.monotonic() - self.start:.0f} s"
