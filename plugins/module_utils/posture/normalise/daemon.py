# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The daemon: what it says of itself, and where it says nothing what its file and its flags say.

PRIVATE to the collection: no stability is promised to other users.

A setting stands in the file, or on the command line, or is the release's default: dockerd does not start with two of them.
What /info or /version shows counts before all three, because the file may have been changed since the daemon started.
Sources: moby daemon/info.go, daemon/command (daemon.go, options.go: what tls and tlsverify mean together), daemon/libnetwork
(portallocator: dockerd itself listens on published ports).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_config,
    daemon_info,
    daemon_json,
    daemon_keys,
    daemon_values,
    log_budget,
    log_delivery,
    log_drivers,
    unit_flags,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets, vocabulary
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.addresses import (
    host_of,
    is_loopback,
    is_wildcard,
    port_of,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import values
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect import EngineFacts
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import (
    Found,
    mapping,
    read,
    rows,
    text,
    texts,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Policy

INFO = "GET /info"
VERSION = "GET /version"
ICC = "com.docker.network.bridge.enable_icc"
_NO_RAW_RULES = "DOCKER_INSECURE_NO_IPTABLES_RAW"
_NOT_BY_TCP = ("unix://", "fd://", "npipe://")
# Management and gossip of a swarm; the first can be another, which the managers' addresses tell.
_SWARM_PORTS = ("2377", "7946")
_UNKNOWN_RELEASE = "which release the engine is, is not known"


class Settings:
    """What the file and the flags say, key by key."""

    def __init__(self, look: DaemonLook, version: versions.Version | None) -> None:
        self.look = look
        self.version = version
        self._flags = unit_flags.keys(look.flags)

    def stands_in(self, name: str) -> str:
        """Return where a key is set: ``file``, ``flag``, or empty for nowhere as far as is known."""
        if name in self._flags:
            return "flag"
        return "file" if name in (self.look.config or {}) else ""

    def value(self, name: str) -> Found:
        """Return the value of a key of daemon.json that the daemon reads when it starts."""
        key = daemon_keys.KEYS[name]
        if name in self._flags:
            flag = self._flags[name]
            return self._of_flag(key, flag, tuple(str(item) for item in self.look.flags[flag]))
        source = f"{self.look.config_file} {name}"
        if self.look.config is None:
            return Unknown(self.look.config_error or f"{self.look.config_file} was not read", source)
        if name in self.look.config:
            given = self.look.config[name]
            wrong = given is None or not _fits(key.kind, given)
            return Unknown(f"{name} of {self.look.config_file} is no {key.kind}", source) if wrong else Fact(given, source)
        if self.look.flags_error:
            return Unknown(self.look.flags_error, "the flags of dockerd")
        if self.version is None:
            return Unknown(_UNKNOWN_RELEASE, VERSION)
        return Fact(daemon_keys.default_of(key, self.version), f"{source} is not set, the default of Docker {self.version}")

    def _of_flag(self, key: daemon_keys.Key, flag: str, given: tuple[str, ...]) -> Found:
        source = f"the flag --{flag} of dockerd"
        last = given[-1] if given else ""
        value: t.Any = last
        if key.kind == daemon_values.BOOL:
            value = values.is_text_of_true(last)
        elif key.kind in (daemon_values.INT, daemon_values.COUNT):
            value = int(last) if last.lstrip("-").isdecimal() and len(last) < 20 else None
        elif key.kind in (daemon_values.STRINGS, daemon_values.IPS):
            value = list(given)
        elif key.kind in (daemon_values.STRUCTURED, daemon_values.STRING_MAP, daemon_values.BOOL_MAP):
            value = dict(item.partition("=")[::2] for item in given)
        return Unknown(f"--{flag}={last[:60]} is no {key.kind}", source) if value is None else Fact(value, source)


def facts(engine: EngineLook, look: DaemonLook, policy: Policy, about: EngineFacts, used_images: t.Collection[str]) -> dict[str, Found]:
    """Return the facts of the daemon, by their names in vocabulary.DAEMON.

    Args:
        about: see inspect.engine_facts.
        used_images: ids and references of the images that containers use.
    """
    if "info" in engine.errors:
        reason = f"GET /info was not answered: {engine.errors['info']}"
        return {**{name: Unknown(reason, INFO) for name in vocabulary.DAEMON}, "unanswered": _unanswered(engine)}
    version = release(about.version)
    settings = Settings(look, version)
    return {
        **_of_info(engine, about),
        **_of_settings(settings),
        **_of_api(engine, look, settings),
        **_of_logs(engine, settings, policy, about, version),
        **_of_versions(engine, version),
        **_of_file(engine, look, version),
        **_counts(engine, used_images),
        "unanswered": _unanswered(engine),
    }


def _unanswered(engine: EngineLook) -> Fact:
    """Return what the engine did not tell; images that nobody asked it about, to spare it, are not its fault."""
    found = (f"{name}: {reason}" for name, reason in sorted(engine.errors.items()) if not (name == "images" and engine.images))
    return Fact(tuple(map(secrets.scrubbed, found)), "the Docker API")


def release(version: str) -> versions.Version | None:
    """Return an engine's release, None where the text is none."""
    try:
        return versions.parse(version)
    except ValueError:
        return None


def _fits(kind: str, given: t.Any) -> bool:
    if kind in (daemon_values.STRUCTURED, daemon_values.OBJECT):
        return isinstance(given, (dict, list))
    if kind == daemon_values.PATH:
        return isinstance(given, str)
    return next(iter(daemon_values.kind_findings(kind, given)), None) is None


def _of_info(engine: EngineLook, about: EngineFacts) -> dict[str, Found]:
    info = engine.info
    options = f"{INFO} /SecurityOptions"

    def flag(value: bool | None, name: str) -> Found:
        return Unknown("the engine does not say it", f"{options} {name}") if value is None else Fact(value, f"{options} {name}")

    opens: Found = Unknown(about.seccomp_reason, "the daemon's seccomp-profile")
    if about.seccomp_opens is not None:
        opens = Fact(about.seccomp_opens, options)
    return {
        "rootless": flag(about.rootless, "name=rootless"),
        "userns_remap": flag(about.userns_remap, "name=userns"),
        "no_new_privileges": flag(about.no_new_privileges, "name=no-new-privileges"),
        "seccomp": Fact(about.seccomp, f"{options} name=seccomp") if about.seccomp else Unknown("the engine does not say it", options),
        "seccomp_opens": opens,
        "debug": read(info, "Debug", INFO, bool),
        "live_restore": read(info, "LiveRestoreEnabled", INFO, bool),
        "experimental": read(info, "ExperimentalBuild", INFO, bool),
        "storage_driver": read(info, "Driver", INFO, str),
        "image_store": values.changed(read(info, "Driver", INFO, str), lambda driver: f"containerd, {driver}" if uses_containerd(info) else driver),
        "swarm_active": values.changed(read(info, "Swarm/LocalNodeState", INFO, str, "inactive"), lambda state: state not in ("", "inactive")),
        "authorization_plugins_live": values.changed(read(info, "Plugins/Authorization", INFO, (list, tuple), ()), texts),
        "runtimes": values.changed(read(info, "Runtimes", INFO, dict), _paths),
        "default_runtime": read(info, "DefaultRuntime", INFO, str),
        "engine_warnings": values.changed(read(info, "Warnings", INFO, (list, tuple), ()), lambda found: tuple(map(secrets.scrubbed, texts(found)))),
        "default_address_pools": values.changed(read(info, "DefaultAddressPools", INFO, (list, tuple), ()), len),
        "insecure_registries": _insecure_registries(info),
    }


def _network(name: str) -> str:
    # ::1/128 has colons, and none of them begins a port.
    address = name.partition("/")[0]
    return f"[{address}]" if address.count(":") > 1 else address


def uses_containerd(info: t.Mapping[str, t.Any]) -> bool:
    """Tell whether containerd keeps the images and layers of an engine, by its answer to /info."""
    return daemon_info.uses_containerd({"DriverStatus": _pairs(info.get("DriverStatus"))})


def _pairs(status: t.Any) -> list[t.Any]:
    return [pair for pair in status if isinstance(pair, (list, tuple))] if isinstance(status, (list, tuple)) else []


def _paths(runtimes: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {str(name): text(mapping(runtime).get("path")) for name, runtime in runtimes.items()}


def _insecure_registries(info: t.Mapping[str, t.Any]) -> Found:
    """Return what is reached without TLS; the engine always has loopback among it."""
    found = read(info, "RegistryConfig", INFO, dict)
    if isinstance(found, Unknown):
        return found
    networks = [name for name in texts(found.value.get("InsecureRegistryCIDRs")) if not is_loopback(_network(name))]
    indexes = [str(name) for name, index in mapping(found.value.get("IndexConfigs")).items() if mapping(index).get("Secure") is False]
    return Fact(tuple(sorted({*networks, *(name for name in indexes if not is_loopback(name))})), found.source)


def _of_settings(settings: Settings) -> dict[str, Found]:
    source = f"{settings.look.config_file} authorization-plugins"
    file_plugins: Found = Unknown(settings.look.config_error or f"{settings.look.config_file} was not read", source)
    if settings.look.config is not None:
        file_plugins = Fact(texts(settings.look.config.get("authorization-plugins")), source)
    flags: Found = Fact(tuple(str(item) for item in settings.look.flags.get("authorization-plugin", ())), "the flag --authorization-plugin of dockerd")
    return {
        "log_level": settings.value("log-level"),
        "iptables": settings.value("iptables"),
        "default_ulimits": values.changed(settings.value("default-ulimits"), lambda found: tuple(sorted(map(str, found)))),
        "cgroup_parent": settings.value("cgroup-parent"),
        "storage_opts": values.changed(settings.value("storage-opts"), tuple),
        "userland_proxy": settings.value("userland-proxy"),
        "metrics_address": settings.value("metrics-addr"),
        "diagnostic_port": settings.value("network-diagnostic-port"),
        "authorization_plugins": file_plugins,
        "authorization_from_flags": Unknown(settings.look.flags_error, flags.source) if settings.look.flags_error else flags,
    }


def _of_api(engine: EngineLook, look: DaemonLook, settings: Settings) -> dict[str, Found]:
    listeners = _listeners(settings)
    listening = _listening(engine, look, settings, listeners)
    return {
        "listeners": listeners,
        "tcp_listening": listening,
        "tls_verify": _tls_verify(engine, settings),
        "api_on_bridges": _on_bridges(engine, listeners, listening),
        "icc": _icc(engine, settings),
        "firewall_backend": _firewall(engine, settings),
        "allow_direct_routing": _direct_routing(engine, look, settings),
    }


def _listeners(settings: Settings) -> Found:
    hosts = settings.value("hosts")
    if isinstance(hosts, Unknown):
        return hosts
    given = [item for item in texts(hosts.value) if item.strip()]
    tls = settings.value("tls"), settings.value("tlsverify")
    if not given and any(isinstance(found, Fact) and found.value for found in tls):
        # moby daemon/command/daemon.go: TLS without an address means TCP on loopback.
        return Fact(("tcp://localhost:2376",), f"{settings.look.config_file} tls, and hosts is not set")
    return Fact(tuple(secrets.scrubbed(item) for item in given if not item.startswith(_NOT_BY_TCP) and item != "fd" and not item.startswith("/")), hosts.source)


def _tls_verify(engine: EngineLook, settings: Settings) -> Found:
    """Return whether clients are asked for certificates; what the daemon warns of itself counts before what was asked."""
    warned = [warning for warning in texts(engine.info.get("Warnings")) if "API is accessible on" in warning]
    if warned:
        return Fact(False, f"{INFO} /Warnings")
    verify, tls = settings.value("tlsverify"), settings.value("tls")
    if isinstance(verify, Unknown) or verify.value or settings.stands_in("tlsverify"):
        return verify
    # Since 23.0 TLS alone verifies too; of older ones the warning above says that it does not.
    return tls


def _listening(engine: EngineLook, look: DaemonLook, settings: Settings, listeners: Found) -> Found:
    """Return the addresses of dockerd's sockets that serve the API, as far as the kernel's list tells them from others."""
    source = "the listening sockets of dockerd"
    if look.listening is None:
        return Unknown("the listening sockets of dockerd could not be read", source)
    declared = {port_of(item) for item in listeners.value} if isinstance(listeners, Fact) else set()
    others = {*_SWARM_PORTS, *_published(engine)}
    others.update(port_of(text(peer.get("Addr"))) for peer in rows(mapping(engine.info.get("Swarm")).get("RemoteManagers")))
    metrics, diagnostic = settings.value("metrics-addr"), settings.value("network-diagnostic-port")
    for found in (metrics, diagnostic):
        if isinstance(found, Fact) and found.value:
            others.add(port_of(f":{found.value}"))
    serving = [address for address in look.listening if port_of(address) in declared]
    unexplained = [address for address in look.listening if port_of(address) not in declared | others]
    hosts = settings.value("hosts")
    if unexplained and not (isinstance(hosts, Fact) and not any(item.startswith("fd:") or item == "fd" for item in texts(hosts.value))):
        # systemd may have handed them over; nothing else that is known of dockerd listens there.
        if "containers" in engine.errors:
            return Unknown("which of the sockets are published ports of containers is not known", source, Fact(tuple(serving), source))
        serving += unexplained
    return Fact(tuple(serving), source)


def _published(engine: EngineLook) -> set[str]:
    """Return ports of the host that containers and services publish: dockerd itself listens on them."""
    ports: set[str] = set()
    for look in engine.containers:
        inspected = mapping(look.inspect)
        for given in (mapping(inspected.get("NetworkSettings")).get("Ports"), mapping(inspected.get("HostConfig")).get("PortBindings")):
            for bindings in mapping(given).values():
                ports.update(text(binding.get("HostPort")) for binding in rows(bindings))
    for service in engine.services:
        ports.update(str(port.get("PublishedPort")) for port in rows(mapping(mapping(service).get("Endpoint")).get("Ports")))
    return ports - {""}


def _on_bridges(engine: EngineLook, listeners: Found, listening: Found) -> Found:
    if isinstance(listeners, Unknown):
        return listeners
    addresses = [item.partition("://")[2].partition("/")[0] if "://" in item else item for item in listeners.value]
    addresses += [item for item in (listening.value if isinstance(listening, Fact) else ()) if item not in addresses]
    gateways = {
        text(entry.get("Gateway")).partition("/")[0]
        for network in engine.networks
        for entry in rows(mapping(mapping(network).get("IPAM")).get("Config"))
        if text(mapping(network).get("Driver")) in ("bridge", "")
    } - {""}
    found = [address for address in addresses if is_wildcard(address) or host_of(address) in gateways]
    source = f"{listeners.source}, {listening.source} and the gateways of GET /networks"
    fact = Fact(tuple(dict.fromkeys(found)), source)
    if isinstance(listening, Unknown):
        return Unknown(listening.reason, listening.source, fact)
    unseen = [address for address in addresses if address not in found and not is_loopback(address)]
    if unseen and "networks" in engine.errors:
        return Unknown(f"the networks of containers are not known: {engine.errors['networks']}", "GET /networks", fact)
    return fact


def _icc(engine: EngineLook, settings: Settings) -> Found:
    if "networks" in engine.errors:
        return Unknown(f"the networks could not be listed: {engine.errors['networks']}", "GET /networks")
    for network in engine.networks:
        if text(mapping(network).get("Name")) == "bridge" and text(mapping(network).get("Driver")) == "bridge":
            given = mapping(mapping(network).get("Options")).get(ICC)
            said = values.is_text_of_true(given)
            if said is not None:
                return Fact(said, f"GET /networks bridge /Options/{ICC}")
            return settings.value("icc") if given is None else Unknown("the default bridge says neither yes nor no", f"GET /networks bridge /Options/{ICC}")
    return Fact(False, "GET /networks: there is no default bridge")


def _firewall(engine: EngineLook, settings: Settings) -> Found:
    found = read(engine.info, "FirewallBackend/Driver", INFO, str)
    return found if isinstance(found, Fact) else values.changed(settings.value("firewall-backend"), lambda name: name or "iptables")


def _direct_routing(engine: EngineLook, look: DaemonLook, settings: Settings) -> Found:
    if any(_NO_RAW_RULES in warning for warning in texts(engine.info.get("Warnings"))):
        return Fact(True, f"{INFO} /Warnings {_NO_RAW_RULES}")
    if look.environment.get(_NO_RAW_RULES) == "1":
        return Fact(True, f"{_NO_RAW_RULES} in the unit of dockerd")
    return settings.value("allow-direct-routing")


def _of_logs(
    engine: EngineLook, settings: Settings, policy: Policy, about: EngineFacts, version: versions.Version | None
) -> dict[str, Found]:
    driver = read(engine.info, "LoggingDriver", INFO, str)
    central: Found = Fact(policy.log_drivers, "the policy")
    reason = "" if about.log is not None else settings.look.config_error or f"log-opts of {settings.look.config_file} cannot be read"
    if not reason and isinstance(driver, Fact) and about.log is not None and about.log.driver != driver.value:
        # The options in the file belong to another driver than the one that runs.
        reason = f"the daemon logs by {driver.value}, but {settings.look.config_file} has {about.log.driver}: its options are not known"
    source = f"{settings.look.config_file} log-opts"
    found: dict[str, Found] = {"log_driver": driver, "central_log_drivers": central}
    if reason or about.log is None or isinstance(driver, Unknown):
        unknown = Unknown(reason or "the engine does not say it", source)
        return {**found, "log_opts": unknown, "log_bounded": unknown, "log_remote": unknown}
    options = about.log.options
    found["log_opts"] = Fact(tuple(sorted(options)), source)
    if version is None:
        found["log_bounded"] = Unknown(_UNKNOWN_RELEASE, VERSION)
    else:
        bounded = driver.value == "none" or log_budget.share(driver.value, options, version) is not None
        found["log_bounded"] = Fact(bounded, f"{driver.source}, {source}")
    try:
        found["log_remote"] = Fact(_is_remote(driver.value, options), f"{driver.source}, {source}")
    except ValueError:
        found["log_remote"] = Unknown("the options of the log driver cannot be read", source)
    return found


def _is_remote(driver: str, options: t.Mapping[str, str]) -> bool:
    known = log_drivers.DRIVERS.get(driver)
    return known is not None and log_delivery.delivery(driver, options).remote


def _of_versions(engine: EngineLook, version: versions.Version | None) -> dict[str, Found]:
    shown = read(engine.version, "Version", VERSION, str)
    usual: Found = Unknown(_UNKNOWN_RELEASE, VERSION)
    if version is not None:
        key = daemon_keys.KEYS["min-api-version"]
        usual = Fact(str(daemon_keys.default_of(key, version)) if key.known_to(version) else "", f"the default of Docker {version}")
    return {
        "server_version": shown if isinstance(shown, Fact) else read(engine.info, "ServerVersion", INFO, str),
        "min_api_version": read(engine.version, "MinAPIVersion", VERSION, str),
        "usual_min_api_version": usual,
    }


def _of_file(engine: EngineLook, look: DaemonLook, version: versions.Version | None) -> dict[str, Found]:
    if look.config is None:
        unread = Unknown(look.config_error or f"{look.config_file} was not read", look.config_file)
        if not look.config_text:
            return {"config_problems": unread, "pending_keys": unread}
        # It was read, and dockerd cannot make anything of it either.
        return {"config_problems": Fact((secrets.scrubbed(look.config_error or "it is no JSON"),), look.config_file), "pending_keys": unread}
    if version is None:
        unread = Unknown(_UNKNOWN_RELEASE, VERSION)
        return {"config_problems": unread, "pending_keys": unread}
    pending = Fact(tuple(secrets.scrubbed(text_) for text_ in _pending(engine, look, version)), f"{look.config_file} and {INFO}")
    found = Fact(tuple(secrets.scrubbed(text_) for text_ in _problems(engine, look, version)), look.config_file)
    if look.flags_error:
        reason = f"the flags of dockerd are not known: {look.flags_error}"
        return {"config_problems": Unknown(reason, look.config_file, found), "pending_keys": Unknown(reason, look.config_file)}
    return {"config_problems": found, "pending_keys": pending}


def _problems(engine: EngineLook, look: DaemonLook, version: versions.Version) -> list[str]:
    context = daemon_config.Context(
        swarm=_in_swarm(engine),
        cgroup_driver=text(engine.info.get("CgroupDriver")) or "systemd",
        cgroup_version={"1": 1, "2": 2}.get(text(engine.info.get("CgroupVersion")), 0),
    )
    config: t.Mapping[str, t.Any] = look.config or {}
    document = None
    if look.config_text:
        try:
            document = daemon_json.read(look.config_text)
        except daemon_json.DaemonJsonError as error:
            return [f"{look.config_file}: {error}"]
        config = document.config
    found = daemon_config.problems(config, version, context)
    found += unit_flags.problems(look.flags, config, look.config_file)
    placed = document.located(found, look.config_file) if document is not None else found
    return [str(problem) for problem in placed]


def _in_swarm(engine: EngineLook) -> bool:
    return text(mapping(engine.info.get("Swarm")).get("LocalNodeState")) not in ("", "inactive")


def _pending(engine: EngineLook, look: DaemonLook, version: versions.Version) -> list[str]:
    """Return what the daemon runs with otherwise than its file says, as far as it tells.

    Values of a wrong kind are left to config_problems.
    """
    keys = daemon_keys.KEYS
    config = {name: given for name, given in (look.config or {}).items() if name in keys and given is not None and _fits(keys[name].kind, given)}
    flags = unit_flags.keys(look.flags)
    info: dict[str, t.Any] = {
        name: value
        for name, value in engine.info.items()
        if isinstance(value, _SHAPES.get(name, ())) and not (name == "Labels" and not all(isinstance(item, str) for item in t.cast(t.Iterable[t.Any], value)))
    }
    info["DriverStatus"] = _pairs(info.get("DriverStatus"))
    registries = mapping(engine.info.get("RegistryConfig"))
    info["RegistryConfig"] = {"Mirrors": texts(registries.get("Mirrors"))}
    if "RegistryConfig" not in engine.info:
        config.pop("registry-mirrors", None)
    found = [str(problem) for problem in daemon_info.disagreements(info, config, version, None, flags)]
    return found + _pending_lists(engine, config, flags)


_SHAPES: dict[str, tuple[type, ...]] = {
    "LoggingDriver": (str,),
    "LiveRestoreEnabled": (bool,),
    "Debug": (bool,),
    "DefaultRuntime": (str,),
    "Labels": (list, tuple),
    "SecurityOptions": (list, tuple),
    "CgroupDriver": (str,),
    "Driver": (str,),
    "DriverStatus": (list, tuple),
}


def _pending_lists(engine: EngineLook, config: t.Mapping[str, t.Any], flags: t.Container[str]) -> list[str]:
    found = []
    live = _insecure_registries(engine.info)
    if isinstance(live, Fact) and "insecure-registries" not in flags:
        wanted = {name for name in config.get("insecure-registries", ()) if not is_loopback(_network(name))}
        # docker.io under each of its names is one entry; the engine canonicalises networks, so only hosts are compared both ways.
        kept = [name for name in live.value if "/" not in name and name not in wanted]
        if kept:
            found.append(f"insecure-registries: the daemon goes on to have {', '.join(kept)}, which the configuration does not name.")
    plugins = read(engine.info, "Plugins/Authorization", INFO, (list, tuple), ())
    if isinstance(plugins, Fact) and "authorization-plugins" not in flags:
        missing = [name for name in config.get("authorization-plugins", ()) if name not in plugins.value]
        if missing:
            found.append(f"authorization-plugins: {', '.join(missing)} of the configuration is not active.")
    oldest, wanted_oldest = text(engine.version.get("MinAPIVersion")), config.get("min-api-version")
    if oldest and wanted_oldest and oldest != wanted_oldest:
        found.append(f"min-api-version: the daemon says {oldest}, but the configuration says {wanted_oldest}.")
    return found


def _counts(engine: EngineLook, used: t.Collection[str]) -> dict[str, Found]:
    running = read(engine.info, "ContainersRunning", INFO, int)
    stopped = read(engine.info, "ContainersStopped", INFO, int)
    containers: Found = running if isinstance(running, Unknown) else stopped
    if isinstance(running, Fact) and isinstance(stopped, Fact):
        containers = Fact((running.value, stopped.value), f"{running.source}, ContainersStopped")
    images: Found
    blocked = next((engine.errors[name] for name in ("images", "containers") if name in engine.errors and not (engine.images and name == "images")), "")
    if blocked:
        images = Unknown(f"images and their containers could not be listed: {blocked}", "GET /images/json")
    else:
        images = Fact((len(engine.images), sum(1 for image in engine.images if not is_used(mapping(image), used))), "GET /images/json, GET /containers/json")
    return {"containers": containers, "images": images}


def is_used(image: t.Mapping[str, t.Any], used: t.Collection[str]) -> bool:
    """Tell whether a container uses an image: by its id, or by one of its names and digests."""
    return any(name in used for name in (text(image.get("Id")), *texts(image.get("RepoTags")), *texts(image.get("RepoDigests"))) if name)
