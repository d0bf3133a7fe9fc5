# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a look at a host brought home, as the subjects that rules judge.

PRIVATE to the collection: no stability is promised to other users.

Where the engine does not answer, its subjects are there all the same, with nothing known: a rule that was not asked would
look like a rule that has nothing to object.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, severity, vocabulary
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import daemon as of_daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import image as of_image
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import inspect
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import network as of_network
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import swarm as of_swarm
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import (
    Found,
    mapping,
    read,
    rows,
    text,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Policy
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts

DOCKER = "docker"
# moby/profiles seccomp v0.2.1: the engine's own profile closes AF_ALG from here on.
_CLOSES_CRYPTO = "29.4.2"
HOST_NAME = "the host"
DAEMON_NAME = "dockerd"
#: Names of subjects that stand for those that could not be listed.
ALL = {
    model.CONTAINER: "all containers",
    model.IMAGE: "all images",
    model.NETWORK: "all networks",
    model.VOLUME: "all volumes",
    model.SWARM_SERVICE: "all services",
}
_LISTS = {model.CONTAINER: "containers", model.IMAGE: "images", model.NETWORK: "networks", model.VOLUME: "volumes"}


def subjects(
    engine: EngineLook,
    daemon: DaemonLook,
    host_facts: t.Mapping[str, Found],
    policy: Policy,
    apparmor_modes: t.Mapping[str, str] | None = None,
) -> tuple[list[Subject], frozenset[str]]:
    """Return all subjects of a host, and the contexts (severity.CONTEXTS) that hold for all of them.

    Args:
        host_facts: what is known of the host without its engine, by the names in vocabulary.HOST.
        apparmor_modes: by name of a loaded profile its mode; None where they are not known.
    """
    host = Subject(model.HOST, HOST_NAME, {**_host(engine, daemon, policy), **_known_first(engine, daemon, policy, host_facts)})
    silence = _silence(engine)
    if silence:
        return [host, *_nothing_known(silence)], frozenset()
    about = inspect.engine_facts(engine, daemon, apparmor_modes, _socket_groups(host_facts))
    used = _used_images(engine)
    now = of_image.seconds(engine.info.get("SystemTime"))
    names = inspect.names_by_id(engine)
    services = _services(engine, about)
    found = [
        host,
        _daemon(of_daemon.facts(engine, daemon, policy, about, used), host_facts),
        *(inspect.subject(look, about, names) for look in engine.containers),
        *(of_image.subject(image, used, policy, now) for image in engine.images),
        *of_network.subjects(engine),
        *of_network.volumes(engine, host_facts.get("volume_links", Unknown("whether a directory of a volume is a link was not looked at", "lstat"))),
        *services,
        *_unlisted(engine),
    ]
    if "info" in engine.errors:
        found.append(Subject(model.SWARM, "swarm", _all(model.SWARM, _info_error(engine))))
    else:
        found.append(of_swarm.subject(engine, daemon, policy, services, now))
    return found, _context(about)


def _services(engine: EngineLook, about: inspect.EngineFacts) -> list[Subject]:
    if not engine.services:
        return []
    # Few hosts are managers of a swarm, and Python compiles at each run what is sent to a host.
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import service_spec

    return service_spec.subjects(engine, about)


def _daemon(facts: dict[str, Found], host_facts: t.Mapping[str, Found]) -> Subject:
    """Return the daemon, with who may call it, which the host's groups and its own addresses tell together."""
    members, listeners, listening = (host_facts.get("docker_group"), facts.get("listeners"), facts.get("tcp_listening"))
    clients: Found = Unknown("who may call the API was not looked at", "the socket's group and addresses")
    if isinstance(members, Fact) and isinstance(listeners, Fact) and isinstance(listening, Fact):
        sources = dict.fromkeys(found.source for found in (members, listeners, listening))
        clients = Fact((*members.value, *listeners.value, *listening.value), ", ".join(sources))
    return Subject(model.DAEMON, DAEMON_NAME, {**facts, "api_clients": clients})


def _silence(engine: EngineLook) -> str:
    """Return why nothing that the API says counts, empty where it does."""
    if engine.product and engine.product != DOCKER:
        return f"{engine.product} answers, not dockerd"
    if engine.error or not engine.product:
        return f"the engine does not answer: {engine.error}" if engine.error else "no engine answers"
    return ""


def _nothing_known(reason: str) -> list[Subject]:
    # That it is silent is known, and nothing that is in order.
    daemon = {**_all(model.DAEMON, reason), "unanswered": Fact((reason,), "the Docker API")}
    return [
        Subject(model.DAEMON, DAEMON_NAME, daemon),
        *(Subject(kind, ALL[kind], _all(kind, reason)) for kind in (model.CONTAINER, model.IMAGE, model.NETWORK, model.VOLUME)),
        Subject(model.SWARM, "swarm", _all(model.SWARM, reason)),
    ]


def _all(kind: str, reason: str) -> dict[str, Found]:
    return {name: Unknown(reason, "the Docker API") for name in vocabulary.BY_KIND[kind]}


def _info_error(engine: EngineLook) -> str:
    return f"GET /info was not answered: {engine.errors['info']}"


def _unlisted(engine: EngineLook) -> list[Subject]:
    """Return subjects that stand for lists that could not be read; single members that could not are subjects themselves."""
    held = {model.CONTAINER: engine.containers, model.IMAGE: engine.images, model.NETWORK: engine.networks, model.VOLUME: engine.volumes}
    found = [
        Subject(kind, ALL[kind], _all(kind, f"{name} could not be listed: {engine.errors[name]}"))
        for kind, name in _LISTS.items()
        if name in engine.errors and not held[kind]
    ]
    if "services" in engine.errors:
        kind = model.SWARM_SERVICE
        found.append(Subject(kind, ALL[kind], _all(kind, f"services could not be listed: {engine.errors['services']}")))
    return found


def _context(about: inspect.EngineFacts) -> frozenset[str]:
    """Return what makes failures weaker on the whole host. Ids and labels differ by container, which says them itself."""
    return frozenset({severity.ROOTLESS}) if about.rootless else frozenset()


def _known_first(engine: EngineLook, daemon: DaemonLook, policy: Policy, host_facts: t.Mapping[str, Found]) -> dict[str, Found]:
    """Return the facts of the host, without unknown ones that the engine or the policy tells all the same."""
    told = _host(engine, daemon, policy)
    found = {name: fact for name, fact in host_facts.items() if isinstance(fact, Fact) or not isinstance(told.get(name), Fact)}
    backports = found.get("package_backports")
    if isinstance(backports, Fact) and policy.mended:
        components = {*map(str, mapping(backports.value)), *policy.mended}
        both = {name: (*tuple(mapping(backports.value).get(name) or ()), *policy.mended.get(name, ())) for name in sorted(components)}
        found["package_backports"] = Fact(both, f"{backports.source} and the policy")
    found["open_data"] = _open_data(found.get("data_directories"))
    found["kernel_crypto"] = _kernel_crypto(engine, found.get("kernel_crypto"))
    return found


def _kernel_crypto(engine: EngineLook, of_host: Found | None) -> Found:
    """Return what keeps containers from the kernel's crypto: the engine's own profile of newer releases, or what the host has."""
    options = engine.info.get("SecurityOptions")
    own = [option for option in options if option == "name=seccomp,profile=builtin"] if isinstance(options, (list, tuple)) else []
    release = of_daemon.release(text(engine.version.get("Version")))
    if own and release is not None and versions.within(release, _CLOSES_CRYPTO):
        return Fact((f"the seccomp profile of Docker {release}",), f"{of_daemon.INFO} /SecurityOptions, {of_daemon.VERSION}")
    return of_host or Unknown("the kernel was not looked at", "uname")


def _open_data(directories: Found | None) -> Found:
    """Return which of the directories that hold the data of containers others enter."""
    if not isinstance(directories, Fact):
        return directories or Unknown("the directories of the engine's data were not looked at", "stat")
    known = {path: facts for path, facts in mapping(directories.value).items() if isinstance(facts, FileFacts) and facts.kind == "directory"}
    if len(known) < len(directories.value):
        return Unknown("the directories of the engine's data could not all be looked at", directories.source)
    return directories.having(tuple(path for path, facts in known.items() if facts.mode & 0o007))


def _host(engine: EngineLook, daemon: DaemonLook, policy: Policy) -> dict[str, Found]:
    """Return the facts of the host that the engine and the policy tell."""
    silence = _silence(engine)
    found: dict[str, Found] = {
        "minimum_version": Fact(policy.minimum_version, "the policy"),
        "trusted_users": Fact(policy.trusted_users, "the policy"),
        "authorization_plugins": _plugins(engine, daemon),
    }
    if policy.mended:
        found["package_backports"] = Fact({name: tuple(holes) for name, holes in policy.mended.items()}, "the policy")
    if silence:
        found["engine_version"] = Unknown(silence, of_daemon.VERSION)
        return found
    found["engine_version"] = read(engine.version, "Version", of_daemon.VERSION, str)
    found.update(_of_networks(engine))
    found["all_ids_mapped"] = _all_ids_mapped(engine)
    status = engine.info.get("DriverStatus")
    if isinstance(status, (list, tuple)):
        found["containerd_images"] = Fact(of_daemon.uses_containerd(engine.info), f"{of_daemon.INFO} /DriverStatus")
    for component in rows(engine.version.get("Components")):
        if text(component.get("Name")) == "containerd" and text(component.get("Version")):
            found["containerd_version"] = Fact(text(component["Version"]), f"{of_daemon.VERSION} /Components containerd")
    version = {"1": 1, "2": 2}.get(text(engine.info.get("CgroupVersion")))
    if version is not None:
        found["cgroup_version"] = Fact(version, f"{of_daemon.INFO} /CgroupVersion")
    return found


def _of_networks(engine: EngineLook) -> dict[str, Found]:
    """Return the networks of the kinds that holes need. A node that is no manager sees those of the swarm only where it uses them."""
    source = "GET /networks"
    if "networks" in engine.errors or not engine.networks:
        unknown = Unknown(f"networks could not be listed: {engine.errors.get('networks', 'there is none in the answer')}", source)
        return {"internal_networks": unknown, "encrypted_networks": unknown}
    networks = [mapping(network) for network in engine.networks]
    internal = tuple(
        text(network.get("Name")) for network in networks if network.get("Internal") is not False and text(network.get("Driver")) not in ("host", "null")
    )
    encrypted = tuple(text(network.get("Name")) for network in networks if "encrypted" in mapping(network.get("Options")))
    swarm = mapping(engine.info.get("Swarm"))
    found: Found = Fact(encrypted, f"{source} and {of_daemon.INFO} /Swarm")
    if text(swarm.get("LocalNodeState")) != "inactive" and swarm.get("ControlAvailable") is not True:
        found = Unknown("only managers see all networks of a swarm", source)
    return {"internal_networks": Fact(internal, source), "encrypted_networks": found}


def _all_ids_mapped(engine: EngineLook) -> Found:
    """Return whether root of every container is nobody on the host: the daemon maps ids, and no container has those of the host."""
    source = f"{of_daemon.INFO} /SecurityOptions, HostConfig/UsernsMode of all containers"
    options = engine.info.get("SecurityOptions")
    if not isinstance(options, (list, tuple)):
        return Unknown("the engine does not say it", source)
    named = {part for option in options if isinstance(option, str) for part in option.split(",")}
    if "name=rootless" in named:
        return Fact(True, f"{of_daemon.INFO} /SecurityOptions name=rootless")
    if "name=userns" not in named:
        return Fact(False, source)
    if "containers" in engine.errors or any(look.error for look in engine.containers):
        return Unknown("not every container could be looked at", source)
    modes = [mapping(mapping(look.inspect).get("HostConfig")).get("UsernsMode") for look in engine.containers]
    return Fact(all(mode == "" for mode in modes), source)


def _plugins(engine: EngineLook, daemon: DaemonLook) -> Found:
    """Return the authorization plugins that the file, the flags or the daemon name."""
    config = daemon.config
    named = [*_strings(mapping(config).get("authorization-plugins")), *_strings(daemon.flags.get("authorization-plugin"))]
    named += _strings(mapping(engine.info.get("Plugins")).get("Authorization"))
    source = f"{daemon.config_file} authorization-plugins, the flags of dockerd, {of_daemon.INFO}"
    fact = Fact(tuple(dict.fromkeys(named)), source)
    if named or engine.info:
        return fact
    reason = daemon.config_error if config is None else daemon.flags_error
    return Unknown(reason or "the settings of the daemon were not read", source) if reason or config is None else fact


def _strings(value: t.Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []


def _socket_groups(host_facts: t.Mapping[str, Found]) -> frozenset[str] | None:
    """Return names and numbers of the groups that own sockets of an engine's API, as far as somebody looked at them."""
    files = host_facts.get("files")
    if not isinstance(files, Fact):
        return None
    sockets = [facts for facts in mapping(files.value).values() if isinstance(facts, FileFacts) and facts.kind == "socket"]
    # Of root's group nothing is known by its membership: it is what the first process has anyway.
    return frozenset(name for facts in sockets for name in (facts.group, str(facts.gid)) if name) if sockets else None


def _used_images(engine: EngineLook) -> frozenset[str]:
    """Return ids of the images that containers use, and their references where the id is in no list (the containerd store)."""
    listed = {text(mapping(image).get("Id")) for image in engine.images}
    found = set()
    for look in engine.containers:
        inspected = mapping(look.inspect)
        identifier = text(inspected.get("Image"))
        found.add(identifier)
        if identifier not in listed:
            reference = text(mapping(inspected.get("Config")).get("Image"))
            found.update((reference, f"{reference}:latest", text(mapping(inspected.get("ImageManifestDescriptor")).get("digest"))))
    return frozenset(found - {"", ":latest"})
