# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Networks and volumes as the engine's API lists them, in the facts that rules ask for.

PRIVATE to the collection: no stability is promised to other users.

Sources: moby daemon/libnetwork/drivers/bridge/labels.go, drivers/overlay (an overlay is encrypted as soon as its option is
there, whatever it says), daemon/volume/local (type, o and device of a volume are what mount(8) gets).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import values
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import (
    Found,
    mapping,
    read,
    rows,
    text,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import EngineLook, Json

_BRIDGE = "com.docker.network.bridge."
# The two networks that stand for no network of their own.
_NONE = ("host", "null")
_LOWER = "lowerdir="


def subjects(engine: EngineLook) -> list[Subject]:
    """Return the networks, without those that stand for the host's and for none, with all facts of vocabulary.NETWORK."""
    users = _users_of_networks(engine)
    return [_network(network, users) for network in engine.networks if text(mapping(network).get("Driver")) not in _NONE]


def volumes(engine: EngineLook, links: Found) -> list[Subject]:
    """Return the volumes with all facts of vocabulary.VOLUME.

    Args:
        links: names of the volumes whose directory is a link.
    """
    users = _users_of_volumes(engine)
    return [_volume(volume, users, links) for volume in engine.volumes]


def _labels(answer: t.Mapping[str, t.Any]) -> dict[str, str]:
    found = mapping(answer.get("Labels"))
    return {str(name): "" if value in (secrets.SECRET, secrets.WITHHELD) else text(value) for name, value in found.items()}


def _network(network: Json, users: t.Mapping[str, tuple[str, ...]] | str) -> Subject:
    name = text(network.get("Name")) or text(network.get("Id"))[:12] or "unnamed"
    source = f"GET /networks {name}"
    options = read(network, "Options", source, dict, {})
    modes: Found = values.changed(options, _gateway_modes)
    trusted: Found = values.changed(
        options, lambda given: tuple(part for part in text(given.get(f"{_BRIDGE}trusted_host_interfaces")).split(":") if part)
    )
    facts: dict[str, Found] = {
        "driver": read(network, "Driver", source, str),
        "encrypted": values.changed(options, lambda given: "encrypted" in given),
        "ingress": read(network, "Ingress", source, bool, False),
        "internal": read(network, "Internal", source, bool, False),
        "icc": values.changed(options, lambda given: values.is_text_of_true(given.get(f"{_BRIDGE}enable_icc", "true")) is not False),
        "gateway_modes": modes,
        "trusted_interfaces": trusted,
        "containers": Unknown(users, "GET /containers/json") if isinstance(users, str) else Fact(users.get(name, ()), "GET /containers/json"),
    }
    return Subject(model.NETWORK, name, facts, {"id": text(network.get("Id")), "labels": _labels(network)})


def _gateway_modes(options: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    return tuple(sorted({text(options.get(f"{_BRIDGE}gateway_mode_{family}")) for family in ("ipv4", "ipv6")} - {""}))


def _volume(volume: Json, users: t.Mapping[str, tuple[str, ...]] | str, links: Found) -> Subject:
    name = text(volume.get("Name")) or "unnamed"
    source = f"GET /volumes {name}"
    options = read(volume, "Options", source, dict, {})
    given: Found = values.changed(options, lambda found: tuple(part.strip() for part in text(found.get("o")).split(",") if part.strip()))
    linked = Unknown(links.reason, links.source) if isinstance(links, Unknown) else Fact(name in links.value, links.source)
    facts: dict[str, Found] = {
        "driver": read(volume, "Driver", source, str),
        "device": values.changed(options, _device),
        "device_type": values.changed(options, lambda found: text(found.get("type")).lower()),
        # Options that hold a password are there by name only.
        "options": values.changed(given, lambda parts: tuple(part if "pass" not in part.lower() else part.partition("=")[0] for part in parts)),
        "secret_names": values.changed(options, _secret_names),
        "data_is_link": linked if text(volume.get("Driver")) in ("", "local") else Fact(False, f"{source}: another driver keeps its data elsewhere"),
        "users": Unknown(users, "GET /containers/json") if isinstance(users, str) else Fact(users.get(name, ()), "GET /containers/json"),
    }
    return Subject(model.VOLUME, name, facts, {"id": name, "labels": _labels(volume)})


def _secret_names(options: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Return the options, and of a list of mount options the parts, that hold a secret; a collector has taken the values out."""
    found: dict[str, None] = {}
    for name, value in options.items():
        parts = [part.strip().partition("=") for part in text(value).split(",")]
        inside = [f"{name}: {key}" for key, equals, rest in parts if equals and secrets.is_secret(key, rest)]
        whole = not inside and secrets.is_secret(str(name), text(value))
        found.update(dict.fromkeys([str(name)] if whole else inside))
    return tuple(found)


def _device(options: t.Mapping[str, t.Any]) -> str:
    """Return what a volume shows: its device, or for an overlay the first directory that it lays over."""
    if text(options.get("type")).lower() == "overlay":
        parts = [part.strip()[len(_LOWER) :] for part in text(options.get("o")).split(",") if part.strip().startswith(_LOWER)]
        return parts[0].partition(":")[0] if parts else ""
    return secrets.scrubbed(text(options.get("device")))


def _users_of_networks(engine: EngineLook) -> dict[str, tuple[str, ...]] | str:
    if "containers" in engine.errors:
        return f"containers could not be listed: {engine.errors['containers']}"
    found: dict[str, list[str]] = {}
    for look in engine.containers:
        name = text(mapping(look.inspect).get("Name")).lstrip("/")
        for network in mapping(mapping(mapping(look.inspect).get("NetworkSettings")).get("Networks")):
            found.setdefault(str(network), []).append(name)
    return {name: tuple(sorted(users)) for name, users in found.items()}


def _users_of_volumes(engine: EngineLook) -> dict[str, tuple[str, ...]] | str:
    if "containers" in engine.errors:
        return f"containers could not be listed: {engine.errors['containers']}"
    found: dict[str, list[str]] = {}
    for look in engine.containers:
        name = text(mapping(look.inspect).get("Name")).lstrip("/")
        for mount in rows(mapping(look.inspect).get("Mounts")):
            if text(mount.get("Name")):
                found.setdefault(text(mount.get("Name")), []).append(name)
    return {name: tuple(sorted(users)) for name, users in found.items()}
