# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What of an engine decides about its containers: the defaults that they get, and what there is to compare them with.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_containers
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import seccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import mapping, text
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Json


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
    version = text(engine.version.get("Version")) or text(info.get("ServerVersion"))
    return EngineFacts(
        product=engine.product or "docker",
        version=version,
        default_runtime=text(info.get("DefaultRuntime")) or "runc",
        cgroup_version={"1": 1, "2": 2}.get(text(info.get("CgroupVersion"))),
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
    for flag in daemon.flags.get("default-ulimit", ()):
        name, _equals, limits = str(flag).partition("=")
        soft, _colon, hard = limits.partition(":")
        if soft.lstrip("-").isdecimal() and (hard or soft).lstrip("-").isdecimal():
            found[name] = (int(soft), int(hard or soft))
    given = config.get("default-ulimits")
    entries = given.items() if isinstance(given, t.Mapping) else ()
    found.update({str(name): (mapping(entry).get("Soft"), mapping(entry).get("Hard")) for name, entry in entries})
    return found


def _networks(engine: EngineLook) -> dict[str, tuple[str, str]] | None:
    if engine.errors.get("networks"):
        return None
    found = {}
    for network in engine.networks:
        options = network.get("Options")
        parent = options.get("parent") if isinstance(options, t.Mapping) else ""
        if isinstance(network.get("Name"), str):
            found[network["Name"]] = (text(network.get("Driver")), text(parent))
    return found
