# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A container as the engine's API describes it and as the kernel runs it, in the facts that rules ask for.

PRIVATE to the collection: no stability is promised to other users.

Where a container runs and /proc could be read, what the kernel says counts; the engine's word counts elsewhere, as long as
it says something: a default that it does not record is unknown. The answers are those of secrets.container, of Docker 20.10
to 29 or of Podman. A key that is missing or of another type than the API has is unknown, never a default, except for keys
that the API leaves out when they are empty.
Sources: moby daemon/oci_linux.go, create_unix.go, daemon_unix.go (parseSecurityOpt), seccomp_linux.go, pkg/oci/defaults.go
and pkg/oci/caps; runc libcontainer/rootfs_linux.go; proc(5), cgroups(7), capabilities(7).
"""

from __future__ import annotations

import dataclasses
import functools
import posixpath
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    log_budget,
    log_containers,
    seccomp_choice,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_lint import OPENERS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, secrets, vocabulary
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import seccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import (
    ContainerLook,
    DaemonLook,
    EngineLook,
    Json,
    Process,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount, Port

Found = t.Union[Fact, Unknown]

DEFAULT_CAPABILITIES = frozenset(
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE".split()
)
ALL_CAPABILITIES = frozenset(name[4:] for name in seccomp_choice.CAPABILITIES)
# By their numbers (linux/capability.h).
_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK "
    "IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE "
    "AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()

_MASKED = (
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/firmware"
).split()
# What later releases mask besides, with the releases that first did; /sys/devices/virtual/powercap also since 24.0.7.
_MASKED_SINCE = (("/sys/devices/virtual/powercap", "24.0.7"), ("/proc/interrupts", "28.0.2"))
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# What every kernel has, so that a missing mask or a writable mount says something (kcore is not built everywhere, but some of these always are).
_ALWAYS_THERE = ("/proc/keys", "/proc/kcore", "/proc/timer_list", "/sys/firmware")

# What no engine leaves out: where it stands, what is missing beside it is empty.
_ALWAYS_GIVEN = {"HostConfig": "Privileged", "Config": "Env"}
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")
# cgroup v1 writes the largest multiple of a page instead of "max".
_ENDLESS = 1 << 62


@dataclasses.dataclass(frozen=True)
class EngineFacts:
    """What of the engine and its host decides what a container is. None and empty mean that it is not known.

    Attributes:
        product: ``docker`` or ``podman``.
        version: of the engine.
        default_runtime: the runtime of containers that name none.
        cgroup_version: 1 or 2.
        apparmor, selinux: whether the engine uses them for containers.
        apparmor_modes: by name of a loaded profile its mode (``enforce``, ``complain``, ...).
        userns_remap, rootless, no_new_privileges: of the daemon.
        seccomp, seccomp_opens: of the daemon's default, see vocabulary.WORKLOAD.
        seccomp_reason: why seccomp_opens is not known.
        log: what new containers get.
        ulimits: by name, the soft and hard limit that new containers get; None where that is not known.
        api_groups: names and numbers of the groups that own sockets of an engine's API.
        networks: by name of a network its driver and the interface that it uses.
        images: by id ``GET /images/{id}/json``.
        tags: by reference the id of the image that it names now.
    """

    product: str = "docker"
    version: str = ""
    default_runtime: str = "runc"
    cgroup_version: int | None = None
    apparmor: bool | None = None
    selinux: bool | None = None
    apparmor_modes: t.Mapping[str, str] | None = None
    userns_remap: bool | None = None
    rootless: bool | None = None
    no_new_privileges: bool | None = None
    seccomp: str = ""
    seccomp_opens: tuple[str, ...] | None = None
    seccomp_reason: str = "the profile of the daemon was not looked at"
    log: LogConfig | None = None
    ulimits: t.Mapping[str, tuple[t.Any, t.Any]] | None = dataclasses.field(default_factory=dict)
    api_groups: frozenset[str] | None = None
    networks: t.Mapping[str, tuple[str, str]] | None = None
    images: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def engine_facts(
    engine: EngineLook,
    daemon: DaemonLook | None = None,
    apparmor_modes: t.Mapping[str, str] | None = None,
    api_groups: t.Iterable[str] | None = None,
) -> EngineFacts:
    """Return what decides about containers, from looks at the engine and its daemon.

    Args:
        apparmor_modes: see EngineFacts; host.security_modules.loaded_profiles has it.
        api_groups: see EngineFacts.
    """
    info = engine.info
    options = info.get("SecurityOptions")
    named: dict[str, str] | None = None
    if isinstance(options, (list, tuple)):
        # name=seccomp,profile=builtin
        pairs = (dict(part.partition("=")[::2] for part in option.split(",")) for option in options if isinstance(option, str))
        named = {pair["name"]: pair.get("profile", "") for pair in pairs if "name" in pair}
    config = daemon.config if daemon is not None else None
    profile, opens, reason = _daemon_seccomp(named, daemon)
    version = _text_of(engine.version.get("Version")) or _text_of(info.get("ServerVersion"))
    return EngineFacts(
        product=engine.product or "docker",
        version=version,
        default_runtime=_text_of(info.get("DefaultRuntime")) or "runc",
        cgroup_version={"1": 1, "2": 2}.get(_text_of(info.get("CgroupVersion"))),
        apparmor=None if named is None else "apparmor" in named,
        selinux=None if named is None else "selinux" in named,
        apparmor_modes=apparmor_modes,
        userns_remap=None if named is None else "userns" in named,
        rootless=None if named is None else "rootless" in named,
        # 20.10 does not say it in /info.
        no_new_privileges=_no_new_privileges(named, config, daemon),
        seccomp=profile,
        seccomp_opens=opens,
        seccomp_reason=reason,
        log=log_containers.default_of(config, daemon.flags) if config is not None and daemon is not None and _log_keys_fit(config) else None,
        ulimits=_default_ulimits(config, daemon),
        api_groups=None if api_groups is None else frozenset(api_groups),
        networks=_networks(engine),
        images={image["Id"]: image for image in engine.images if isinstance(image.get("Id"), str)},
        tags={
            tag: image["Id"]
            for image in engine.images
            if isinstance(image.get("Id"), str) and isinstance(image.get("RepoTags"), list)
            for tag in image["RepoTags"]
            if isinstance(tag, str)
        },
    )


def names_by_id(engine: EngineLook) -> dict[str, str]:
    """Return the names of all containers by their ids, for modes such as ``container:<id>``."""
    return {_text_of(look.inspect.get("Id")): _name(look.inspect) for look in engine.containers if look.inspect.get("Id")}


def subject(look: ContainerLook, engine: EngineFacts, names: t.Mapping[str, str] | None = None) -> Subject:
    """Return a container with all facts of vocabulary.WORKLOAD, each known with its source or unknown with the reason.

    Args:
        names: see names_by_id.
    """
    return _Container(look, engine, names or {}).subject()


class _Container:
    """One container; every method gives the fact of its name."""

    def __init__(self, look: ContainerLook, engine: EngineFacts, names: t.Mapping[str, str]) -> None:
        self.look = look
        self.engine = engine
        self.names = names
        answer = look.inspect if isinstance(look.inspect, t.Mapping) else {}
        self.answer = answer
        self.host = _mapping(answer.get("HostConfig"))
        self.config = _mapping(answer.get("Config"))
        self.identifier = _text_of(answer.get("Id"))
        self.where = f"GET /containers/{self.identifier[:12]}/json"
        state = _mapping(answer.get("State"))
        self.runs: bool | None = state.get("Running") if isinstance(state.get("Running"), bool) else None
        process = look.process
        self.process: Process | None = process if process is not None and not process.error else None
        # Why the kernel's word is missing although there should be one.
        self.unread = ""
        if self.process is None and (process is not None or self.runs):
            self.unread = (process.error if process is not None else "") or "its process was not looked at"
        elif self.runs is None and self.process is None:
            self.unread = "the engine does not say whether it runs"
        number = state.get("Pid")
        self.proc = f"/proc/{number}" if isinstance(number, int) and number > 0 else "/proc/PID"
        self.options = self._security_options()
        self.mounted = {point: (options, kind) for point, options, kind in self.process.mounts} if self.process else {}

    def subject(self) -> Subject:
        """Return the subject."""
        if self.look.error:
            facts: dict[str, Found] = {name: Unknown(self.look.error, self.where) for name in vocabulary.WORKLOAD}
        else:
            facts = {name: getattr(self, f"_{name}")() for name in vocabulary.WORKLOAD}
        return Subject(model.CONTAINER, _name(self.answer), facts, self._identity())

    def _identity(self) -> dict[str, t.Any]:
        labels = _mapping(self.config.get("Labels"))
        kept = {str(name): "" if value in (secrets.SECRET, secrets.WITHHELD) else _text_of(value) for name, value in labels.items()}
        project = kept.get("com.docker.compose.project", "")
        service = kept.get("com.docker.swarm.service.name", "")
        if project and kept.get("com.docker.compose.service"):
            service = f"{project}/{kept['com.docker.compose.service']}"
        image = _text_of(self.answer.get("Image"))
        digests = self.engine.images.get(image, {}).get("RepoDigests")
        return {
            "id": self.identifier,
            "image": _text_of(self.config.get("Image")),
            "digest": next((digest.rpartition("@")[2] for digest in digests if isinstance(digest, str)), "") if isinstance(digests, list) else "",
            "project": project or kept.get("com.docker.stack.namespace", ""),
            "service": service,
            "labels": kept,
        }

    # --- reading the answer -------------------------------------------------------------------------------------------

    def _pointer(self, part: str, key: str) -> str:
        return f"{self.where} /{part}/{key}" if part else f"{self.where} /{key}"

    def _get(self, part: str, key: str, kinds: tuple[type, ...], empty: t.Any, omitted: bool = False) -> Found:
        """Return a value of the answer; null counts as empty.

        Args:
            part: HostConfig, Config or empty for the top.
            kinds: types that the API has for it.
            omitted: whether the API leaves it out when it is empty.
        """
        holder = {"HostConfig": self.host, "Config": self.config, "": self.answer}[part]
        source = self._pointer(part, key)
        if key not in holder:
            if omitted and _ALWAYS_GIVEN[part] in holder:
                return Fact(empty, source)
            return Unknown(f"the engine's answer has no {key}", source)
        value = holder[key]
        if value is None:
            return Fact(empty, source)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            return Unknown(f"{key} in the engine's answer is of a kind that it should not be", source)
        return Fact(value, source)

    def _texts(self, part: str, key: str, omitted: bool = False) -> Found:
        found = self._get(part, key, (list, tuple), (), omitted)
        if isinstance(found, Unknown):
            return found
        known = tuple(item for item in found.value if isinstance(item, str))
        if len(known) == len(found.value):
            return found._replace(value=known)
        return Unknown(f"{key} in the engine's answer holds what is no text", found.source, found._replace(value=known))

    def _security_options(self) -> dict[str, list[str]] | Unknown:
        """Return the security options by name, as the engine reads them; for flags without a value it is ``true``."""
        found = self._texts("HostConfig", "SecurityOpt")
        if isinstance(found, Unknown):
            return found
        options: dict[str, list[str]] = {}
        for option in found.value:
            if option == "disable":
                options.setdefault("label", []).append(option)
                continue
            name, separator, value = option.partition("=" if "=" in option else ":")
            options.setdefault(name, []).append(value if separator else "true")
        return options

    def _option(self, name: str) -> str | Unknown:
        """Return the last value of a security option, empty where it has none."""
        if isinstance(self.options, Unknown):
            return self.options
        return [*self.options.get(name, ()), ""][-1] if name not in self.options else self.options[name][-1]

    def _status(self, name: str) -> str | None:
        value = self.process.status.get(name) if self.process is not None else None
        return value.strip() if isinstance(value, str) else None

    def _shares_with_host(self, kind: str) -> bool | None:
        """Return whether the container is in a namespace of process 1, None where that cannot be told."""
        if self.process is None:
            return None
        own, host = self.process.namespaces.get(kind), self.process.host_namespaces.get(kind)
        return own == host if own and host else None

    def _namespace_source(self, kind: str) -> str:
        return f"{self.proc}/ns/{kind}"

    # --- what it is ---------------------------------------------------------------------------------------------------

    def _running(self) -> Found:
        source = f"{self.where} /State/Running"
        return Unknown("the engine does not say whether it runs", source) if self.runs is None else Fact(self.runs, source)

    def _image(self) -> Found:
        return self._get("Config", "Image", (str,), "")

    def _user(self) -> Found:
        return self._get("Config", "User", (str,), "")

    def _image_user(self) -> Found:
        image = _text_of(self.answer.get("Image"))
        found = self.engine.images.get(image)
        source = f"GET /images/{image[:19]}/json /Config/User"
        if found is None or not isinstance(found.get("Config"), t.Mapping):
            return Unknown("its image was not looked at", source)
        return Fact(_text_of(found["Config"].get("User")), source)

    def _ids(self) -> tuple[int, int] | None:
        """Return the uid of the first process inside and on the host."""
        words = (self._status("Uid") or "").split()
        if len(words) < 2 or not words[1].isdecimal() or self.process is None:
            return None
        outside = int(words[1])
        for inside, first, count in self.process.uid_map:
            if first <= outside < first + count:
                return inside + outside - first, outside
        return None

    def _uid(self) -> Found:
        source = f"{self.proc}/status Uid, {self.proc}/uid_map"
        if self.process is not None:
            ids = self._ids()
            return Unknown("the kernel does not say which user its first process is", source) if ids is None else Fact(ids[0], source)
        user = self._user()
        if isinstance(user, Unknown):
            return user
        number = uid_of(user.value)
        if number is None:
            return Unknown("a name of a user means what the image's passwd file says", user.source)
        if self.unread and number != 0:
            # A process that was root can have become this user, never the other way without more rights.
            return Fact(number, f"{user.source}, as declared ({self.unread})")
        return Fact(number, f"{user.source}, as declared")

    def _host_uid(self) -> Found:
        ids = self._ids()
        source = f"{self.proc}/status Uid"
        return Unknown(self.unread or "it does not run", source) if ids is None else Fact(ids[1], source)

    def _uid_mapped(self) -> Found:
        source = f"{self.proc}/uid_map"
        if self.process is not None and self.process.uid_map:
            for inside, outside, _count in self.process.uid_map:
                if inside == 0:
                    return Fact(outside != 0, source)
            return Fact(True, source)
        if self.engine.rootless:
            return Fact(True, "GET /info /SecurityOptions name=rootless")
        mode = self._userns_mode()
        if isinstance(mode, Unknown) or self.engine.userns_remap is None:
            return Unknown(self.unread or "the daemon's id mapping is not known", source)
        if mode.value == "host":
            return mode._replace(value=False)
        if mode.value:
            return Unknown(self.unread or "it does not run", source)
        return Fact(self.engine.userns_remap, "GET /info /SecurityOptions name=userns")

    def _privileged(self) -> Found:
        return self._get("HostConfig", "Privileged", (bool,), False)

    def _cap_add(self) -> Found:
        return _mapped(self._texts("HostConfig", "CapAdd"), lambda names: tuple(map(capability, names)))

    def _cap_drop(self) -> Found:
        return _mapped(self._texts("HostConfig", "CapDrop"), lambda names: tuple(map(capability, names)))

    def _capabilities(self) -> Found:
        bounding = self._status("CapBnd")
        if bounding is not None:
            source = f"{self.proc}/status CapBnd"
            try:
                return Fact(capabilities_of(int(bounding, 16)), source)
            except ValueError:
                return Unknown("the kernel's word on its capabilities cannot be read", source)
        added, dropped, privileged = self._cap_add(), self._cap_drop(), self._privileged()
        for found in (added, dropped, privileged):
            if isinstance(found, Unknown):
                return Unknown(found.reason, found.source)
        if self.engine.product == "podman" and not privileged_or_all(added, privileged):
            return Unknown("Podman's default capabilities are a setting of its host", self._pointer("HostConfig", "CapAdd"))
        return Fact(
            bounding_set(_value(added), _value(dropped), _value(privileged)), f"{self._pointer('HostConfig', 'CapAdd')}, CapDrop and Privileged, as declared"
        )

    # --- filters ------------------------------------------------------------------------------------------------------

    def _declared_seccomp(self) -> str | Unknown:
        """Return ``unconfined``, ``builtin``, the text of a profile, or empty for the daemon's."""
        declared = self._option("seccomp")
        if isinstance(declared, Unknown) or declared:
            return declared
        privileged = self._privileged()
        if isinstance(privileged, Unknown):
            return privileged
        return "unconfined" if privileged.value else ""

    def _seccomp(self) -> Found:
        source = self._pointer("HostConfig", "SecurityOpt")
        declared = self._declared_seccomp()
        mode = self._status("Seccomp")
        if mode == "0":
            return Fact("unconfined", f"{self.proc}/status Seccomp")
        if isinstance(declared, Unknown):
            return Unknown(declared.reason, source)
        # A filter that surrounds the engine itself is none of the container's.
        if declared == "unconfined":
            return Fact("unconfined", source)
        if mode is None and self.unread:
            return Unknown(self.unread, f"{self.proc}/status Seccomp")
        known = f"{self.proc}/status Seccomp" if mode else source
        if declared:
            return Fact("builtin" if declared == "builtin" else "custom", known)
        if self.engine.seccomp:
            return Fact(self.engine.seccomp, f"{known} and GET /info /SecurityOptions")
        if mode in ("1", "2"):
            # Some filter is there, and whose it is nobody said; seccomp_opens stays unknown.
            return Fact("custom", known)
        return Unknown("the daemon's profile is not known", source)

    def _seccomp_opens(self) -> Found:
        source = self._pointer("HostConfig", "SecurityOpt")
        kind = self._seccomp()
        if isinstance(kind, Unknown):
            return Unknown(kind.reason, kind.source)
        if kind.value == "builtin":
            return Fact((), kind.source)
        declared = self._declared_seccomp()
        if kind.value == "unconfined" or isinstance(declared, Unknown):
            return Fact(tuple(sorted(OPENERS)), kind.source)
        if not declared:
            if self.engine.seccomp_opens is None:
                return Unknown(self.engine.seccomp_reason, "daemon.json seccomp-profile")
            return Fact(self.engine.seccomp_opens, "daemon.json seccomp-profile")
        try:
            return Fact(seccomp.opened(declared), source)
        except seccomp.Unreadable as problem:
            return Unknown(str(problem), source)

    def _label(self) -> str | None:
        """Return the label of the running process, None where there is none to be had."""
        return self.process.label.strip("\0\n ") if self.process is not None and self.process.label else None

    def _apparmor(self) -> Found:
        return self._apparmor_both()[0]

    def _apparmor_mode(self) -> Found:
        return self._apparmor_both()[1]

    def _apparmor_both(self) -> tuple[Found, Found]:
        source = f"{self.proc}/attr/current"
        if self.engine.apparmor is False:
            absent = Fact("", "GET /info /SecurityOptions has no name=apparmor")
            return absent, absent
        label = self._label()
        if label is not None and not _is_selinux(label):
            name, separator, mode = label.rpartition(" (")
            if not separator:
                name, mode = label, "unconfined" if label == "unconfined" else "enforce"
            return Fact(name, source), Fact(mode.rstrip(")"), source)
        if self.engine.apparmor is None or (label is None and self.process is not None):
            reason = "the kernel does not say which AppArmor profile it has" if self.process is not None else "whether the host has AppArmor is not known"
            return Unknown(reason, source), Unknown(reason, source)
        if self.unread:
            return Unknown(self.unread, source), Unknown(self.unread, source)
        return self._declared_apparmor()

    def _declared_apparmor(self) -> tuple[Found, Found]:
        source = self._pointer("", "AppArmorProfile")
        declared, privileged = self._option("apparmor"), self._privileged()
        if isinstance(declared, Unknown) or isinstance(privileged, Unknown):
            unknown = Unknown(declared.reason if isinstance(declared, Unknown) else "the engine's answer does not say whether it is privileged", source)
            return unknown, unknown
        profile = declared or _text_of(self.answer.get("AppArmorProfile")) or ("unconfined" if privileged.value else "docker-default")
        name = Fact(profile, f"{source}, as declared")
        if profile == "unconfined":
            return name, name
        if profile == "docker-default":
            # The engine loads it in this mode whenever it is missing.
            return name, name._replace(value="enforce")
        mode = (self.engine.apparmor_modes or {}).get(profile)
        if mode is None:
            return name, Unknown("the mode of its AppArmor profile is not known, as it does not run", source)
        return name, Fact(mode, "/sys/kernel/security/apparmor/profiles")

    def _selinux(self) -> Found:
        source = f"{self.proc}/attr/current"
        label = self._label()
        if label is not None and _is_selinux(label):
            return Fact(label.split(":")[2], source)
        if self.engine.selinux is False:
            return Fact("", "GET /info /SecurityOptions has no name=selinux")
        if self.engine.selinux is None:
            # A label of another module says that this one is not there.
            return Fact("", source) if label is not None else Unknown("whether the host has SELinux is not known", source)
        if self.process is not None or self.unread:
            return Unknown(self.unread or "the kernel does not say which label it has", source)
        options, privileged = self.options, self._privileged()
        if isinstance(options, Unknown) or isinstance(privileged, Unknown):
            return Unknown("the engine's answer does not say which label it gets", source)
        labels = options.get("label", [])
        if "disable" in labels or privileged.value:
            return Fact("disabled", self._pointer("HostConfig", "SecurityOpt"))
        kind = next((entry.partition(":")[2] for entry in reversed(labels) if entry.startswith("type:")), "")
        declared = _text_of(self.answer.get("ProcessLabel"))
        if not kind and not _is_selinux(declared):
            return Unknown("the engine has not given it a label yet", self._pointer("", "ProcessLabel"))
        return Fact(kind or declared.split(":")[2], f"{self._pointer('', 'ProcessLabel')}, as declared")

    def _no_new_privileges(self) -> Found:
        source = f"{self.proc}/status NoNewPrivs"
        word = self._status("NoNewPrivs")
        if word in ("0", "1"):
            return Fact(word == "1", source)
        option = self._option("no-new-privileges")
        if isinstance(option, Unknown):
            return Unknown(self.unread or option.reason, source)
        declared = self._pointer("HostConfig", "SecurityOpt")
        if option:
            return Fact(option.lower() in ("1", "t", "true"), f"{declared}, as declared")
        if self.process is not None or self.unread:
            return Unknown(self.unread or "the kernel does not say it", source)
        if self.engine.no_new_privileges is False:
            return Fact(False, f"{declared}, as declared")
        return Unknown("the daemon's default reached it only if it was created after the default was set, and it does not run", declared)

    # --- /proc, /sys and cgroups --------------------------------------------------------------------------------------

    def _default_masks(self) -> tuple[str, ...]:
        try:
            version = versions.parse(self.engine.version)
        except ValueError:
            return tuple(_MASKED)
        return (*_MASKED, *(path for path, since in _MASKED_SINCE if versions.within(version, since)))

    def _unmasked_paths(self) -> Found:
        declared = self._declared_paths("MaskedPaths", self._default_masks())
        if not self.mounted:
            return declared if not self.unread or not isinstance(declared, Fact) or declared.value else Unknown(self.unread, f"{self.proc}/mountinfo")
        source = f"{self.proc}/mountinfo"
        if not any(path in self.mounted for path in _ALWAYS_THERE):
            return Fact(self._default_masks(), source)
        if isinstance(declared, Unknown):
            # Podman does not say it; of a path that is not masked nobody knows whether the host has it at all.
            return Fact(tuple(path for path in ("/proc/keys", "/sys/firmware") if path not in self.mounted), source)
        return Fact(tuple(path for path in declared.value if path not in self.mounted), f"{declared.source}, {source}")

    def _writable_paths(self) -> Found:
        declared = self._declared_paths("ReadonlyPaths", READ_ONLY)
        if not self.mounted:
            return declared if not self.unread or not isinstance(declared, Fact) or declared.value else Unknown(self.unread, f"{self.proc}/mountinfo")
        source = f"{self.proc}/mountinfo"
        asked = READ_ONLY if isinstance(declared, Unknown) else declared.value
        # What the kernel does not have has no mount either; /proc/sys is always there.
        writable = [path for path in READ_ONLY if (path in self.mounted or path == "/proc/sys" or path in asked) and not self._is_read_only(path)]
        if isinstance(declared, Unknown):
            writable = [path for path in writable if path in self.mounted or path == "/proc/sys"]
        if "/sys" in self.mounted and not self._is_read_only("/sys"):
            writable.append("/sys")
        return Fact(tuple(writable), source)

    def _is_read_only(self, path: str) -> bool:
        """Return whether the kernel has a path read-only, by its own mount or the nearest one above."""
        while path not in self.mounted and path != "/":
            path = posixpath.dirname(path)
        return path in self.mounted and "ro" in self.mounted[path][0].split(",")

    def _declared_paths(self, key: str, defaults: t.Sequence[str]) -> Found:
        """Return which of the engine's defaults are missing in a list of the answer."""
        source = self._pointer("HostConfig", key)
        privileged = self._privileged()
        if isinstance(privileged, Unknown):
            return Unknown(privileged.reason, privileged.source)
        if privileged.value:
            return Fact(tuple(defaults), source)
        if self.host.get(key) is None:
            # The engine writes its list into every container that it creates; a missing one is another engine's.
            return Unknown(f"the engine's answer has no {key}", source)
        listed = self._texts("HostConfig", key)
        if isinstance(listed, Unknown):
            return Unknown(listed.reason, listed.source)
        return Fact(tuple(path for path in defaults if not any(_is_below(path, masked) for masked in listed.value)), source)

    def _writable_cgroups(self) -> Found:
        if self.mounted:
            source = f"{self.proc}/mountinfo"
            options = [options for options, kind in self.mounted.values() if kind in ("cgroup", "cgroup2")]
            return Fact(any("rw" in given.split(",") for given in options), source)
        if self.unread:
            return Unknown(self.unread, f"{self.proc}/mountinfo")
        option, privileged = self._option("writable-cgroups"), self._privileged()
        source = self._pointer("HostConfig", "SecurityOpt")
        if isinstance(option, Unknown) or isinstance(privileged, Unknown):
            return Unknown("the engine's answer does not say it", source)
        if option:
            return Fact(option.lower() in ("1", "t", "true"), source)
        mapped = self._uid_mapped()
        # With mapped ids the engine leaves them writable, and the kernel refuses.
        return Fact(privileged.value or (isinstance(mapped, Fact) and bool(mapped.value)), f"{source} and Privileged, as declared")

    # --- namespaces ---------------------------------------------------------------------------------------------------

    def _mode(self, key: str, kind: str) -> Found:
        """Return a namespace's mode: host where the kernel says so, and names instead of ids."""
        declared = self._get("HostConfig", key, (str,), "")
        if self._shares_with_host(kind):
            return Fact("host", self._namespace_source(kind))
        if isinstance(declared, Unknown):
            return declared
        mode = declared.value
        if mode.startswith("container:"):
            return declared._replace(value=f"container:{self._called(mode.partition(':')[2])}")
        return declared

    def _called(self, container: str) -> str:
        """Return the name of a container that an id or a name stands for."""
        found = self.names.get(container)
        if found is None and re.fullmatch(r"[0-9a-f]{12,63}", container):
            found = next((name for identifier, name in self.names.items() if identifier.startswith(container)), None)
        return found or (container[:12] if _ANONYMOUS.fullmatch(container) else container.lstrip("/"))

    def _pid_mode(self) -> Found:
        return self._mode("PidMode", "pid")

    def _ipc_mode(self) -> Found:
        return self._mode("IpcMode", "ipc")

    def _uts_mode(self) -> Found:
        return self._mode("UTSMode", "uts")

    def _userns_mode(self) -> Found:
        # Without a mapping every container is in the host's, which uid_mapped says; this is what was asked for.
        return self._get("HostConfig", "UsernsMode", (str,), "")

    def _cgroupns_mode(self) -> Found:
        shared = self._shares_with_host("cgroup")
        if shared is not None:
            return Fact("host" if shared else "private", self._namespace_source("cgroup"))
        found = self._get("HostConfig", "CgroupnsMode", (str,), "")
        if isinstance(found, Unknown) or found.value:
            return found
        if self.engine.cgroup_version is None:
            return Unknown("the daemon's default is not known", found.source)
        return found._replace(value="host" if self.engine.cgroup_version == 1 else "private")

    def _network_mode(self) -> Found:
        return self._mode("NetworkMode", "net")

    def _networks(self) -> Found:
        networks = _mapping(self.answer.get("NetworkSettings")).get("Networks")
        source = f"{self.where} /NetworkSettings/Networks"
        if isinstance(networks, t.Mapping) and networks:
            return Fact(tuple(sorted(map(str, networks))), source)
        mode = self._network_mode()
        if isinstance(mode, Unknown):
            return Unknown(mode.reason, mode.source)
        if mode.value.startswith("container:") or mode.value in ("none", "host"):
            return Fact((), mode.source)
        # Podman's own kinds of networks, and what a container is created for, stand only there.
        return Fact((mode.value or "bridge",), mode.source)

    # --- what of the host it sees -------------------------------------------------------------------------------------

    def _mounts(self) -> Found:
        source = self._pointer("", "Mounts")
        listed = self._get("", "Mounts", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        found = []
        broken = False
        for entry in listed.value:
            mount = self._mount(entry)
            broken = broken or mount is None
            if mount is not None:
                found.append(mount)
        temporary = self._get("HostConfig", "Tmpfs", (dict,), {}, omitted=True)
        if isinstance(temporary, Fact):
            found += [Mount("tmpfs", "", str(target), "ro" in str(options).split(",")) for target, options in sorted(temporary.value.items(), key=str)]
        known = Fact(tuple(found), source)
        return Unknown("Mounts in the engine's answer holds what is no mount", source, known) if broken else known

    def _mount(self, entry: t.Any) -> Mount | None:
        if not isinstance(entry, t.Mapping) or not isinstance(entry.get("Destination"), str):
            return None
        kind = _text_of(entry.get("Type")) or ("volume" if entry.get("Name") else "bind")
        target = entry["Destination"]
        place = self.look.places.get(target)
        source = _text_of(entry.get("Source"))
        host_path = place.host_path if place is not None else source if kind == "bind" else ""
        if kind == "volume":
            name = _text_of(entry.get("Name"))
            source = "" if _ANONYMOUS.fullmatch(name) else name
        read_only = entry.get("RW") is False
        if target in self.mounted:
            read_only = "ro" in self.mounted[target][0].split(",")
        return Mount(
            kind,
            source,
            target,
            read_only,
            _text_of(entry.get("Propagation")),
            host_path,
            place.sockets if place is not None else (),
            place.replaceable if place is not None else "",
        )

    def _mounts_resolved(self) -> Found:
        source = self._pointer("", "Mounts")
        mounts = self._mounts()
        if isinstance(mounts, Unknown):
            return Unknown(mounts.reason, source)
        return Fact(all(mount.kind != "bind" or mount.target in self.look.places for mount in mounts.value), "stat of the sources of its mounts")

    def _volumes_from(self) -> Found:
        return _mapped(self._texts("HostConfig", "VolumesFrom"), lambda given: tuple(self._called(entry.partition(":")[0]) for entry in given))

    def _devices(self) -> Found:
        listed = self._get("HostConfig", "Devices", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        known = tuple(
            Device(entry["PathOnHost"], _text_of(entry.get("PathInContainer")), _text_of(entry.get("CgroupPermissions")) or "rwm")
            for entry in listed.value
            if isinstance(entry, t.Mapping) and isinstance(entry.get("PathOnHost"), str)
        )
        fact = listed._replace(value=known)
        return fact if len(known) == len(listed.value) else Unknown("Devices in the engine's answer holds what is no device", listed.source, fact)

    def _device_cgroup_rules(self) -> Found:
        return self._texts("HostConfig", "DeviceCgroupRules")

    def _device_requests(self) -> Found:
        listed = self._get("HostConfig", "DeviceRequests", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        return listed._replace(value=tuple(_request(entry) for entry in listed.value))

    def _group_add(self) -> Found:
        return self._texts("HostConfig", "GroupAdd")

    def _api_socket_groups(self) -> Found:
        groups = self._group_add()
        if isinstance(groups, Unknown):
            return Unknown(groups.reason, groups.source)
        if not groups.value:
            return groups
        owners = self.engine.api_groups
        if owners is None:
            return Unknown("which groups own sockets of the API was not looked at", groups.source)
        return groups._replace(value=tuple(group for group in groups.value if group in owners))

    def _use_api_socket(self) -> Found:
        # The client turns --use-api-socket into a mount that stands in no list of binds.
        listed = self._get("HostConfig", "Mounts", (list, tuple), (), omitted=True)
        if isinstance(listed, Unknown):
            return listed
        targets = [_text_of(entry.get("Target")) for entry in listed.value if isinstance(entry, t.Mapping)]
        if len(targets) != len(listed.value):
            return Unknown("Mounts in the engine's answer holds what is no mount", listed.source)
        return listed._replace(value=any(posixpath.normpath(target) in ("/var/run/docker.sock", "/run/docker.sock") for target in targets if target))

    # --- network ------------------------------------------------------------------------------------------------------

    def _ports(self) -> Found:
        settings = _mapping(self.answer.get("NetworkSettings"))
        given = settings.get("Ports")
        source = f"{self.where} /NetworkSettings/Ports"
        if not self.runs or not isinstance(given, t.Mapping):
            bindings = self._get("HostConfig", "PortBindings", (dict,), {})
            if isinstance(bindings, Unknown):
                return bindings
            given, source = bindings.value, bindings.source
        found: list[Port] = []
        broken = False
        for name, bindings in given.items():
            for binding in bindings if isinstance(bindings, (list, tuple)) else () if bindings is None else (None,):
                port = _port(str(name), binding)
                broken = broken or port is None
                if port is not None:
                    found.append(port)
        if not self.runs and self.host.get("PublishAllPorts") is True:
            for name in _mapping(self.config.get("ExposedPorts")):
                port = _port(str(name), {})
                found += [port] if port is not None and not given.get(name) else []
        fact = Fact(tuple(found), source)
        return Unknown("the engine's answer holds what is no published port", source, fact) if broken else fact

    def _macvlan_parents(self) -> Found:
        networks = self._networks()
        if isinstance(networks, Unknown):
            return Unknown(networks.reason, networks.source)
        if self.engine.networks is None:
            return Unknown("the networks were not looked at", "GET /networks")
        used = [self.engine.networks.get(name) for name in networks.value]
        parents = (f"{driver} on {parent or 'an interface of its own'}" for driver, parent in filter(None, used) if driver in ("macvlan", "ipvlan"))
        return Fact(tuple(dict.fromkeys(parents)), "GET /networks")

    # --- limits -------------------------------------------------------------------------------------------------------

    def _read_only_rootfs(self) -> Found:
        if "/" in self.mounted:
            return Fact("ro" in self.mounted["/"][0].split(","), f"{self.proc}/mountinfo")
        return self._get("HostConfig", "ReadonlyRootfs", (bool,), False)

    def _limit(self, names: t.Sequence[str]) -> tuple[int, str] | None:
        """Return the content of the first cgroup file that there is, 0 for no limit."""
        for name in names if self.process is not None else ():
            word = t.cast(Process, self.process).limits.get(name)
            first = word.split()[0] if isinstance(word, str) and word.split() else ""
            if first in ("max", "-1"):
                return 0, name
            if first.isdecimal():
                number = int(first[:20])
                return (0 if number >= _ENDLESS else number), name
        return None

    def _memory(self) -> Found:
        limit = self._limit(("memory.max", "memory.limit_in_bytes"))
        if limit is not None:
            return Fact(limit[0], f"cgroup {limit[1]} of the container")
        return self._get("HostConfig", "Memory", (int,), 0)

    def _pids_limit(self) -> Found:
        limit = self._limit(("pids.max",))
        if limit is not None:
            return Fact(limit[0], f"cgroup {limit[1]} of the container")
        return _mapped(self._get("HostConfig", "PidsLimit", (int,), 0), lambda number: max(number, 0))

    def _cpu_limited(self) -> Found:
        limit = self._limit(("cpu.max", "cpu.cfs_quota_us"))
        parts: list[Found] = [self._get("HostConfig", name, (int,), 0) for name in ("CpuShares", "NanoCpus", "CpuQuota")]
        processors = self._get("HostConfig", "CpusetCpus", (str,), "")
        source = f"{self._pointer('HostConfig', 'CpuShares')}, NanoCpus, CpuQuota and CpusetCpus"
        if limit is not None and limit[0]:
            return Fact(True, f"cgroup {limit[1]} of the container")
        shares = parts[0]
        # 1024 is what a container without shares has.
        if isinstance(shares, Fact) and shares.value not in (0, 1024):
            return Fact(True, shares.source)
        if isinstance(processors, Fact) and processors.value:
            return Fact(True, processors.source)
        if limit is not None:
            return Fact(False, f"cgroup {limit[1]} of the container, {source}")
        if any(isinstance(part, Fact) and part.value > 0 for part in parts[1:]):
            return Fact(True, source)
        unknown = next((part for part in (*parts, processors) if isinstance(part, Unknown)), None)
        return Unknown(unknown.reason, unknown.source) if unknown is not None else Fact(False, source)

    def _oom_kill_disabled(self) -> Found:
        return self._get("HostConfig", "OomKillDisable", (bool,), False)

    def _oom_score_adj(self) -> Found:
        return self._get("HostConfig", "OomScoreAdj", (int,), 0)

    def _restart(self, key: str, kind: type, empty: t.Any) -> Found:
        policy = self._get("HostConfig", "RestartPolicy", (dict,), {})
        if isinstance(policy, Unknown):
            return policy
        value = policy.value.get(key, empty)
        source = f"{policy.source}/{key}"
        if not isinstance(value, kind) or isinstance(value, bool):
            return Unknown("the restart policy in the engine's answer is of a kind that it should not be", source)
        return Fact(value or empty, source)

    def _restart_policy(self) -> Found:
        return self._restart("Name", str, "no")

    def _restart_retries(self) -> Found:
        return self._restart("MaximumRetryCount", int, 0)

    def _healthcheck(self) -> Found:
        found = self._get("Config", "Healthcheck", (dict,), None, omitted=True)
        if isinstance(found, Unknown):
            return found
        test = found.value.get("Test") if found.value else None
        if not test:
            return found._replace(value="none")
        if not isinstance(test, (list, tuple)):
            return Unknown("the healthcheck in the engine's answer is of a kind that it should not be", found.source)
        if test[0] == "NONE":
            return found._replace(value="disabled")
        image = _mapping(_mapping(self.engine.images.get(_text_of(self.answer.get("Image")))).get("Config"))
        return found._replace(value="image" if _mapping(image.get("Healthcheck")).get("Test") == test else "defined")

    def _ulimits(self) -> Found:
        listed = self._get("HostConfig", "Ulimits", (list, tuple), ())
        defaults = self.engine.ulimits
        if isinstance(listed, Fact) and listed.value and defaults is None:
            return Unknown("the daemon's default ulimits, which the engine writes into every container, are not known", listed.source)
        own = [_mapping(entry) for entry in listed.value] if isinstance(listed, Fact) else []
        others = (entry for entry in own if (defaults or {}).get(str(entry.get("Name"))) != (entry.get("Soft"), entry.get("Hard")))
        names = (_text_of(entry.get("Name")) or "unnamed" for entry in others)
        return _mapped(listed, lambda _entries: tuple(names))

    def _sysctls(self) -> Found:
        given = self._get("HostConfig", "Sysctls", (dict,), {}, omitted=True)
        return _mapped(given, lambda values: tuple(sorted((str(name), str(value)) for name, value in values.items())))

    def _cgroup_parent(self) -> Found:
        return self._get("HostConfig", "CgroupParent", (str,), "")

    def _runtime(self) -> Found:
        found = self._get("HostConfig", "Runtime", (str,), "", omitted=True)
        return _mapped(found, lambda name: "" if name == self.engine.default_runtime else name)

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _working_dir(self) -> Found:
        return self._get("Config", "WorkingDir", (str,), "")

    def _secret_names(self) -> Found:
        listed = self._texts("Config", "Env")
        if isinstance(listed, Unknown):
            return Unknown(listed.reason, listed.source)
        found = [
            *secrets.environment_secrets(self.config.get("Env")),
            *(f"label {name}" for name in secrets.label_secrets(self.config.get("Labels"))),
            *secrets.argument_secrets(self.config.get("Entrypoint")),
            *secrets.argument_secrets(self.config.get("Cmd")),
            *(f"healthcheck {name}" for name in secrets.argument_secrets(_mapping(self.config.get("Healthcheck")).get("Test"))),
        ]
        return Fact(tuple(dict.fromkeys(found)), f"{self._pointer('Config', 'Env')}, Labels, Entrypoint, Cmd and Healthcheck (values were withheld)")

    def _docker_host(self) -> Found:
        listed = self._texts("Config", "Env")
        if isinstance(listed, Unknown):
            return Unknown(listed.reason, listed.source)
        entries = [entry.partition("=")[2] for entry in listed.value if entry.startswith("DOCKER_HOST=")]
        return Fact(entries[-1] if entries else "", listed.source)

    def _log_config(self) -> LogConfig | Unknown:
        given = self._get("HostConfig", "LogConfig", (dict,), None)
        if isinstance(given, Unknown):
            return given
        options = given.value.get("Config") if given.value else None
        driver = given.value.get("Type") if given.value else None
        if not isinstance(driver, str) or not isinstance(options, (dict, type(None))):
            return Unknown("the log settings in the engine's answer are of a kind that they should not be", given.source)
        return LogConfig("", driver or log_containers.BUILT_IN.driver, {str(name): _text_of(value) for name, value in (options or {}).items()})

    def _log_driver(self) -> Found:
        config = self._log_config()
        return config if isinstance(config, Unknown) else Fact(config.driver, f"{self._pointer('HostConfig', 'LogConfig')}/Type")

    def _log_bounded(self) -> Found:
        config = self._log_config()
        source = self._pointer("HostConfig", "LogConfig")
        if isinstance(config, Unknown):
            return Unknown(config.reason, config.source)
        return Fact(_is_bounded(config.driver, tuple(sorted(config.options.items())), self.engine.version), source)

    def _labels(self) -> Found:
        return _mapped(self._get("Config", "Labels", (dict,), {}), lambda given: tuple(sorted(map(str, given))))

    def _programs(self) -> Found:
        source = "the processes of its cgroup"
        if self.process is not None and self.process.programs is not None:
            return Fact(self.process.programs, source)
        return Unknown(self.unread or ("its processes were not looked at" if self.process is not None else "it does not run"), source)

    def _stale(self) -> Found:
        found = []
        sources = [self.where]
        option = self._option("no-new-privileges")
        if self._status("NoNewPrivs") == "0" and self.engine.no_new_privileges and option == "":
            found.append("no-new-privileges is off, the daemon's default is on")
            sources.append(f"{self.proc}/status NoNewPrivs")
        config = self._log_config()
        unknown = ""
        if isinstance(config, LogConfig) and self.engine.log is not None:
            found += log_containers.differences(config, self.engine.log)
        else:
            unknown = "its log settings, or the daemon's, could not be read"
        reference = _text_of(self.config.get("Image"))
        current = self.engine.tags.get(reference) or self.engine.tags.get(f"{reference}:latest")
        image = _text_of(self.answer.get("Image"))
        if current and image and current != image:
            found.append(f"its image is {image[:19]}, {reference} is {current[:19]} now")
        if self.engine.no_new_privileges is None or (self.engine.no_new_privileges and option == "" and self._status("NoNewPrivs") is None):
            unknown = unknown or "whether no-new-privileges is in force for it is not known"
        fact = Fact(tuple(found), ", ".join(sources))
        return Unknown(unknown, self.where, fact) if unknown else fact

    def _hook_privileged(self) -> Found:
        return Fact((), "a container has no lifecycle hooks")

    def _build_privileges(self) -> Found:
        return Fact((), "a container is not built")

    def _unknown_keys(self) -> Found:
        return Fact((), "a container comes from no file")

    def _engine_cgroup(self) -> Found:
        source = "GET /info /CgroupVersion"
        return Unknown("the engine does not say its cgroup version", source) if self.engine.cgroup_version is None else Fact(self.engine.cgroup_version, source)


def uid_of(user: str) -> int | None:
    """Return the number of a declared user as the engine reads it, None for a name that only the image knows.

    ``0:0``, ``00``, ``root:root`` and nothing at all are 0.
    """
    name = user.partition(":")[0]
    if name in ("", "root"):
        return 0
    return int(name) if _NUMBER.fullmatch(name) else None


def capability(name: str) -> str:
    """Return the name of a capability without CAP_ and in upper case, as the facts have it."""
    upper = name.strip().upper()
    return upper[4:] if upper.startswith("CAP_") else upper


def capabilities_of(mask: int) -> frozenset[str]:
    """Return the names of the capabilities in a mask of /proc; those that are newer than this file by their numbers."""
    return frozenset(_CAPABILITIES[bit] if bit < len(_CAPABILITIES) else f"CAP_{bit}" for bit in range(64) if mask >> bit & 1)


def bounding_set(added: t.Collection[str], dropped: t.Collection[str], privileged: bool) -> frozenset[str]:
    """Return the capabilities that the engine gives a container (moby pkg/oci/caps, TweakCapabilities).

    Args:
        added, dropped: as `capability` has them, with ALL.
    """
    if privileged:
        return ALL_CAPABILITIES
    if "ALL" in added:
        return ALL_CAPABILITIES.difference(dropped)
    if "ALL" in dropped:
        return frozenset(added)
    return DEFAULT_CAPABILITIES.difference(dropped).union(added)


def privileged_or_all(added: Found, privileged: Found) -> bool:
    """Tell whether a container has all capabilities, whatever the default is."""
    return bool(_value(privileged)) or "ALL" in _value(added)


def _daemon_seccomp(named: dict[str, str] | None, daemon: DaemonLook | None) -> tuple[str, tuple[str, ...] | None, str]:
    """Return the daemon's profile as vocabulary.WORKLOAD has it, what it opens, and why that is not known."""
    if named is None:
        return "", None, "the engine does not say which seccomp profile it has"
    if "seccomp" not in named:
        # A kernel without it, or an engine that was built without.
        return "unconfined", None, "the engine has no seccomp"
    profile = named["seccomp"]
    if profile in ("builtin", "default", "unconfined"):
        return ("unconfined" if profile == "unconfined" else "builtin"), () if profile != "unconfined" else None, ""
    if daemon is None or daemon.seccomp_profile is None:
        return "custom", None, "the daemon's seccomp profile could not be read"
    try:
        return "custom", seccomp.opened(daemon.seccomp_profile), ""
    except seccomp.Unreadable as problem:
        return "custom", None, str(problem)


def _no_new_privileges(named: dict[str, str] | None, config: Json | None, daemon: DaemonLook | None) -> bool | None:
    if named is not None and "no-new-privileges" in named:
        return True
    if config is None:
        # Engines before 23 have the default and do not say so.
        return None
    value = config.get("no-new-privileges")
    flags = daemon.flags.get("no-new-privileges") if daemon is not None else None
    if flags:
        return str(list(flags)[-1]).lower() not in ("false", "f", "0")
    return value if isinstance(value, bool) else False


def _log_keys_fit(config: Json) -> bool:
    return isinstance(config.get("log-opts"), (dict, type(None))) and isinstance(config.get("log-driver"), (str, type(None)))


def _default_ulimits(config: Json | None, daemon: DaemonLook | None) -> dict[str, tuple[t.Any, t.Any]] | None:
    """Return the daemon's default ulimits, of which the engine writes a copy into each container (moby daemon/create.go)."""
    if config is None or daemon is None:
        return None if daemon is not None else {}
    found: dict[str, tuple[t.Any, t.Any]] = {}
    for text in daemon.flags.get("default-ulimit", ()):
        name, _equals, limits = str(text).partition("=")
        soft, _colon, hard = limits.partition(":")
        if soft.lstrip("-").isdecimal() and (hard or soft).lstrip("-").isdecimal():
            found[name] = (int(soft), int(hard or soft))
    given = config.get("default-ulimits")
    entries = given.items() if isinstance(given, t.Mapping) else ()
    found.update({str(name): (_mapping(entry).get("Soft"), _mapping(entry).get("Hard")) for name, entry in entries})
    return found


def _networks(engine: EngineLook) -> dict[str, tuple[str, str]] | None:
    if engine.errors.get("networks"):
        return None
    found = {}
    for network in engine.networks:
        options = network.get("Options")
        parent = options.get("parent") if isinstance(options, t.Mapping) else ""
        if isinstance(network.get("Name"), str):
            found[network["Name"]] = (_text_of(network.get("Driver")), _text_of(parent))
    return found


@functools.lru_cache(maxsize=512)
def _is_bounded(driver: str, options: tuple[tuple[str, str], ...], version: str) -> bool:
    try:
        release = versions.parse(version)
    except ValueError:
        release = versions.NEWEST_KNOWN
    return driver == "none" or log_budget.share(driver, dict(options), release) is not None


def _port(name: str, binding: t.Any) -> Port | None:
    number, _separator, protocol = name.partition("/")
    if not number.isdecimal() or len(number) > 5 or not isinstance(binding, t.Mapping):
        return None
    # A range of ports of the host is allowed where the engine chooses one of them.
    chosen = _text_of(binding.get("HostPort")).partition("-")[0]
    if chosen and (not chosen.isdecimal() or len(chosen) > 5):
        return None
    return Port(_text_of(binding.get("HostIp")), int(chosen or 0), int(number), protocol or "tcp")


def _request(entry: t.Any) -> str:
    given = _mapping(entry)
    names = given.get("DeviceIDs")
    devices = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return " ".join(filter(None, (_text_of(given.get("Driver")), *devices))) or "any device of the default driver"


def _is_selinux(label: str) -> bool:
    return label.count(":") >= 2 and " (" not in label


def _is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def _mapped(found: Found, change: t.Callable[[t.Any], t.Any]) -> Found:
    if isinstance(found, Fact):
        return found._replace(value=change(found.value))
    return found if found.partly is None else found._replace(partly=found.partly._replace(value=change(found.partly.value)))


def _value(found: Found) -> t.Any:
    return found.value if isinstance(found, Fact) else None


def _mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    return value if isinstance(value, t.Mapping) else {}


def _text_of(value: t.Any) -> str:
    return value if isinstance(value, str) else ""


def _name(answer: t.Mapping[str, t.Any]) -> str:
    name = answer.get("Name")
    return (name.lstrip("/") if isinstance(name, str) else "") or _text_of(answer.get("Id"))[:12] or "unnamed"
