# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest's file: read with suspicion, written atomically, for root only.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import os
import stat

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import live, manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files

MODE = 0o600
DIRECTORY_MODE = 0o700
_MACHINE_ID = "/etc/machine-id"


@dataclasses.dataclass(frozen=True)
class Found:
    """What lies at the manifest's path.

    Attributes:
        manifest: the manifest; None where there is none that can be used.
        name: of the difference that says so, empty where there is one; see drift/live.py.
        problem: why not, as the rest of a sentence that begins with the path.
        text: as it was read, None where it was not.
        exposed: its mode and owner where they are others than ours, as ``0644 1000:1000``; empty where they are ours.
        changed_at: when the file was last changed, in seconds since the epoch; None where there is none.
        written_at: when its content was last written, or confirmed by a run without work.
    """

    manifest: Manifest | None = None
    name: str = ""
    problem: str = ""
    text: str | None = None
    exposed: str = ""
    changed_at: float | None = None
    written_at: float | None = None


def read(path: str = manifest.PATH, machine: str | None = None) -> Found:
    """Return the manifest of this host, or why there is none that can be used. Never raises for what lies there.

    Args:
        machine: the id of this machine; None asks the host.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return Found(name=live.MISSING, problem="does not exist, so nobody knows how the host was left")
    except OSError as error:
        return Found(name=live.DAMAGED, problem=f"cannot be looked at: {error.strerror}")
    changed_at = status.st_ctime
    author = _other_author(path, status)
    if author:
        return Found(name=live.EXPOSED, problem=author, changed_at=changed_at, exposed=author)
    exposed = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}"
    exposed = "" if (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (MODE, os.geteuid(), os.getegid()) else exposed
    try:
        text = files.read_text(path, manifest.LIMIT)
        parsed = manifest.parse(text or "")
    except files.FileError as error:
        return Found(name=live.DAMAGED, problem=str(error).replace(f"{path} ", "", 1), changed_at=changed_at)
    except manifest.ManifestError as error:
        return Found(name=live.DAMAGED, problem=str(error), changed_at=changed_at, exposed=exposed)
    if parsed.machine != (machine_id() if machine is None else machine):
        return Found(name=live.FOREIGN, problem="was written on another machine", text=text, changed_at=changed_at, exposed=exposed)
    return Found(parsed, "", "", text, exposed, changed_at, status.st_mtime)


def write(text: str, path: str = manifest.PATH) -> None:
    """Replace the manifest; something else than a file in its place is moved aside, never written through."""
    directory = os.path.dirname(path)
    files.ensure_directory(directory, mode=DIRECTORY_MODE)
    if _writable_by_others(os.lstat(directory)):
        os.chown(directory, os.geteuid(), os.getegid())
        os.chmod(directory, DIRECTORY_MODE)
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        _put_aside(path)
    files.write_text(path, text, mode=MODE)


def confirm(path: str = manifest.PATH) -> None:
    """Note that a run found the host as the manifest says, without changing a byte of it."""
    os.utime(path, follow_symlinks=False)


def machine_id() -> str:
    """Return systemd's id of this machine, which an image that is copied must not carry (machine-id(5)); empty without one."""
    return (files.read_text(os.path.realpath(_MACHINE_ID)) or "").strip()


def _other_author(path: str, status: os.stat_result) -> str:
    """Return how others than root may have written what lies here, empty where they may not: then it must not be believed."""
    if stat.S_ISREG(status.st_mode) and _writable_by_others(status):
        return f"has mode {stat.S_IMODE(status.st_mode):04o} and owner {status.st_uid}:{status.st_gid}, so others than root may have written it"
    directory = os.path.dirname(path)
    above = os.stat(directory)
    if _writable_by_others(above):
        return f"lies in {directory}, where others than root may put files (mode {stat.S_IMODE(above.st_mode):04o}, owner {above.st_uid}:{above.st_gid})"
    return ""


def _writable_by_others(status: os.stat_result) -> bool:
    return status.st_uid not in (0, os.geteuid()) or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _put_aside(path: str) -> None:
    for number in range(100):
        aside = f"{path}.aside.{number}"
        if not os.path.lexists(aside):
            try:
                os.rename(path, aside)
            except OSError as error:
                raise files.FileError(f"{path} is not a regular file and cannot be moved aside: {error.strerror}") from error
            return
    raise files.FileError(f"{path} is not a regular file, and a hundred like it were moved aside already; remove them")
