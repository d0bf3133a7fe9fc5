# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Deciding whether existing data has to be moved for a layout, or why it cannot be, before anything is written.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    data_move,
    move_file,
    move_hold,
    move_look,
    trees,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.storage_options import Request
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move as moves
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Move, Place, Root
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Movable, StoragePlan

OPTION = "docker_storage_existing_data"


@dataclasses.dataclass(frozen=True)
class MovePlan:
    """The plan of the filesystems, and the move that belongs to it.

    Attributes:
        journal: of the move, begun by an earlier run or new; None where nothing has to be moved.
        begun: whether an earlier run has begun it.
    """

    storage: StoragePlan
    journal: Journal | None = None
    begun: bool = False

    def problems(self) -> list[Problem]:
        """Return why a move that nobody has begun cannot be; this asks the daemon and measures its data.

        A move that was begun was judged then, and is judged again on its way.
        """
        if self.journal is None or self.begun:
            return []
        move = self.journal.move
        try:
            held = data_move.inventory(Daemon(), move.before)
        except data_move.MoveError as error:
            return [Problem(OPTION, str(error))]
        taken = {step.device: int(step.arguments["size"]) for step in self.storage.steps if step.action == "allocate"}
        aside = [place.path + moves.ASIDE for place in moves.outermost(move.places)]
        found = [*moves.impossible(move, held), *move_look.left_behind(aside), *(move_look.in_the_way(move) if move.changes_root else [])]
        try:
            return [*found, *move_look.obstacles(move, held, self.storage.sizes, taken)]
        except trees.TreeError as error:
            return [*found, Problem(OPTION, str(error))]


def make(request: Request) -> MovePlan:
    """Compute the plan for a request.

    Raises:
        files.FileError: the journal of an earlier run cannot be read.
    """
    if request.problems:
        return MovePlan(request.plan())
    journal = move_file.read()
    begun = journal if journal is not None and journal.unfinished else None
    if begun is None and move_hold.held_by():
        return MovePlan(StoragePlan("", problems=(_forgotten(),)))
    if not request.may_move:
        found = request.plan()
        return MovePlan(found if begun is None else _with_problem(found, _unfinished(begun)))
    try:
        before = data_move.root_now(Daemon())
        if begun is None and not data_move.holds_data(before.path):
            return MovePlan(request.plan())
        after = Root(id_ranges.effective_root(request.data_root, request.mapping), request.data_root, moves.ids_of(request.mapping))
    except (data_move.MoveError, ValueError) as error:
        return MovePlan(StoragePlan("", problems=(Problem(OPTION, str(error)),)))
    if begun is not None and not _belongs(begun.move, before, after):
        return MovePlan(StoragePlan(after.path, problems=(_elsewhere(begun.move, after),)))
    # Kernels may call another disk by the same name after a boot.
    filled = tuple(place.uuid for place in begun.move.places if place.uuid) if begun is not None else ()
    found = request.plan(Movable(before.path, after.path if begun is not None else "", filled))
    if found.problems:
        return MovePlan(found)
    if begun is not None and (not begun.old_counts or (begun.move.changes_root and before.path == after.path)):
        # The daemon has its new place already, and what is left to do follows from the journal alone.
        return MovePlan(found, begun, True)
    places = tuple(
        Place(target.name, target.mount_point, target.device, target.fstype, target.options, target.source, target.uuid)
        for target in found.targets
        if target.moves
    )
    move = Move(before, after, places)
    others = _other_filesystems(begun.move, places) if begun is not None else []
    if others:
        return MovePlan(StoragePlan(after.path, problems=tuple(others)))
    if begun is None and not places and not move.changes_root:
        return MovePlan(found)
    if any(target.name == "containerd" and not target.mounted for target in found.targets):
        return MovePlan(StoragePlan(after.path, problems=(_containerd(),)))
    if begun is not None:
        return MovePlan(found, dataclasses.replace(begun, move=move), True)
    return MovePlan(found, Journal(move_journal.COPYING, move))


def _belongs(move: Move, before: Root, after: Root) -> bool:
    return move.after.path == after.path and before.path in (move.before.path, move.after.path)


def _other_filesystems(move: Move, places: t.Sequence[Place]) -> list[Problem]:
    """Refuse to go on where another filesystem stands than the one that the move has begun to fill."""
    known = {place.name: place.uuid for place in move.places}
    return [
        Problem(
            place.device,
            f"has the filesystem {place.uuid} for {place.name}, but the move that is not finished was filling {known[place.name]}; "
            "attach the disk that it was begun with, or name the device that it has now",
        )
        for place in places
        if place.uuid and known.get(place.name) and place.uuid != known[place.name]
    ]


def _with_problem(found: StoragePlan, problem: Problem) -> StoragePlan:
    return StoragePlan(found.effective_root, problems=(*found.problems, problem))


def _unfinished(journal: Journal) -> Problem:
    return Problem(move_file.PATH, f"tells of a move {journal.move.describe()} that is not finished; run with {OPTION}: move to finish it")


def _forgotten() -> Problem:
    return Problem(
        move_file.PATH,
        f"tells of no unfinished move, but {move_hold.held_by()} keeps Docker from starting because of one; put the note back, or see which place of "
        f"the data is whole (a directory called *{moves.ASIDE} is, and belongs in the place of its name without that), and remove the drop-in",
    )


def _containerd() -> Problem:
    return Problem(
        "containerd",
        "would get a filesystem under its feet, because it runs on while Docker's data is copied; leave it out of the layout in the run that moves the data, "
        "and add it in the next",
    )


def _elsewhere(move: Move, after: Root) -> Problem:
    return Problem(
        move_file.PATH,
        f"tells of a move {move.describe()} that is not finished, but {after.path} is asked for; finish it with the settings that it was begun with",
    )
