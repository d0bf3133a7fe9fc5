# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The file in which a move of Docker's data says where it stands.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os

from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal

PATH = "/var/lib/bulkhead/move.json"


def read(path: str = PATH) -> Journal | None:
    """Return what an earlier run noted, or None where nothing was ever moved.

    Raises:
        files.FileError: the file is there and cannot be read or understood.
    """
    text = files.read_text(path)
    if text is None:
        return None
    try:
        return move_journal.parse(text, path)
    except move_journal.JournalError as error:
        raise files.FileError(str(error)) from error


def write(journal: Journal, path: str = PATH) -> None:
    """Note where the move stands; the file is whole at any moment, and only root can read it."""
    files.ensure_directory(os.path.dirname(path), mode=0o700)
    files.write_text(path, move_journal.render(journal), mode=0o600)


def leads(old: str, new: str, path: str = PATH) -> bool:
    """Tell whether everything of one root was copied to another and compared, and the daemon has not run since."""
    journal = read(path)
    if journal is None or not journal.unfinished or journal.phase == move_journal.COPYING or journal.phase == move_journal.STOPPED:
        return False
    return (journal.move.before.path, journal.move.after.path) == (old, new)


def removable(journal: Journal | None) -> list[str]:
    """Return what a finished move has left of the old tree."""
    if journal is None or journal.phase != move_journal.DONE:
        return []
    return [path for path in journal.old if os.path.lexists(path)]
