# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What moving a host from one release of the engine to another does to *this* host: what forbids it, what must be told.

PRIVATE to the collection: no stability is promised to other users.

Keys, log drivers and graph drivers come from their own tables. Here is what no key says: changed defaults and what a release
cannot read. Sources: moby's tags v20.10 to docker-v29.7.2 and their release notes (docs.docker.com, engine/release-notes),
docker/cli docs/deprecated.md, daemon/image_store_choice.go, and engine/daemon/live-restore in the documentation.

Adding a changed default is one entry of DEFAULTS.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_config,
    daemon_keys,
    log_drivers,
    unit_flags,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, parse, within

# Releases that can have the containerd image store, and that take it by themselves on a host without layers.
_STORE_SINCE = "24.0"
_STORE_DEFAULT_SINCE = "29.0"


@dataclasses.dataclass(frozen=True)
class Container:
    """A container as its files describe it; the driver is the graph driver or snapshotter that holds its layers."""

    name: str
    running: bool = False
    driver: str = ""
    log_driver: str = ""
    log_opts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    restarts: bool = False


@dataclasses.dataclass(frozen=True)
class Host:
    """What a host does with its engine.

    Attributes:
        config: its daemon.json.
        config_file: the path of that file.
        flags: of the unit that will start the new engine.
        containers: all of them.
        layers: names of the graph drivers that hold layers below the root.
        context: facts for the judgement of keys.
        legacy_options: whether options stand in a file that only Debian's unit reads.
    """

    config: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    config_file: str = "/etc/docker/daemon.json"
    flags: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    layers: tuple[str, ...] = ()
    context: daemon_config.Context = daemon_config.Context()
    legacy_options: bool = False

    @property
    def running(self) -> tuple[Container, ...]:
        """The containers that run."""
        return tuple(container for container in self.containers if container.running)


@dataclasses.dataclass(frozen=True)
class Move:
    """From which release to which; ``replaces`` says that the package changes too, and with it the unit."""

    before: Version
    after: Version
    replaces: bool = False

    def crosses(self, release: str) -> bool:
        """Tell whether the way up leads into or past a release."""
        return self.before < parse(release) <= self.after


@dataclasses.dataclass(frozen=True)
class Default:
    """A default that changed: since when, whom it touches, what to say."""

    since: str
    touches: t.Callable[[Host], bool]
    note: str


DEFAULTS = (
    Default(
        "25.0",
        lambda host: bool(host.containers) and "nofile" not in (host.config.get("default-ulimits") or {}),
        "the unit no longer raises the limit of open files, so containers get systemd's own (1024 soft); set default-ulimits.nofile if they need more",
    ),
    Default(
        "27.0",
        lambda host: bool(host.config.get("ipv6")) and "ip6tables" not in host.config,
        "ip6tables is true by default: IPv6 gets filter rules and masquerading, and containers that were reachable directly no longer are; "
        "set ip6tables to keep or change that",
    ),
    Default(
        "28.0",
        lambda host: bool(host.containers) and host.config.get("iptables", True) is not False,
        "ports that are not published can no longer be reached from other hosts through routing (moby#48724), and IPv4 forwarding drops by default; "
        "publish what is used so",
    ),
    Default(
        _STORE_DEFAULT_SINCE,
        lambda host: not host.layers and "storage-driver" not in host.config and _feature(host) is None and not host.config.get("userns-remap"),
        "images go to the containerd image store in /var/lib/containerd, because nothing pins the store and there are no layers yet; "
        "set docker_daemon_image_store",
    ),
    Default(
        "29.0",
        lambda host: "min-api-version" not in host.config,
        "clients that speak an API older than 1.44 (Docker 25.0), from 29.3 on than 1.40 (Docker 19.03), are refused; look at agents, proxies and "
        "libraries that use the socket",
    ),
    Default("29.0", lambda host: host.context.cgroup_version == 1, "cgroup v1, which this host has, is deprecated; plan its move to v2"),
)


def problems(move: Move, host: Host) -> list[Problem]:
    """Return every reason why a host must not move to a release as it is; none when nothing would break."""
    return [problem for judge in (_key_problems, _flag_problems, _driver_problems, _log_problems, _store_problems) for problem in judge(move, host)]


def notes(move: Move, host: Host) -> list[str]:
    """Return, in sentences without a full stop, what a move changes for a host although it works."""
    found = [f"Docker {entry.since}: {entry.note}" for entry in DEFAULTS if move.crosses(entry.since) and entry.touches(host)]
    if move.replaces and host.legacy_options:
        found.append("the options in /etc/default/docker are read by Debian's unit only; move them to daemon.json")
    if host.context.swarm:
        found.append("this host is a node of a swarm: drain it first, and move the managers one after the other")
    return [*found, *_fate(move, host)]


def _fate(move: Move, host: Host) -> list[str]:
    if not host.running:
        return []
    count = f"{len(host.running)} running container{'' if len(host.running) == 1 else 's'}"
    stays = [container.name for container in host.running if not container.restarts]
    if host.config.get("live-restore") is not True or move.replaces:
        fate = f"the move stops {count}"
        return [fate + (f"; {', '.join(stays)} will stay down, having no restart policy" if stays else "; their restart policies start them again")]
    if move.before[:2] == move.after[:2]:
        return [f"live-restore keeps {count} alive through the restart of dockerd"]
    return [
        f"live-restore is supported for patch releases only: {count} may live on without the new engine having hold of them; "
        "look at each and restart it"
    ]


def _key_problems(move: Move, host: Host) -> list[Problem]:
    known = {problem.where for problem in daemon_config.problems(host.config, move.before, host.context)}
    found = []
    for problem in daemon_config.problems(host.config, move.after, host.context):
        # What was wrong before is not the move's doing, and an unknown feature keeps nothing from starting.
        if problem.where in known or problem.where.startswith("features."):
            continue
        message = problem.message.replace(f"{move.after} is installed", f"{move.after} is to come")
        found.append(Problem(f"{host.config_file}: {problem.where}", f"{message}, before the engine moves from {move.before}"))
    return found


def _flag_problems(move: Move, host: Host) -> list[Problem]:
    if not move.replaces:
        return []
    return [
        Problem(f"{host.config_file}: {problem.where}", problem.message)
        for problem in unit_flags.problems(host.flags, host.config, host.config_file, "the new docker.service")
    ]


def _driver_problems(move: Move, host: Host) -> list[Problem]:
    return [
        Problem(
            "storage driver",
            f"{driver} holds layers on this host and left with Docker {daemon_keys.GRAPH_DRIVERS[driver][1]}, so {move.after} would hide images "
            "and containers; save what is needed (docker save, docker volume), change to overlay2 with the old engine, then move",
        )
        for driver in host.layers
        if driver in daemon_keys.GRAPH_DRIVERS and not within(move.after, *daemon_keys.GRAPH_DRIVERS[driver])
    ]


def _log_problems(move: Move, host: Host) -> list[Problem]:
    found = []
    for container in host.containers:
        if not container.log_driver:
            continue
        before = [path for path, _message in log_drivers.problems(container.log_driver, container.log_opts, move.before)]
        for path, message in log_drivers.problems(container.log_driver, container.log_opts, move.after):
            if path not in before:
                found.append(
                    Problem(
                        f"container {container.name}",
                        f"its {path} {message.replace('is installed', 'is to come')}; create it again with other log settings, "
                        "or it will not start after the move",
                    )
                )
    return found


def _store_problems(move: Move, host: Host) -> list[Problem]:
    """The containerd store's data is found again only by an engine that uses that store."""
    graph = daemon_keys.GRAPH_DRIVERS
    kept = [container.name for container in host.containers if container.driver in daemon_keys.SNAPSHOTTERS and container.driver not in graph]
    if not kept or within(move.after, _STORE_DEFAULT_SINCE):
        return []
    names = ", ".join(kept[:5]) + (", …" if len(kept) > 5 else "")
    if not within(move.after, _STORE_SINCE):
        return [
            Problem(
                "image store",
                f"the containers {names} lie in the containerd image store, which Docker {move.after} does not have and would not read; "
                f"export them, or stay at {_STORE_SINCE} or newer",
            )
        ]
    if _feature(host) is True:
        return []
    return [
        Problem(
            "image store",
            f"the containers {names} lie in the containerd image store, which Docker {move.after} does not use by itself and would hide; "
            "set features.containerd-snapshotter to true first (docker_daemon_image_store: containerd)",
        )
    ]


def _feature(host: Host) -> bool | None:
    features = host.config.get("features")
    return features.get("containerd-snapshotter") if isinstance(features, dict) else None
