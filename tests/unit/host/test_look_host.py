# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Facts of the host, from a tree that stands for it."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, look_host
from ansible_collections.bulkhead.docker.plugins.module_utils.host.containerd_config import Containerd
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_host import Around, Host
from ansible_collections.bulkhead.docker.plugins.module_utils.host.machine import Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.host.mounts import MountInfo
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import files as file_rules
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import host as host_rules
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts

INFO = {
    "DockerRootDir": "/var/lib/docker",
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "xfs"]],
    "CgroupVersion": "2",
    "Runtimes": {"runc": {"path": "runc"}, "io.containerd.runc.v2": {"path": "runc"}, "kata": {"runtimeType": "io.containerd.kata.v2"}},
}
VERSION = {"Components": [{"Name": "containerd", "Version": "v2.2.5"}, {"Name": "runc", "Version": "1.3.6"}]}
ROOT = MountInfo("254:1", "/", "/", "ext4", "/dev/vda1")
RULES = {rule.id: rule for rule in (*file_rules.RULES, *host_rules.RULES)}


@pytest.fixture
def host(tree):
    """A tree that a host's root would find in order; whoever runs the tests is that root."""
    tree.top.chmod(0o755)
    umask = os.umask(0o022)
    tree.write("/usr/bin/runc", "")
    tree.write("/etc/docker/daemon.json", "{}")
    tree.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbroken\nodd:x:1::home\n")
    tree.machine = Machine(
        root=str(tree.top),
        proc=str(tree.top / "proc"),
        trusted=(0, os.getuid()),
        run=lambda *_arguments, **_options: commands.CommandResult(0, "", ""),
        find=lambda _name: None,
        mounts=lambda: [ROOT],
        members=lambda name: {"alice"} if name == "docker" else set(),
    )
    tree.around = Around(
        engine=EngineLook(product="docker", info=INFO, version=VERSION),
        daemon=DaemonLook(config={}),
        process=Daemon(arguments=[]),
        containerd=Containerd(),
        containerd_error="",
        socket="/run/docker.sock",
        units={},
    )
    yield tree
    os.umask(umask)


def facts(tree, machine=None, **different):
    around = dataclasses.replace(tree.around, **different)
    machine = dataclasses.replace(tree.machine, **(machine or {}))
    return Host(around, Paths(machine.root, machine.trusted), machine, machine.trusted).look()


def judged(found, rule):
    return evaluate.outcome_of(RULES[rule], Subject(model.HOST, "host", found))


# Files ------------------------------------------------------------------------------------------------------------------


def test_places_follow_the_settings(host):
    daemon = DaemonLook(
        config={"tlskey": "/srv/key.pem", "seccomp-profile": "/srv/s.json", "tlscacert": 5},
        flags={"tlscert": ["/srv/cert.pem"]},
        config_file="/srv/daemon.json",
    )
    units = {
        "docker.service": {
            "FragmentPath": "/usr/lib/systemd/system/docker.service",
            "DropInPaths": "/etc/systemd/system/docker.service.d/a.conf /etc/systemd/system/docker.service.d/b.conf",
            "EnvironmentFiles": "/etc/default/docker (ignore_errors=yes) /srv/env (ignore_errors=no)",
        }
    }
    found = facts(host, daemon=daemon, units=units, containerd=Containerd("/c", "/run/c.sock"))["file_places"].value
    assert found["file-daemon-json"] == ("/srv/daemon.json",)
    assert found["file-tls-key"] == ("/srv/key.pem",)
    assert found["file-tls-certificate"] == ("/srv/cert.pem",)
    assert found["file-tls-ca"] == ()
    assert found["file-docker-service"] == (
        "/usr/lib/systemd/system/docker.service",
        "/etc/systemd/system/docker.service.d/a.conf",
        "/etc/systemd/system/docker.service.d/b.conf",
    )
    assert found["file-containerd-socket"] == ("/run/c.sock",)
    assert found["file-docker-socket"] == ("/run/docker.sock",)
    assert set(found["file-read-by-daemon"]) == {"/etc/containerd/config.toml", "/etc/containerd/conf.d", "/srv/s.json", "/srv/env"}


def test_units_without_systemd(host):
    host.write("/lib/systemd/system/docker.service", "")
    assert facts(host)["file_places"].value["file-docker-service"] == ("/lib/systemd/system/docker.service",)
    assert facts(host)["file_places"].value["file-docker-socket-unit"] == ()


def test_a_masked_unit_is_no_file_of_others(host):
    host.write("/dev/null", "")
    os.makedirs(host.top / "etc" / "systemd" / "system")
    os.symlink("/dev/null", host.top / "etc" / "systemd" / "system" / "docker.socket")
    assert facts(host)["file_places"].value["file-docker-socket-unit"] == ()


def test_certificates_of_registries_are_all_looked_at(host):
    host.write("/etc/docker/certs.d/registry.example.com:5000/ca.crt", "")
    host.write("/etc/docker/certs.d/registry.example.com:5000/client.key", "")
    (host.top / "etc/docker/certs.d/registry.example.com:5000/ca.crt").chmod(0o444)
    (host.top / "etc/docker/certs.d/registry.example.com:5000/client.key").chmod(0o440)
    found = judged(facts(host), "file-registry-certificates")
    assert found.status == model.FAIL
    assert [piece.observed.partition(",")[0] for piece in found.evidence if "0440" in piece.observed] == [
        "/etc/docker/certs.d/registry.example.com:5000/client.key"
    ]


def test_a_file_that_cannot_be_looked_at_is_unknown(host, monkeypatch):
    real = os.lstat

    def lstat(path):
        if str(path).endswith("daemon.json"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)
    found = judged(facts(host), "file-daemon-json")
    assert (found.status, found.reason) == (model.UNKNOWN, "/etc/docker/daemon.json cannot be looked at: Permission denied")


def test_a_link_is_judged_by_what_it_points_at(host):
    # docker-bench 3.x takes the mode of the link, 0777.
    host.write("/srv/daemon.json", "{}")
    (host.top / "etc/docker/daemon.json").unlink()
    os.symlink("/srv/daemon.json", host.top / "etc/docker/daemon.json")
    found = judged(facts(host), "file-daemon-json")
    assert found.evidence[0].observed.startswith("/etc/docker/daemon.json -> /srv/daemon.json")
    (host.top / "srv/daemon.json").chmod(0o646)
    assert judged(facts(host), "file-daemon-json").status == model.FAIL


# Programs ---------------------------------------------------------------------------------------------------------------


def test_programs_and_plugins_of_the_daemon(host):
    plugins = ("/opt/nri/plugins/10-x", "/etc/cdi/gpu.yaml", "/srv/cdi/y.json")
    for path in ("/usr/sbin/iptables-nft", "/opt/evil/runc", "/usr/bin/containerd-shim-kata-v2", *plugins):
        host.write(path, "")
    os.symlink("iptables-nft", host.top / "usr/sbin/iptables")
    config = {"runtimes": {"evil": {"path": "/opt/evil/runc"}, "odd": 5}, "cdi-spec-dirs": ["/srv/cdi"], "init-path": "/none", "nri-opts": {"plugin-path": 5}}
    found = facts(host, daemon=DaemonLook(config=config))["executables"].value
    assert {
        "/usr/bin/runc",
        "/usr/sbin/iptables-nft",
        "/opt/evil/runc",
        "/usr/bin/containerd-shim-kata-v2",
        "/opt/nri/plugins",
        "/opt/nri/plugins/10-x",
        "/etc/cdi/gpu.yaml",
        "/srv/cdi/y.json",
    } <= set(found)
    assert all(isinstance(value, FileFacts) for value in found.values())
    assert "/none" not in found


def test_a_runtime_that_others_can_change(host):
    host.write("/opt/evil/runc", "")
    (host.top / "opt/evil").chmod(0o777)
    found = judged(facts(host, daemon=DaemonLook(config={"runtimes": {"runc": {"path": "/opt/evil/runc"}}})), "daemon-programs-are-safe")
    assert found.status == model.FAIL
    assert "/opt/evil can be changed by others" in found.evidence[0].observed


def test_versions_of_runtimes(host):
    host.write("/opt/crun", "")
    ran = []

    def run(arguments, **_options):
        ran.append(arguments)
        return commands.CommandResult(0, "crun version 1.14.3\ncommit: 1.14.3", "")

    daemon = DaemonLook(config={"runtimes": {"crun": {"path": "/opt/crun"}}})
    trusted = {"run": run}
    status = os.stat(host.top / "opt/crun")
    found = facts(host, trusted, daemon=daemon)["runc_versions"].value
    # A program is run only when it is root's, which a test without root cannot make.
    expected = "1.14.3" if status.st_uid == 0 else ""
    assert found == {"/usr/bin/runc": "1.3.6", "/opt/crun": expected}
    assert [arguments[1:] for arguments in ran] == ([["--version"]] if expected else [])


@pytest.mark.parametrize("change", ["mode", "parent", "kind"])
def test_a_program_that_others_can_change_is_never_run(host, change, monkeypatch):
    place = host.top / "opt/crun"
    if change == "kind":
        place.mkdir(parents=True)
    else:
        host.write("/opt/crun", "")
        (place if change == "mode" else place.parent).chmod(0o777)
    real = os.lstat
    # As if root owned everything.
    monkeypatch.setattr(os, "lstat", lambda path: os.stat_result([*real(path)[:4], 0, 0, *real(path)[6:]]))

    def run(arguments, **_options):
        raise AssertionError(f"{arguments} was run")

    engine = dataclasses.replace(host.around.engine, version={"Components": [{"Name": "runc", "Version": "1.3.6"}, {"Name": "containerd", "Version": "2"}]})
    found = facts(host, {"run": run}, engine=engine, daemon=DaemonLook(config={"runtimes": {"crun": {"path": "/opt/crun"}}}))
    assert found["runc_versions"].value["/opt/crun"] == ""


def test_a_program_that_fails_tells_no_version(host, monkeypatch):
    host.write("/opt/crun", "")
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: os.stat_result([*real(path)[:4], 0, 0, *real(path)[6:]]))

    def run(arguments, **_options):
        raise commands.CommandError("no")

    found = facts(host, {"run": run}, daemon=DaemonLook(config={"runtimes": {"crun": {"path": "/opt/crun"}}}))
    assert found["runc_versions"].value["/opt/crun"] == ""


def test_versions_when_the_engine_is_silent(host):
    silent = EngineLook(error="no engine answers")
    (host.top / "usr/bin/runc").unlink()
    found = facts(host, engine=silent)
    assert found["runc_versions"] == Unknown("no runtime was found on this host", "daemon.json")
    assert isinstance(found["containerd_version"], Unknown)


def test_what_changelogs_say_is_mended(host):
    host.write("/var/lib/dpkg/info/runc.list", "/.\n/usr\n/usr/bin/runc\n")
    place = host.top / "usr/share/doc/runc/changelog.Debian.gz"
    place.parent.mkdir(parents=True)
    place.write_bytes(gzip.compress(b"runc (1.1.5) ...\n  * CVE-2024-21626, CVE-2025-31133 (Closes: #1)\n  * CVE-2024-21626\n"))
    assert facts(host)["package_backports"].value == {"runc": ("CVE-2024-21626", "CVE-2025-31133")}
    # The program is not the package's.
    host.write("/var/lib/dpkg/info/runc.list", "/usr/sbin/runc\n")
    assert facts(host)["package_backports"].value == {}


def test_a_changelog_that_is_damaged(host):
    host.write("/var/lib/dpkg/info/runc.list", "/usr/bin/runc\n")
    host.write("/usr/share/doc/runc/changelog.Debian.gz", "no gzip")
    assert facts(host)["package_backports"].value == {"runc": ()}


# Disks ------------------------------------------------------------------------------------------------------------------


def storage(host, *more, **different):
    return facts(host, {"mounts": lambda: [ROOT, *more]}, **different)["separate_storage"]


def test_one_filesystem_for_everything(host):
    found = storage(host)
    assert found.value == (("/var/lib/docker/overlay2", ""), ("/var/lib/docker/volumes", ""))


@pytest.mark.parametrize(
    ("mounts", "own"),
    [
        ([MountInfo("254:2", "/", "/var/lib/docker", "xfs", "/dev/vdb")], ["/var/lib/docker", "/var/lib/docker"]),
        (
            [MountInfo("254:2", "/", "/var/lib/docker/overlay2", "xfs", "/dev/vdb1"), MountInfo("254:3", "/", "/var/lib/docker/volumes", "ext4", "/dev/vdb2")],
            ["/var/lib/docker/overlay2", "/var/lib/docker/volumes"],
        ),
        ([MountInfo("254:2", "/", "/var/lib/docker/overlay2", "xfs", "/dev/vdb1")], ["/var/lib/docker/overlay2", ""]),
        # A partition of /var is one of the system, and so is a directory of it that is mounted again.
        ([MountInfo("254:2", "/", "/var", "ext4", "/dev/vda2")], ["", ""]),
        ([MountInfo("254:1", "/srv/docker", "/var/lib/docker", "ext4", "/dev/vda1")], ["", ""]),
        ([MountInfo("254:2", "/", "/var/lib/dock", "xfs", "/dev/vdb")], ["", ""]),
    ],
)
def test_filesystems_of_dockers_own(host, mounts, own):
    assert [mount_point for _directory, mount_point in storage(host, *mounts).value] == own


def test_the_effective_root_and_the_store_of_containerd(host):
    remapped = dataclasses.replace(host.around.engine, info={**INFO, "DockerRootDir": "/var/lib/docker/165536.165536"})
    assert storage(host, engine=remapped).value[1][0] == "/var/lib/docker/165536.165536/volumes"
    store = dataclasses.replace(
        host.around.engine, info={**INFO, "Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    )
    mount = MountInfo("254:9", "/", "/data/containerd", "xfs", "/dev/vdb")
    found = storage(host, mount, engine=store, containerd=Containerd("/data/containerd"))
    assert found.value == (("/data/containerd", "/data/containerd"), ("/var/lib/docker/volumes", ""))
    assert storage(host, engine=store, containerd=None, containerd_error="it cannot be read").reason == (
        "where containerd keeps its data is not known: it cannot be read"
    )


def test_mounts_that_cannot_be_read(host):
    def mounts():
        raise PermissionError(13, "denied")

    found = facts(host, {"mounts": mounts})
    assert judged(found, "docker-data-on-own-filesystem").status == model.UNKNOWN


# Accounts ---------------------------------------------------------------------------------------------------------------


def test_members_of_the_group(host):
    assert facts(host)["docker_group"].value == ("alice",)
    assert facts(host, daemon=DaemonLook(config={"group": "wheel"}))["docker_group"].value == ()

    def members(name):
        raise KeyError(name)

    assert facts(host, {"members": members})["docker_group"] == Fact((), "this host has no group docker")


def test_who_runs_the_daemon_is_no_member(host, monkeypatch):
    monkeypatch.setattr(Paths, "user", lambda _paths, uid: "alice" if uid == os.getuid() else str(uid))
    assert facts(host)["docker_group"].value == ()


def test_units_of_a_user(host):
    host.write("/home/alice/.config/systemd/user/docker.service", "")
    host.write("/usr/lib/systemd/system/docker.service", "")
    found = facts(host, home="/home/alice", engine=EngineLook(product="docker", info={}))
    assert found["file_places"].value["file-docker-service"] == ("/home/alice/.config/systemd/user/docker.service",)
    assert found["separate_storage"].value[1][0] == "/home/alice/.local/share/docker/volumes"


def auths(host, path, content):
    host.write(path, content if isinstance(content, str) else json.dumps(content))
    return facts(host)["registry_auths"]


@pytest.mark.parametrize(
    "content",
    [
        {"auths": {"https://index.docker.io/v1/": {"auth": "aHVudGVyMg=="}}},
        {"auths": {"a": {}, "b": {"identitytoken": "x"}}},
        {"auths": {"a": {"password": "x"}}},
    ],
)
@pytest.mark.parametrize("path", ["/root/.docker/config.json", "/home/alice/.docker/config.json", "/home/alice/.config/containers/auth.json"])
def test_passwords_of_registries_are_named_by_their_file_only(host, path, content):
    found = auths(host, path, content)
    assert found.value == (path,)
    assert "aHVudGVyMg" not in repr(found)


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", {}, {"auths": {}}, {"auths": {"a": {}}}, {"auths": {"a": {"auth": ""}}}),
        *({"auths": ["a"]}, {"auths": {"a": 1}}, {"credsStore": "pass"}),
    ],
)
def test_files_without_passwords(host, content):
    assert auths(host, "/root/.docker/config.json", content).value == ()


def test_a_link_in_the_home_of_somebody_is_not_followed(host):
    host.write("/srv/secret.json", json.dumps({"auths": {"a": {"auth": "x"}}}))
    (host.top / "home/alice/.docker").mkdir(parents=True)
    os.symlink(host.top / "srv/secret.json", host.top / "home/alice/.docker/config.json")
    assert facts(host)["registry_auths"].value == ()


def test_a_home_that_may_not_be_read_is_unknown(host, monkeypatch):
    host.write("/root/.docker/config.json", json.dumps({"auths": {"a": {"auth": "x"}}}))
    real = files.read_text

    def read_text(path, *arguments):
        if "alice" in path:
            raise files.FileError(f"{path} cannot be read: Permission denied") from PermissionError(13, "Permission denied")
        return real(path, *arguments)

    monkeypatch.setattr(files, "read_text", read_text)
    found = facts(host)
    assert isinstance(found["registry_auths"], Unknown)
    assert judged(found, "no-registry-passwords").status == model.FAIL
    (host.top / "root/.docker/config.json").unlink()
    assert judged(facts(host), "no-registry-passwords").status == model.UNKNOWN


# Kernel -----------------------------------------------------------------------------------------------------------------


def test_kernel_settings(host):
    host.write("/proc/sys/fs/protected_symlinks", "1\n")
    host.write("/proc/sys/fs/protected_hardlinks", "0\n")
    for name, value in (("all", "0"), ("default", "0"), ("eth0", "1"), ("eth0.100", "0"), ("br-shop", "1")):
        host.write(f"/proc/sys/net/ipv4/conf/{name}/route_localnet", f"{value}\n")
    (host.top / "sys/class/net/br-shop/bridge").mkdir(parents=True)
    found = facts(host)
    assert found["sysctls"].value["net.ipv4.conf.eth0.100.route_localnet"] == "0"
    assert "net.ipv4.conf.br-shop.route_localnet" not in found["sysctls"].value
    assert judged(found, "loopback-is-not-routed").evidence[0].observed == "net.ipv4.conf.eth0.route_localnet = 1"
    assert judged(found, "links-are-protected").status == model.FAIL


def test_kernel_settings_that_cannot_be_read(host):
    found = facts(host)
    assert judged(found, "links-are-protected").status == model.UNKNOWN


def test_control_groups(host):
    assert facts(host)["cgroup_version"].value == 2
    silent = EngineLook(error="x")
    assert isinstance(facts(host, engine=silent)["cgroup_version"], Unknown)
    assert facts(host, {"mounts": lambda: [ROOT, MountInfo("0:1", "/", "/sys/fs/cgroup/pids", "cgroup", "cgroup")]}, engine=silent)["cgroup_version"].value == 1
    host.write("/sys/fs/cgroup/cgroup.controllers", "cpu\n")
    assert facts(host, engine=silent)["cgroup_version"].value == 2


def test_variables_of_the_daemon(host):
    assert isinstance(facts(host)["daemon_environment"], Unknown)
    host.write("/proc/700/environ", "DOCKER_RAMDISK=1\0DOCKER_X=secret\0")
    found = facts(host, process=Daemon(700, []))
    assert judged(found, "daemon-environment-is-harmless").status == model.FAIL
    assert "secret" not in repr(found["daemon_environment"])
    assert facts(host, process=Daemon(701, []))["daemon_environment"].reason == "denied: this account may not read the variables of dockerd"


def test_volumes_that_were_not_listed(host):
    assert facts(host)["volume_links"].value == ()
    assert facts(host, engine=EngineLook(error="no engine"))["volume_links"].reason == "no engine"
    assert facts(host, engine=EngineLook(product="docker", errors={"volumes": "denied"}))["volume_links"].reason == "denied"


def test_sockets_of_other_engines_are_among_the_files(host):
    assert "/run/podman/podman.sock" in facts(host, sockets=("/run/podman/podman.sock",))["files"].value


@pytest.mark.parametrize(("name", "program"), [("runc", "runc"), ("/opt/x", "/opt/x"), ("io.containerd.runc.v2", "containerd-shim-runc-v2"), ("a.b", "a.b")])
def test_the_program_of_a_runtime(name, program):
    assert look_host._shim(name) == program


# Where containers' filesystems lie, and what holes need


def test_directories_of_the_data(host):
    (host.top / "var/lib/docker").mkdir(parents=True, mode=0o710)
    (host.top / "var/lib/docker").chmod(0o710)
    found = facts(host)["data_directories"].value
    assert list(found) == ["/var/lib/docker"]
    assert (found["/var/lib/docker"].kind, found["/var/lib/docker"].mode) == ("directory", 0o710)
    assert judged(facts(host), "docker-data-closed-to-others").status == model.PASS
    (host.top / "var/lib/docker").chmod(0o711)
    assert judged(facts(host), "docker-data-closed-to-others").status == model.FAIL


def test_the_root_of_containerd_counts_where_it_keeps_the_layers(host):
    info = {**INFO, "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    (host.top / "var/lib/docker").mkdir(parents=True)
    (host.top / "var/lib/docker").chmod(0o710)
    (host.top / "var/lib/containerd").mkdir()
    (host.top / "var/lib/containerd").chmod(0o711)
    found = facts(host, engine=EngineLook(product="docker", info=info, version=VERSION))
    assert set(found["data_directories"].value) == {"/var/lib/docker", "/var/lib/containerd"}
    assert judged(found, "docker-data-closed-to-others").status == model.FAIL


def test_directories_of_the_data_that_are_not_there_or_not_known(host):
    assert judged(facts(host), "docker-data-closed-to-others").status == model.UNKNOWN
    silent = EngineLook(error="no engine answers")
    found = facts(host, engine=silent, daemon=DaemonLook(config_error="denied"))
    assert isinstance(found["data_directories"], Unknown)
    assert judged(found, "docker-data-closed-to-others").status == model.UNKNOWN


@pytest.mark.parametrize("path", ["/usr/sbin/firewalld", "/usr/bin/firewall-cmd", "/usr/lib/systemd/system/firewalld.service"])
def test_firewalld_is_there_by_program_or_unit(host, path):
    assert facts(host)["firewalld"].value == ()
    host.write(path, "")
    assert facts(host)["firewalld"].value == (path,)


def test_firewalld_is_there_when_the_engine_says_so(host):
    info = {**INFO, "FirewallBackend": {"Driver": "iptables+firewalld", "Info": [["ReloadedAt", ""]]}}
    assert facts(host, engine=EngineLook(product="docker", info=info, version=VERSION))["firewalld"].value == ("the engine says iptables+firewalld",)
    plain = {**INFO, "FirewallBackend": {"Driver": "iptables"}}
    assert facts(host, engine=EngineLook(product="docker", info=plain, version=VERSION))["firewalld"].value == ()


def test_a_kernel_whose_package_has_the_fix(host, monkeypatch):
    monkeypatch.setattr(look_host.platform, "release", lambda: "6.12.9-amd64")
    assert isinstance(facts(host)["kernel_crypto"], Unknown)
    path = host.top / "usr/share/doc/linux-image-6.12.9-amd64/changelog.Debian.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"linux (6.12.1) ...\n  - CVE-2024-1086\n"))
    assert facts(host)["kernel_crypto"].value == ()
    path.write_bytes(gzip.compress(b"linux (6.12.9) ...\n  - crypto: algif_aead (CVE-2026-31431)\n"))
    assert facts(host)["kernel_crypto"].value == ("the package of the kernel 6.12.9-amd64 has the fix of CVE-2026-31431",)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("install algif_aead /bin/false\n", True),
        ("# off\n  install af_alg /usr/bin/true", True),
        ("#install algif_aead /bin/false", False),
        ("blacklist algif_aead", False),
        ("install algif_aead /sbin/modprobe --ignore-install algif_aead", False),
        ("install algif_aead_x /bin/false", False),
    ],
)
def test_modules_that_are_never_loaded(host, text, kept):
    host.write("/etc/modprobe.d/alg.conf", text)
    found = facts(host)["kernel_crypto"]
    assert (isinstance(found, Fact) and found.value[0].startswith("/etc/modprobe.d/alg.conf: install")) is kept
    host.write("/sys/module/algif_aead/refcnt", "0")
    # What is loaded already is not kept from anything.
    assert isinstance(facts(host)["kernel_crypto"], Unknown)
