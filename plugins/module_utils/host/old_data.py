# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a move has left in the old place: it stays until it is asked to go.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import stat

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, data_move, files, mounts, move_file
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_socket import EngineError
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal


def expect_unused(host: Daemon) -> None:
    """See that the daemon uses what a finished move has moved to; nothing is changed.

    Raises:
        MoveError: it does not, or uses what is to go.
    """
    journal = move_file.read()
    paths = move_file.removable(journal)
    if journal is None or not paths:
        return
    now = data_move.root_now(host).path
    try:
        used = {now, data_move.control(host).root()} if host.unit().active else {now}
    except EngineError as error:
        raise data_move.MoveError(f"the old data is not removed, because the daemon does not say where it keeps its data now: {error}") from error
    elsewhere = sorted(path for path in used if os.path.realpath(path) != os.path.realpath(journal.move.after.path))
    if elsewhere:
        raise data_move.MoveError(
            f"what was moved {journal.move.describe()} is not removed there, because the daemon uses {elsewhere[0]}, so the old data may be "
            f"what counts; let it use {journal.move.after.path} again, or remove what is not needed by hand"
        )
    for path in paths:
        if f"{now}/".startswith(f"{path}/"):
            raise data_move.MoveError(f"{path} is not removed, because the daemon uses {now}, which lies in it")


def remove(host: Daemon) -> list[str]:
    """Remove what a finished move has left of the old tree, and return what was removed.

    Raises:
        MoveError: the daemon uses it, or does not use what it was moved to, or something is mounted in it.
    """
    journal = move_file.read()
    if journal is None or not move_file.removable(journal):
        return []
    expect_unused(host)
    gone = []
    for path in move_file.removable(journal):
        _unmount_old(path, journal)
        left = [mount.target for mount in mounts.mountinfo() if f"{mount.target}/".startswith(f"{path}/")]
        if left:
            raise data_move.MoveError(f"{path} is not removed, because {left[0]} is mounted in it; unmount that first")
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            files.remove(path)
        gone.append(path)
    if gone:
        if journal.move.before.ids is not None:
            # Nobody else has a directory of that name.
            with contextlib.suppress(OSError):
                os.rmdir(journal.move.before.path)
        move_file.write(dataclasses.replace(journal, phase=move_journal.REMOVED, old=()))
    return gone


def _unmount_old(path: str, journal: Journal) -> None:
    """Unmount what was mounted in the old root before the move, and forget it; its filesystem keeps what it holds."""
    inside = [point for point in journal.mounts if f"{point}/".startswith(f"{path}/")]
    for point in sorted(inside, key=len, reverse=True):
        if mounts.is_mount_point(point):
            commands.run(["umount", "--", point], timeout=120)
        mounts.drop_fstab_line(point)
        commands.run(["chattr", "-i", "--", point], check=False)
