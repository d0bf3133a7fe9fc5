# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a running daemon says about itself, compared with the configuration that it shall have.

PRIVATE to the collection: no stability is promised to other users.

Only what the daemon really shows is compared: ``/info`` (moby daemon/info.go) and the attributes of the ``reload``
event (daemon/reload.go). Exit statuses prove nothing: a reload that failed leaves the old settings without a word.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_keys, text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_json import same
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

if t.TYPE_CHECKING:
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig

Config = t.Mapping[str, t.Any]
_EVENT_SCALARS = (
    "debug",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "shutdown-timeout",
    "default-runtime",
    "default-ipc-mode",
    "default-cgroupns-mode",
    "default-shm-size",
)
_EVENT_LISTS = ("labels", "insecure-registries", "registry-mirrors")
# Keys that a daemon keeps when they leave the file, with the defaults that they have in every release.
_LEFT: dict[str, t.Any] = {
    "debug": False,
    "live-restore": False,
    "max-concurrent-downloads": 3,
    "max-concurrent-uploads": 5,
    "max-download-attempts": 5,
    "shutdown-timeout": 15,
}
_LEFT_LISTS = _EVENT_LISTS
#: What every engine takes for insecure (moby: daemon/pkg/registry, LoadInsecureRegistries).
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_FRACTION = re.compile(r"\.\d+")


def disagreements(
    info: t.Mapping[str, t.Any],
    config: Config,
    version: Version,
    root: str | None = None,
    flags: t.Container[str] = (),
) -> list[Problem]:
    """Return where a daemon's own account differs from its configuration.

    Args:
        info: the answer of ``GET /info``.
        config: the configuration that the daemon shall have.
        version: of the engine.
        root: the effective root that it shall use; None leaves it out.
        flags: keys that the unit sets by flags, whose values the file does not know.
    """
    expected: dict[str, tuple[t.Any, t.Any]] = {}

    def compare(key: str, shown: t.Any, default: t.Any) -> None:
        if key not in flags and shown is not None:
            expected[key] = (shown, config.get(key, default))

    security = [str(option) for option in info.get("SecurityOptions") or []]
    compare("log-driver", info.get("LoggingDriver"), "json-file")
    compare("live-restore", info.get("LiveRestoreEnabled"), False)
    compare("debug", info.get("Debug"), False)
    compare("default-runtime", info.get("DefaultRuntime"), "runc")
    compare("labels", sorted(info.get("Labels") or []), [])
    if "labels" in expected:
        expected["labels"] = (expected["labels"][0], sorted(set(expected["labels"][1])))
    compare("userns-remap", any(option == "name=userns" for option in security), False)
    if "userns-remap" in expected:
        expected["userns-remap"] = (expected["userns-remap"][0], bool(config.get("userns-remap")))
    if within(version, "23.0"):
        compare("no-new-privileges", any(option == "name=no-new-privileges" for option in security), False)
    _expect_seccomp(security, config, flags, expected)
    for option in config.get("exec-opts", []):
        if option.startswith("native.cgroupdriver=") and info.get("CgroupDriver") not in (None, "none"):
            expected["exec-opts"] = (info["CgroupDriver"], option.partition("=")[2])
    if config.get("storage-driver") and "storage-driver" not in flags:
        expected["storage-driver"] = (info.get("Driver"), config["storage-driver"])
    if root is not None and info.get("DockerRootDir"):
        expected["data-root"] = (str(info["DockerRootDir"]).rstrip("/"), root.rstrip("/"))
    registries = info.get("RegistryConfig") or {}
    if "registry-mirrors" not in flags:
        expected["registry-mirrors"] = (
            _slashed(registries.get("Mirrors") or []),
            _slashed(config.get("registry-mirrors", [])),
        )
    trusted, asked = _insecure(registries), _asked_insecure(config)
    if "insecure-registries" not in flags and not trusted <= asked:
        expected["insecure-registries"] = (sorted(trusted), sorted(asked))
    store = (config.get("features") or {}).get("containerd-snapshotter")
    if store is not None and "features" not in flags and info.get("DriverStatus") is not None:
        expected["features.containerd-snapshotter"] = (uses_containerd(info), store)
    return [
        Problem(key, f"the daemon says {_shown(shown)}, but the configuration says {_shown(wanted)}")
        for key, (shown, wanted) in expected.items()
        if not same(shown, wanted)
    ]


def _insecure(registries: t.Mapping[str, t.Any]) -> set[str]:
    """Return the registries that a daemon trusts without TLS, apart from those of the host itself."""
    named = {str(name) for name, index in (registries.get("IndexConfigs") or {}).items() if index.get("Secure") is False}
    return named | {str(network) for network in registries.get("InsecureRegistryCIDRs") or [] if network not in _LOOPBACK}


def _asked_insecure(config: Config) -> set[str]:
    """Return what a configuration has for them, in the daemon's own words."""
    found = set()
    for entry in config.get("insecure-registries") or []:
        _scheme, _slashes, name = str(entry).rpartition("://")
        found.add(name)
        if "/" in name:
            import ipaddress

            # The daemon says a network by its first address.
            with contextlib.suppress(ValueError):
                found.add(str(ipaddress.ip_network(name, strict=False)))
    return found


def reload_disagreements(attributes: t.Mapping[str, str], config: Config) -> list[Problem]:
    """Return where the attributes of a daemon's reload event differ from the keys that the configuration sets."""
    found = []
    for key in _EVENT_SCALARS:
        if key in config and key in attributes:
            wanted = config[key]
            text = (
                str(parse_size(wanted))
                if key == "default-shm-size"
                else {True: "true", False: "false"}.get(wanted, str(wanted))
                if isinstance(wanted, bool)
                else str(wanted)
            )
            if attributes[key] != text:
                found.append(
                    Problem(key, f"the daemon reloaded it as {attributes[key]!r}, but the configuration says {text!r}")
                )
    for key in _EVENT_LISTS:
        if key in config and key in attributes:
            missing = [entry for entry in config[key] if entry.rstrip("/") not in attributes[key]]
            if missing:
                found.append(Problem(key, f"the daemon reloaded it as {attributes[key]}, without {', '.join(missing)}"))
    return found


def _number(text: str, default: t.Any) -> t.Any:
    found = text_lines.number(text[1:] if text.startswith("-") else text)
    return default if found is None else -found if text.startswith("-") else found


def left_by_reload(attributes: t.Mapping[str, str], config: Config, flags: t.Container[str] = ()) -> dict[str, t.Any]:
    """Return the keys that a daemon took at its last SIGHUP and still holds, although the configuration has none of them.

    Args:
        attributes: of the reload event.
        config: the configuration in the file.
        flags: keys that the unit sets by flags.
    """
    found: dict[str, t.Any] = {}
    for key, default in _LEFT.items():
        text = attributes.get(key)
        if key in config or key in flags or text is None:
            continue
        value = text == "true" if isinstance(default, bool) else _number(text, default)
        if value != default:
            found[key] = value
    for key in _LEFT_LISTS:
        if key not in config and key not in flags:
            try:
                entries = json.loads(attributes.get(key, "null"))
            except (ValueError, RecursionError):
                entries = None
            kept = [str(entry) for entry in entries if entry not in _LOOPBACK] if isinstance(entries, list) else []
            if kept:
                found[key] = kept
    return found


def uses_containerd(info: t.Mapping[str, t.Any]) -> bool:
    """Tell whether the daemon keeps its images in containerd (moby daemon/containerd: driver-type in DriverStatus)."""
    pairs = [list(pair) for pair in info.get("DriverStatus") or []]
    return any(pair[:1] == ["driver-type"] and "containerd" in str(pair[-1]) for pair in pairs)


def hidden_by_store(info: t.Mapping[str, t.Any], config: Config, version: Version) -> str:
    """Return a sentence when the configuration chooses another image store than the one that holds data.

    The engine neither migrates nor shows the images and containers of another driver; they seem to be gone.
    """
    held = int(info.get("Containers") or 0) + int(info.get("Images") or 0)
    driver = str(info.get("Driver") or "")
    if not held or not driver:
        return ""
    wanted_driver = config.get("storage-driver", "")
    feature = (config.get("features") or {}).get("containerd-snapshotter")
    wants_containerd = feature
    if feature is None and wanted_driver:
        wants_containerd = within(version, "29.0") and wanted_driver not in daemon_keys.GRAPH_DRIVERS
    moved = (wants_containerd is not None and wants_containerd != uses_containerd(info)) or (
        bool(wanted_driver) and wanted_driver != driver
    )
    if not moved:
        return ""
    return (
        f"the daemon keeps {info.get('Containers') or 0} containers and {info.get('Images') or 0} images with the "
        f"driver {driver}"
        f"{' of containerd' if uses_containerd(info) else ''}, and would not show them with "
        f"{wanted_driver or 'another image store'}; "
        "save what is needed and remove them first, or keep the driver"
    )


def stale_containers(
    inspected: t.Iterable[t.Mapping[str, t.Any]],
    config: Config,
    since: t.Mapping[str, float],
    former_logs: t.Sequence[LogConfig] = (),
) -> list[dict[str, t.Any]]:
    """Return the containers that were made before a setting that only new containers get.

    Args:
        inspected: answers of ``GET /containers/<id>/json``.
        config: the configuration in force.
        since: when each key got its present value, in seconds since the epoch.
        former_logs: the log settings that new containers got before.

    Returns:
        One entry for each such container: name, and why, a list of sentences.
    """
    found = []
    for container in inspected:
        created = _seconds(str(container.get("Created") or ""))
        if created is None:
            continue
        older = [
            key
            for key, moment in since.items()
            if created < moment and key in KEYS and KEYS[key].reaches == daemon_keys.CREATED
        ]
        why = _logs(container, config, former_logs) if {"log-driver", "log-opts"} & set(older) else []
        why += [
            message
            for message in (_why(key, container.get("HostConfig") or {}, config) for key in sorted(older))
            if message
        ]
        if why:
            found.append({"name": str(container.get("Name") or container.get("Id") or "").lstrip("/"), "why": why})
    return sorted(found, key=lambda entry: str(entry["name"]))


def outlived(inspected: t.Iterable[t.Mapping[str, t.Any]], started: float) -> list[str]:
    """Return the names of the running containers that are older than the daemon's own start, in seconds since the epoch."""
    found = []
    for container in inspected:
        state = container.get("State") or {}
        since = _seconds(str(state.get("StartedAt") or ""))
        if state.get("Running") and since is not None and since < started:
            found.append(str(container.get("Name") or container.get("Id") or "").lstrip("/"))
    return sorted(found)


def _logs(container: t.Mapping[str, t.Any], config: Config, formers: t.Sequence[LogConfig]) -> list[str]:
    # Few runs need it, and it brings the tables of all log drivers along.
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_containers

    own, default = log_containers.of_container(container), log_containers.default_of(config)
    former = log_containers.state(own, default, formers) == log_containers.FORMER
    return log_containers.differences(own, default) if former else []


def _why(key: str, host_config: t.Mapping[str, t.Any], config: Config) -> str:
    fields = {
        "default-shm-size": "ShmSize",
        "default-ipc-mode": "IpcMode",
        "default-cgroupns-mode": "CgroupnsMode",
        "default-runtime": "Runtime",
    }
    if key in fields and key in config:
        wanted = parse_size(config[key]) if key == "default-shm-size" else config[key]
        own_value = host_config.get(fields[key])
        return f"it has {own_value}, {key} is {config[key]}" if own_value != wanted else ""
    if key == "no-new-privileges":
        options = [str(option) for option in host_config.get("SecurityOpt") or []]
        if host_config.get("Privileged") or any(option.startswith("no-new-privileges") for option in options):
            return ""
        return "it was made before no-new-privileges was set" if config.get(key) else ""
    return ""


def _expect_seccomp(
    security: t.Sequence[str], config: Config, flags: t.Container[str], expected: dict[str, tuple[t.Any, t.Any]]
) -> None:
    shown = [option.partition("profile=")[2] for option in security if option.startswith("name=seccomp")]
    if not shown or "seccomp-profile" in flags:
        return
    profile = config.get("seccomp-profile") or "builtin"
    own = "builtin" if shown[0] in ("default", "builtin") else shown[0]
    expected["seccomp-profile"] = (own, profile)


def _slashed(mirrors: t.Iterable[str]) -> list[str]:
    return [mirror.rstrip("/") + "/" for mirror in mirrors]


def _shown(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)


def _seconds(created: str) -> float | None:
    text = _FRACTION.sub("", created).replace("Z", "+00:00")
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
