# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Running the host's own tools: always an argument vector, never a shell, always with a time limit.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandError(Exception):
    """A command could not be run, failed or took too long; the message holds its words and its last output."""


class CommandResult(t.NamedTuple):
    """What a finished command left: its exit status and both outputs as text."""

    rc: int
    stdout: str
    stderr: str


def find(name: str) -> str | None:
    """Return the path of a tool, looking in the system's directories whatever the caller's PATH says."""
    return shutil.which(name, path=_SYSTEM_PATH)


def run(arguments: t.Sequence[str], timeout: float = 60, check: bool = True, stdin: str | None = None, cwd: str | None = None) -> CommandResult:
    """Run a tool and wait for it.

    Args:
        arguments: the program and its arguments, passed to it unchanged.
        timeout: seconds after which it is killed.
        check: raise when the exit status is not 0.
        stdin: text given to it; without any it reads an empty input.
        cwd: the directory it runs in.

    Raises:
        CommandError: the tool is missing, timed out, or failed while check is set.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "", "PATH": _SYSTEM_PATH}
    try:
        # AnsibleModule.run_command knows no time limit.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(arguments),
            input=(stdin or "").encode("utf-8", "surrogateescape"),
            capture_output=True,
            env=environment,
            timeout=timeout,
            check=False,
            cwd=cwd,
        )
    except FileNotFoundError as error:
        raise CommandError(f"{arguments[0]} is not installed on this host") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"'{' '.join(arguments)}' did not finish within {timeout:g} seconds") from error
    except OSError as error:
        raise CommandError(f"'{' '.join(arguments)}' cannot be run: {error.strerror}") from error
    # As bytes, because Python's text mode would make a line of each carriage return, and names may hold some.
    stdout, stderr = (printed.decode("utf-8", "replace") for printed in (done.stdout, done.stderr))
    if check and done.returncode != 0:
        said = (stderr.strip() or stdout.strip() or "it printed nothing").splitlines()[-1]
        raise CommandError(f"'{' '.join(arguments)}' failed with status {done.returncode}: {said}")
    return CommandResult(done.returncode, stdout, stderr)
