# SPDX-License-Identifier: Apache-2.0
"""Values for keys of daemon.json that every lab host can run with, to draw configurations from.

Keys that only work together are one group; a configuration holds at most one choice of each group.
"""

from __future__ import annotations

import random
import typing as t

Config = dict[str, t.Any]

# Docker 20.10 ends at SIGHUP with this one.
_SHIM = "io.containerd.runc.v2"
_NOFILE = {"Name": "nofile", "Soft": 1024, "Hard": 4096}
_CORE = {"Name": "core", "Soft": 0, "Hard": 0}

#: Groups of choices.
GROUPS: tuple[tuple[Config, ...], ...] = (
    tuple({"debug": value} for value in (True, False)),
    tuple({"log-level": value} for value in ("info", "warn", "debug")),
    tuple({"labels": value} for value in ([], ["tier=web"], ["tier=web", "rack=7"])),
    tuple({"insecure-registries": value} for value in ([], ["10.0.0.9:5000"], ["registry.test:5000"])),
    tuple({"registry-mirrors": value} for value in ([], ["https://one.test"], ["https://one.test/", "https://two.test"])),
    tuple({"max-concurrent-downloads": value} for value in (3, 2, 9)),
    tuple({"max-concurrent-uploads": value} for value in (5, 1)),
    tuple({"max-download-attempts": value} for value in (5, 8)),
    tuple({"shutdown-timeout": value} for value in (15, 20, 5)),
    tuple({"live-restore": value} for value in (True, False)),
    tuple({"features": value} for value in ({"buildkit": True}, {"buildkit": False}, {"buildkit": True, "cdi": False})),
    tuple({"runtimes": value} for value in ({"one": {"path": "/usr/sbin/runc"}}, {"two": {"path": "/usr/sbin/runc"}})),
    tuple({"default-runtime": value} for value in ("runc", _SHIM)),
    tuple({"default-shm-size": value} for value in ("64M", "32M", "128M")),
    tuple({"default-ipc-mode": value} for value in ("private", "shareable")),
    tuple({"default-cgroupns-mode": value} for value in ("private", "host")),
    tuple({"icc": value} for value in (True, False)),
    tuple({"mtu": value} for value in (1500, 1400)),
    tuple({"init": value} for value in (True, False)),
    tuple({"no-new-privileges": value} for value in (True, False)),
    ({"userland-proxy": False},),
    tuple({"ip-masq": value} for value in (True, False)),
    tuple({"raw-logs": value} for value in (True, False)),
    tuple({"experimental": value} for value in (True, False)),
    tuple({"dns": value} for value in ([], ["9.9.9.9"], ["9.9.9.9", "1.1.1.1"])),
    tuple({"dns-search": value} for value in ([], ["lab.test"])),
    tuple({"dns-opts": value} for value in ([], ["ndots:2"])),
    tuple({"node-generic-resources": value} for value in ([], ["NVIDIA-GPU=UUID1"])),
    tuple({"default-ulimits": value} for value in ({"nofile": _NOFILE}, {"core": _CORE}, {"nofile": _NOFILE, "core": _CORE})),
    tuple({"default-address-pools": [{"base": value, "size": 24}]} for value in ("172.20.0.0/16", "172.21.0.0/16")),
    tuple({"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": value}}} for value in ("1400", "1450")),
    tuple({"ip-forward-no-drop": value} for value in (True, False)),
    tuple({"log-format": value} for value in ("text", "json")),
    (
        {"log-driver": "json-file"},
        {"log-driver": "local"},
        {"log-driver": "local", "log-opts": {"max-size": "5m", "max-file": "2"}},
        {"log-driver": "json-file", "log-opts": {"max-size": "5m"}},
        {"log-opts": {"max-size": "1m", "max-file": "3"}},
    ),
)

_SINCE = {"default-network-opts": 24, "ip-forward-no-drop": 28, "log-format": 25}
#: Switches of features that a release does not know are refused by the collection, as the engine ignores them.
_FEATURES = {"cdi": 25}


def groups(release: int) -> list[list[Config]]:
    """Return the groups that an engine of the given major release knows."""
    found = []
    for group in GROUPS:
        choices = [choice for choice in group if all(_SINCE.get(key, 0) <= release for key in choice)]
        choices = [choice for choice in choices if all(_FEATURES.get(name, 0) <= release for name in choice.get("features", {}))]
        choices = [choice for choice in choices if release >= 23 or choice.get("default-runtime") != _SHIM]
        if choices:
            found.append(choices)
    return found


def draw(source: random.Random, release: int, most: int) -> Config:
    """Return a configuration with at most the given number of groups."""
    known = groups(release)
    config: Config = {}
    for group in source.sample(known, source.randint(0, min(most, len(known)))):
        config.update(source.choice(group))
    return config
