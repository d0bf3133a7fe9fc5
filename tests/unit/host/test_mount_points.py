# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
import os
import stat
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.host.mount_points import MountPoints
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target

MUTABLE, IMMUTABLE = "--------------e------- path\n", "----i---------e------- path\n"


class Host:
    """A data-root in a directory; mounting is remembered instead of done."""

    def __init__(self, top):
        self.root = str(top / "docker")
        self.place = f"{self.root}/volumes"
        self.mounted = set()
        self.covered = True

    def target(self, mode=0o701):
        return Target("volumes", "/dev/sdb1", self.place, "xfs", (), mode, 0, "UUID=aaaa", "aaaa")

    def mount(self, path):
        self.mounted.add(path)

    def converge(self, predict=False, immutable=True, mode=0o701):
        pass_ = MountPoints(predict, immutable)
        pass_.converge([self.target(mode)], [(self.root, 100000)])
        return pass_


@pytest.fixture
def host(tmp_path, monkeypatch, tools, own_files):
    host = Host(tmp_path)
    monkeypatch.setattr(mounts, "is_mount_point", host.mounted.__contains__)
    monkeypatch.setattr(mounts, "mount", host.mount)
    monkeypatch.setattr(mounts, "bare_is_immutable", lambda _path: host.covered)
    tools.answer("lsattr", MUTABLE)
    tools.answer("chattr +i")
    tools.answer("unshare")
    return host


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def words(pass_):
    return [text.split()[0] for text in pass_.done]


def test_a_bare_host_gets_everything_in_order(host, tools):
    pass_ = host.converge()
    assert words(pass_) == ["make", "make", "protect", "mount", "set"]
    assert (mode(host.root), mode(host.place)) == (0o710, 0o701)
    assert f"chattr +i -- {host.place}" in tools.ran
    assert host.mounted == {host.place}
    assert pass_.warnings == []


def test_a_second_pass_does_nothing(host):
    host.converge()
    assert host.converge().done == []


@pytest.mark.parametrize("predict", [True, False])
def test_half_a_line_of_fstab_goes(host, monkeypatch, tmp_path, predict):
    table = tmp_path / "fstab"
    whole = f"UUID=aaaa {host.place} xfs  0 0\n"
    table.write_text(f"UUID=aa\n{whole}", encoding="utf-8")
    monkeypatch.setattr(mounts, "FSTAB", str(table))
    host.converge()
    table.write_text(f"UUID=aa\n{whole}", encoding="utf-8")
    assert host.converge(predict=predict).done == ["take half lines of ours out of /etc/fstab (UUID=aa)"]
    assert table.read_text(encoding="utf-8") == (f"UUID=aa\n{whole}" if predict else whole)


@pytest.mark.parametrize("predict", [True, False])
def test_half_a_line_goes_after_the_whole_one_was_written_which_is_predicted(host, monkeypatch, tmp_path, predict):
    table = tmp_path / "fstab"
    monkeypatch.setattr(mounts, "FSTAB", str(table))
    host.converge()
    table.write_text("UUID=aa\n", encoding="utf-8")
    assert host.converge(predict=predict).done == (["take half lines of ours out of /etc/fstab (UUID=aa)"] if predict else [])
    assert table.read_text(encoding="utf-8") == "UUID=aa\n"


def test_a_prediction_says_the_same_and_touches_nothing(host, tools):
    assert words(host.converge(predict=True)) == ["make", "make", "protect", "mount"]
    assert not os.path.exists(host.root)
    assert host.mounted == set()
    assert tools.ran == []


@pytest.mark.parametrize("predict", [False, True])
def test_a_filesystem_that_went_read_only_is_mounted_for_writing_again(host, tools, monkeypatch, predict):
    host.converge()
    tools.answer("mount")
    monkeypatch.setattr(os, "statvfs", lambda path: types.SimpleNamespace(f_flag=os.ST_RDONLY))
    assert host.converge(predict).done == [f"mount {host.place} for writing again"]
    assert (f"mount --options remount,rw -- {host.place}" in tools.ran) is not predict


@pytest.mark.parametrize("predict", [False, True])
def test_a_filesystem_with_errors_is_told_although_it_is_mounted(host, monkeypatch, predict):
    host.converge()

    def fails(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(files.FileError, match="volumes serves no more: Input/output error; see the kernel's log"):
        host.converge(predict)


def test_what_is_unmounted_again_is_mounted_and_no_more(host, tools):
    host.converge()
    host.mounted.clear()
    tools.answer("lsattr", IMMUTABLE)
    assert words(host.converge()) == ["mount"]


@pytest.mark.parametrize(("covered", "expected"), [(True, []), (False, ["protect"]), (None, [])])
def test_a_covered_mount_point_is_protected_where_it_can_be(host, tools, covered, expected):
    host.converge()
    host.covered = covered
    assert words(host.converge()) == expected
    assert any(line.startswith("unshare --mount --propagation private") for line in tools.ran) is bool(expected)


def test_no_protection_where_none_is_wanted(host, tools):
    host.covered = False
    assert "protect" not in words(host.converge(immutable=False)) + words(host.converge(immutable=False))
    assert not any(line.startswith(("chattr", "unshare", "lsattr")) for line in tools.ran)


def test_a_filesystem_without_the_flag_is_only_warned_about(host, tools):
    tools.answer("chattr +i", rc=1)
    (warning,) = host.converge().warnings
    assert f"the filesystem below {host.place} knows no immutable flag" in warning
    assert host.mounted == {host.place}


def test_modes_are_put_right(host):
    host.converge()
    os.chmod(host.root, 0o755)
    os.chmod(host.place, 0o700)
    done = host.converge().done
    assert [text.split(" from ")[1].split()[0] for text in done] == ["0755", "0700"]
    assert (mode(host.root), mode(host.place)) == (0o710, 0o701)


def test_a_place_whose_mode_is_its_owners_is_left_alone(host):
    assert "set" not in words(host.converge(mode=None))


@pytest.mark.parametrize(("filled", "expected"), [(False, ["remove"]), (True, [])])
def test_lost_and_found_goes_while_it_is_empty(host, filled, expected):
    host.converge()
    os.mkdir(f"{host.place}/lost+found")
    if filled:
        open(f"{host.place}/lost+found/#12", "w", encoding="ascii").close()
    assert words(host.converge()) == expected
    assert os.path.exists(f"{host.place}/lost+found") is filled


def test_a_linked_root_is_refused(host, tmp_path):
    (tmp_path / "real").mkdir()
    os.symlink("real", host.root)
    with pytest.raises(files.FileError, match="is a symbolic link; name the real directory"):
        host.converge()
    assert host.mounted == set()


def test_a_root_inside_a_mounted_filesystem_is_made_there(host):
    target = Target("data-root", "/dev/sdb1", host.root, "xfs", (), 0o710, 100000, "UUID=aaaa", "aaaa")
    effective = f"{host.root}/100000.100000"
    pass_ = MountPoints(False, False)
    pass_.converge([target], [(host.root, 100000), (effective, 100000)])
    assert mode(effective) == 0o710
    assert host.mounted == {host.root}
