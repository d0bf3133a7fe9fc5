# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import stat
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT, KINDS, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    drift_look,
    drift_places,
    limits_live,
    mount_table,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_text
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard

SHOWN = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "DropInPaths": "",
    "MainPID": "7",
    "StateChangeTimestampMonotonic": "0",
}


@pytest.fixture
def eyes():
    return drift_look.Eyes()


def show(tools, **properties):
    tools.answer("systemctl show", "".join(f"{name}={value}\n" for name, value in {**SHOWN, **properties}.items()))


@pytest.fixture
def unit_files(tmp_path, monkeypatch):
    """Two directories of units, the first of which wins."""
    directories = [tmp_path / name for name in ("etc", "vendor")]
    for directory in directories:
        directory.mkdir()
    monkeypatch.setattr(drift_look, "UNIT_DIRECTORIES", tuple(map(str, directories)))
    (directories[1] / "docker.service").write_text("[Service]\n")
    return directories


def test_every_kind_has_eyes():
    assert set(drift_look._OBSERVERS) == set(KINDS)


def test_constants_that_are_written_twice_are_the_same():
    assert set(drift_places.OUR_DROP_INS) == {guard.DROP_IN.format(unit=unit) for unit in guard.UNITS}
    assert f"key={audit_text.KEY}" == drift_look.AUDIT_KEY


def test_a_file(eyes, tmp_path):
    path = tmp_path / "f"
    path.write_text("text")
    path.chmod(0o640)
    found = eyes.observe(f"file:{path}")
    assert (found["type"], found["mode"], found["owner"]) == (
        "regular file",
        "0640",
        f"{os.getuid()}:{path.stat().st_gid}",
    )
    assert found["sha256"] == "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    assert found["_changed_at"] == path.stat().st_ctime and "_text" not in found


@pytest.mark.parametrize(
    "make, kind",
    [
        (lambda path: path.symlink_to("/etc/passwd"), "symbolic link"),
        (lambda path: path.mkdir(), "directory"),
        (os.mkfifo, "special file"),
    ],
)
def test_what_is_no_file_is_not_read(eyes, tmp_path, make, kind):
    make(tmp_path / "x")
    found = eyes.observe(f"file:{tmp_path / 'x'}")
    assert found["type"] == kind and "sha256" not in found


@pytest.mark.parametrize("name", ["missing", "missing/below", "file/below"])
def test_what_is_not_there(eyes, tmp_path, name):
    (tmp_path / "file").touch()
    assert eyes.observe(f"file:{tmp_path / name}") == {"type": ABSENT}


def test_the_text_of_a_foreign_file_is_remembered_when_it_is_recorded_only(eyes, tmp_path):
    path = tmp_path / "f"
    path.write_text("ä")
    assert eyes.observe(f"foreign_file:{path}")["_text"] == "ä"
    assert "_text" not in eyes.observe(f"foreign_file:{path}", {"type": "regular file"})
    path.write_bytes(b"\xff")
    assert "_text" not in eyes.observe(f"foreign_file:{path}")


def test_a_directory_and_the_filesystem_that_holds_it(eyes, tmp_path, monkeypatch):
    table = [
        mount_table.MountInfo("8:1", "/", "/", "ext4", "/dev/a"),
        mount_table.MountInfo("8:2", "/", str(tmp_path), "ext4", "/dev/b"),
    ]
    monkeypatch.setattr(mount_table, "mountinfo", lambda: table)
    found = eyes.observe(f"directory:{tmp_path / '.'}")
    assert (found["type"], found["on"]) == ("directory", str(tmp_path))
    assert eyes.observe("directory:/etc")["on"] == "/"


def test_a_unit(eyes, tools, unit_files):
    show(tools)
    found = eyes.observe("unit:docker.service")
    assert {name: value for name, value in found.items() if not name.startswith("_")} == {
        "type": "loaded",
        "fragment": str(unit_files[1] / "docker.service"),
        "enabled": "enabled",
        "active": "active",
        "drop_ins": [],
    }


def test_all_units_are_asked_for_at_once(tools, unit_files):
    block = "".join(f"{name}={value}\n" for name, value in SHOWN.items())
    tools.answer("systemctl show", block + "\n" + block.replace("active", "inactive", 1))
    eyes = drift_look.Eyes(["a.service", "b.service"])
    assert eyes.observe("unit:a.service")["type"] == ABSENT
    eyes.observe("unit:b.service")
    assert len(tools.ran) == 1


@pytest.mark.parametrize("mask", [lambda path: path.symlink_to("/dev/null"), lambda path: path.touch()])
def test_a_mask_is_seen_before_systemd_has_read_it(eyes, tools, unit_files, mask):
    show(tools)
    mask(unit_files[0] / "docker.service")
    assert eyes.observe("unit:docker.service")["type"] == "masked"


def test_a_unit_file_that_goes_before_the_vendors(eyes, tools, unit_files):
    show(tools)
    (unit_files[0] / "docker.service").write_text("[Service]\n")
    assert eyes.observe("unit:docker.service")["fragment"] == str(unit_files[0] / "docker.service")


@pytest.mark.parametrize(
    "active, sub, expected",
    [
        ("reloading", "reload", "active"),
        ("activating", "auto-restart", "failing"),
        ("activating", "start-pre", UNKNOWN),
        ("failed", "failed", "failed"),
        ("inactive", "dead", "inactive"),
        ("deactivating", "stop-sigterm", "deactivating"),
    ],
)
def test_what_a_unit_does(eyes, tools, unit_files, active, sub, expected):
    show(tools, ActiveState=active, SubState=sub)
    found = eyes.observe("unit:docker.service")
    assert found["active"] == expected and ("_why" in found) == (expected == UNKNOWN)


def test_drop_ins_are_those_on_the_disk_and_those_that_systemd_has_read_but_not_ours(tools, unit_files, tmp_path):
    directory = unit_files[0] / "docker.service.d"
    directory.mkdir()
    for name in ("10-ours.conf", "20-theirs.conf", "README"):
        (directory / name).touch()
    elsewhere = tmp_path / "type.conf"
    elsewhere.touch()
    show(tools, DropInPaths=f"{elsewhere} {tmp_path / 'gone.conf'} {directory / '10-ours.conf'}")
    eyes = drift_look.Eyes(ours=[str(directory / "10-ours.conf")])
    assert eyes.observe("unit:docker.service")["drop_ins"] == sorted(
        [str(elsewhere), str(directory / "20-theirs.conf")]
    )
    recorded = {"drop_ins": [], "_volatile": [str(elsewhere)]}
    assert eyes.observe("unit:docker.service", recorded)["drop_ins"] == [str(directory / "20-theirs.conf")]


def test_a_drop_in_with_limits_is_a_file_of_its_own_role_only_where_that_role_writes_it(eyes, tools, unit_files):
    show(tools)
    for directory in unit_files[:2]:
        (directory / "docker.service.d").mkdir(exist_ok=True)
        (directory / "docker.service.d" / drift_places.LIMITS_DROP_IN).touch()
    assert eyes.observe("unit:docker.service")["drop_ins"] == [str(unit_files[1] / "docker.service.d" / drift_places.LIMITS_DROP_IN)]


def test_limits_are_what_the_kernel_keeps_and_a_slice_that_is_not_there_has_what_it_had(eyes, tmp_path, monkeypatch):
    monkeypatch.setattr(limits_live, "CGROUPS", str(tmp_path))
    recorded = {"values": ["pids.max 100"]}
    assert eyes.observe("limits:c.slice", recorded)["values"] == ["pids.max 100"]
    (tmp_path / "c.slice").mkdir()
    (tmp_path / "c.slice" / "pids.max").write_text("max\n", encoding="ascii")
    assert eyes.observe("limits:c.slice", recorded)["values"] == ["pids.max max"]


def test_a_manager_that_does_not_answer_leaves_all_unknown(eyes, tools, unit_files):
    tools.answer("systemctl show", "", rc=1)
    found = eyes.observe("unit:docker.service")
    assert {found[field] for field in KINDS["unit"]} == {UNKNOWN} and "does not answer" in found["_why"]


@pytest.fixture
def subordinate(tree, monkeypatch):
    tree.write("/subuid", "dockremap:100000:65536\nother:1:2\n# dockremap:1:1\n4242:7:8\nbroken\n")
    tree.write("/subgid", "dockremap:200000:65536\n")
    monkeypatch.setattr(drift_look, "_SUBUID", tree.path("/subuid"))
    monkeypatch.setattr(drift_look, "_SUBGID", tree.path("/subgid"))


def test_ranges_by_name_and_by_number(eyes, subordinate, monkeypatch):
    monkeypatch.setattr(drift_look.pwd, "getpwnam", lambda name: types.SimpleNamespace(pw_uid=4242))
    found = eyes.observe("ranges:dockremap")
    assert (found["uid"], found["gid"]) == (["100000:65536", "7:8"], ["200000:65536"])


def test_an_account_needs_a_group(eyes, monkeypatch):
    monkeypatch.setattr(drift_look.pwd, "getpwnam", lambda name: None)
    monkeypatch.setattr(drift_look.grp, "getgrnam", lambda name: {"dockremap": None}[name])
    assert eyes.observe("account:dockremap")["type"] == "present"
    assert eyes.observe("account:x")["type"] == ABSENT


def mount(eyes, monkeypatch, tmp_path, **other):
    status = os.stat(tmp_path)
    entry = {
        "number": f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}",
        "root": "/",
        "target": str(tmp_path),
        "fstype": "xfs",
        "source": "/dev/x",
        "options": ("rw", "noatime", "nodev", "rw", "attr2", "prjquota", "logbufs=8"),
    }
    monkeypatch.setattr(mount_table, "mountinfo", lambda: [mount_table.MountInfo(**{**entry, **other})])
    monkeypatch.setattr(drift_look.superblock, "uuid", lambda device, fstype: "u" if device == "/dev/x" else "")
    return eyes.observe(f"mount:{tmp_path}")


def test_a_mount_and_only_those_of_its_options_that_somebody_chose(eyes, monkeypatch, tmp_path):
    found = mount(eyes, monkeypatch, tmp_path)
    expected = {"type": "mounted", "hidden": False, "root": "/", "uuid": "u", "options": ["noatime", "nodev", "prjquota", "rw"]}
    assert {name: found[name] for name in KINDS["mount"]} == expected


def test_a_filesystem_that_an_error_made_read_only(eyes, monkeypatch, tmp_path):
    assert "ro" in mount(eyes, monkeypatch, tmp_path, options=("rw", "relatime", "ro"))["options"]


@pytest.mark.parametrize(
    "other, hidden", [({"number": "0:999"}, True), ({"number": "0:999", "fstype": "btrfs"}, False)]
)
def test_a_mount_under_another(eyes, monkeypatch, tmp_path, other, hidden):
    assert mount(eyes, monkeypatch, tmp_path, **other)["hidden"] is hidden


def test_a_device_whose_uuid_cannot_be_read(eyes, monkeypatch, tmp_path):
    found = mount(eyes, monkeypatch, tmp_path, source="/dev/y")
    assert found["uuid"] == UNKNOWN and "/dev/y" in found["_why"]


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_filesystem_that_has_shut_itself_down_is_not_taken_for_one_in_order(eyes, monkeypatch, tmp_path, call):
    real = getattr(os, call)

    def broken(what, *arguments):
        if call == "fsync" or what == str(tmp_path):
            raise OSError(errno.EIO, "Input/output error")
        return real(what, *arguments)

    monkeypatch.setattr(drift_look.os, call, broken)
    found = mount(eyes, monkeypatch, tmp_path)
    assert found["uuid"] == UNKNOWN
    assert "serves no more: Input/output error" in found["_why"]


def test_a_filesystem_that_is_read_only_is_no_broken_one(eyes, monkeypatch, tmp_path):
    def refused(_descriptor):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(drift_look.os, "fsync", refused)
    assert mount(eyes, monkeypatch, tmp_path)["uuid"] == "u"


def test_a_mount_point_that_has_gone_is_no_riddle(eyes, monkeypatch, tmp_path):
    monkeypatch.setattr(mount_table, "mountinfo", list)
    found = eyes.observe(f"mount_point:{tmp_path}/gone")
    assert (found["immutable"], found["shadowed"]) == (False, [])


def test_nothing_mounted(eyes, monkeypatch):
    monkeypatch.setattr(mount_table, "mountinfo", list)
    assert eyes.observe("mount:/x")["type"] == ABSENT


def test_fstab(eyes, tree, monkeypatch):
    tree.write("/fstab", "# UUID=0 /m xfs\nUUID=1  /m\txfs noatime 0 2\nUUID=2 /a\\040b ext4\nnone\n")
    monkeypatch.setattr(drift_look, "FSTAB", tree.path("/fstab"))
    assert eyes.observe("fstab:/m")["line"] == "UUID=1 /m xfs noatime 0 2"
    assert eyes.observe("fstab:/a b")["type"] == "present"
    assert eyes.observe("fstab:/x")["type"] == ABSENT


@pytest.mark.parametrize(
    "arguments, shown",
    [(["-H", "fd://"], ["-H", "fd://"]), (["--log-opt", "splunk-token=x"], ["--log-opt", "splunk-token=********"])],
)
def test_the_arguments_of_dockerd_without_secrets(eyes, tools, monkeypatch, arguments, shown):
    show(tools)
    monkeypatch.setattr(drift_look.processes, "arguments", lambda pid: arguments if pid == 7 else None)
    assert eyes.observe("process:dockerd")["arguments"] == shown


def test_a_dockerd_that_does_not_run(eyes, tools):
    show(tools, MainPID="0")
    found = eyes.observe("process:dockerd")
    assert found["arguments"] == UNKNOWN and "does not run" in found["_why"]


def test_a_setting_of_the_kernel(eyes):
    assert eyes.observe("sysctl:kernel.ostype")["value"] == "Linux"
    assert eyes.observe("sysctl:kernel.no_such_thing")["value"] == ABSENT


def test_the_firewall_is_compared_with_what_was_there(eyes, monkeypatch):
    monkeypatch.setattr(
        drift_look.drift_firewall, "rules", lambda family: ["nat chain DOCKER", "filter -A FORWARD -j mine"]
    )
    recorded = eyes.observe("firewall:iptables")
    assert (recorded["missing"], recorded["_rules"]) == ([], ["nat chain DOCKER"])
    assert eyes.observe("firewall:iptables", {"missing": [], "_rules": ["nat chain DOCKER", "filter chain DOCKER"]})[
        "missing"
    ] == ["filter chain DOCKER"]


def test_a_rule_that_dockerd_only_moves_is_not_missing(eyes, monkeypatch):
    jump = "filter -A FORWARD -j DOCKER-USER"
    looks = iter([[], [], [jump]])
    paused = []
    monkeypatch.setattr(drift_look.drift_firewall, "rules", lambda family: next(looks))
    monkeypatch.setattr(drift_look.time, "sleep", paused.append)
    assert eyes.observe("firewall:iptables", {"missing": [], "_rules": [jump]})["missing"] == []
    assert len(paused) == 2


def test_a_rule_that_dockerd_moves_while_it_is_recorded_is_recorded(eyes, monkeypatch):
    jump = "filter -A FORWARD -j DOCKER-USER"
    looks = iter([["nat chain DOCKER"], ["nat chain DOCKER", jump]])
    monkeypatch.setattr(drift_look.drift_firewall, "rules", lambda family: next(looks))
    assert eyes.observe("firewall:iptables")["_rules"] == ["nat chain DOCKER", jump]


def test_a_firewall_that_cannot_be_read(eyes, monkeypatch):
    monkeypatch.setattr(drift_look.drift_firewall, "rules", lambda family: None)
    assert eyes.observe("firewall:iptables", {"missing": []})["missing"] == UNKNOWN


def test_the_rules_of_the_kernels_audit(eyes, tools):
    tools.answer("auditctl -l", "-w /a -p wa -k other\n-a always,exit -F dir=/b -F key=bulkhead-docker\n")
    recorded = eyes.observe("audit:/r")
    assert (recorded["missing"], len(recorded["_rules"])) == ([], 1)
    tools.answer("auditctl -l", "No rules\n")
    assert eyes.observe("audit:/r", recorded)["missing"] == recorded["_rules"]
    tools.answer("auditctl -l", "", rc=1)
    assert eyes.observe("audit:/r", recorded)["missing"] == UNKNOWN


@pytest.mark.parametrize("profiles, mode", [({"p": "enforce"}, "enforce"), ({}, ABSENT), (None, UNKNOWN)])
def test_a_profile(eyes, monkeypatch, profiles, mode):
    from ansible_collections.bulkhead.docker.plugins.module_utils.host import security_modules

    monkeypatch.setattr(security_modules, "loaded_profiles", lambda: profiles)
    assert eyes.observe("apparmor:p")["mode"] == mode


def test_a_unit_of_a_user(eyes, tools, monkeypatch):
    monkeypatch.setattr(drift_look.pwd, "getpwnam", lambda name: types.SimpleNamespace(pw_uid=1000, pw_gid=1001))
    tools.answer("setpriv --reuid=1000 --regid=1001", "".join(f"{name}={value}\n" for name, value in SHOWN.items()))
    assert eyes.observe("user_unit:u/docker.service")["active"] == "active"


def test_a_kind_that_nobody_knows(eyes):
    assert "_why" in eyes.observe("later:x")


def test_one_thing_by_itself(tmp_path):
    assert drift_look.observe("directory", str(tmp_path))["mode"] == f"{stat.S_IMODE(tmp_path.stat().st_mode):04o}"
