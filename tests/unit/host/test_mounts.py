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


def test_fstab(tree, monkeypatch):
    tree.write("/etc/fstab", FSTAB)
    monkeypatch.setattr(mounts, "FSTAB", tree.path("/etc/fstab"))
    assert mounts.fstab() == [
        FstabLine("UUID=aaaa", "/", "ext4", "errors=remount-ro"),
        FstabLine("UUID=cccc", "/var/lib/docker/overlay2", "xfs", "noatime,nofail"),
        FstabLine("/root/a blank.img", "/srv/a blank", "ext4", "defaults"),
    ]


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
