# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The host around the engine: its disks, who may use the API, the programs that the daemon runs, kernel settings, traces.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    evidence,
    failed,
    is_empty,
    is_set,
    not_applicable,
    passed,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    HOST,
    Evidence,
    NotKnown,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    AVAILABILITY,
    CONTAINER_ROOT,
    DATA,
    DEFENCE,
    FROM_CONTAINER,
    FROM_HOST,
    FROM_NETWORK,
    HOST_PART,
    HOST_ROOT,
    MIGRATION,
    NOTHING,
    REBOOT,
    RESTART,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts

_ROUTE_LOCALNET = ".route_localnet"
#: What each variable of the daemon takes away. The first is read as "anything", the others only as 1.
WEAKENING = {
    "DOCKER_RAMDISK": "the root of a container is not pivoted, and can be left",
    "DOCKER_INSECURE_NO_IPTABLES_RAW": "neighbours in the network reach ports that are published on the loopback address, and unpublished ones",
    "DOCKER_IGNORE_BR_NETFILTER_ERROR": "traffic within a bridge passes the firewall where the kernel does not filter it",
    "DOCKER_ALLOW_IPV6_ON_IPV4_INTERFACE": "interfaces of networks without IPv6 keep addresses that no rule of the firewall knows",
}


def _own_filesystems(subject: Subject) -> Outcome:
    fact = subject.fact("separate_storage")
    expected = "a filesystem of its own for images, layers and volumes"
    without = [directory for directory, mount_point in fact.value if not mount_point]
    if without:
        return failed(fact, expected, f"on a filesystem of the system: {', '.join(without)}")
    return passed(fact, expected, ", ".join(f"{directory} on {mount_point}" for directory, mount_point in fact.value))


def _trusted_members(subject: Subject) -> Outcome:
    members = subject.fact("docker_group")
    trusted = subject.value("trusted_users")
    others = [name for name in members.value if name not in trusted]
    expected = f"nobody besides {', '.join(trusted)}" if trusted else "nobody, or only those whom the policy names in trusted_users"
    if others:
        return failed(members, expected, f"may use the API, and so are root: {', '.join(others)}")
    return passed(members, expected, ", ".join(members.value) or "nobody")


def _programs_are_safe(subject: Subject) -> Outcome:
    fact = subject.fact("executables")
    owners = subject.value("daemon_owners")
    expected = "root's, and nobody else can change them or the directories above"
    wrong = []
    unseen = ""
    for path, facts in sorted(fact.value.items()):
        if not isinstance(facts, FileFacts):
            unseen = unseen or facts
            continue
        faults = _changeable(facts, owners)
        if faults:
            wrong.append(Evidence(fact.source, f"{path}, {facts.owner}:{facts.group} {facts.mode:04o}: {'; '.join(faults)}", expected))
    if wrong:
        return Outcome(FAIL, tuple(wrong))
    if unseen:
        raise NotKnown(unseen, fact.source)
    return passed(fact, expected, f"{len(fact.value)} programs and directories looked at")


def _changeable(facts: FileFacts, owners: tuple[int, ...]) -> list[str]:
    faults = []
    if facts.kind == "absent":
        # Nothing lies there; what matters is who could put something there.
        return [f"nothing lies there, and others can make it in {facts.weak_parent}"] if facts.weak_parent else []
    if facts.uid not in owners:
        faults.append(f"belongs to {facts.owner}")
    if facts.mode & 0o002:
        faults.append("everybody can write to it")
    elif facts.mode & 0o020 and facts.gid != 0:
        faults.append(f"the group {facts.group} can write to it")
    if facts.weak_parent:
        faults.append(f"{facts.weak_parent} can be changed by others")
    return faults


def _data_is_closed(subject: Subject) -> Outcome:
    fact = subject.fact("data_directories")
    owners = subject.value("daemon_owners")
    expected = "root's, writable for nobody else, and nothing for others, such as 0710"
    wrong, unseen = [], ""
    for path, facts in sorted(fact.value.items()):
        if not isinstance(facts, FileFacts) or facts.kind != "directory":
            unseen = unseen or (facts if isinstance(facts, str) else f"{path} is no directory")
            continue
        faults = _changeable(facts, owners)
        if facts.mode & 0o005:
            faults.append("others enter it")
        if faults:
            wrong.append(Evidence(fact.source, f"{path}, {facts.owner}:{facts.group} {facts.mode:04o}: {'; '.join(faults)}", expected))
    if wrong:
        return Outcome(FAIL, tuple(wrong))
    if unseen:
        raise NotKnown(unseen, fact.source)
    return passed(fact, expected, ", ".join(f"{path} {facts.mode:04o}" for path, facts in sorted(fact.value.items())))


def _no_loopback_routes(subject: Subject) -> Outcome:
    fact = subject.fact("sysctls")
    settings = {name: value for name, value in fact.value.items() if name.endswith(_ROUTE_LOCALNET)}
    if not settings:
        return not_applicable("the kernel has no such setting")
    on = [name for name, value in sorted(settings.items()) if value != "0"]
    expected = "0 everywhere but on bridges of containers"
    return failed(fact, expected, ", ".join(f"{name} = {settings[name]}" for name in on)) if on else passed(fact, expected, "0")


def _links_are_protected(subject: Subject) -> Outcome:
    fact = subject.fact("sysctls")
    wanted = ("fs.protected_symlinks", "fs.protected_hardlinks")
    missing = [name for name in wanted if name not in fact.value]
    if missing:
        raise NotKnown(f"{missing[0]} could not be read", fact.source)
    off = [name for name in wanted if fact.value[name] == "0"]
    shown = ", ".join(f"{name} = {fact.value[name]}" for name in wanted)
    return (failed if off else passed)(fact, "1", shown)


def _environment_is_harmless(subject: Subject) -> Outcome:
    fact = subject.fact("daemon_environment")
    weak = [(name, value) for name, value in sorted(fact.value.items()) if value == "1" or (name == "DOCKER_RAMDISK" and value)]
    found = tuple(evidence(fact, "not set", f"{name}={value}: {WEAKENING[name]}") for name, value in weak if name in WEAKENING)
    return Outcome(FAIL, found) if found else passed(fact, "none that weakens the daemon", "none")


RULES = (
    Rule(
        id="docker-data-on-own-filesystem",
        title="Docker's data lies on filesystems of its own",
        why="Images, layers and volumes grow without an end; on a filesystem of the system they stop logging, logins and updates when it is full.",
        applies_to=(HOST,),
        check=_own_filesystems,
        attacker=FROM_CONTAINER,
        reach=AVAILABILITY,
        remedy="Give the data root, or the directories of layers and of volumes in it, filesystems of their own.",
        blast=MIGRATION,
        variable="docker_storage_layout",
        cis_1_6=("1.1.1",),
        cis_1_8=("1.1.1",),
    ),
    Rule(
        id="docker-group-is-trusted",
        title="Only trusted accounts are in the group of the API's socket",
        why="Whoever may use the API starts a container with the host's files in it, and is root of the host without a password and without a trace in sudo.",
        applies_to=(HOST,),
        check=_trusted_members,
        attacker=FROM_HOST,
        reach=HOST_ROOT,
        remedy="Take the accounts out of the group, or name them in the policy if they may be root anyway.",
        blast=NOTHING,
        variable="docker_audit_policy",
        cis_1_6=("1.1.2",),
        cis_1_8=("1.1.2",),
        references=("ATT&CK T1078.003",),
    ),
    Rule(
        id="daemon-programs-are-safe",
        title="Nobody but root can change what the daemon runs",
        why="Runtimes, proxies, plugins and hooks run as root: whoever can write to one, or to a directory above, is root when it is started next.",
        applies_to=(HOST,),
        check=_programs_are_safe,
        attacker=FROM_HOST,
        reach=HOST_ROOT,
        remedy="Give the programs and the directories above them to root, and take the write bits of group and others away.",
        blast=NOTHING,
        references=("ATT&CK T1574",),
    ),
    Rule(
        id="docker-data-closed-to-others",
        title="Accounts of the host do not enter the filesystems of containers",
        why="Files of containers keep their modes: whoever enters finds programs with setuid that a container made, and changes what is open to all in it.",
        applies_to=(HOST,),
        check=_data_is_closed,
        attacker=FROM_HOST,
        reach=HOST_PART,
        remedy="Take the bits of others away (chmod 0710); the engine and containerd do so when they start, in releases that have the fix.",
        blast=NOTHING,
        references=("CVE-2021-41091", "CVE-2024-25621"),
    ),
    Rule(
        id="no-registry-passwords",
        title="No client keeps a password of a registry in plain text",
        why="Whoever reads the file, or a backup of it, can pull private images, and often push others in their place.",
        applies_to=(HOST,),
        check=is_empty("registry_auths"),
        attacker=FROM_HOST,
        reach=DATA,
        remedy="Log out, and use a credential helper (credsStore or credHelpers) or short-lived tokens.",
        blast=NOTHING,
        references=("ATT&CK T1552.001",),
    ),
    Rule(
        id="loopback-is-not-routed",
        title="The kernel does not route loopback addresses from outside",
        why="With route_localnet, a neighbour in the network reaches services that listen on 127.0.0.1 because nobody outside should.",
        applies_to=(HOST,),
        check=_no_loopback_routes,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Set net.ipv4.conf.*.route_localnet to 0 for all interfaces but the bridges for which Docker sets it.",
        blast=NOTHING,
        references=("CVE-2020-8558",),
    ),
    Rule(
        id="kernel-crypto-out-of-reach",
        title="Containers do not reach the hole in the kernel's crypto",
        why="By sockets of the family AF_ALG any user of a container changes files that the kernel has in memory, also those of the host and of neighbours.",
        applies_to=(HOST,),
        check=is_set("kernel_crypto", "a kernel that has the fix, modules that are never loaded, or an engine from 29.4.2 on with its own seccomp profile"),
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Upgrade the kernel and reboot; until then write `install algif_aead /bin/false` to a file in /etc/modprobe.d, and remove the module.",
        blast=REBOOT,
        references=("CVE-2026-31431", "ATT&CK T1611"),
    ),
    Rule(
        id="links-are-protected",
        title="The kernel protects links in directories that everybody writes to",
        why="Without it an account puts a link where root is about to write, also into directories that containers share with the host.",
        applies_to=(HOST,),
        check=_links_are_protected,
        attacker=FROM_HOST,
        reach=HOST_PART,
        remedy="Set fs.protected_symlinks and fs.protected_hardlinks to 1.",
        blast=NOTHING,
    ),
    Rule(
        id="daemon-environment-is-harmless",
        title="No variable of the daemon takes protection away",
        why="Such variables are meant for a while and for one fault; nobody sees them in daemon.json.",
        applies_to=(HOST,),
        check=_environment_is_harmless,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Take the variable out of the unit's drop-ins and environment files, and restart the daemon.",
        blast=RESTART,
    ),
    Rule(
        id="no-privileged-exec",
        title="No exec session that the engine remembers is privileged, or root in a container of another user",
        why="Such a session leaves the limits of its container, and whatever it starts stays outside of them.",
        applies_to=(HOST,),
        check=is_empty("exec_audit"),
        attacker=FROM_CONTAINER,
        reach=CONTAINER_ROOT,
        remedy="End the session; debug with a container beside it that shares its namespaces, and record who calls the API.",
        blast=NOTHING,
        cis_1_6=("5.23", "5.24"),
        cis_1_8=("5.23", "5.24"),
    ),
)
