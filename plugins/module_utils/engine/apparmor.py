# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""AppArmor profiles for classes of containers: what each class may do, as data, and its text for a parser's release.

PRIVATE to the collection: no stability is promised to other users.

A rule that denies goes before every rule that allows, and what no rule allows is denied (apparmor.d(5)). The everyday class
therefore allows all and denies what leads out of a container; the other classes allow only what they name. Paths are those
that a process in a container sees.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

MARK = "# Written by bulkhead.docker; a change made here is undone by its next run."
NAME = re.compile(r"bulkhead-[a-z0-9][a-z0-9-]{0,62}")
# Globs are welcome, all that could end a rule is not.
_PATH = re.compile(r"/[A-Za-z0-9_./@+*?{},^\[\]-]*")
_OPTIONS = ("class", "capabilities", "hidden", "no_exec", "read_only")

# capabilities(7), in the parser's spelling.
CAPABILITIES = frozenset(
    "audit_control audit_read audit_write block_suspend bpf checkpoint_restore chown dac_override dac_read_search fowner "
    "fsetid ipc_lock ipc_owner kill lease linux_immutable mac_admin mac_override mknod net_admin net_bind_service "
    "net_broadcast net_raw perfmon setfcap setgid setpcap setuid sys_admin sys_boot sys_chroot sys_module sys_nice "
    "sys_pacct sys_ptrace sys_rawio sys_resource sys_time sys_tty_config syslog wake_alarm".split()
)

# The oldest release of the parser for each ABI, newest first. An ABI of 4.0 would mediate more (user namespaces, message
# queues, io_uring) and no longer counts unix sockets among the network; profiles that hold alike on all hosts stay with 3.0,
# as Docker's own does. Before 3.0 the parser knows no ABI.
_ABIS: tuple[tuple[tuple[int, int], str], ...] = (((3, 0), "abi <abi/3.0>,"),)

# Entries of /proc that are not a process: those of processes begin with a digit.
_PROC_SETTINGS = (
    "deny /proc/[a-rt-z]** wkl,",
    "deny /proc/s[a-xz]** wkl,",
    "deny /proc/sys[^/]** wkl,",
)
_KERNEL_SETTINGS = (
    "deny /proc/sys/[a-jl-mo-z]** wkl,",
    "deny /proc/sys/kernel/[a-rt-z]** wkl,",
    "deny /proc/sys/kernel/s[a-gi-z]** wkl,",
)
_SYS = ("deny /sys/[a-eg-z]** wkl,", "deny /sys/f[a-rt-z]** wkl,", "deny /sys/fs/[abd-z]** wkl,")
# What runs a program of the container's choice on the host, or shows the host's memory and secrets.
_WAYS_OUT = (
    "deny /sys/fs/cgroup/{,**/}release_agent wkl,",
    "deny /proc/{kcore,kmem,sysrq-trigger} rwklx,",
    "deny /sys/firmware/** rwklx,",
    "deny /sys/kernel/{debug,security,tracing}/** rwklx,",
    "deny /sys/devices/virtual/powercap/** rwklx,",
    "deny network alg,",
)
_ENGINE_SOCKETS = ("deny /{,var/}run/{docker,containerd/containerd,crio/crio,podman/podman}.sock rwkl,",)
_OWN_SIGNALS = (
    "signal (send, receive) peer=@NAME@,",
    "signal (receive) peer=unconfined,",
    "signal (receive) peer={runc,crun},",
)
_UNIX = ("network unix,", "unix,")
_INTERNET = tuple(f"network {family} {kind}," for family in ("inet", "inet6") for kind in ("stream", "dgram"))
# getaddrinfo(3) and getifaddrs(3) ask the kernel through a socket of this kind.
_ADDRESSES = ("network netlink raw,",)


@dataclasses.dataclass(frozen=True)
class ProfileClass:
    """A class of containers.

    Attributes:
        summary: what containers of the class are, and what they lose.
        capabilities: of those that a container is given, which it may use; None leaves all.
        rules: everything else, in the order in which it is written.
    """

    summary: str
    capabilities: tuple[str, ...] | None
    rules: tuple[tuple[str, tuple[str, ...]], ...]


CLASSES: dict[str, ProfileClass] = {
    "everyday": ProfileClass(
        "any container without special needs: no mounts, no settings of the kernel, no ways out to the host",
        None,
        (
            ("Whatever its capabilities and namespaces allow", ("file,", "network,", "unix,", "umount,")),
            ("It sees and traces its own processes", ("ptrace (read, trace, readby, tracedby) peer=@NAME@,",)),
            ("Signals from within and from what runs it", _OWN_SIGNALS),
            ("Nothing is mounted, so no masked path is uncovered", ("deny mount,", "deny pivot_root,")),
            ("Settings of the host", (*_PROC_SETTINGS, *_KERNEL_SETTINGS, *_SYS)),
            ("Ways out of the container", _WAYS_OUT),
        ),
    ),
    "service": ProfileClass(
        "a network service: connects and listens, but sends no raw packets, mounts, traces and sets nothing, and cannot use "
        "an engine's socket",
        ("chown", "dac_override", "fowner", "fsetid", "kill", "net_bind_service", "setgid", "setpcap", "setuid"),
        (
            ("Files, as far as their modes allow", ("file,",)),
            ("Connections, no raw packets", (*_INTERNET, *_UNIX, *_ADDRESSES)),
            ("It sees its own processes and traces none", ("ptrace (read, readby) peer=@NAME@,", "deny ptrace (trace, tracedby),")),
            ("Signals from within and from what runs it", _OWN_SIGNALS),
            ("Nothing is mounted or taken off", ("deny mount,", "deny umount,", "deny pivot_root,")),
            ("Settings of the host and of its network", (*_PROC_SETTINGS, "deny /proc/sys/** wkl,", "deny /sys/** wkl,")),
            ("Memory and ids of processes", ("deny /proc/[0-9]*/{mem,uid_map,gid_map,setgroups} wkl,",)),
            ("Ways out of the container", (*_WAYS_OUT, *_ENGINE_SOCKETS)),
        ),
    ),
    "job": ProfileClass(
        "a batch job on files: no network at all, and everything that a service may not do",
        ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid"),
        (
            ("Files, as far as their modes allow", ("file,",)),
            ("Sockets within the container only", _UNIX),
            ("It sees its own processes and traces none", ("ptrace (read, readby) peer=@NAME@,", "deny ptrace (trace, tracedby),")),
            ("Signals from within and from what runs it", _OWN_SIGNALS),
            ("Nothing is mounted or taken off", ("deny mount,", "deny umount,", "deny pivot_root,")),
            ("Settings of the host", (*_PROC_SETTINGS, "deny /proc/sys/** wkl,", "deny /sys/** wkl,")),
            ("Memory and ids of processes", ("deny /proc/[0-9]*/{mem,uid_map,gid_map,setgroups} wkl,",)),
            ("Ways out of the container", (*_WAYS_OUT, *_ENGINE_SOCKETS)),
        ),
    ),
}


@dataclasses.dataclass(frozen=True)
class Profile:
    """A profile to be had.

    Attributes:
        name: by which containers choose it.
        kind: a key of CLASSES.
        capabilities: instead of those of the class; None leaves these.
        read_only, hidden, no_exec: globs of paths that containers do not write, do not touch at all, do not execute.
    """

    name: str
    kind: str
    capabilities: tuple[str, ...] | None = None
    read_only: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    no_exec: tuple[str, ...] = ()


def parse(wanted: t.Mapping[str, t.Any]) -> tuple[list[Profile], list[Problem]]:
    """Read profiles as the user gives them.

    Args:
        wanted: from a name to its class and what is changed of it.

    Returns:
        The profiles and every problem found.
    """
    profiles: list[Profile] = []
    problems: list[Problem] = []
    for name, options in wanted.items():
        found = list(_problems(str(name), options))
        problems += found
        if not found:
            lists = {key: tuple(options.get(key) or ()) for key in ("read_only", "hidden", "no_exec")}
            given = options.get("capabilities")
            capabilities = None if given is None else tuple(capability.lower() for capability in given)
            profiles.append(Profile(name, options["class"], capabilities, **lists))
    return profiles, problems


def _problems(name: str, options: t.Any) -> t.Iterator[Problem]:
    where = f"profiles.{name}"
    if not NAME.fullmatch(name):
        yield Problem(where, "is no name for a profile of ours; write bulkhead- and small letters, digits and hyphens")
        return
    if not isinstance(options, t.Mapping):
        yield Problem(where, "is no dictionary; write at least its class")
        return
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        yield Problem(where, f"has the unknown key {', '.join(map(str, unknown))}; known are {', '.join(_OPTIONS)}")
    if options.get("class") not in CLASSES:
        yield Problem(where, f"has the class '{options.get('class')}'; choose one of {', '.join(CLASSES)}")
    for key in ("capabilities", "hidden", "no_exec", "read_only"):
        yield from _list_problems(where, key, options.get(key))


def _list_problems(where: str, key: str, value: t.Any) -> t.Iterator[Problem]:
    if value is None:
        return
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, str) for entry in value):
        yield Problem(f"{where}.{key}", "is no list of strings; write one")
        return
    for entry in value:
        if key == "capabilities" and entry.lower() not in CAPABILITIES:
            yield Problem(f"{where}.{key}", f"holds '{entry}', which is no capability; write it like net_bind_service")
        if key != "capabilities" and not _PATH.fullmatch(entry):
            yield Problem(
                f"{where}.{key}", f"holds '{entry}', which is no path; write an absolute one, with globs if need be, without blanks"
            )


def render(profile: Profile, parser: tuple[int, ...]) -> str:
    """Return the text of a profile.

    Args:
        parser: the release of apparmor_parser that will read it.
    """
    kind = CLASSES[profile.kind]
    # Containers are not attached to the host's mount tree, and the files of a removed image are still theirs.
    head = [MARK, f"# Class {profile.kind}: {kind.summary}.", *_abi(parser), ""]
    head.append(f'profile "{profile.name}" flags=(attach_disconnected, mediate_deleted) {{')
    sections = [("Capabilities", _capabilities(profile, kind)), *kind.rules, ("Of this host's own", _own_rules(profile))]
    body: list[str] = []
    for title, rules in sections:
        if rules:
            body += [f"  # {title}.", *(f"  {rule}".replace("@NAME@", profile.name) for rule in rules), ""]
    return "\n".join([*head, *body[:-1], "}", ""])


def _abi(parser: tuple[int, ...]) -> list[str]:
    return next(([rule] for release, rule in _ABIS if parser >= release), [])


def _capabilities(profile: Profile, kind: ProfileClass) -> tuple[str, ...]:
    allowed = kind.capabilities if profile.capabilities is None else profile.capabilities
    if allowed is None:
        return ("capability,",)
    return (f"capability {' '.join(sorted(allowed))},",) if allowed else ("deny capability,",)


def _own_rules(profile: Profile) -> tuple[str, ...]:
    return (
        *(f"deny {path} wkl," for path in profile.read_only),
        *(f"deny {path} rwklmx," for path in profile.hidden),
        *(f"deny {path} mx," for path in profile.no_exec),
    )


@dataclasses.dataclass(frozen=True)
class Drift:
    """What is not as it is to be.

    Attributes:
        load: profiles to (re)load, with the reason in words.
        unload: profiles of ours in the kernel that nobody wants any more.
    """

    load: dict[str, str]
    unload: tuple[str, ...]


def drift(wanted: t.Iterable[str], rewritten: t.Collection[str], loaded: t.Mapping[str, str]) -> Drift:
    """Compare what the kernel enforces with what it is to enforce.

    Args:
        wanted: names of profiles.
        rewritten: of these, those whose files are about to change.
        loaded: from the names of all loaded profiles to their modes.
    """
    names = list(wanted)
    load: dict[str, str] = {}
    for name in names:
        mode = loaded.get(name)
        if mode is None:
            load[name] = "is not loaded"
        elif mode != "enforce":
            load[name] = f"is in {mode} mode"
        elif name in rewritten:
            load[name] = "has another text"
    return Drift(load, tuple(sorted(name for name in loaded if NAME.fullmatch(name) and name not in names)))
