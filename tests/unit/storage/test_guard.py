# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_state
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target

LAYERS = Target("overlay2", "/dev/sdb1", "/var/lib/docker/overlay2", "xfs", ("noatime",), 0o710, 0, "UUID=aaaa", "aaaa")
VOLUMES = Target("volumes", "/dev/sdb2", "/var/lib/docker/volumes", "xfs", ("noatime",), 0o701, 0)

# A host in a directory: `mounted/<name>` and `fstab/<name>` hold a device's name, `devices/<name>` its UUID.
TOOLS = {
    "mountpoint": 'shift 2; test -e "$HOST/mounted/$(basename "$1")"',
    "mount": 'shift; echo "$1" >> "$HOST/log"; cp "$HOST/fstab/$(basename "$1")" "$HOST/mounted/"',
    "findmnt": 'for path; do :; done; cat "$HOST/mounted/$(basename "$path")"',
    "blkid": 'case $* in *--match-token*) grep -l "^${4#UUID=}$" "$HOST"/devices/* | sed "s,.*/,,";; *) for path; do :; done; cat "$HOST/devices/$path";; esac',
}


class Host:
    def __init__(self, top):
        self.top = top
        for name in ("bin", "mounted", "fstab", "devices"):
            (top / name).mkdir()
        for name, text in TOOLS.items():
            self.write(f"bin/{name}", f"#!/bin/sh\n{text}\n", 0o755)
        for name in ("sh", "cat", "cp", "tail", "basename", "test", "echo", "grep", "sed", "ls", "readlink", "rmdir"):
            (top / "bin" / name).symlink_to(shutil.which(name))
        text = guard.PROGRAM_TEXT
        for path in ("/etc/docker/daemon.json", "/var/lib/bulkhead/daemon.json", "/proc/self/cgroup", "/sys/class/block"):
            assert path in text
            text = text.replace(path, str(top / path.strip("/").replace("/", "-")))
        self.write("guard", text)
        self.starts("containerd.service")
        self.write("log", "")

    def write(self, name, text, mode=0o644):
        (self.top / name).write_text(text, encoding="utf-8")
        (self.top / name).chmod(mode)

    def run(self, *arguments):
        environment = {"PATH": str(self.top / "bin"), "HOST": str(self.top)}
        return subprocess.run(["/bin/sh", self.top / "guard", *arguments], env=environment, capture_output=True, text=True, check=False)

    def starts(self, unit):
        self.write("proc-self-cgroup", f"0::/system.slice/{unit}\n")

    def remembers(self, config):
        self.write("var-lib-bulkhead-daemon.json", daemon_state.render(daemon_state.State(good=daemon_state.Files(config))))

    @property
    def mounts_made(self):
        return (self.top / "log").read_text(encoding="utf-8").split()


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    for place, device, uuid in (("overlay2", "sdb1", "aaaa"), ("volumes", "sdb2", "bbbb")):
        host.write(f"fstab/{place}", f"{device}\n")
        host.write(f"devices/{device}", f"{uuid}\n")
    return host


PAIRS = ("/docker/overlay2", "aaaa", "/docker/volumes", "bbbb")


def test_what_is_missing_is_mounted(host):
    host.write("mounted/volumes", "sdb2\n")
    done = host.run(*PAIRS)
    assert (done.returncode, done.stderr) == (0, "")
    assert host.mounts_made == ["/docker/overlay2"]


def test_nothing_is_mounted_twice(host):
    assert [host.run(*PAIRS).returncode for _time in range(2)] == [0, 0]
    assert host.mounts_made == ["/docker/overlay2", "/docker/volumes"]


def test_a_mount_that_only_says_that_it_succeeded_keeps_docker_from_starting(host):
    # So mount(8) does with the option nofail.
    host.write("bin/mount", "#!/bin/sh\nexit 0\n", 0o755)
    done = host.run(*PAIRS)
    assert done.returncode == 1
    assert "mount-guard: /docker/overlay2 is not mounted and mounting it failed" in done.stderr


def test_a_failing_mount_keeps_docker_from_starting(host):
    (host.top / "fstab" / "overlay2").unlink()
    done = host.run(*PAIRS)
    assert done.returncode == 1
    assert "mount-guard: /docker/overlay2 is not mounted and mounting it failed; Docker is not started without it" in done.stderr
    assert host.mounts_made == ["/docker/overlay2"]


def test_an_empty_lost_and_found_goes_before_dockerd_looks_and_nothing_else(host, tmp_path):
    volumes = tmp_path / "real" / "volumes"
    host.write("mounted/volumes", "sdb2\n")
    for name in ("lost+found", "kept"):
        (volumes / name).mkdir(parents=True)
    assert host.run(str(volumes), "bbbb").returncode == 0
    assert sorted(path.name for path in volumes.iterdir()) == ["kept"]
    (volumes / "lost+found" / "#12").mkdir(parents=True)
    done = host.run(str(volumes), "bbbb")
    assert (done.returncode, done.stderr) == (0, "")
    assert (volumes / "lost+found" / "#12").is_dir()


def test_a_lost_and_found_elsewhere_is_not_reached_through_a_link(host, tmp_path):
    volumes, elsewhere = tmp_path / "real" / "volumes", tmp_path / "elsewhere"
    host.write("mounted/volumes", "sdb2\n")
    volumes.mkdir(parents=True)
    elsewhere.mkdir()
    (volumes / "lost+found").symlink_to(elsewhere)
    assert host.run(str(volumes), "bbbb").returncode == 0
    assert elsewhere.is_dir()


@pytest.mark.parametrize("place", ["overlay2", "volumes"])
def test_another_filesystem_is_refused(host, place):
    host.write(f"mounted/{place}", "sdc1\n")
    host.write("devices/sdc1", "cccc\n")
    done = host.run(*PAIRS)
    assert done.returncode == 1
    assert f"/docker/{place} has the filesystem cccc from sdc1 instead of" in done.stderr


def test_the_topmost_mount_counts(host):
    host.write("devices/sdc1", "cccc\n")
    host.write("mounted/overlay2", "sdc1\nsdb1\n")
    host.write("mounted/volumes", "sdb2\n")
    assert host.run(*PAIRS).returncode == 0
    host.write("mounted/overlay2", "sdb1\nsdc1\n")
    assert host.run(*PAIRS).returncode == 1


def test_a_source_that_cannot_be_probed_is_refused(host):
    host.write("mounted/overlay2", "tmpfs\n")
    done = host.run(*PAIRS)
    assert done.returncode == 1
    assert "has the filesystem none from tmpfs" in done.stderr


@pytest.mark.parametrize("text", ["", " \n\t\n", None])
def test_docker_is_not_started_with_its_defaults_where_it_had_a_configuration(host, text):
    host.remembers('{"userns-remap": "dockremap"}')
    if text is not None:
        host.write("etc-docker-daemon.json", text)
    assert host.run(*PAIRS).returncode == 0
    host.starts("docker.service")
    done = host.run(*PAIRS)
    assert done.returncode == 1
    assert "daemon.json is empty or gone, and Docker would start with its defaults in another root; run the role docker_daemon" in done.stderr


def test_docker_starts_without_a_configuration_where_it_never_had_one(host):
    host.starts("docker.service")
    assert host.run(*PAIRS).returncode == 0
    host.remembers(None)
    assert host.run(*PAIRS).returncode == 0
    host.write("etc-docker-daemon.json", "{}\n")
    host.remembers("{}\n")
    assert host.run(*PAIRS).returncode == 0


def test_the_drop_in_names_every_place_with_its_uuid():
    text = guard.drop_in([LAYERS, VOLUMES])
    assert "RequiresMountsFor=/var/lib/docker/overlay2 /var/lib/docker/volumes\n" in text
    assert f"ExecStartPre=+{guard.PROGRAM} /var/lib/docker/overlay2 aaaa /var/lib/docker/volumes {guard.UUID_NOT_KNOWN_YET}\n" in text


def test_both_daemons_are_guarded_by_one_program():
    files = guard.files([LAYERS])
    assert {os.path.basename(os.path.dirname(path)) for path in files} == {"bulkhead", "containerd.service.d", "docker.service.d"}
    assert {mode for path, (_text, mode) in files.items() if path == guard.PROGRAM} == {0o755}
    assert len({text for path, (text, _mode) in files.items() if path != guard.PROGRAM}) == 1


def test_what_a_drop_in_guards_can_be_read_back():
    targets = [Target("overlay2", "/dev/sdb1", "/srv/overlay2", "xfs", (), 0o710, 0), Target("volumes", "/dev/sdb2", "/srv/volumes", "xfs", (), 0o701, 0)]
    assert guard.guarded(guard.drop_in(targets)) == ("/srv/overlay2", "/srv/volumes")
    assert guard.guarded("") == ()


@pytest.fixture
def copied(host):
    """A partition of another disk with the same UUID, and its place among the kernel's block devices."""
    host.write("devices/sdc1", "bbbb\n")
    disk, classes = host.top / "sys" / "sdc", host.top / "sys-class-block"
    for holders in (disk / "holders", disk / "sdc1" / "holders"):
        holders.mkdir(parents=True)
    classes.mkdir()
    (classes / "sdc").symlink_to(disk)
    (classes / "sdc1").symlink_to(disk / "sdc1")
    return disk


@pytest.mark.parametrize("holders", ["holders", "sdc1/holders"])
def test_a_part_of_what_is_mounted_is_no_copy(host, copied, holders):
    (copied / holders / "dm-0").touch()
    assert host.run(*PAIRS).returncode == 0


def test_a_snapshot_is_no_copy(host, copied):
    (copied / "sdc1" / "dm").mkdir()
    (copied / "sdc1" / "dm" / "uuid").write_text("LVM-xyz\n", encoding="ascii")
    assert host.run(*PAIRS).returncode == 0


@pytest.mark.usefixtures("copied")
def test_a_copy_of_a_disk_keeps_docker_from_starting(host):
    done = host.run(*PAIRS)
    assert done.returncode == 1
    assert "mount-guard: sdc1 has the UUID bbbb of sdb2 on /docker/volumes too" in done.stderr
    assert "Docker is not started with both" in done.stderr
