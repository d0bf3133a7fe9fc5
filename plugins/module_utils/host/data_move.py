# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Moving what a daemon holds: copy while it serves, stop it, copy the rest, compare, switch, start again what ran.

PRIVATE to the collection: no stability is promised to other users.

Until everything was compared the old place counts, and the daemon goes back to it whatever happens. From the switch on the
new one counts, and whoever comes next goes forward. In between the daemon is kept from starting by a drop-in: one below
/run while the old place is whole, so that a boot finds Docker as it was; one below /etc while it is not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json, id_ranges
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem, summary
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon_facts,
    docker_data,
    files,
    locks,
    managed_files,
    mount_points,
    mounts,
    move_file,
    move_hold,
    move_look,
    processes,
    storage,
    subid_files,
    systemd,
    tree_copy,
    tree_notes,
    tree_verify,
    trees,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import SOCKET_UNIT, UNIT, Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_control import EngineControl, socket_path
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_socket import EngineError
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard, move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move as moves
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Move, Root, Tree
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target

STAGING = moves.STAGING
LOCK_FILE = "/var/lib/bulkhead/move.lock"
#: What is known of the contents of files, so that no pass reads again what did not change.
NOTES = "/var/lib/bulkhead/move-hashes"
#: How long a daemon without containers may take to stop, and to serve, in seconds.
_STOPPING = 120.0
_STARTING = 180.0
#: How long what was started may need to fail, in seconds.
_SETTLING = 2.0
#: How often a person who reads the journal sees the copy advance, in seconds.
_TELLING = 2.0
# A container that others lean on may need a moment to be there for them.
_ROUNDS = 3
# How long what watches over a container may outlive it, in seconds.
_ENDING = 5
_HOST_CONFIG = "hostconfig.json"


class MoveError(Exception):
    """The move cannot go on; the message is for the user and says in which place Docker's data is."""


#: What may come up on the way and leaves the old place in force.
FAILURES = (MoveError, EngineError, trees.TreeError, commands.CommandError, files.FileError, OSError)


class Refused(MoveError):
    """Nothing was begun.

    Attributes:
        problems: all reasons.
    """

    def __init__(self, reasons: t.Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(reasons))
        super().__init__(summary(self.problems))


def root_now(host: Daemon) -> Root:
    """Return where the daemon keeps its data, as its file, its unit and the id files say.

    Raises:
        MoveError: that is not to be known.
    """
    try:
        config = daemon_json.parse(host.read_files().config or "")
    except daemon_json.DaemonJsonError as error:
        raise MoveError(f"{host.config_file} cannot be read, so nobody knows where Docker's data is: {error}") from error
    flags = host.unit().flags
    base = daemon_facts.data_root(config, flags)
    user = str(config.get("userns-remap") or [*flags.get("userns-remap", []), ""][0]).partition(":")[0]
    mapping = subid_files.mapping_of("dockremap" if user == "default" else user) if user else None
    if user and mapping is None:
        raise MoveError(f"userns-remap names {user}, who has no id ranges, so nobody knows where Docker's data is")
    try:
        return Root(id_ranges.effective_root(base, mapping), "/" + base.strip("/"), moves.ids_of(mapping))
    except ValueError as error:
        raise MoveError(f"the user {user} of userns-remap {error}, so ids cannot be shifted") from error


def control(host: Daemon) -> EngineControl:
    """Return the way to the daemon's containers."""
    return EngineControl(socket_path(host.address()))


def inventory(host: Daemon, before: Root) -> moves.Inventory:
    """Ask the daemon what it holds.

    Raises:
        MoveError: it does not say, or it serves from another root than its file says.
    """
    engine = control(host)
    try:
        root = engine.root()
        if os.path.realpath(root) != os.path.realpath(before.path):
            raise MoveError(f"the daemon serves from {root}, but its files say {before.path}; restart it first")
        return engine.inventory()
    except EngineError as error:
        raise MoveError(f"the daemon does not say what it holds: {error}; start docker.service first") from error


class Mover:
    """One move on one host.

    Args:
        host: the daemon.
        journal: as it is on the host, or a new one.
        targets: all filesystems of the layout, for the guards; only a move within the root needs them.
        immutable: whether bare mount points are made immutable.
    """

    def __init__(self, host: Daemon, journal: Journal, targets: t.Sequence[Target] = (), immutable: bool = True) -> None:
        self._host = host
        self._journal = journal
        self._targets = targets
        self._immutable = immutable
        self._told = 0.0
        self._seen = tree_notes.HashNotes.load(NOTES)
        self._staged: dict[str, str] = {}
        self.warnings: list[str] = []

    @property
    def move(self) -> Move:
        """What is moved."""
        return self._journal.move

    # Steps ---------------------------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Copy everything while the daemon serves; what changes meanwhile is copied again later.

        Raises:
            MoveError: something lies there that cannot be moved, or there is no room; the daemon was not touched.
        """
        self.expect_the_old_root()
        if self._journal.phase != move_journal.COPYING or self._journal.running or move_hold.held_by():
            # A run was killed after it had stopped what ran, which may rest only for the last part.
            said = self.back()
            if not self._host.unit().active:
                raise MoveError(said)
        held = inventory(self._host, self.move.before)
        found = moves.impossible(self.move, held)
        if found:
            raise Refused(found)
        noted = move_file.read()
        if not _begun(noted):
            self._expect_room_of_its_own()
            self.warnings += [
                f"An earlier move has left {path}, which docker_storage_old_data does not know of any more after this one; remove it by hand."
                for path in move_file.removable(noted)
            ]
            self.warnings += move_look.powerless(self.move, self._targets)
        self.warnings += moves.warnings(self.move, held)
        if self._journal.phase != move_journal.COPYING or not self._journal.mounts:
            self._note(phase=move_journal.COPYING, mounts=self._mounts_in_the_old_root())
        self._note()
        self._copy_all()

    def expect_the_old_root(self) -> None:
        """See that what would be copied is what counts.

        Raises:
            MoveError: the daemon's files name another root, which somebody has given it meanwhile.
        """
        now = root_now(self._host).path
        if os.path.realpath(now) != os.path.realpath(self.move.before.path):
            raise MoveError(
                f"{self._host.config_file} has the daemon use {now}, but a move {self.move.describe()} has only begun ({move_file.PATH}) and would go on "
                f"with what lies in {self.move.before.path}; let the daemon use that again, or move the note away if that data is given up"
            )

    def settle(self) -> None:
        """Stop the daemon, copy what changed since, and compare everything.

        Raises:
            MoveError, commands.CommandError, files.FileError, OSError: it did not come to that; the old place counts, and back() brings the daemon back.
        """
        if self._host.unit().active:
            self._copy_all()
            # What is compared now need not be read again while nothing runs.
            self._compare(final=False)
            self._stop_containers()
        self._stop_daemon()
        self._expect_nothing_to_hide()
        self._copy_all()
        self._compare(final=True)
        if self.move.changes_root:
            self._settle_new_root()
        os.sync()
        # Listed now: what comes to lie there later was not copied.
        self._note(phase=move_journal.VERIFIED, old=self._old(), progress="everything was copied and compared")

    def switch(self) -> None:
        """Let the filesystems take the places of the directories; a move to another root is switched by daemon.json.

        Also goes on with a switch that was begun.
        """
        move_hold.take(move_hold.LASTING)
        if self._journal.phase != move_journal.STARTED:
            self._note(phase=move_journal.SWITCHING, old=tuple(place.path + moves.ASIDE for place in moves.outermost(self.move.places)))
        self._unstage()
        for place in moves.outermost(self.move.places):
            aside = place.path + moves.ASIDE
            if not os.path.lexists(aside) and not mounts.is_mount_point(place.path):
                os.rename(place.path, aside)
                files.sync_directory(os.path.dirname(place.path))
        for target in self._targets:
            mounts.write_fstab_line(target.source, target.mount_point, target.fstype, target.options)
        # Also takes the empty lost+found away, which dockerd would list as a volume.
        points = mount_points.MountPoints(predict=False, immutable=self._immutable)
        gid = self.move.after.ids[0] if self.move.after.ids else 0
        points.converge(self._targets, [(path, gid) for path in dict.fromkeys((self.move.after.data_root, self.move.after.path))])
        self.warnings += points.warnings
        # From here on these keep the daemon from starting without its filesystems, so the hold can go.
        changed = managed_files.differences(guard.files(self._targets))
        if changed:
            managed_files.apply(changed)
        move_hold.release()
        if not self._host.start(_STARTING):
            raise MoveError(
                f"everything was moved {self.move.describe()}, but the daemon does not start there: {self._host.journal_reason()}; "
                f"the old data is kept in {', '.join(self._journal.old)}"
            )

    def finish(self) -> None:
        """See that everything is there, and start what ran before.

        Raises:
            MoveError: something is missing or does not start; the next run looks again.
        """
        engine = control(self._host)
        self._note(progress="the daemon serves from the new place")
        try:
            self._await(engine)
            held = engine.inventory()
        except EngineError as error:
            raise MoveError(f"the daemon does not say what it holds in the new place: {error}") from error
        there = {
            "containers": [found.identifier for found in held.containers],
            "images": list(held.images),
            "volumes": [volume.name for volume in held.volumes],
        }
        lost = [f"{kind[:-1]} {name}" for kind in there for name in moves.missing(getattr(self._journal, kind), there[kind])]
        # Once all was there, what is not there any more was removed by a person.
        if lost and self._journal.phase != move_journal.STARTED:
            raise MoveError(
                f"the daemon does not find {', '.join(lost[:5])} in the new place, {self.move.after.path}; the old data is kept "
                f"in {self.move.before.path}, and {move_file.PATH} says how it was moved"
            )
        self._note(phase=move_journal.STARTED)
        self._forget_old_guards()
        self._give_back_restart_policies(engine)
        failed = self._start_containers(engine)
        if failed:
            raise MoveError(f"everything was moved {self.move.describe()}, but {failed}; mend that and run again")
        self._look_inside(engine)
        self._note(phase=move_journal.DONE, running=(), progress="")
        files.remove(NOTES)
        with contextlib.suppress(OSError):
            os.rmdir(STAGING)

    def back(self) -> str:
        """Let the daemon serve from the old place again, with all containers that ran; return that in words."""
        with contextlib.suppress(MoveError):
            if self.move.changes_root and self.new_counts():
                # What went wrong has left daemon.json as it was to become.
                return f"{self._host.config_file} has Docker use {self.move.after.path} all the same, where everything was compared; run again to go on there"
        where = f"The data is where it was, in {self.move.before.path}"
        if not _begun(move_file.read()):
            # Nor may it look so to the next run, which would not ask any more what lies where it copies to.
            with contextlib.suppress(commands.CommandError):
                self._unstage()
            return f"{where}, and nothing was begun"
        # From here on containers may write again, so what was compared is not known to be the same any more. What failed may have
        # been a full disk, or somebody in the filesystem: neither may keep Docker down.
        with contextlib.suppress(files.FileError):
            self._note(phase=move_journal.COPYING, progress="interrupted; Docker runs from the old place")
        move_hold.release()
        with contextlib.suppress(commands.CommandError):
            self._unstage()
        # Whatever went wrong, the next run believes nothing of it.
        files.remove(NOTES)
        try:
            self._mount_the_old_root()
        except (commands.CommandError, files.FileError, MoveError) as error:
            return f"{where}, but the daemon was not started, as it would not find all of it: {error}"
        if not self._host.unit().active and not self._host.start(_STARTING):
            return f"{where}, but the daemon does not start there: {self._host.journal_reason()}"
        engine = control(self._host)
        try:
            self._await(engine)
        except EngineError as error:
            return f"{where}, but the daemon there does not answer: {error}"
        failed = self._start_containers(engine)
        if not failed:
            with contextlib.suppress(files.FileError):
                self._note(running=())
        return f"Docker serves from {self.move.before.path} as before{', but ' + failed if failed else ''}"

    def rescue(self) -> None:
        """Leave a daemon that serves where a run was killed: from the old place, or from the new one if that counts already."""
        self._host.disconnect()
        noted = move_file.read()
        self._journal = noted if noted is not None and noted.unfinished else self._journal
        if _begun(noted) and self.new_counts():
            if not self.move.changes_root:
                self.switch()
            elif not self._host.unit().active:
                move_hold.release()
                self._host.start(_STARTING)
            self.finish()
        else:
            self.back()

    def new_counts(self) -> bool:
        """Tell whether the daemon's data is in the new place."""
        if not self.move.changes_root:
            return not self._journal.old_counts
        return root_now(self._host).path == self.move.after.path and self._journal.phase not in (move_journal.COPYING, move_journal.STOPPED)

    # Copying -------------------------------------------------------------------------------------------------------

    def _trees(self) -> list[Tree]:
        staged = {} if self.move.changes_root else self._stage()
        return moves.trees(self.move, move_look.listing(self.move), staged)

    def _copy_all(self) -> None:
        self._mount_the_old_root()
        for tree in self._trees():
            files.ensure_directory(os.path.dirname(tree.target), 0o710)
            files.ensure_directory(tree.target, 0o700)
            # Gone since it was listed, as a directory of a driver that is not used any more may be.
            with contextlib.suppress(trees.SourceGone):
                tree_copy.copy(tree.source, tree.target, move_look.scope(self.move, tree), self._seen, self._tell(tree))
        self._seen.save(NOTES)
        if self.move.changes_root:
            self._copy_files()

    def _copy_files(self) -> None:
        before, after = self.move.before.path, self.move.after.path
        for name in move_look.listing(self.move).files:
            text = files.read_text(f"{before}/{name}")
            if text is not None and text != files.read_text(f"{after}/{name}"):
                files.write_text(f"{after}/{name}", text, mode=stat.S_IMODE(os.lstat(f"{before}/{name}").st_mode))

    def _compare(self, final: bool) -> None:
        wrong: list[str] = []
        for tree in self._trees():
            # What is in memory would be right even where the disk is not.
            differences = tree_verify.verify(tree.source, tree.target, move_look.scope(self.move, tree), self._seen, self._tell(tree), from_disk=True)
            wrong += [f"{tree.target}: {found}" for found in differences]
        self._seen.save(NOTES)
        if final and wrong:
            raise MoveError(f"the copy is not what was copied: {'; '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}")

    def _settle_new_root(self) -> None:
        """Give dockerd's own directories and the paths in containers' configurations what belongs to the new root."""
        found = move_look.listing(self.move)
        for path, uid, gid in moves.owners(self.move, found):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, uid, gid, follow_symlinks=False)
        for name in found.containers:
            directory = f"{self.move.after.path}/containers/{name}"
            _rewrite(f"{directory}/config.v2.json", lambda config: moves.relocated(config, self.move))
            _rewrite(f"{directory}/{_HOST_CONFIG}", moves.resting)

    def _tell(self, tree: Tree) -> t.Callable[[tree_copy.Progress], None]:
        def told(progress: tree_copy.Progress) -> None:
            if time.monotonic() - self._told >= _TELLING:
                self._told = time.monotonic()
                self._note(progress=f"{tree.source}: {progress.files} files, {format_size(progress.bytes)}")

        return told

    def _expect_room_of_its_own(self) -> None:
        """See that a new move copies to where nothing lies, as the copy removes what the original does not have.

        Raises:
            Refused: something lies there.
        """
        if self.move.changes_root:
            found = move_look.in_the_way(self.move)
        else:
            staged = {place.device: move_look.occupants(path) for place in self.move.places for path in [self._stage()[place.name]]}
            found = [moves.occupied(device, names) for device, names in staged.items() if names]
        if found:
            self._unstage()
            raise Refused(found)

    def _expect_nothing_to_hide(self) -> None:
        """See that directories which were empty when the copy began, and get filesystems as well, are so still.

        Raises:
            MoveError: something came to lie there while the daemon served.
        """
        moved = {place.path for place in self.move.places}
        for target in () if self.move.changes_root else self._targets:
            if target.mount_point in moved or mounts.is_mount_point(target.mount_point):
                continue
            lying = storage.foreign(target.name, target.mount_point)
            if lying:
                raise MoveError(
                    f"{target.mount_point} was empty when the move began and holds {lying[0]} by now, which its new filesystem would hide; "
                    "run again, which moves that too"
                )

    # Mounts --------------------------------------------------------------------------------------------------------

    def _mounts_in_the_old_root(self) -> dict[str, str]:
        """Return what has to be mounted for the old root to be whole: dockerd unmounts some of it when it stops (moby#36149)."""
        names = [self.move.before.data_root, self.move.before.path, *(f"{self.move.before.path}/{name}" for name in ("overlay2", "volumes", "containers"))]
        listed = [line.target for line in mounts.fstab()]
        return {
            mount.target: mount.source
            for mount in mounts.mountinfo()
            if mount.target in names and (mount.target in listed or not _is_mount_of_itself(mount))
        }

    def _mount_the_old_root(self) -> None:
        for path, device in self._journal.mounts.items():
            if not mounts.is_mount_point(path):
                mounts.mount(path)
            if not mounts.is_mount_point(path):
                raise MoveError(f"{path} has lost the filesystem that was mounted there from {device}; mount it and run again")

    def _stage(self) -> dict[str, str]:
        """Mount the filesystems aside and return where."""
        for place in self.move.places:
            path = f"{STAGING}/{place.name}"
            if place.name in self._staged and mounts.is_mount_point(path):
                continue
            # What a run that was killed has left there need not be the device that is meant now.
            self._unmount(path)
            files.ensure_directory(STAGING, 0o700)
            files.ensure_directory(path, 0o700)
            options = [option for option in place.options if option != "nofail" and not option.startswith("x-")]
            commands.run(["mount", "-t", place.fstype, "-o", ",".join(options) or "defaults", "--", place.device, path], timeout=120)
            self._staged[place.name] = path
            if not self._seen.same_root(path, os.stat(path)):
                self._seen = tree_notes.HashNotes()
        return dict(self._staged)

    def _unstage(self) -> None:
        self._staged = {}
        for place in self.move.places:
            path = f"{STAGING}/{place.name}"
            self._unmount(path)
            with contextlib.suppress(OSError):
                os.rmdir(path)

    def _unmount(self, path: str) -> None:
        if mounts.is_mount_point(path):
            commands.run(["umount", "--", path], timeout=120)

    # The daemon ----------------------------------------------------------------------------------------------------

    def _stop_containers(self) -> None:
        engine = control(self._host)
        held = inventory(self._host, self.move.before)
        found = moves.impossible(self.move, held)
        if found:
            raise MoveError(" ".join(map(str, found)))
        running = [container for container in held.containers if container.running]
        there = {container.identifier for container in held.containers}
        noted = {container.identifier: container for container in [*self._journal.running, *running] if container.identifier in there}
        self._note(
            phase=move_journal.STOPPED,
            running=tuple(moves.starting_order(list(noted.values()))),
            containers=tuple(sorted(there)),
            images=held.images,
            volumes=tuple(volume.name for volume in held.volumes),
        )
        # What a restart policy or a person starts meanwhile is stopped again.
        for _round in range(_ROUNDS):
            names = {container.identifier: container.name for container in running}
            left = engine.stop_all(list(reversed(moves.starting_order(running))))
            if left:
                said = "; ".join(f"{names[identifier]}: {reason}" for identifier, reason in left.items())
                raise MoveError(f"containers cannot be stopped ({said}); stop them yourself and run again")
            still = engine.running()
            if not still:
                return
            running = [container for container in engine.inventory().containers if container.identifier in still]
        raise MoveError(f"containers are started again and again ({', '.join(container.name for container in running)}); find out by whom and run again")

    def _stop_daemon(self) -> None:
        self._note(phase=move_journal.STOPPED)
        move_hold.take(move_hold.PASSING)
        # The socket first, or a client's next call would start the service again.
        systemd.stop(SOCKET_UNIT, UNIT, timeout=_STOPPING)
        unit = self._host.unit()
        if unit.active or unit.pid:
            raise MoveError("docker.service does not stop; see journalctl -u docker.service")
        self._host.disconnect()
        self._expect_no_container()

    def _expect_no_container(self) -> None:
        """See that nothing runs that dockerd had no chance to stop, because it was down already.

        Raises:
            MoveError: containers run on, as live-restore lets them, and write in the old place.
        """
        known = {name[:12] for name in move_look.listing(self.move).containers}
        for _round in range(_ENDING):
            running = sorted(known.intersection(processes.containers()))
            if not running:
                return
            self._host.wait(1)
        raise MoveError(f"containers run although Docker does not ({', '.join(running[:5])}), and would write in the old place; run again")

    def _start_containers(self, engine: EngineControl) -> str:
        """Start what ran and return what does not start, in words."""
        waiting = list(self._journal.running)
        said: dict[str, str] = {}
        for _round in range(_ROUNDS):
            said = {container.name: engine.start(container.identifier) for container in waiting}
            waiting = [container for container in waiting if said[container.name]]
            if not waiting:
                return ""
            self._host.wait(1)
        reasons = "; ".join(f"{container.name} ({said[container.name]})" for container in waiting)
        return f"containers do not start again: {reasons}"

    def _give_back_restart_policies(self, engine: EngineControl) -> None:
        """Let the engine start by itself again what it started by itself in the old root, where all is as it was.

        Raises:
            MoveError: it does not take one.
        """
        if not self.move.changes_root:
            return
        self._mount_the_old_root()
        failed = {}
        for name in move_look.listing(self.move).containers:
            policy = moves.restart_policy(_configuration(f"{self.move.before.path}/containers/{name}/{_HOST_CONFIG}"))
            failed[name] = engine.give_restart_policy(name, policy) if policy else ""
        said = "; ".join(f"{name[:12]}: {reason}" for name, reason in failed.items() if reason)
        if said:
            raise MoveError(f"everything was moved {self.move.describe()}, but containers do not get their restart policies back ({said}); run again")

    def _look_inside(self, engine: EngineControl) -> None:
        """See that what was started sees its root and its volumes, and tell of what has ended since.

        Raises:
            MoveError: a container does not; the old data is kept, and the next run looks again.
        """
        self._host.wait(_SETTLING)
        try:
            running = engine.running()
            there = {container.identifier for container in engine.inventory().containers}
        except EngineError as error:
            raise MoveError(f"everything was moved {self.move.describe()}, but the daemon does not say what runs: {error}; run again") from error
        blind = {container.name: engine.look_inside(container.identifier) for container in self._journal.running if container.identifier in running}
        said = "; ".join(f"{name} does not see {reason}" for name, reason in blind.items() if reason)
        if said:
            raise MoveError(f"everything was moved {self.move.describe()}, but {said}; mend that and run again")
        ended = [container.name for container in self._journal.running if container.identifier in there - running]
        if ended:
            self.warnings.append(f"What ran before the move was started again, but has ended since: {', '.join(ended)}; see its logs.")

    def _await(self, engine: EngineControl) -> None:
        deadline = time.monotonic() + _STARTING
        while True:
            try:
                engine.root()
                return
            except EngineError:
                if time.monotonic() > deadline or self._host.unit().failing:
                    raise
            self._host.wait(0.5)

    def _old(self) -> tuple[str, ...]:
        if not self.move.changes_root:
            return self._journal.old
        before = self.move.before.path
        found = move_look.listing(self.move)
        return tuple(f"{before}/{name}" for name in (*found.directories, *found.files))

    def _forget_old_guards(self) -> None:
        """Let the daemon start without the filesystems of the old root, which it does not use any more."""
        if not self.move.changes_root:
            return
        changed = managed_files.differences(
            {
                path: (guard.render([pair for pair in guard.pairs(text) if pair[0] not in self._journal.mounts]), 0o644)
                for path in [guard.DROP_IN.format(unit=unit) for unit in guard.UNITS]
                for text in [files.read_text(path)]
                if text is not None
            }
        )
        if changed:
            managed_files.apply(changed)
            systemd.daemon_reload()

    def _note(self, **values: t.Any) -> None:
        self._journal = dataclasses.replace(self._journal, **values)
        move_file.write(self._journal)


# Whole runs ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def alone() -> t.Iterator[None]:
    """Keep other runs from moving anything meanwhile.

    Raises:
        MoveError: another run does not end.
    """
    files.ensure_directory(os.path.dirname(LOCK_FILE), mode=0o700)
    try:
        with locks.held(LOCK_FILE, 5):
            yield
    except locks.LockError as error:
        raise MoveError(str(error)) from error


def within_the_root(mover: Mover, host: Daemon) -> None:
    """Carry a whole move within the root out, or go on with it; the caller is alone."""
    with host.watch(mover.rescue):
        if not mover.new_counts():
            mover.expect_the_old_root()
            try:
                mover.copy()
                mover.settle()
            except Refused:
                raise
            except FAILURES as error:
                raise MoveError(f"{str(error).rstrip('.')}. {mover.back()}") from error
        mover.switch()
        mover.finish()


T = t.TypeVar("T")


def around(host: Daemon, wanted_root: t.Callable[[], str | None], change: t.Callable[[], T]) -> tuple[T, list[str]]:
    """Carry the data along when a change gives the daemon another root; without an unfinished move this is the change alone.

    Args:
        wanted_root: returns the root that the daemon has after the change, or raises what forbids it; asked only if there is a move.
        change: raises what it likes if the daemon is as it was; the daemon is brought back then.

    Returns:
        What the change returned, and warnings.
    """

    def begun() -> Journal | None:
        journal = move_file.read()
        return journal if journal is not None and journal.unfinished and journal.move.changes_root else None

    found = begun()
    if found is None or found.move.after.path != wanted_root():
        return change(), []
    with alone():
        # Another run may have gone on with it until now.
        journal = begun()
        return (change(), []) if journal is None else _around(Mover(host, journal), host, change)


def _around(mover: Mover, host: Daemon, change: t.Callable[[], T]) -> tuple[T, list[str]]:
    with host.watch(mover.rescue):
        if not mover.new_counts():
            mover.expect_the_old_root()
            try:
                mover.settle()
                move_hold.release()
                done = change()
            except Exception as error:
                raise MoveError(f"{str(error).rstrip('.')}. {mover.back()}") from error
        else:
            move_hold.release()
            done = change()
        mover.finish()
    return done, mover.warnings


def _is_mount_of_itself(mount: mounts.MountInfo) -> bool:
    """Tell whether a directory was only mounted on itself, as dockerd does with its root where mounts are private (moby: setupDaemonRootPropagation)."""
    parent = mounts.mount_of(os.path.dirname(mount.target))
    return mount.root != "/" and parent is not None and parent.number == mount.number


def _configuration(path: str) -> dict[str, t.Any]:
    """Return a container's configuration, which dockerd wrote; one that is none is empty."""
    try:
        config = json.loads(files.read_text(path) or "")
    except (ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _rewrite(path: str, change: t.Callable[[dict[str, t.Any]], dict[str, t.Any]]) -> None:
    """Change a container's configuration; one that is none stays as it is."""
    config = _configuration(path)
    changed = change(config)
    if changed != config:
        status = os.lstat(path)
        files.write_text(path, json.dumps(changed), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def _begun(noted: Journal | None) -> bool:
    return noted is not None and noted.unfinished


def holds_data(root: str) -> bool:
    """Tell whether a root holds anything of Docker's."""
    return docker_data.inventory(root).any
