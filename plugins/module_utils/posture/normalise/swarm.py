# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The swarm that the host is a node of, in the facts that rules ask for.

PRIVATE to the collection: no stability is promised to other users.

A manager tells of the swarm, a worker only of itself. On which addresses a node listens the API does not say: that stands in
a file of the engine, and in the kernel's list of sockets. The unlock key is never asked for.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.addresses import is_wildcard, port_of
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import values
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import (
    Found,
    mapping,
    read,
    rows,
    text,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Policy

_INFO = "GET /info"
_SWARM = "GET /swarm"
_STATE = "swarm/docker-state.json"
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_DAY = 24 * 3600
_MANAGEMENT, _GOSSIP = "2377", "7946"


def subject(engine: EngineLook, look: DaemonLook, policy: Policy, services: t.Sequence[Subject], now: int | None) -> Subject:
    """Return the swarm with all facts of vocabulary.SWARM.

    Args:
        services: those of the swarm.
        now: seconds since the epoch by the clock of the host, None where it is not known.
    """
    info = engine.info
    wanted = "" if policy.swarm_expected is None else "yes" if policy.swarm_expected else "no"
    facts: dict[str, Found] = {
        "active": values.changed(read(info, "Swarm/LocalNodeState", _INFO, str, "inactive"), lambda state: state not in ("", "inactive")),
        "manager": read(info, "Swarm/ControlAvailable", _INFO, bool, False),
        "wanted": Fact(wanted, "the policy"),
        "managers": _managers(engine),
        "nodes": _nodes(engine),
        "listen_address": _listen_address(engine, look),
        "advertise_address": _state(look, "AdvertiseAddr", read(info, "Swarm/NodeAddr", _INFO, str)),
        "data_path_address": _state(look, "DataPathAddr", Unknown(f"{_STATE} was not read, and the API does not tell it", _STATE)),
        "autolock": _of_swarm(engine, "Spec/EncryptionConfig/AutoLockManagers", bool),
        # In nanoseconds.
        "certificate_expiry": values.changed(_of_swarm(engine, "Spec/CAConfig/NodeCertExpiry", int), lambda length: length // 10**9),
        "ca_age_days": _authority_age(engine, now),
        "maximum_ca_age_days": Fact(policy.swarm_ca_max_age_days, "the policy"),
        "secrets": Unknown(engine.errors["secrets"], "GET /secrets") if "secrets" in engine.errors else Fact(len(engine.secrets), "GET /secrets"),
        "plain_secrets": _plain_secrets(engine, services),
    }
    return Subject(model.SWARM, "swarm", facts, {"id": text(mapping(engine.swarm).get("ID"))})


def _managers(engine: EngineLook) -> Found:
    """Return how many nodes can manage: the leader is only one of them."""
    if engine.nodes and "nodes" not in engine.errors:
        return Fact(sum(1 for node in engine.nodes if mapping(mapping(node).get("ManagerStatus"))), "GET /nodes /ManagerStatus")
    return read(engine.info, "Swarm/Managers", _INFO, int)


def _nodes(engine: EngineLook) -> Found:
    found = read(engine.info, "Swarm/Nodes", _INFO, int, 0)
    if isinstance(found, Unknown) or found.value:
        return found
    if engine.nodes:
        return Fact(len(engine.nodes), "GET /nodes")
    if mapping(engine.info.get("Swarm")).get("ControlAvailable") is True:
        return Unknown("the engine does not say how many nodes the swarm has", found.source)
    return Fact(2, f"{_INFO} /Swarm: a worker, so a manager is elsewhere")


def _state(look: DaemonLook, name: str, otherwise: Found) -> Found:
    if look.swarm_state is None:
        return otherwise
    return read(look.swarm_state, name, _STATE, str, "")


def _listen_address(engine: EngineLook, look: DaemonLook) -> Found:
    source = "the listening sockets of dockerd"
    if look.listening is not None:
        swarm = mapping(engine.info.get("Swarm"))
        own = [port_of(text(peer.get("Addr"))) for peer in rows(swarm.get("RemoteManagers")) if peer.get("NodeID") == swarm.get("NodeID")]
        found = [address for address in look.listening if port_of(address) in {_MANAGEMENT, _GOSSIP, *own} - {""}]
        if found:
            return Fact(next(filter(is_wildcard, found), found[0]), source)
    declared = _state(look, "ListenAddr", Unknown("the addresses of the swarm could not be read: the API does not tell them", source))
    return declared if isinstance(declared, Unknown) or declared.value else Unknown(f"{_STATE} does not tell it", _STATE)


def _of_swarm(engine: EngineLook, path: str, kind: type) -> Found:
    if engine.swarm is None:
        return Unknown(engine.errors.get("swarm", "only managers tell it"), _SWARM)
    return read(engine.swarm, path, _SWARM, kind)


def _plain_secrets(engine: EngineLook, services: t.Sequence[Subject]) -> Found:
    source = "GET /services, without their values"
    if "services" in engine.errors:
        return Unknown(engine.errors["services"], source)
    fact = Fact(tuple(service.name for service in services if service.known("secret_names")), source)
    unknown = [service.name for service in services if not isinstance(service.facts.get("secret_names"), Fact)]
    return Unknown(f"the variables of {', '.join(unknown[:5])} could not be read", source, fact) if unknown else fact


def _authority_age(engine: EngineLook, now: int | None) -> Found:
    found = _of_swarm(engine, "TLSInfo/TrustRoot", str)
    if isinstance(found, Unknown):
        return found
    begin = not_before(found.value)
    if begin is None:
        return Unknown("the certificate of the authority cannot be read", found.source)
    if now is None:
        return Unknown("the engine does not say what time it is", f"{_INFO} /SystemTime")
    return Fact(max(0, now - begin) // _DAY, f"{found.source} and {_INFO} /SystemTime")


def not_before(certificate: str) -> int | None:
    """Return since when the first certificate of a text (PEM) is valid, in seconds since the epoch; None where it is none.

    Source: RFC 5280, 4.1: the validity is the fourth part after an optional version.
    """
    body = certificate.partition(_BEGIN)[2].partition(_END)[0]
    try:
        content = base64.b64decode("".join(body.split())[:65536], validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        inner = _parts(_parts(_parts(content)[0][1])[0][1])
        after_version = inner[1:] if inner[0][0] == 0xA0 else inner
        kind, moment = _parts(after_version[3][1])[0]
    except (IndexError, ValueError):
        return None
    digits = moment.decode("ascii", "replace").rstrip("Z")
    if kind == 0x17:
        # Two digits of a year before 50 mean this century.
        digits = ("20" if digits[:2] < "50" else "19") + digits
    if len(digits) != len("20260115102000") or not digits.isdecimal():
        return None
    try:
        return int(datetime.datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=datetime.timezone.utc).timestamp())
    except ValueError:
        return None


def _parts(content: bytes) -> list[tuple[int, bytes]]:
    """Return the elements of a DER value, each with its tag; raises ValueError and IndexError where it is none."""
    found: list[tuple[int, bytes]] = []
    place = 0
    while place < len(content) and len(found) < 64:
        tag, length = content[place], content[place + 1]
        place += 2
        if length & 0x80:
            count = length & 0x7F
            if not 0 < count <= 4:
                raise ValueError("no length")
            length = int.from_bytes(content[place : place + count], "big")
            place += count
        if place + length > len(content):
            raise ValueError("too short")
        found.append((tag, content[place : place + length]))
        place += length
    return found
