# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    directory_types,
    docker_data,
    facts,
    mount_table,
    security_modules,
)

MOUNTINFO = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:20 / /sys/fs/cgroup ro - tmpfs tmpfs ro
24 23 0:21 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
25 23 0:22 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
30 22 8:17 / /var/lib/docker rw - ext4 /dev/sdb1 rw
31 22 8:18 / /var/lib/docker rw,nodev shared:7 master:2 - xfs /dev/sdb2 rw,prjquota
32 22 0:40 / /var/lib/docker-old rw - overlay overlay rw
33 22 0:41 / /srv rw - fuse.sshfs somebody@elsewhere rw
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
        "/proc/self/gid_map": "         0     100000      65536\n     65536    200000          1\n",
        "/proc/sys/kernel/seccomp/actions_avail": "kill errno allow\n",
        "/proc/sys/net/ipv4/ip_forward": "0\n",
        "/proc/sys/user/max_user_namespaces": "127000\n",
        "/sys/fs/cgroup/memory/tasks": "",
        "/sys/kernel/security/lsm": "lockdown,capability,apparmor\n",
    }.items():
        tree.write(path, text)
    stand_in(tree, monkeypatch)
    tools.answer("systemd-detect-virt --container", "none\n", rc=1)
    tools.answer("systemd-detect-virt --vm", "kvm\n")
    tools.answer("dockerd --version", "Docker version 28.5.2+dfsg3, build 89c5e8f\n")
    tools.answer("runc --version", "runc version 1.1.15+ds1\ncommit: 1.1.15+ds1-2\n")
    tools.answer("containerd --version", "containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6\n")
    tools.answer("systemctl show", "ActiveState=active\n")
    return tree


def stand_in(tree, monkeypatch):
    exists, isdir = os.path.exists, os.path.isdir
    for module in (facts, mount_table, security_modules, docker_data):
        monkeypatch.setattr(module, "open", lambda path, *rest, **options: tree.open(inside(tree, path), *rest, **options), raising=False)
    monkeypatch.setattr(os.path, "exists", lambda path: exists(tree.path(inside(tree, path))))
    monkeypatch.setattr(os.path, "isdir", lambda path: isdir(tree.path(inside(tree, path))))


def inside(tree, path):
    return path[len(str(tree.top)):] if path.startswith(str(tree.top)) else path


def gather(host, **options):
    return facts.gather(host.path("/var/lib/docker"), "/var/lib/docker/overlay2", **options)


def test_what_a_host_is(host):
    found = gather(host)
    assert (found.distribution, found.init, found.container, found.vm) == ("Debian GNU/Linux 13 (trixie)", "systemd", "none", "kvm")
    assert (found.cgroup_version, found.cgroup_controllers) == (1, ("cpu,cpuacct", "memory"))
    assert (found.memory, found.seccomp, found.max_user_namespaces) == (2048 * 1024, True, 127000)
    assert (found.uid_map, found.gid_map) == (("0 0 4294967295",), ("0 100000 65536", "65536 200000 1"))
    assert found.lsms == ("lockdown", "capability", "apparmor")
    assert (found.filesystems, found.package_manager) == (("ext4", "overlay", "sysfs"), "")
    assert (found.engine_version, found.coming_version, found.engine_active) == ("28.5.2+dfsg3", "", True)
    assert (found.runc, found.containerd, found.zfs) == ("1.1.15", "1.7.24", "")
    assert (found.swarm, found.swarm_locked, found.ip_forward) == (False, False, False)
    assert (found.apparmor, found.apparmor_parser, found.apparmor_confined, found.apparmor_userns) == (False, False, False, False)
    assert (found.selinux, found.selinux_policy) == ("off", False)
    assert found.layers.type == "xfs"
    assert {"nodev", "prjquota"} <= set(found.layers.options)


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("containerd containerd.io v2.1.5 fcd43222d6b07379a4be9786bda52438f0dd16a1\n", "2.1.5"),
        ("containerd github.com/containerd/containerd/v2 v2.2.0 1c4457e\n", "2.2.0"),
        ("containerd unknown\n", None),
    ],
)
def test_the_version_of_upstreams_containerd(host, tools, printed, version):
    tools.answer("containerd --version", printed)
    assert gather(host).containerd == version


def test_cgroup_v2(host):
    host.write("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
    found = gather(host)
    assert (found.cgroup_version, found.cgroup_controllers) == (2, ("cpu", "memory", "pids"))


def test_cgroup_v2_without_controllers_has_none_and_not_an_unknown_number(host):
    host.write("/sys/fs/cgroup/cgroup.controllers", "\n")
    found = gather(host)
    assert (found.cgroup_version, found.cgroup_controllers) == (2, ())


def test_what_cannot_be_read_is_not_known(tree, tools, monkeypatch):
    tree.write("/proc/self/mountinfo", "")
    stand_in(tree, monkeypatch)
    tools.answer("systemctl show")
    found = gather(tree)
    nothing = (found.init, found.cgroup_version, found.container, found.uid_map, found.filesystems, found.layers, found.seccomp, found.ip_forward)
    assert nothing == (None,) * 8
    # What is not installed is no riddle.
    assert (found.runc, found.containerd, found.engine_version, found.engine_active) == ("", "", "", False)
    assert (found.max_user_namespaces, found.selinux, found.apparmor_userns) == (-1, "off", False)


@pytest.mark.parametrize(
    ("path", "text", "container"),
    [
        ("/proc/sys/kernel/osrelease", "5.15.153.1-microsoft-standard-WSL2\n", "wsl"),
        ("/proc/user_beancounters", "", "openvz"),
        ("/run/systemd/container", "lxc\n", "lxc"),
        ("/run/.containerenv", "", "podman"),
        ("/.dockerenv", "", "docker"),
    ],
)
def test_a_container_leaves_traces_where_nothing_else_tells(host, tools, path, text, container):
    del tools.answers["systemd-detect-virt --container"]
    tools.installed.discard("systemd-detect-virt")
    host.write(path, text)
    assert gather(host).container == container


@pytest.mark.parametrize(("rc", "expected"), [(0, True), (1, False)])
def test_a_module_for_overlay_is_enough(host, tools, rc, expected):
    host.write("/proc/filesystems", "\text4\n")
    tools.answer("modprobe --dry-run overlay", rc=rc)
    assert ("overlay" in gather(host).filesystems) is expected


@pytest.mark.parametrize("root", ["/var/lib/docker", "/var/lib/docker/100000.100000"])
def test_the_state_of_a_swarm_is_found(host, root):
    host.write(f"{root}/swarm/docker-state.json", "{}")
    host.write(f"{root}/swarm/certificates/swarm-node.key", "-----BEGIN PRIVATE KEY-----\nabc\n")
    found = gather(host)
    assert (found.swarm, found.swarm_locked) == (True, False)
    host.write(f"{root}/swarm/certificates/swarm-node.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nkek-version: 7\n")
    assert gather(host).swarm_locked


def test_iptables_is_asked_only_where_it_matters(host, tools):
    tools.answer("iptables --wait 10 -S FORWARD", "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n")
    assert gather(host).forward_policy is None
    assert not [line for line in tools.ran if line.startswith("iptables")]
    assert gather(host, with_firewall=True).forward_policy == "DROP"


def test_no_iptables_has_no_policy_and_a_failing_one_is_not_known(host, tools):
    assert gather(host, with_firewall=True).forward_policy == ""
    tools.answer("iptables --wait 10 -S FORWARD", "", rc=4)
    assert gather(host, with_firewall=True).forward_policy is None


def test_apparmor(host, tools):
    host.write("/sys/module/apparmor/parameters/enabled", "Y\n")
    assert not gather(host).apparmor, "the kernel does not let it be looked at"
    host.write("/sys/kernel/security/apparmor/profiles", "")
    host.write("/proc/self/attr/current", "lxc-container-default-cgns (enforce)\n")
    host.write("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    tools.answer("apparmor_parser --version", "")
    found = gather(host)
    assert (found.apparmor, found.apparmor_parser, found.apparmor_confined, found.apparmor_userns) == (True, True, True, True)


@pytest.mark.parametrize(("text", "mode"), [("1", "enforcing"), ("0\n", "permissive"), ("", None)])
def test_selinux(host, text, mode):
    host.write("/sys/fs/selinux/enforce", text)
    host.write("/etc/selinux/config", "# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
    assert (gather(host).selinux, gather(host).selinux_policy) == (mode, False)
    host.write("/etc/selinux/targeted/contexts/lxc_contexts", 'process = "system_u:system_r:container_t:s0"\n')
    assert gather(host).selinux_policy


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("path", "filesystem"),
    [
        ("/var/lib/docker", "xfs"),
        ("/var/lib/docker/volumes", "xfs"),
        ("/var/lib/dockers", "ext4"),
        ("/var/lib/docker-old", "overlay"),
        ("/srv/docker", "fuse"),
        ("/", "ext4"),
    ],
)
def test_the_filesystem_of_a_path_is_the_nearest_and_topmost(path, filesystem):
    assert facts.filesystem_of(path).type == filesystem


def test_this_machine_tells_the_types_of_entries(tmp_path):
    assert directory_types.supported(str(tmp_path)) is True
    assert directory_types.supported(str(tmp_path / "missing")) is None
