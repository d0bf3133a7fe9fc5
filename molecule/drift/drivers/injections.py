# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on hosts between two nights: each a script for a host, and what the drift check has to say of it."""

from __future__ import annotations

import dataclasses

ROOT = "/var/lib/docker/100000.100000"
CONFIG = "/etc/docker/daemon.json"
SECCOMP = "/etc/docker/seccomp-bulkhead.json"
GUARD = "/etc/systemd/system/docker.service.d/10-bulkhead-storage.conf"
CONTAINERD_GUARD = "/etc/systemd/system/containerd.service.d/10-bulkhead-storage.conf"
PROGRAM = "/usr/local/lib/bulkhead/mount-guard"
AUDIT = "/etc/audit/rules.d/50-bulkhead-docker.rules"
SLICE = "/etc/systemd/system/containers.slice"
MANIFEST = "/var/lib/bulkhead/manifest.json"
VENDOR = "$(systemctl show --value --property FragmentPath docker.service)"

WAIT = "until docker info >/dev/null 2>&1; do sleep 0.3; done"
DROP_INS = "/etc/systemd/system/docker.service.d"


def edit(change: str) -> str:
    """Return a command that changes daemon.json, held in ``c``, by a statement of Python without single quotes."""
    return f"python3 -c 'import json; p = \"{CONFIG}\"; c = json.load(open(p)); {change}; open(p, \"w\").write(json.dumps(c))'"


@dataclasses.dataclass(frozen=True)
class Injection:
    """One thing that somebody does to a host.

    Attributes:
        script: for sh on the host, as root.
        finds: the name of the difference.
        item: the thing that differs; empty where it has none.
        role: which mends it; empty where none can.
        also: other differences that follow from the same deed, by name.
        others: roles that mend those.
        repair: what a person does where no role can.
        hosts: where it is possible; empty means everywhere.
        variables: extra variables of the check and of all later ones.
        restarts: whether mending it needs a restart of dockerd, which the policy `safe` must not do.
    """

    script: str
    finds: str
    item: str
    role: str
    also: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    repair: str = ""
    hosts: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    restarts: bool = False


INJECTIONS: dict[str, Injection] = {
    # The daemon's files
    "daemon.json edited": Injection(edit('c["icc"] = True'), "file-edited", f"file:{CONFIG}", "docker_daemon"),
    "daemon.json deleted": Injection(f"rm {CONFIG}", "file-missing", f"file:{CONFIG}", "docker_daemon"),
    "daemon.json replaced by a symlink": Injection(
        f"cp {CONFIG} /root/elsewhere.json && ln -sf /root/elsewhere.json {CONFIG}", "file-replaced", f"file:{CONFIG}", "docker_daemon"
    ),
    "daemon.json writable for all": Injection(f"chmod 666 {CONFIG}", "file-mode", f"file:{CONFIG}", "docker_daemon"),
    "daemon.json given away": Injection(f"chown 1000 {CONFIG}", "file-owner", f"file:{CONFIG}", "docker_daemon"),
    "seccomp profile replaced": Injection(f"echo '{{\"defaultAction\": \"SCMP_ACT_ALLOW\"}}' > {SECCOMP}", "file-edited", f"file:{SECCOMP}", "docker_daemon"),
    "seccomp profile deleted": Injection(f"rm {SECCOMP}", "file-missing", f"file:{SECCOMP}", "docker_daemon"),
    "slice limits removed": Injection(f"sed -i /TasksMax/d {SLICE} && systemctl daemon-reload", "file-edited", f"file:{SLICE}", "docker_daemon"),
    "slice deleted": Injection(f"rm {SLICE} && systemctl daemon-reload", "file-missing", f"file:{SLICE}", "docker_daemon", also=("unit-missing",)),
    # The daemon itself
    "dockerd restarted with other flags": Injection(
        f"echo 'DOCKER_OPTS=\"--debug\"' > /etc/default/docker && systemctl restart docker && {WAIT}",
        "daemon-flags", "process:dockerd", "docker_daemon", also=("foreign-file-edited",), restarts=True,
    ),
    "dockerd restarted with a drop-in of somebody": Injection(
        f"printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/dockerd -H fd:// --debug\\n' > {DROP_INS}/90-somebody.conf && "
        f"systemctl daemon-reload && systemctl restart docker && {WAIT}",
        "daemon-flags", "process:dockerd", "docker_daemon", also=("unit-drop-ins",), restarts=True,
    ),
    "drop-in of somebody that waits for the next start": Injection(
        f"printf '[Service]\\nEnvironment=SOMEBODY=1\\n' > {DROP_INS}/91-somebody.conf && systemctl daemon-reload",
        "unit-drop-ins", "unit:docker.service", "docker_daemon",
    ),
    "key changed live through SIGHUP only": Injection(
        f"cp -p {CONFIG} /root/kept.json && "
        + edit('c["labels"] = ["somebody=1"]')
        + " && systemctl kill --signal=HUP docker && until docker info --format '{{.Labels}}' | grep -q somebody; do sleep 0.3; done && "
        f"mv /root/kept.json {CONFIG}",
        "daemon-setting", "setting:labels", "docker_daemon",
    ),
    "dockerd started with another file that is gone again": Injection(
        f"cp -p {CONFIG} /root/kept.json && "
        + edit('c["log-driver"] = "json-file"; c.pop("log-opts", None)')
        + f" && systemctl restart docker && {WAIT} && mv /root/kept.json {CONFIG}",
        "daemon-setting", "setting:log-driver", "docker_daemon", restarts=True,
    ),
    "docker masked": Injection("systemctl mask docker.service", "unit-masked", "unit:docker.service", "docker_daemon"),
    "docker disabled": Injection("systemctl disable docker.service", "unit-enablement", "unit:docker.service", "docker_daemon"),
    "docker.socket disabled": Injection("systemctl disable docker.socket", "unit-enablement", "unit:docker.socket", "docker_daemon"),
    "containerd disabled": Injection("systemctl disable containerd.service", "unit-enablement", "unit:containerd.service", "docker_daemon"),
    "docker stopped": Injection(
        "systemctl stop docker.socket docker.service", "unit-not-running", "unit:docker.service", "docker_daemon",
    ),
    "socket open for all": Injection("chmod 666 /run/docker.sock", "socket-mode", "socket:/run/docker.sock", "docker_daemon"),
    "firewall flushed": Injection("iptables -F FORWARD", "firewall-rules-missing", "firewall:iptables", "docker_daemon", restarts=True),
    "chains of dockerd flushed": Injection("iptables -t nat -F PREROUTING", "firewall-rules-missing", "firewall:iptables", "docker_daemon", restarts=True),
    "forwarding switched off": Injection("sysctl -w net.ipv4.ip_forward=0", "sysctl-changed", "sysctl:net.ipv4.ip_forward", "docker_daemon"),
    # User namespaces
    "subuid line changed": Injection("sed -i s/^dockremap:100000:/dockremap:900000:/ /etc/subuid", "uid-ranges-changed", "ranges:dockremap", "docker_userns"),
    "subgid line removed": Injection("sed -i /^dockremap:/d /etc/subgid", "gid-ranges-changed", "ranges:dockremap", "docker_userns"),
    "remapped account removed": Injection(
        "userdel dockremap; ! getent passwd dockremap", "account-missing", "account:dockremap", "docker_userns",
        also=("uid-ranges-changed", "gid-ranges-changed"),
    ),
    # Storage
    "guard removed": Injection(f"rm {GUARD} && systemctl daemon-reload", "file-missing", f"file:{GUARD}", "docker_storage"),
    "guard edited": Injection(
        f"sed -i /ExecStartPre/d {CONTAINERD_GUARD} && systemctl daemon-reload", "file-edited", f"file:{CONTAINERD_GUARD}", "docker_storage"
    ),
    "guard program replaced": Injection(f"printf '#!/bin/sh\\nexit 0\\n' > {PROGRAM}", "file-edited", f"file:{PROGRAM}", "docker_storage"),
    "guard program not executable": Injection(f"chmod 644 {PROGRAM}", "file-mode", f"file:{PROGRAM}", "docker_storage"),
    "mount of volumes lost": Injection(f"umount --lazy {ROOT}/volumes", "mount-lost", f"mount:{ROOT}/volumes", "docker_storage"),
    "mount of layers lost": Injection(f"umount --lazy {ROOT}/overlay2", "mount-lost", f"mount:{ROOT}/overlay2", "docker_storage"),
    "data written under a mount": Injection(
        f"umount --lazy {ROOT}/volumes && chattr -i {ROOT}/volumes && echo kept > {ROOT}/volumes/under && chattr +i {ROOT}/volumes && mount {ROOT}/volumes",
        "data-shadowed", f"mount_point:{ROOT}/volumes", "docker_storage",
    ),
    "bare mount point unprotected": Injection(
        f"umount --lazy {ROOT}/volumes && chattr -i {ROOT}/volumes && mount {ROOT}/volumes",
        "mount-point-unprotected", f"mount_point:{ROOT}/volumes", "docker_storage",
    ),
    "fstab line gone": Injection(f"sed -i '\\|{ROOT}/volumes|d' /etc/fstab", "fstab-line-missing", f"fstab:{ROOT}/volumes", "docker_storage"),
    "fstab line changed": Injection(
        f"sed -i '\\|{ROOT}/overlay2|s/noatime/relatime/' /etc/fstab", "fstab-line-changed", f"fstab:{ROOT}/overlay2", "docker_storage"
    ),
    "mounted with other options": Injection(f"mount -o remount,suid,dev {ROOT}/volumes", "mount-options", f"mount:{ROOT}/volumes", "docker_storage"),
    "root open for all": Injection(f"chmod 777 {ROOT}", "directory-mode", f"directory:{ROOT}", "docker_storage"),
    "volumes given away": Injection(f"chown 1234 {ROOT}/volumes", "directory-owner", f"directory:{ROOT}/volumes", "docker_storage"),
    "volumes nearly full": Injection(
        f"fallocate --length $(($(stat --file-system --format '%a*%S' {ROOT}/volumes) - 8000000)) {ROOT}/volumes/filler",
        "disk-nearly-full", "", "", repair=f"rm {ROOT}/volumes/filler",
    ),
    # Packages and their files
    "hold removed": Injection("apt-mark unhold containerd", "hold-removed", "package:containerd", "docker_engine"),
    "package upgraded": Injection(
        "mkdir /root/repack && cd /root/repack && apt-get download runc && dpkg-deb -R runc_*.deb tree && "
        "sed -i 's/^Version: .*/&+somebody1/' tree/DEBIAN/control && dpkg-deb -b tree new.deb && dpkg -i new.deb && apt-mark hold runc && "
        "cd / && rm -r /root/repack",
        "package-changed", "package:runc", "docker_engine", restarts=True,
    ),
    "vendor unit edited": Injection(
        f"sed -i 's/^LimitCORE=.*/LimitCORE=1/;$a # somebody' {VENDOR} && systemctl daemon-reload", "foreign-file-edited", "", "docker_engine"
    ),
    # Around it
    "audit rule removed": Injection(f"sed -i '\\|/etc/docker|d' {AUDIT}", "file-edited", f"file:{AUDIT}", "docker_auditd"),
    "audit rules deleted": Injection(f"rm {AUDIT}", "file-missing", f"file:{AUDIT}", "docker_auditd"),
    # The manifest and the inputs
    "manifest edited": Injection(f"sed -i 's/\"mode\": \"0644\"/\"mode\": \"0666\"/' {MANIFEST}", "manifest-damaged", "", ""),
    "manifest deleted": Injection(f"rm {MANIFEST}", "manifest-missing", "", ""),
    "inputs changed": Injection(
        "true", "inputs-changed", "inputs:docker_daemon", "docker_daemon",
        variables=(("docker_daemon_log_opts", '{"max-size": "2m", "max-file": "2"}'),), restarts=True,
    ),
    # A deliberate change of a default, after which a container from before lacks it.
    "container with older defaults": Injection(
        "docker images --quiet lab/busybox | grep -q . || docker import /usr/share/bulkhead-lab/busybox.tar lab/busybox; "
        "docker run --detach --name lab-older lab/busybox sleep 3600",
        "container-older-than-defaults", "container:lab-older", "", also=("inputs-changed",), others=("docker_daemon",),
        repair="docker rm --force lab-older", variables=(("docker_daemon_log_opts", '{"max-size": "3m", "max-file": "3"}'),), restarts=True,
    ),
}
