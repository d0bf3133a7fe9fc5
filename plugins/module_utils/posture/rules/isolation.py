# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What keeps the processes of a container apart from the host: identity, capabilities, filters, namespaces.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    failed,
    is_not,
    is_value,
    not_applicable,
    passed,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    CONTAINER,
    WORKLOADS,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    CONTAINER_ROOT,
    DEFENCE,
    FROM_CONTAINER,
    HOST_PART,
    HOST_ROOT,
    HYGIENE,
    NEIGHBOURS,
    NOTHING,
    RECREATE,
    ROOTLESS,
    USERNS,
)

DEFAULT_CAPABILITIES = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
)
# What a capability beyond the default ones gives somebody who is root in a container, when it is more than one layer less.
_CAPABILITY_REACH = {
    **dict.fromkeys("SYS_ADMIN SYS_MODULE SYS_RAWIO DAC_READ_SEARCH SYS_PTRACE SYS_BOOT SYS_TIME BPF PERFMON MAC_ADMIN MAC_OVERRIDE".split(), HOST_PART),
    **dict.fromkeys("NET_ADMIN SYSLOG CHECKPOINT_RESTORE AUDIT_CONTROL AUDIT_READ BLOCK_SUSPEND LINUX_IMMUTABLE LEASE".split(), DEFENCE),
}
# Types of SELinux that confine nothing (container-selinux).
UNCONFINED_TYPES = ("disabled", "spc_t", "unconfined_t", "unconfined_service_t", "container_runtime_t", "docker_t", "init_t", "kernel_t", "initrc_t")


def _root_is_not_used(subject: Subject) -> Outcome:
    """Whoever runs as the host's root; a mapped root counts as somebody else."""
    expected = "a uid other than 0, or ids that are mapped"
    if subject.known("uid_mapped"):
        return passed(subject.fact("uid_mapped"), expected, "its ids are mapped, 0 to another id of the host")
    fact = subject.fact("uid")
    if fact.value != 0:
        return passed(fact, expected)
    if subject.kind == CONTAINER:
        # It exists, so whether its ids are mapped is a fact; of a definition it depends on where it is started.
        subject.fact("uid_mapped")
    return failed(fact, expected)


def _only_default_capabilities(subject: Subject) -> Outcome:
    fact = subject.fact("capabilities")
    expected = "none beyond the engine's default ones"
    extra = fact.value - DEFAULT_CAPABILITIES
    if not extra:
        return passed(fact, expected, "none beyond the default ones")
    reach = HOST_PART if any(_CAPABILITY_REACH.get(name) == HOST_PART for name in extra) else DEFENCE
    return failed(fact, expected, extra, reach=reach)


def _some_default_capabilities_dropped(subject: Subject) -> Outcome:
    fact = subject.fact("capabilities")
    expected = "only those that the program needs"
    if fact.value >= DEFAULT_CAPABILITIES:
        return failed(fact, expected, f"all {len(DEFAULT_CAPABILITIES)} default ones and {len(fact.value) - len(DEFAULT_CAPABILITIES)} more")
    return passed(fact, expected)


def _no_net_raw(subject: Subject) -> Outcome:
    fact = subject.fact("capabilities")
    expected = "without NET_RAW"
    if "NET_RAW" not in fact.value:
        return passed(fact, expected, "without NET_RAW")
    if subject.known("network_mode") == "none":
        return not_applicable("it has no network on which it could use NET_RAW")
    reach = NEIGHBOURS if {"bridge", "default"}.intersection(subject.known("networks", ())) else DEFENCE
    return failed(fact, expected, "NET_RAW", reach=reach)


def _seccomp_profile_closes(subject: Subject) -> Outcome:
    kind = subject.fact("seccomp")
    if kind.value == "unconfined":
        return not_applicable("it has no seccomp filter at all, which another rule says")
    fact = subject.fact("seccomp_opens")
    expected = "no dangerous system call for everybody"
    return failed(fact, expected) if fact.value else passed(fact, expected, kind.value)


def _apparmor_confines(subject: Subject) -> Outcome:
    fact = subject.fact("apparmor")
    if fact.value == "":
        return not_applicable("the host has no AppArmor")
    return (failed if fact.value == "unconfined" else passed)(fact, "a profile")


def _apparmor_enforces(subject: Subject) -> Outcome:
    fact = subject.fact("apparmor_mode")
    if fact.value == "":
        return not_applicable("the host has no AppArmor")
    if fact.value == "unconfined":
        return not_applicable("it has no AppArmor profile, which another rule says")
    # Profiles in the mode kill or prompt refuse too.
    return (passed if fact.value in ("enforce", "kill", "prompt") else failed)(fact, "enforce")


def _selinux_confines(subject: Subject) -> Outcome:
    fact = subject.fact("selinux")
    if fact.value == "":
        return not_applicable("the host has no SELinux, or the engine does not use it")
    return (failed if fact.value in UNCONFINED_TYPES else passed)(fact, "a type that confines containers")


def _own_processes(subject: Subject) -> Outcome:
    fact = subject.fact("pid_mode")
    expected = "its own"
    if fact.value == "host":
        return failed(fact, expected, reach=HOST_PART)
    if fact.value.startswith(("container:", "service:")):
        return failed(fact, expected, reach=NEIGHBOURS, reason="it shares processes with another one, and so its rights")
    return passed(fact, expected, fact.value or "its own")


def _own_memory(subject: Subject) -> Outcome:
    fact = subject.fact("ipc_mode")
    expected = "its own"
    if fact.value == "host":
        return failed(fact, expected, reach=HOST_PART)
    if fact.value.startswith(("container:", "service:")):
        return failed(fact, expected, reach=NEIGHBOURS, reason="it shares memory with another one")
    return passed(fact, expected, fact.value or "its own")


def _own_host_name(subject: Subject) -> Outcome:
    fact = subject.fact("uts_mode")
    if fact.value != "host":
        return passed(fact, "its own", fact.value or "its own")
    # Without the capability it can read the name only.
    return failed(fact, "its own", reach=HOST_PART if "SYS_ADMIN" in subject.known("capabilities", ()) else HYGIENE)


def _own_users(subject: Subject) -> Outcome:
    mode = subject.fact("userns_mode")
    expected = "ids of its own"
    if mode.value == "host" and not subject.known("uid_mapped"):
        return failed(mode, expected)
    if subject.kind != CONTAINER:
        # Of a definition only what it asks for is known.
        return passed(mode, "not host", mode.value or "what the daemon does for all")
    mapped = subject.fact("uid_mapped")
    if mapped.value:
        return passed(mapped, expected, "its ids are mapped")
    # Nobody asked for it: that the daemon maps nothing is a finding of the daemon.
    return failed(mapped, expected, "the host's ids", reach=HYGIENE)


def _own_cgroups(subject: Subject) -> Outcome:
    fact = subject.fact("cgroupns_mode")
    if fact.value != "host":
        return passed(fact, "private")
    capabilities = subject.known("capabilities", ())
    return failed(fact, "private", reach=HOST_PART if "SYS_ADMIN" in capabilities or subject.known("writable_cgroups") else HYGIENE)


RULES = (
    Rule(
        id="container-not-privileged",
        title="The container is not privileged",
        why="A privileged container has every capability, every device and no filter: its root is root of the host.",
        applies_to=WORKLOADS,
        check=is_value("privileged", False),
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove `privileged`, and give with `cap_add` and `devices` the single capabilities and devices that the program needs.",
        blast=RECREATE,
        cis_1_6=("5.5",),
        cis_1_8=("5.5",),
        references=("ATT&CK T1611", "OWASP Docker rule 3"),
        tempered_by=(ROOTLESS,),
    ),
    Rule(
        id="container-runs-as-user",
        title="The container does not run as root of the host",
        why="Whatever escapes from a container has the ids that it had inside, unless they are mapped.",
        applies_to=WORKLOADS,
        check=_root_is_not_used,
        attacker=FROM_CONTAINER,
        reach=CONTAINER_ROOT,
        remedy="Set `user` to a number that is not 0 at the service, or USER in the image, or map ids with userns-remap.",
        blast=RECREATE,
        variable="docker_daemon_userns_remap",
        cis_1_6=("4.1",),
        cis_1_8=("4.1",),
        references=("OWASP Docker rule 2",),
        tempered_by=(USERNS,),
    ),
    Rule(
        id="capabilities-none-beyond-default",
        title="The container has no capability that the engine does not give by default",
        why="Each further capability takes one wall between a root in the container and the kernel of the host away.",
        applies_to=WORKLOADS,
        check=_only_default_capabilities,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove the capabilities that the program does not need from `cap_add`.",
        blast=RECREATE,
        cis_1_6=("5.4",),
        cis_1_8=("5.4",),
        references=("OWASP Docker rule 3", "ATT&CK T1611"),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="capabilities-restricted",
        title="The container lacks the default capabilities that it does not need",
        why="Most services need none of the default capabilities, and flaws of the kernel often need one.",
        applies_to=WORKLOADS,
        check=_some_default_capabilities_dropped,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Set `cap_drop: [ALL]` and add the few that the program needs.",
        blast=RECREATE,
        cis_1_6=("5.4",),
        cis_1_8=("5.4",),
        references=("OWASP Docker rule 3",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="capability-net-raw-dropped",
        title="The container cannot write raw packets",
        why="With NET_RAW, which is among the default capabilities, a container can pretend to be its neighbours and read what is meant for them.",
        applies_to=WORKLOADS,
        check=_no_net_raw,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Add NET_RAW to `cap_drop`; programs that only ping can have net.ipv4.ping_group_range.",
        blast=RECREATE,
        cis_1_6=("5.4",),
        cis_1_8=("5.4",),
        references=("ATT&CK T1557.002",),
    ),
    Rule(
        id="seccomp-filter-on",
        title="A seccomp filter limits the system calls of the container",
        why="Without the filter every system call of the kernel, and every flaw in one, is within reach of the container.",
        applies_to=WORKLOADS,
        check=is_not("seccomp", "unconfined", "a profile"),
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove `seccomp=unconfined` from `security_opt`, or give a profile that opens only what the program needs.",
        blast=RECREATE,
        variable="docker_daemon_seccomp_profile",
        cis_1_6=("5.22",),
        cis_1_8=("5.22",),
        references=("OWASP Docker rule 6",),
    ),
    Rule(
        id="seccomp-profile-closes-dangerous-calls",
        title="The container's own seccomp profile keeps dangerous system calls closed",
        why="A profile that lets mount, bpf, ptrace and the like through for everybody is a filter by name only.",
        applies_to=WORKLOADS,
        check=_seccomp_profile_closes,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Start the profile that `security_opt` names from the engine's own, and open only the calls that the program needs, best for a "
        "capability or an argument only.",
        blast=RECREATE,
        cis_1_6=("5.22",),
        cis_1_8=("5.22",),
        references=("OWASP Docker rule 6",),
    ),
    Rule(
        id="apparmor-profile-set",
        title="An AppArmor profile confines the container",
        why="The profile forbids mounts and writes to the kernel's files even to somebody who has the capabilities for it.",
        applies_to=WORKLOADS,
        check=_apparmor_confines,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove `apparmor=unconfined` from `security_opt`, or name a profile that is loaded.",
        blast=RECREATE,
        cis_1_6=("5.2",),
        cis_1_8=("5.2",),
        references=("OWASP Docker rule 6",),
    ),
    Rule(
        id="apparmor-profile-enforced",
        title="The container's AppArmor profile refuses, and does not only complain",
        why="A profile in complain mode writes down what it would have refused, and lets it happen.",
        applies_to=WORKLOADS,
        check=_apparmor_enforces,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Load the profile that `security_opt` names in enforce mode with aa-enforce; running containers have the mode at once.",
        blast=NOTHING,
        cis_1_6=("5.2",),
        cis_1_8=("5.2",),
    ),
    Rule(
        id="selinux-type-confines",
        title="SELinux confines the container",
        why="With labels switched off, or with the type spc_t, SELinux lets the container touch everything of the host.",
        applies_to=WORKLOADS,
        check=_selinux_confines,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove `label=disable` and `label=type:spc_t` from `security_opt`, and mount with the option z or Z instead.",
        blast=RECREATE,
        cis_1_6=("5.3",),
        cis_1_8=("5.3",),
        references=("OWASP Docker rule 6",),
    ),
    Rule(
        id="no-new-privileges",
        title="Programs of the container cannot gain privileges",
        why="Without it a program that runs as a user becomes root in the container through any setuid program in the image.",
        applies_to=WORKLOADS,
        check=is_value("no_new_privileges", True),
        attacker=FROM_CONTAINER,
        reach=CONTAINER_ROOT,
        remedy="Set `security_opt: [no-new-privileges:true]`, or make it the daemon's default and create the container again.",
        blast=RECREATE,
        variable="docker_daemon_no_new_privileges",
        cis_1_6=("5.26",),
        cis_1_8=("5.26",),
        references=("OWASP Docker rule 4",),
    ),
    Rule(
        id="pid-namespace-own",
        title="The container sees only its own processes",
        why="Whoever sees other processes reads their environment and files, and can stop or control those of the same user.",
        applies_to=WORKLOADS,
        check=_own_processes,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `pid` from the definition; collectors of metrics can read a read-only mount of what they need.",
        blast=RECREATE,
        cis_1_6=("5.16",),
        cis_1_8=("5.16",),
        references=("ATT&CK T1611",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="ipc-namespace-own",
        title="The container shares no memory with the host or with others",
        why="Shared memory and semaphores of other programs can be read and changed through a shared IPC namespace.",
        applies_to=WORKLOADS,
        check=_own_memory,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `ipc` from the definition, and give more shared memory with `shm_size` where that was the reason.",
        blast=RECREATE,
        cis_1_6=("5.17",),
        cis_1_8=("5.17",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="uts-namespace-own",
        title="The container has its own host name",
        why="In the host's UTS namespace a container with the capability for it changes the host's name.",
        applies_to=WORKLOADS,
        check=_own_host_name,
        attacker=FROM_CONTAINER,
        reach=HYGIENE,
        remedy="Remove `uts: host`, and set `hostname` where the program wants a certain name.",
        blast=RECREATE,
        cis_1_6=("5.21",),
        cis_1_8=("5.21",),
    ),
    Rule(
        id="user-namespace-own",
        title="The container has user ids of its own",
        why="In the host's user namespace root of the container is root of the host as soon as it gets out.",
        applies_to=WORKLOADS,
        check=_own_users,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove `userns_mode: host`; where the daemon maps no ids, set userns-remap or run it rootless.",
        blast=RECREATE,
        variable="docker_daemon_userns_remap",
        cis_1_6=("5.31",),
        cis_1_8=("5.31",),
    ),
    Rule(
        id="cgroup-namespace-own",
        title="The container sees only its own control groups",
        why="In the host's cgroup namespace it sees the groups of the host and of other containers, and with rights to mount it changes them.",
        applies_to=WORKLOADS,
        check=_own_cgroups,
        attacker=FROM_CONTAINER,
        reach=HYGIENE,
        remedy="Remove `cgroup: host`, and set default-cgroupns-mode to private where cgroup v1 makes host the default.",
        blast=RECREATE,
        references=("CVE-2022-0492",),
        tempered_by=(USERNS, ROOTLESS),
    ),
)
