# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import facts, mounts

MOUNTINFO = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:20 / /sys/fs/cgroup ro - tmpfs tmpfs ro
24 23 0:21 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
25 23 0:22 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
30 22 8:17 / /var/lib/docker rw - ext4 /dev/sdb1 rw
31 22 8:18 / /var/lib/docker rw - xfs /dev/sdb2 rw
32 22 0:40 / /var/lib/docker-old rw - overlay overlay rw
"""


@pytest.fixture
def host(tree, tools, monkeypatch):
    """A small host with cgroup v1 and an engine."""
    for path, text in {
        "/etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n# comment\n',
        "/proc/1/comm": "systemd\n",
        "/proc/filesystems": "nodev\tsysfs\nnodev\toverlay\n\text4\n",
        "/proc/meminfo": "MemTotal:        2048 kB\nMemFree: 1 kB\n",
        "/proc/self/mountinfo": MOUNTINFO,
        "/proc/self/ns/user": "",
        "/proc/self/uid_map": "         0          0 4294967295\n",
        "/proc/sys/kernel/seccomp/actions_avail": "kill errno allow\n",
        "/proc/sys/user/max_user_namespaces": "127000\n",
        "/sys/kernel/security/lsm": "lockdown,capability,apparmor\n",
    }.items():
        tree.write(path, text)
    exists = os.path.exists
    monkeypatch.setattr(facts, "open", tree.open, raising=False)
    monkeypatch.setattr(mounts, "open", tree.open, raising=False)
    monkeypatch.setattr(os.path, "exists", lambda path: exists(tree.path(path)))
    tools.answer("systemd-detect-virt --container", "none\n", rc=1)
    tools.answer("systemd-detect-virt --vm", "kvm\n")
    tools.answer("dockerd --version", "Docker version 28.5.2+dfsg3, build 89c5e8f\n")
    tools.answer("systemctl show", "ActiveState=active\n")
    return tree


def gather(host):
    return facts.gather(host.path("/var/lib/docker"))


def test_what_a_host_is(host):
    found = gather(host)
    assert (found.distribution, found.init, found.container, found.vm) == ("Debian GNU/Linux 13 (trixie)", "systemd", "none", "kvm")
    assert (found.cgroup_version, found.cgroup_controllers) == (1, ("cpu,cpuacct", "memory"))
    assert (found.memory, found.seccomp, found.max_user_namespaces) == (2048 * 1024, True, 127000)
    assert (found.uid_map, found.lsms) == ("0 0 4294967295", ("lockdown", "capability", "apparmor"))
    assert (found.filesystems, found.package_manager) == (("ext4", "overlay", "sysfs"), "")
    assert (found.engine_version, found.engine_active, found.swarm) == ("28.5.2+dfsg3", True, False)


def test_cgroup_v2(host):
    host.write("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
    found = gather(host)
    assert (found.cgroup_version, found.cgroup_controllers) == (2, ("cpu", "memory", "pids"))


def test_a_host_without_anything(tree, tools, monkeypatch):
    tree.write("/proc/self/mountinfo", "")
    monkeypatch.setattr(facts, "open", tree.open, raising=False)
    monkeypatch.setattr(mounts, "open", tree.open, raising=False)
    monkeypatch.setattr(os.path, "exists", lambda _path: False)
    tools.answer("systemctl show")
    found = gather(tree)
    assert (found.init, found.cgroup_version, found.container, found.memory, found.filesystems) == ("", 0, "none", 0, ())
    assert (found.max_user_namespaces, found.seccomp, found.engine_version, found.engine_active) == (-1, False, "", False)


@pytest.mark.parametrize(("rc", "expected"), [(0, True), (1, False)])
def test_a_module_for_overlay_is_enough(host, tools, rc, expected):
    host.write("/proc/filesystems", "\text4\n")
    tools.answer("modprobe --dry-run overlay", rc=rc)
    assert ("overlay" in gather(host).filesystems) is expected


@pytest.mark.parametrize("root", ["/var/lib/docker", "/var/lib/docker/100000.100000"])
def test_the_state_of_a_swarm_is_found(host, root):
    host.write(f"{root}/swarm/docker-state.json", "{}")
    assert gather(host).swarm


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("path", "filesystem"),
    [("/var/lib/docker", "xfs"), ("/var/lib/docker/volumes", "xfs"), ("/var/lib/dockers", "ext4"), ("/var/lib/docker-old", "overlay"), ("/", "ext4")],
)
def test_the_filesystem_of_the_data_root_is_the_nearest_and_topmost(path, filesystem):
    assert facts.filesystem_of(path) == filesystem
