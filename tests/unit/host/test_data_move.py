# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The order of a move, its way back and what it refuses, with a daemon and an engine that do not exist and directories that do."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    data_move,
    move_file,
    move_hold,
    old_data,
    systemd,
    tree_copy,
    tree_verify,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Unit
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_socket import EngineError
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import (
    Container,
    Inventory,
    Move,
    Place,
    Root,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal
from ansible_collections.bulkhead.docker.plugins.modules import docker_data_move

WEB = Container("a" * 64, "web", "running")


class Host:
    """A daemon that does what it is told, and notes it."""

    config_file = "/etc/docker/daemon.json"

    def __init__(self, root, log):
        self.root = root
        self.active = True
        self.starts = True
        self.log = log

    def read_files(self):
        return Files(json.dumps({"data-root": self.root}), None)

    def unit(self):
        return Unit(loaded=True, active=self.active, failing=False, pid=1 if self.active else 0)

    def address(self):
        return "unix:///run/docker.sock"

    def start(self, timeout):
        self.log.append("start")
        self.active = self.starts
        return self.starts

    def stop(self, *units, **named):
        self.log.append("stop")
        self.active = False

    def journal_reason(self, cursor=""):
        return "no reason"

    def disconnect(self):
        return None

    def wait(self, seconds):
        return None

    def watch(self, rescue):
        return contextlib.nullcontext()


class Engine:
    """What answers as long as the daemon is up."""

    def __init__(self, host):
        self.host = host
        self.held = Inventory(containers=(WEB,), images=("sha256:1",))
        self.refuses = {}
        self.blind = {}
        self.policies = {}

    def root(self):
        if not self.host.active:
            raise EngineError("nobody answers")
        return self.host.root

    def inventory(self):
        self.root()
        return self.held

    def running(self):
        return {found.identifier for found in self.held.containers if found.running}

    def _set(self, identifier, status):
        self.held = dataclasses.replace(
            self.held,
            containers=tuple(dataclasses.replace(found, status=status) if found.identifier == identifier else found for found in self.held.containers),
        )

    def stop_all(self, containers):
        for found in containers:
            self._set(found.identifier, "exited")
        return {}

    def give_restart_policy(self, identifier, policy):
        self.policies[identifier] = policy
        return ""

    def look_inside(self, identifier):
        return self.blind.get(identifier, "")

    def start(self, identifier):
        if identifier not in self.refuses:
            self._set(identifier, "running")
        return self.refuses.get(identifier, "")


class Lab:
    """A host with a root, the journal in memory, and what was done in order."""

    def __init__(self, tmp_path, monkeypatch):
        self.log = []
        self.old, self.new = str(tmp_path / "old"), str(tmp_path / "new")
        self.host = Host(self.old, self.log)
        self.engine = Engine(self.host)
        self.journal = None
        self.mounted = []
        for name in ("image", "overlay2", "volumes", "containers"):
            (tmp_path / "old" / name).mkdir(parents=True)
        for place, name in ((data_move, "STAGING"), (data_move, "NOTES"), (data_move, "LOCK_FILE"), (move_hold, "PASSING"), (move_hold, "LASTING")):
            monkeypatch.setattr(place, name, str(tmp_path / "state" / name.lower()))
        (tmp_path / "state").mkdir()
        monkeypatch.setattr(data_move, "control", lambda host: self.engine)
        monkeypatch.setattr(move_file, "read", lambda: self.journal)
        monkeypatch.setattr(move_file, "write", self.write)
        monkeypatch.setattr(systemd, "stop", self.host.stop)
        monkeypatch.setattr(systemd, "daemon_reload", lambda: None)
        monkeypatch.setattr(data_move.mounts, "mountinfo", lambda: self.mounted)
        monkeypatch.setattr(data_move.mounts, "fstab", list)
        monkeypatch.setattr(tree_copy, "copy", lambda source, target, *more: self.log.append(f"copy {os.path.relpath(source, tmp_path)}"))
        monkeypatch.setattr(tree_verify, "verify", self.verify)
        monkeypatch.setattr(commands, "run", self.run)
        self.busy = False
        self.differences = []

    def write(self, journal):
        self.journal = journal

    def verify(self, source, target, scope, notes, progress, from_disk):
        assert from_disk
        return list(self.differences)

    def run(self, arguments, **named):
        self.log.append(arguments[0])
        if arguments[0] == "umount" and self.busy:
            raise commands.CommandError("umount: target is busy")
        if arguments[0] == "umount":
            self.mounted = [mount for mount in self.mounted if mount.target != arguments[-1]]
        if arguments[0] == "mount":
            self.mounted = [*self.mounted, mounted(arguments[-1])]
        return commands.CommandResult(0, "", "")

    def start_unless_held(self, timeout):
        """Start the daemon as systemd does, which a drop-in may forbid."""
        return False if move_hold.held_by() else Host.start(self.host, timeout)

    def boot(self):
        """Start the machine anew."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(move_hold.PASSING)
        self.mounted = [mounted(path) for path in dict.fromkeys(self.fstab)]
        self.host.active = not move_hold.held_by()

    def reset(self):
        """Make everything as it was before the first run."""
        volumes = f"{self.old}/volumes"
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(volumes)
            os.rename(volumes + ".bulkhead-before-move", volumes)
        for path in (move_hold.PASSING, move_hold.LASTING, data_move.NOTES):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        self.journal, self.mounted, self.fstab, self.host.active = None, [], [], True
        self.engine._set(WEB.identifier, "running")

    def to_another_root(self, phase=move_journal.COPYING, **values):
        return Journal(phase, Move(Root(self.old, self.old), Root(self.new, self.new)), **values)

    def within(self, phase=move_journal.COPYING, **values):
        root = Root(self.old, self.old)
        return Journal(phase, Move(root, root, (Place("volumes", f"{self.old}/volumes", "/dev/sdb1", "xfs", ("noatime",)),)), **values)

    def mover(self, journal):
        return data_move.Mover(self.host, journal)


def mounted(target, source="/dev/sdb1"):
    return data_move.mounts.MountInfo(number="8:17", root="/", target=target, options=(), fstype="xfs", source=source)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    return Lab(tmp_path, monkeypatch)


# The old data -----------------------------------------------------------------------------------------------------------


def finished(lab):
    lab.journal = lab.to_another_root(move_journal.DONE, old=(f"{lab.old}/overlay2", f"{lab.old}/volumes"))
    lab.host.root = lab.new


def test_old_data_is_removed_when_the_daemon_uses_the_new(lab):
    finished(lab)
    assert old_data.remove(lab.host) == [f"{lab.old}/overlay2", f"{lab.old}/volumes"]
    assert sorted(os.listdir(lab.old)) == ["containers", "image"]
    assert (lab.journal.phase, lab.journal.old) == ("removed", ())


def test_data_that_the_daemon_uses_again_is_not_removed_as_old(lab):
    finished(lab)
    lab.host.root = lab.old
    with pytest.raises(data_move.MoveError, match="because the daemon uses"):
        old_data.remove(lab.host)
    assert sorted(os.listdir(lab.old)) == ["containers", "image", "overlay2", "volumes"]


def test_data_that_a_daemon_still_uses_whose_file_says_otherwise_is_not_removed_as_old(lab):
    finished(lab)
    lab.engine.root = lambda: lab.old
    with pytest.raises(data_move.MoveError, match="because the daemon uses"):
        old_data.remove(lab.host)
    assert os.path.isdir(f"{lab.old}/volumes")


def test_a_prediction_refuses_as_well_to_remove_what_the_daemon_uses(lab):
    finished(lab)
    old_data.expect_unused(lab.host)
    lab.host.root = lab.old
    with pytest.raises(data_move.MoveError, match="because the daemon uses"):
        docker_data_move._remove(types.SimpleNamespace(check_mode=True), lab.host)
    assert sorted(os.listdir(lab.old)) == ["containers", "image", "overlay2", "volumes"]


@pytest.mark.parametrize("phase", [phase for phase in move_journal.PHASES if phase != "done"])
def test_nothing_is_removed_while_a_move_is_not_finished(lab, phase):
    lab.journal = lab.to_another_root(phase, old=(f"{lab.old}/volumes",))
    lab.host.root = lab.new
    assert old_data.remove(lab.host) == []
    assert os.path.isdir(f"{lab.old}/volumes")


# Killed and interrupted -------------------------------------------------------------------------------------------------


def test_all_is_copied_while_the_daemon_serves(lab):
    lab.mover(lab.to_another_root()).copy()
    assert sorted(lab.log) == ["copy old/containers", "copy old/image", "copy old/overlay2", "copy old/volumes"]
    assert lab.journal.phase == "copying"


@pytest.mark.parametrize("phase", ["stopped", "verified"])
def test_a_run_that_was_killed_after_the_stop_is_gone_on_with(lab, phase):
    """The daemon rests, and the hold keeps everybody but us from starting it."""
    lab.journal = lab.to_another_root(phase, running=(WEB,), containers=(WEB.identifier,))
    lab.host.active = False
    lab.engine._set(WEB.identifier, "exited")
    with open(move_hold.PASSING, "w", encoding="ascii"):
        pass
    lab.mover(lab.journal).copy()
    assert not os.path.exists(move_hold.PASSING)
    assert lab.log[0] == "start"
    assert lab.engine.running() == {WEB.identifier}
    assert (lab.journal.phase, lab.journal.running) == ("copying", ())


def test_a_hold_that_a_killed_way_back_has_left_goes(lab):
    lab.journal = lab.to_another_root()
    lab.host.active = False
    with open(move_hold.LASTING, "w", encoding="ascii"):
        pass
    lab.mover(lab.journal).copy()
    assert not os.path.exists(move_hold.LASTING)
    assert lab.host.active


def test_what_the_last_run_compared_counts_no_more_once_the_daemon_is_back(lab):
    lab.journal = lab.to_another_root("verified", running=(WEB,))
    lab.host.active = False
    lab.engine._set(WEB.identifier, "exited")
    lab.engine.refuses = {WEB.identifier: "port is taken"}
    assert "web (port is taken)" in lab.mover(lab.journal).back()
    assert (lab.journal.phase, lab.journal.running) == ("copying", (WEB,))


def test_somebody_in_the_staged_filesystem_does_not_keep_docker_down(lab):
    lab.journal = lab.within("stopped")
    lab.mounted = [mounted(f"{data_move.STAGING}/volumes")]
    lab.busy = True
    lab.host.active = False
    assert "as before" in lab.mover(lab.journal).back()
    assert lab.host.active


def test_a_full_disk_does_not_keep_docker_down(lab, monkeypatch):
    def full(journal):
        raise data_move.files.FileError("no space left")

    lab.journal = lab.within("stopped")
    lab.host.active = False
    monkeypatch.setattr(move_file, "write", full)
    assert "as before" in lab.mover(lab.journal).back()
    assert lab.host.active


def test_docker_does_not_start_on_an_old_root_of_which_a_part_is_missing(lab, monkeypatch):
    def nothing(path):
        raise commands.CommandError(f"mount: {path}: can't find in /etc/fstab")

    lab.journal = lab.to_another_root("stopped", mounts={f"{lab.old}/overlay2": "/dev/sdb2"})
    lab.host.active = False
    monkeypatch.setattr(data_move.mounts, "mount", nothing)
    assert "was not started" in lab.mover(lab.journal).back()
    assert not lab.host.active


def test_a_staged_filesystem_of_an_earlier_run_is_mounted_anew(lab):
    lab.journal = lab.within()
    lab.mounted = [mounted(f"{data_move.STAGING}/volumes", "/dev/sdz9")]
    lab.mover(lab.journal).copy()
    assert lab.log == ["umount", "mount", "copy old/volumes"]


# A root that somebody has changed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["copying", "stopped"])
def test_nothing_is_copied_over_a_root_in_which_the_daemon_already_serves(lab, phase):
    lab.journal = lab.to_another_root(phase)
    lab.host.root = lab.new
    with pytest.raises(data_move.MoveError, match="has only begun"):
        lab.mover(lab.journal).copy()
    with pytest.raises(data_move.MoveError, match="has only begun"):
        data_move.around(lab.host, lambda: lab.new, lambda: "changed")
    assert lab.log == []
    assert lab.journal.phase == phase


# Together with the change of daemon.json --------------------------------------------------------------------------------


def change(lab, serves=True):
    def changed():
        lab.log.append("change")
        if not serves:
            raise ValueError("The daemon did not start")
        lab.host.root = lab.new
        lab.host.active = True
        return "changed"

    return changed


def test_the_data_comes_along(lab):
    lab.journal = lab.to_another_root()
    assert data_move.around(lab.host, lambda: lab.new, change(lab)) == ("changed", [])
    stopped, changed = lab.log.index("stop"), lab.log.index("change")
    assert {"copy old/image", "copy old/volumes"} <= set(lab.log[:stopped]) & set(lab.log[stopped:changed])
    assert lab.engine.running() == {WEB.identifier}
    assert lab.journal.phase == "done"
    assert sorted(lab.journal.old) == [f"{lab.old}/{name}" for name in ("containers", "image", "overlay2", "volumes")]


ALWAYS = {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}


def test_containers_that_live_on_without_a_daemon_keep_their_place(lab, monkeypatch):
    lab.journal = lab.to_another_root()
    os.mkdir(f"{lab.old}/containers/{WEB.identifier}")
    lab.host.active = False
    monkeypatch.setattr(data_move.processes, "containers", lambda: (WEB.identifier[:12], "f" * 12))
    with pytest.raises(data_move.MoveError, match=f"containers run although Docker does not .{'a' * 12}., .* Docker serves from {lab.old} as before"):
        data_move.around(lab.host, lambda: lab.new, change(lab))
    assert lab.host.root == lab.old


def test_no_container_starts_by_itself_in_the_new_place_before_the_way_back_ends(lab, monkeypatch):
    def copy(source, target, *more):
        shutil.copytree(source, target, dirs_exist_ok=True)

    monkeypatch.setattr(tree_copy, "copy", copy)
    lab.journal = lab.to_another_root()
    here, there = (f"{root}/containers/{WEB.identifier}/hostconfig.json" for root in (lab.old, lab.new))
    os.makedirs(os.path.dirname(here))
    pathlib.Path(here).write_text(json.dumps(ALWAYS), encoding="ascii")
    seen = []
    done = change(lab)

    def changed():
        seen.append(json.loads(pathlib.Path(there).read_text(encoding="ascii"))["RestartPolicy"]["Name"])
        return done()

    data_move.around(lab.host, lambda: lab.new, changed)
    assert seen == ["no"]
    assert lab.engine.policies == {WEB.identifier: ALWAYS["RestartPolicy"]}
    assert json.loads(pathlib.Path(here).read_text(encoding="ascii")) == ALWAYS


def test_what_is_put_into_the_old_root_afterwards_is_not_old_data(lab):
    def changed():
        os.mkdir(f"{lab.old}/precious")
        return change(lab)()

    lab.journal = lab.to_another_root()
    data_move.around(lab.host, lambda: lab.new, changed)
    old_data.remove(lab.host)
    assert os.listdir(lab.old) == ["precious"]


def test_a_container_that_does_not_see_its_data_is_no_end_of_the_move(lab):
    lab.journal = lab.to_another_root()
    lab.engine.blind = {WEB.identifier: "/data: it is not there"}
    with pytest.raises(data_move.MoveError, match="web does not see /data: it is not there"):
        data_move.around(lab.host, lambda: lab.new, change(lab))
    assert lab.journal.phase == "started"
    lab.engine.blind = {}
    assert data_move.around(lab.host, lambda: lab.new, change(lab)) == ("changed", [])
    assert lab.journal.phase == "done"


def test_a_container_that_ends_in_the_new_place_is_told(lab):
    lab.journal = lab.to_another_root()
    lab.engine.start = lambda identifier: ""
    _changed, warnings = data_move.around(lab.host, lambda: lab.new, change(lab))
    assert warnings == ["What ran before the move was started again, but has ended since: web; see its logs."]


def test_a_daemon_that_does_not_start_in_the_new_place_is_brought_back(lab):
    lab.journal = lab.to_another_root()
    with pytest.raises(data_move.MoveError, match=f"did not start. Docker serves from {lab.old} as before"):
        data_move.around(lab.host, lambda: lab.new, change(lab, serves=False))
    assert lab.engine.running() == {WEB.identifier}
    assert (lab.journal.phase, lab.journal.running) == ("copying", ())


def test_a_daemon_whose_files_could_not_be_put_back_is_not_taken_for_the_old_one(lab):
    def half_changed():
        lab.host.root = lab.new
        raise ValueError("The old files could not be restored")

    lab.journal = lab.to_another_root()
    with pytest.raises(data_move.MoveError, match=f"use {lab.new} all the same"):
        data_move.around(lab.host, lambda: lab.new, half_changed)
    assert lab.journal.phase == "verified"
    assert data_move.around(lab.host, lambda: lab.new, change(lab)) == ("changed", [])
    assert lab.journal.phase == "done"


def test_what_is_mounted_in_the_old_root_is_noted_but_not_what_the_engine_mounts_on_itself(lab):
    lab.mounted = [
        data_move.mounts.MountInfo("8:1", "/", "/", "ext4", "/dev/sda1"),
        data_move.mounts.MountInfo("8:1", lab.old, lab.old, "ext4", "/dev/sda1"),
        data_move.mounts.MountInfo("8:18", "/", f"{lab.old}/overlay2", "xfs", "/dev/sdb2"),
        data_move.mounts.MountInfo("8:18", "/v", f"{lab.old}/volumes", "xfs", "/dev/sdb2"),
    ]
    lab.mover(lab.to_another_root()).copy()
    assert lab.journal.mounts == {f"{lab.old}/overlay2": "/dev/sdb2", f"{lab.old}/volumes": "/dev/sdb2"}


def test_a_copy_that_is_not_what_was_copied_is_not_switched_to(lab):
    lab.journal = lab.to_another_root()
    lab.differences = ["v/_data/file differs in content"]
    with pytest.raises(data_move.MoveError, match="v/_data/file differs in content.*Docker serves from .*old as before"):
        data_move.around(lab.host, lambda: lab.new, change(lab))
    assert "change" not in lab.log
    assert lab.engine.running() == {WEB.identifier}


def test_a_move_that_another_run_has_finished_meanwhile_is_not_begun_again(lab, monkeypatch):
    lab.journal = lab.to_another_root()

    @contextlib.contextmanager
    def late():
        lab.journal = dataclasses.replace(lab.journal, phase=move_journal.DONE, old=(f"{lab.old}/volumes",))
        yield

    monkeypatch.setattr(data_move, "alone", late)
    done = lab.to_another_root(move_journal.DONE, old=(f"{lab.old}/volumes",))
    assert data_move.around(lab.host, lambda: lab.new, lambda: "changed") == ("changed", [])
    assert lab.journal == done
    assert lab.log == []


# Where something lies already -------------------------------------------------------------------------------------------


def test_a_new_move_does_not_replace_what_lies_on_a_filesystem(lab, monkeypatch):
    def stage(path):
        os.makedirs(f"{path}/somebody", exist_ok=True)

    ran = lab.run

    def run(arguments, **named):
        result = ran(arguments, **named)
        if arguments[0] == "mount":
            stage(arguments[-1])
        return result

    monkeypatch.setattr(commands, "run", run)
    with pytest.raises(data_move.Refused, match="/dev/sdb1: is where existing data is to go, but holds somebody already"):
        lab.mover(lab.within()).copy()
    assert lab.log == ["mount", "umount"]
    assert lab.journal is None


def test_a_new_move_that_fails_before_its_first_note_is_not_taken_for_one_that_was_begun(lab):
    lab.host.active = False
    with pytest.raises(data_move.MoveError, match="start docker.service first.*nothing was begun"):
        data_move.within_the_root(lab.mover(lab.within()), lab.host)
    assert lab.journal is None
    assert lab.log == []


@pytest.mark.parametrize("phase", [None, "done"])
def test_whoever_takes_over_before_the_first_note_begins_nothing_and_ends_nothing(lab, phase):
    lab.journal = noted = phase and lab.within(phase)
    lab.mounted = [mounted(f"{data_move.STAGING}/volumes")]
    lab.mover(lab.within()).rescue()
    assert lab.journal == noted
    assert lab.log == ["umount"]


def test_a_move_that_was_begun_finds_there_what_it_has_copied(lab):
    lab.journal = lab.within()
    os.makedirs(f"{data_move.STAGING}/volumes/v")
    lab.mover(lab.journal).copy()
    assert lab.log == ["mount", "copy old/volumes"]


@pytest.mark.parametrize("name", ["volumes/v/_data", "containers/of-somebody-else", "image/picture.png", "overlay2/layer"])
def test_a_new_move_does_not_replace_what_lies_in_the_new_root(lab, name):
    os.makedirs(f"{lab.new}/{name}")
    os.makedirs(f"{lab.new}/letters")
    with pytest.raises(data_move.Refused, match="would be replaced|would replace"):
        lab.mover(lab.to_another_root()).copy()
    assert lab.log == []
    assert os.path.isdir(f"{lab.new}/{name}")


def test_what_an_engine_that_was_never_used_has_left_there_is_no_obstacle(lab):
    for name in ("overlay2/l", "image/overlay2/layerdb", "network/files", "volumes", "lost+found"):
        os.makedirs(f"{lab.new}/{name}")
    lab.mover(lab.to_another_root()).copy()
    assert lab.journal.phase == "copying"


def test_a_new_root_in_what_the_engine_fills_is_refused(lab):
    lab.new = f"{lab.old}/volumes/docker"
    with pytest.raises(data_move.Refused, match="lies in .*/volumes, which the engine itself fills"):
        lab.mover(lab.to_another_root()).copy()


def test_what_an_earlier_move_has_left_is_not_forgotten_in_silence(lab):
    lab.journal = lab.to_another_root(move_journal.DONE, old=(f"{lab.old}/volumes", f"{lab.old}/gone"))
    mover = lab.mover(lab.to_another_root())
    mover.copy()
    assert [text for text in mover.warnings if f"{lab.old}/volumes" in text]
    assert not [text for text in mover.warnings if "gone" in text]


# Within the root, killed anywhere ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone; nothing catches it."""


class Steps:
    """Counts what changes the host, and dies right after the given one."""

    def __init__(self):
        self.done = 0
        self.last = 0

    def after(self, real, which=lambda *arguments: True):
        def stepped(*arguments, **named):
            result = real(*arguments, **named)
            self.done += which(*arguments)
            if which(*arguments) and self.done == self.last:
                raise Killed
            return result

        return stepped


class Points:
    """Makes mount points, and mounts what belongs there."""

    warnings = ()

    def __init__(self, predict, immutable):
        return None

    def converge(self, targets, roots):
        for target in targets:
            os.makedirs(target.mount_point, exist_ok=True)
            if not data_move.mounts.is_mount_point(target.mount_point):
                commands.run(["mount", "--", target.mount_point])


@pytest.fixture
def stepped(lab, monkeypatch):
    steps = Steps()
    lab.fstab = []
    pathlib.Path(f"{lab.old}/volumes/all").write_text("mine", encoding="ascii")
    monkeypatch.setattr(data_move.mount_points, "MountPoints", Points)
    monkeypatch.setattr(data_move.managed_files, "differences", lambda wanted: [])
    monkeypatch.setattr(data_move.mounts, "write_fstab_line", steps.after(lambda source, path, *more: lab.fstab.append(path)))
    # What writes a file tidies up after itself when it fails, which nobody does who is killed.
    monkeypatch.setattr(os, "rename", steps.after(os.rename, lambda source, target: os.path.isdir(target)))
    monkeypatch.setattr(os, "unlink", steps.after(os.unlink))
    monkeypatch.setattr(move_file, "write", steps.after(lab.write))
    monkeypatch.setattr(commands, "run", steps.after(lab.run))
    monkeypatch.setattr(systemd, "stop", steps.after(lab.host.stop))
    monkeypatch.setattr(lab.host, "start", steps.after(lab.start_unless_held))
    monkeypatch.setattr(lab.engine, "stop_all", steps.after(lab.engine.stop_all))
    monkeypatch.setattr(lab.engine, "start", steps.after(lab.engine.start))
    return steps


def move_on(lab):
    """What the module does with the journal as it is."""
    begun = lab.journal if lab.journal is not None and lab.journal.unfinished else None
    place = lab.within().move.places[0]
    target = data_move.Target(place.name, place.device, place.path, place.fstype, place.options, 0o701, 0, "UUID=a", "a")
    data_move.within_the_root(data_move.Mover(lab.host, begun or lab.within(), [target]), lab.host)


def assert_moved(lab):
    volumes = f"{lab.old}/volumes"
    assert lab.journal.phase == "done"
    assert lab.journal.old == (f"{volumes}.bulkhead-before-move",)
    assert pathlib.Path(f"{lab.journal.old[0]}/all").read_text(encoding="ascii") == "mine"
    assert [mount.target for mount in lab.mounted] == [volumes]
    assert lab.fstab[-1] == volumes
    assert not move_hold.held_by()
    assert lab.host.active
    assert lab.engine.running() == {WEB.identifier}


def test_directories_get_their_filesystems(lab, stepped):
    move_on(lab)
    assert_moved(lab)


def test_what_came_to_lie_where_an_empty_filesystem_is_to_be_mounted_is_not_hidden(lab, stepped):
    path = f"{lab.old}/containers"
    targets = [data_move.Target(name, "/dev/sdb1", f"{lab.old}/{name}", "xfs", (), 0o701, 0, "UUID=a", "a") for name in ("volumes", "containers")]
    mover = data_move.Mover(lab.host, lab.within(), targets)
    stop_all = lab.engine.stop_all

    def created(containers):
        os.mkdir(f"{path}/{'b' * 64}")
        return stop_all(containers)

    lab.engine.stop_all = created
    with pytest.raises(data_move.MoveError, match=f"{path} was empty .* run again, which moves that too. Docker serves from {lab.old} as before"):
        data_move.within_the_root(mover, lab.host)
    assert lab.journal.phase == "copying"
    assert path not in lab.fstab
    assert lab.host.active and lab.engine.running() == {WEB.identifier}


@pytest.mark.parametrize("boots", [False, True])
def test_a_move_within_the_root_that_is_killed_anywhere_is_finished_by_the_next_run(lab, stepped, boots):
    """Nobody takes over; with a boot, what is below /run is gone and what fstab names is mounted."""
    move_on(lab)
    total = stepped.done
    assert total > 15
    for last in range(1, total):
        lab.reset()
        stepped.done, stepped.last = 0, last
        with pytest.raises(Killed):
            move_on(lab)
        stepped.last = 0
        if boots:
            lab.boot()
        # A kill after the end was noted leaves nothing to do.
        if lab.journal is None or lab.journal.unfinished:
            move_on(lab)
        assert_moved(lab)
