# SPDX-License-Identifier: Apache-2.0
"""Docker's filesystems: apart from each other and from the host, and there whenever Docker is."""

from __future__ import annotations

import pytest
from lab_docker import FILL, free_bytes, mounted, used_percent

MIB = 1024 * 1024


def mounts_of(root):
    return [f"{root}/overlay2", f"{root}/volumes"]


def assert_all_mounted(host, root):
    for path in mounts_of(root):
        assert mounted(host, path), f"{path} is not mounted"


def test_layers_and_volumes_have_filesystems_of_their_own(host, root):
    devices = {path: host.check_output("stat --format %%d %s", path) for path in ["/", "/var/lib/docker", *mounts_of(root)]}
    assert len(set(devices.values())) == 4


def test_fstab_names_filesystems_by_uuid(host, root):
    lines = [line.split() for line in host.file("/etc/fstab").content_string.splitlines() if root in line]
    assert {line[1] for line in lines} == set(mounts_of(root))
    assert all(line[0].startswith("UUID=") for line in lines)


def test_lost_and_found_is_no_volume(docker):
    assert "lost+found" not in docker.call("volume", "ls", "--quiet").split()


def test_lost_and_found_that_fsck_made_anew_is_no_volume(host, docker, root):
    host.check_output("mkdir --mode=700 %s/volumes/lost+found && systemctl reset-failed docker && systemctl restart docker", root)
    docker.wait_until_serving()
    assert "lost+found" not in docker.call("volume", "ls", "--quiet").split()
    assert not host.file(f"{root}/volumes/lost+found").exists


def test_volumes_hold_no_devices_and_no_setuid_programs(host, docker, root):
    volume = docker.volume("suid")
    options = ["--volume", f"{volume}:/data"]
    docker.once("sh", "-c", "cp /bin/busybox-suid /data/ && chmod 4755 /data/busybox-suid", options=options)
    needs_root = ["/data/busybox-suid", "su", "-c", "true", "root"]
    tried = docker.attempt("run", "--rm", "--user", "65534", "--security-opt", "no-new-privileges=false", *options, "lab/busybox", *needs_root)
    assert "must be suid" in tried.stderr
    assert {"nodev", "nosuid"} <= set(host.mount_point(f"{root}/volumes").options)


def test_a_full_volume_leaves_everything_else_free(host, docker, root):
    before = free_bytes(host, f"{root}/overlay2")
    volume = docker.volume("full")
    docker.once("sh", "-c", FILL.format("/data/zero"), options=["--volume", f"{volume}:/data"])
    assert used_percent(host, f"{root}/volumes") == 100
    assert free_bytes(host, f"{root}/overlay2") > before - 64 * MIB
    # The lab's disks are sparse files on the machine's own disk, so room on / is shown by writing there.
    host.check_output("dd if=/dev/zero of=/root/room bs=1M count=64 status=none && rm /root/room")
    assert docker.once("echo", "alive") == "alive"
    assert host.service("docker").is_running


def test_full_layers_leave_volumes_writable_and_the_daemon_alive(host, docker, root):
    volume = docker.volume("writable")
    writer = docker.start("writer", "--volume", f"{volume}:/data")
    filler = docker.start("filler", command=["sh", "-c", FILL.format("/zero")])
    docker.call("wait", filler)
    assert used_percent(host, f"{root}/overlay2") == 100
    assert docker.call("exec", writer, "sh", "-c", "dd if=/dev/zero of=/data/file bs=1M count=64 2>/dev/null && stat -c %s /data/file") == str(64 * MIB)
    assert host.service("docker").is_running
    assert used_percent(host, "/") < 100


def restart(host):
    host.check_output("systemctl restart docker")


def stop_and_start(host):
    host.check_output("systemctl stop docker.socket docker.service containerd.service")
    host.check_output("systemctl start docker.service")


def start_through_the_socket(host):
    host.check_output("systemctl stop docker.service")
    host.check_output("docker info")


def kill(host):
    host.check_output("systemctl kill --kill-who=main --signal=KILL docker.service")


def reinstall(host):
    host.check_output("DEBIAN_FRONTEND=noninteractive apt-get install --reinstall --quiet --yes --allow-change-held-packages docker.io")


@pytest.mark.parametrize("disturb", [restart, stop_and_start, start_through_the_socket, kill, reinstall])
def test_nothing_is_lost_when_the_daemon_goes_and_comes(host, docker, root, disturb):
    label = disturb.__name__.replace("_", "-")
    volume = docker.volume(label)
    name = docker.start(label, "--volume", f"{volume}:/data", "--restart", "always")
    docker.call("exec", name, "sh", "-c", "echo kept > /data/file; echo kept > /file")
    pid = docker.pid(name)
    host.check_output("systemctl reset-failed docker.service docker.socket containerd.service")
    disturb(host)
    docker.wait_until_serving()
    assert_all_mounted(host, root)
    assert docker.call("exec", name, "cat", "/data/file", "/file").split() == ["kept", "kept"]
    if disturb in (restart, kill, reinstall):
        assert docker.pid(name) == pid, "live-restore did not keep the container running"


def test_nothing_is_lost_when_no_container_keeps_the_layers_busy(host, docker, root):
    # With a running container and live-restore dockerd leaves the mounts alone; without one it unmounts overlay2.
    name = docker.start("stopped")
    docker.call("exec", name, "sh", "-c", "echo kept > /file")
    docker.call("stop", "--time", "0", name)
    assert docker.call("ps", "--quiet") == ""
    host.check_output("systemctl reset-failed docker.service")
    host.check_output("systemctl stop docker.socket docker.service")
    assert not mounted(host, f"{root}/overlay2"), "dockerd no longer unmounts overlay2 when it stops; the guard may be simplified"
    host.check_output("systemctl start docker.service")
    docker.wait_until_serving()
    assert_all_mounted(host, root)
    docker.call("start", name)
    assert docker.call("exec", name, "cat", "/file") == "kept"


def refused_start(host):
    host.check_output("systemctl reset-failed docker.service")
    tried = host.run("systemctl start docker.service")
    journal = host.check_output("journalctl --unit docker --no-pager --lines 30")
    # Restart= would try on; the socket would too.
    host.check_output("systemctl stop docker.socket docker.service")
    return tried, journal


def test_docker_does_not_start_without_a_filesystem(host, docker, root):
    path = f"{root}/volumes"
    host.check_output("systemctl stop docker.socket docker.service")
    host.check_output("cp /etc/fstab /root/fstab.kept && umount %s && sed -i '\\,%s ,d' /etc/fstab", path, path)
    try:
        tried, journal = refused_start(host)
        assert tried.rc != 0
        assert f"{path} is not mounted and mounting it failed" in journal
        assert host.run("touch %s/written", path).rc != 0, "the bare mount point can be written"
        assert host.check_output("ls -A %s", path) == ""
    finally:
        host.check_output("mv /root/fstab.kept /etc/fstab && systemctl daemon-reload")
        host.check_output("systemctl reset-failed docker.service && systemctl start docker.service")
    docker.wait_until_serving()
    assert_all_mounted(host, root)


def test_docker_does_not_start_on_a_wrong_filesystem(host, docker, root):
    path = f"{root}/volumes"
    host.check_output("systemctl stop docker.socket docker.service")
    host.check_output("umount %s && mount -t tmpfs none %s", path, path)
    try:
        tried, journal = refused_start(host)
        assert tried.rc != 0
        assert f"{path} has the filesystem none" in journal
    finally:
        host.check_output("umount %s && systemctl reset-failed docker.service && systemctl start docker.service", path)
    docker.wait_until_serving()
    assert_all_mounted(host, root)
