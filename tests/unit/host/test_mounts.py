# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, mount_table, mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import FstabLine

MOUNTINFO = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
40 22 8:17 / /var/lib/docker/overlay2 rw,noatime shared:20 master:2 - xfs /dev/sdb1 rw,attr2
41 22 8:17 /below /srv/a\040blank\134 rw - xfs /dev/sdb1 rw
42 22 0:45 / /mnt/tab\011 rw - fuse.sshfs host\040name:/ rw
43 22 0:50 / /merged rw - overlay overlay rw,lowerdir=/a:/b
44 22 0:51 / /srv/müll rw - tmpfs tmpfs rw
""".lstrip()

FSTAB = r"""
# <file system> <mount point> <type>
UUID=aaaa /          ext4  errors=remount-ro 0 1

#UUID=bbbb /old xfs defaults 0 0
UUID=cccc /var/lib/docker/overlay2 xfs noatime,nofail 0 0
/root/a\040blank.img /srv/a\040blank ext4
none swap
"""


@pytest.fixture
def mounted(tree, monkeypatch):
    tree.write("/proc/self/mountinfo", MOUNTINFO)
    monkeypatch.setattr(mount_table, "open", tree.open, raising=False)


@pytest.mark.usefixtures("mounted")
def test_mountinfo_with_escapes_and_optional_fields():
    assert [tuple(mount)[:5] for mount in mounts.mountinfo()] == [
        ("8:1", "/", "/", "ext4", "/dev/sda1"),
        ("8:17", "/", "/var/lib/docker/overlay2", "xfs", "/dev/sdb1"),
        ("8:17", "/below", "/srv/a blank\\", "xfs", "/dev/sdb1"),
        ("0:45", "/", "/mnt/tab\t", "fuse.sshfs", "host name:/"),
        ("0:50", "/", "/merged", "overlay", "overlay"),
        ("0:51", "/", "/srv/müll", "tmpfs", "tmpfs"),
    ]


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(("path", "expected"), [("/", True), ("/srv/a blank\\", True), ("/srv", False), ("/var/lib/docker", False)])
def test_is_mount_point(path, expected):
    assert mounts.is_mount_point(path) is expected


@pytest.mark.usefixtures("mounted")
def test_block_mounts_ask_each_device_once_and_trust_only_whole_filesystems():
    asked = []

    def probe(path):
        asked.append(path)
        return {"UUID": f"uuid of {path}"}

    uuids = {mount.target: mount.uuid for mount in mounts.block_mounts(probe)}
    assert asked == ["/dev/sda1", "/dev/sdb1"]
    assert uuids == {
        "/": "uuid of /dev/sda1",
        "/var/lib/docker/overlay2": "uuid of /dev/sdb1",
        "/srv/a blank\\": "",
        "/mnt/tab\t": "",
        "/merged": "",
        "/srv/müll": "",
    }


@pytest.mark.usefixtures("mounted")
def test_block_mounts_tell_the_size_of_the_device_and_whether_quotas_are_kept(tree, monkeypatch):
    monkeypatch.setattr(mounts, "_NUMBERED", tree.path("/sys/dev/block"))
    tree.write("/sys/dev/block/8:17/size", "8192\n")
    tree.write("/proc/self/mountinfo", MOUNTINFO.replace("xfs /dev/sdb1 rw,attr2", "xfs /dev/sdb1 rw,prjquota"))
    found = {mount.target: (mount.size, mount.quota) for mount in mounts.block_mounts(lambda _path: {"UUID": "u"})}
    assert found["/var/lib/docker/overlay2"] == (8192 * 512, True)
    assert found["/"] == (0, False)


def test_fstab(tree, monkeypatch):
    tree.write("/etc/fstab", FSTAB)
    monkeypatch.setattr(mounts, "FSTAB", tree.path("/etc/fstab"))
    assert mounts.fstab() == [
        FstabLine("UUID=aaaa", "/", "ext4", "errors=remount-ro"),
        FstabLine("UUID=cccc", "/var/lib/docker/overlay2", "xfs", "noatime,nofail"),
        FstabLine("/root/a blank.img", "/srv/a blank", "ext4", "defaults"),
    ]


def test_a_line_whose_mount_point_ends_in_a_slash_is_of_the_same_place(tree, monkeypatch):
    tree.write("/etc/fstab", "/dev/sda1 / ext4 rw 0 1\n/dev/sdz1 /var/lib/docker/overlay2/ ext4 defaults 0 0\n")
    monkeypatch.setattr(mounts, "FSTAB", tree.path("/etc/fstab"))
    assert [line.target for line in mounts.fstab()] == ["/", "/var/lib/docker/overlay2"]
    mounts.write_fstab_line("UUID=cccc", "/var/lib/docker/overlay2", "xfs", ("noatime",))
    assert [line.source for line in mounts.fstab()] == ["/dev/sda1", "UUID=cccc"]


OURS = ("UUID=cccc", "/var/lib/docker/volumes", "xfs", ("noatime", "nodev"))
WHOLE = "UUID=cccc /var/lib/docker/volumes xfs noatime,nodev 0 0"


@pytest.mark.parametrize("length", range(1, WHOLE.index("noatime")))
def test_half_a_line_of_ours_goes_wherever_it_was_cut(tree, monkeypatch, length):
    other = "UUID=aaaa / ext4 rw 0 1"
    tree.write("/etc/fstab", f"{other}\n# UUID=cccc\n{WHOLE[:length]}\n{WHOLE}\n")
    monkeypatch.setattr(mounts, "FSTAB", tree.path("/etc/fstab"))
    cut = mounts.cut_fstab_lines([OURS])
    mounts.drop_fstab_lines(cut)
    with open(mounts.FSTAB, encoding="utf-8") as handle:
        assert handle.read() == f"{other}\n# UUID=cccc\n{WHOLE}\n"


@pytest.mark.parametrize(
    "line",
    [WHOLE, f"{' '.join(OURS[:3])} noatime", "UUID=bbbb /var", "UUID=cccc /srv", "# UUID=cccc /var/lib", "", "UUID=cccc  /var/lib/docker/volumes"],
)
def test_lines_of_others_and_whole_ones_are_no_half_lines(tree, monkeypatch, line):
    tree.write("/etc/fstab", f"{line}\n")
    monkeypatch.setattr(mounts, "FSTAB", tree.path("/etc/fstab"))
    assert mounts.cut_fstab_lines([OURS]) == []


def test_what_mounts_the_filesystem_stays_where_no_whole_line_does(tree, monkeypatch):
    monkeypatch.setattr(mounts, "FSTAB", tree.path("/etc/fstab"))
    tree.write("/etc/fstab", "UUID=cccc /var/lib/docker/volumes xfs\n")
    assert mounts.cut_fstab_lines([OURS]) == []
    tree.write("/etc/fstab", f"UUID=cccc /var/lib/docker/volumes xfs\n{WHOLE.replace('volumes', 'volumes/')}\n")
    assert mounts.cut_fstab_lines([OURS]) == ["UUID=cccc /var/lib/docker/volumes xfs"]


def test_a_missing_fstab_is_empty(tree, monkeypatch):
    monkeypatch.setattr(mounts, "FSTAB", tree.path("/etc/fstab"))
    assert mounts.fstab() == []


def test_first_link(tmp_path):
    (tmp_path / "real" / "docker").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    assert mounts.first_link(f"{tmp_path}/real/docker/missing") == ""
    assert mounts.first_link(f"{tmp_path}/link/docker") == f"{tmp_path}/link"


@pytest.mark.parametrize(
    ("shown", "rc", "expected"),
    [("----i---------e------- /srv/i\n", 0, True), ("--------------e------- /srv/i\n", 0, False), ("", 1, None)],
)
def test_bare_is_immutable(tools, shown, rc, expected):
    tools.answer("unshare --mount --propagation private", shown, rc)
    assert mounts.bare_is_immutable("/srv/i") is expected


@pytest.mark.parametrize(("rc", "expected"), [(0, True), (1, False)])
def test_set_immutable(tools, rc, expected):
    tools.answer("chattr +i -- /srv", rc=rc)
    assert mounts.set_immutable("/srv") is expected


def test_a_failing_mount_is_an_error(tools):
    tools.answer("mount -- /srv", rc=32)
    with pytest.raises(commands.CommandError):
        mounts.mount("/srv")


def _devices(tmp_path, monkeypatch, *devices, lines="UUID=cccc /var/lib/docker/overlay2 xfs noatime,nofail 0 0\n"):
    """A host on which blkid finds these devices with the UUID; returns what was mounted."""
    (tmp_path / "fstab").write_text(lines, encoding="utf-8")
    monkeypatch.setattr(mounts, "FSTAB", str(tmp_path / "fstab"))
    monkeypatch.setattr(mounts, "_SYSFS", str(tmp_path / "sys"))
    for device in devices:
        (tmp_path / "sys" / device / "holders").mkdir(parents=True)
    mounted = []

    def run(arguments, **_options):
        if arguments[0] == "blkid":
            return commands.CommandResult(0, "".join(f"/dev/{device}\n" for device in devices), "")
        mounted.append(arguments)
        return commands.CommandResult(0, "", "")

    monkeypatch.setattr(commands, "run", run)
    return mounted


def test_a_filesystem_that_two_devices_have_is_not_mounted(tmp_path, monkeypatch):
    mounted = _devices(tmp_path, monkeypatch, "sdb1", "sdc1")
    with pytest.raises(mounts.files.FileError, match="/dev/sdb1, /dev/sdc1 all have the filesystem UUID=cccc, and mount.8. would take any"):
        mounts.mount("/var/lib/docker/overlay2")
    assert mounted == []


def test_parts_of_a_device_that_has_the_filesystem_do_not_count(tmp_path, monkeypatch):
    mounted = _devices(tmp_path, monkeypatch, "sdb", "sdc", "dm-0")
    for part in ("sdb", "sdc"):
        (tmp_path / "sys" / part / "holders" / "dm-0").mkdir()
    mounts.mount("/var/lib/docker/overlay2")
    assert mounted == [["mount", "--", "/var/lib/docker/overlay2"]]


def test_a_snapshot_of_a_logical_volume_does_not_count(tmp_path, monkeypatch):
    mounted = _devices(tmp_path, monkeypatch, "dm-1", "dm-2")
    for number in ("dm-1", "dm-2"):
        (tmp_path / "sys" / number / "dm").mkdir()
        (tmp_path / "sys" / number / "dm" / "uuid").write_text(f"LVM-{number}\n", encoding="ascii")
    mounts.mount("/var/lib/docker/overlay2")
    assert len(mounted) == 1


def test_an_image_is_mounted_by_its_path(tmp_path, monkeypatch):
    mounted = _devices(tmp_path, monkeypatch, "sdb1", "sdc1", lines="/root/image /var/lib/docker/overlay2 xfs loop 0 0\n")
    mounts.mount("/var/lib/docker/overlay2")
    assert len(mounted) == 1
