# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What takes things off a host: lines of files that others own too, and nothing while the data are on their way."""

from __future__ import annotations

import dataclasses
import pwd

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.uninstall import Plan, Step, Wanted
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    manifest_file,
    mounts,
    move_file,
    move_hold,
    subid_files,
    uninstall,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Move, Root
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal

JOURNAL = Journal(move_journal.DONE, Move(Root("/var/lib/docker", "/var/lib/docker"), Root("/srv/docker", "/srv/docker")))


@pytest.fixture
def noted(monkeypatch):
    def note(**changed):
        monkeypatch.setattr(move_file, "read", lambda: dataclasses.replace(JOURNAL, **changed))

    return note


@pytest.mark.parametrize("phase", [phase for phase in move_journal.PHASES if phase not in (move_journal.DONE, move_journal.REMOVED)])
def test_nothing_is_planned_while_the_data_move(monkeypatch, noted, phase):
    noted(phase=phase)
    monkeypatch.setattr(manifest_file, "read", lambda: manifest_file.Found(Manifest("m", {})))
    with pytest.raises(uninstall.UninstallError, match=rf"from /var/lib/docker to /srv/docker \(phase {phase}\); run provision"):
        uninstall.make(Wanted())


@pytest.mark.parametrize("phase", [None, move_journal.DONE])
def test_nothing_is_planned_where_the_note_of_a_move_was_lost(monkeypatch, noted, phase):
    if phase is None:
        monkeypatch.setattr(move_file, "read", lambda: None)
    else:
        noted(phase=phase)
    monkeypatch.setattr(move_hold, "held_by", lambda: "/etc/systemd/system/docker.service.d/00-bulkhead-move.conf")
    monkeypatch.setattr(manifest_file, "read", lambda: manifest_file.Found(Manifest("m", {})))
    with pytest.raises(uninstall.UninstallError, match="00-bulkhead-move.conf keeps Docker from starting because of a move"):
        uninstall.make(Wanted())


def test_the_journal_stays_as_long_as_the_old_tree(tmp_path, noted):
    old = tmp_path / "docker.old"
    noted(old=(str(old),))
    assert uninstall._is_note("move.json")
    old.mkdir()
    assert not uninstall._is_note("move.json")
    assert uninstall._is_somebodys("move.json")


@pytest.mark.parametrize("name", ["move.lock", "move-hashes", "daemon.json", "storage-claims.json"])
def test_notes_of_the_roles_are_nobodys(name):
    assert uninstall._is_note(name)
    assert not uninstall._is_somebodys(name)


FSTAB = "# our disks\nUUID=1 / ext4 defaults 0 1\nUUID=2\t/var/lib/docker   xfs nodev 0 0\nUUID=3 /srv xfs nodev 0 0 # /var/lib/docker"


def test_one_line_of_fstab_goes_and_all_others_stay_as_they_are(tmp_path, monkeypatch):
    fstab = tmp_path / "fstab"
    fstab.write_text(FSTAB, encoding="utf-8")
    fstab.chmod(0o640)
    monkeypatch.setattr(mounts, "FSTAB", str(fstab))
    uninstall._fstab(Step("fstab", "/var/lib/docker", "", {"line": "UUID=2 /var/lib/docker xfs nodev 0 0"}))
    assert fstab.read_text(encoding="utf-8") == FSTAB.replace("UUID=2\t/var/lib/docker   xfs nodev 0 0\n", "") + "\n"
    assert fstab.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["nobody", str(pwd.getpwnam("nobody").pw_uid)])
def test_ranges_of_one_account_go_by_name_and_by_number(tmp_path, monkeypatch, name):
    for path, attribute in (("subuid", "SUBUID"), ("subgid", "SUBGID")):
        (tmp_path / path).write_text(f"others:1:2\n{name}:100000:65536\n# {name}:100000:65536\n{name}:1:2", encoding="utf-8")
        monkeypatch.setattr(subid_files, attribute, str(tmp_path / path))
    uninstall._ranges(Step("ranges", "nobody", "", {"uid": ["100000:65536"], "gid": ["1:2"]}))
    assert (tmp_path / "subuid").read_text(encoding="utf-8") == f"others:1:2\n# {name}:100000:65536\n{name}:1:2\n"
    assert (tmp_path / "subgid").read_text(encoding="utf-8") == f"others:1:2\n{name}:100000:65536\n# {name}:100000:65536\n"


def test_what_the_engine_mounts_for_containers_is_in_nobodys_way_while_it_can_stop_them(monkeypatch):
    root = "/var/lib/docker/100000.100000"
    engines = [f"{root}/overlay2/{'a' * 64}/merged", f"{root}/containers/{'b' * 64}/mounts/shm", f"/var/lib/docker/rootfs/overlayfs/{'c' * 64}"]
    others = [f"{root}/volumes/nfs/_data", "/var/lib/docker/backup", f"{root}/overlay2/backup"]
    table = ["/", "/var/lib/docker", f"{root}/overlay2", *engines, *others, "/var/lib/docker2/overlay2/x/merged"]
    monkeypatch.setattr(mounts, "mountinfo", lambda: [mounts.MountInfo("8:1", "/", target, "xfs", "/dev/sda1") for target in table])
    assert uninstall._mounted(["/var/lib/docker"], {f"{root}/overlay2"}, runs=True) == tuple(others)
    # A daemon that is dead takes none of it away.
    assert uninstall._mounted(["/var/lib/docker"], {f"{root}/overlay2"}, runs=False) == (*engines, *others)


def test_what_lies_behind_a_link_is_held_as_well(tmp_path):
    volume = tmp_path / "srv" / "volumes" / "mine" / "_data"
    volume.mkdir(parents=True)
    (tmp_path / "docker").symlink_to(tmp_path / "srv")
    assert uninstall._holding(str(tmp_path / "docker")) == "1 volume"


def test_the_kernel_forgets_the_limits_of_units_that_are_there_on(tmp_path, monkeypatch):
    steps = []
    for unit, mine in (("system.slice", True), ("user.slice", False), ("gone.slice", True)):
        path = tmp_path / "units" / f"{unit}.d" / uninstall.drift_places.LIMITS_DROP_IN
        path.parent.mkdir(parents=True)
        path.write_text("[Slice]\nCPUWeight=400\nMemoryLow=10%\n", encoding="ascii")
        state, _content = uninstall.drift_look.file_state(str(path))
        steps.append(Step("file", str(path), "", {"sha256": state["sha256"] if mine else "0"}))
        if unit != "gone.slice":
            (tmp_path / "cgroup" / unit).mkdir(parents=True)
    ran = []
    monkeypatch.setattr(uninstall.limits.limits_live, "CGROUPS", str(tmp_path / "cgroup"))
    monkeypatch.setattr(uninstall.limits, "CONTROL", str(tmp_path / "control"))
    monkeypatch.setattr(uninstall.commands, "run", lambda arguments, **named: ran.append(" ".join(arguments)) or uninstall.commands.CommandResult(0, "", ""))
    uninstall.carry_out(uninstall.Work(Manifest("m", {}), Plan(tuple(steps), remaining=Manifest("m", {}))), [])
    assert [line for line in ran if "set-property" in line] == ["systemctl set-property --runtime -- system.slice CPUWeight= MemoryLow="]


def test_what_is_not_dockers_stays_on_a_filesystem_that_is_emptied(tmp_path, monkeypatch):
    for name in ("overlay2", "volumes", "100000.100000", "backups"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(mounts, "mountinfo", lambda: [mounts.MountInfo("8:1", "/", str(tmp_path), "xfs", "/dev/sda1")])
    monkeypatch.setattr(uninstall.superblock, "uuid", lambda device, fstype: "u1")
    uninstall._empty(Step("empty", str(tmp_path), "", {"uuid": "u1", "all": False}))
    assert [path.name for path in tmp_path.iterdir()] == ["backups"]
    uninstall._empty(Step("empty", str(tmp_path), "", {"uuid": "u1", "all": True}))
    assert not list(tmp_path.iterdir())


def test_a_chain_of_somebody_whose_name_begins_like_dockers_stays(monkeypatch):
    rules = [
        *("filter chain DOCKER", "filter chain DOCKER-ISOLATION-STAGE-1", "filter chain DOCKER-USER", "filter chain DOCKER-OFFICE"),
        *("filter -A FORWARD -j DOCKER-USER", "filter -A FORWARD -j DOCKER-ISOLATION-STAGE-1", "filter -A INPUT -j DOCKER-OFFICE"),
        *("filter -A DOCKER-USER -s 10.0.0.0/8 -j DOCKER-OFFICE", "filter -A DOCKER-OFFICE -j DROP", "filter -A DOCKER-ISOLATION-STAGE-1 -j RETURN"),
    ]
    ran = []
    monkeypatch.setattr(uninstall.drift_firewall, "rules", lambda family: rules)
    monkeypatch.setattr(uninstall.commands, "run", lambda arguments, **named: ran.append(" ".join(arguments).partition("filter ")[2]))
    uninstall._firewall(Step("firewall", "iptables", ""))
    assert ran == [
        "--delete FORWARD -j DOCKER-ISOLATION-STAGE-1",
        *("--flush DOCKER", "--flush DOCKER-ISOLATION-STAGE-1", "--delete-chain DOCKER", "--delete-chain DOCKER-ISOLATION-STAGE-1"),
        "",
    ]


@pytest.mark.parametrize("gone", [True, False])
def test_a_container_that_goes_by_itself_is_no_failure(monkeypatch, gone):
    class Api:
        running_now = {"a" * 64: "web", "b" * 64: "job"}

        def __init__(self, timeout):
            return None

        def running(self):
            return dict(self.running_now)

        def ask(self, question):
            if gone:
                self.running_now = {}
            raise uninstall.docker_api.ApiError("No such container")

        def close(self):
            return None

    monkeypatch.setattr(uninstall.docker_api, "DockerApi", Api)
    monkeypatch.setattr(uninstall.daemon.Daemon, "unit", lambda self: uninstall.daemon.Unit(loaded=True, active=True, failing=False))
    monkeypatch.setattr(uninstall.processes, "containers", lambda: ())
    if gone:
        uninstall._stop_containers(Step("stop_containers", "docker", ""))
    else:
        with pytest.raises(uninstall.docker_api.ApiError):
            uninstall._stop_containers(Step("stop_containers", "docker", ""))
