# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a look at a host brings home, before anything is made of it: the seam between host/ and normalise/.

PRIVATE to the collection: no stability is promised to other users.

Answers of the API are kept as the engine gave them, except that the values of environment variables and the like are taken
out the moment they arrive (secrets.py). What could not be read is in the field with the ending ``_error`` as a reason.
"""

from __future__ import annotations

import dataclasses
import typing as t

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Process:
    """The first process of a running container, as the kernel shows it (proc(5), cgroups(7)).

    Attributes:
        status: fields of /proc/PID/status as text, such as ``NoNewPrivs``, ``Seccomp``, ``CapBnd``, ``CapEff``, ``Uid``.
        uid_map: rows of /proc/PID/uid_map: inside, outside, count.
        label: /proc/PID/attr/current without the trailing newline or NUL, empty where no security module answers.
        namespaces: inode numbers of /proc/PID/ns by name.
        host_namespaces: those of process 1.
        mounts: (mount point, options, filesystem type) of /proc/PID/mountinfo.
        limits: content of cgroup files by name: ``memory.max``, ``pids.max``, ``cpu.max``, ``cpu.weight``; missing ones lack.
        programs: names of the programs in its cgroup.
        error: why it could not be read; the other fields then hold nothing.
    """

    status: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    uid_map: tuple[tuple[int, int, int], ...] = ()
    label: str = ""
    namespaces: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    host_namespaces: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    mounts: tuple[tuple[str, str, str], ...] = ()
    limits: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    programs: frozenset[str] | None = None
    error: str = ""


class Place(t.NamedTuple):
    """Where a mount of a container really leads on the host; see vocabulary.Mount."""

    host_path: str
    sockets: tuple[str, ...] = ()
    replaceable: str = ""


@dataclasses.dataclass(frozen=True)
class ContainerLook:
    """One container: ``GET /containers/{id}/json`` without values of secrets, its process, where its mounts lead.

    Attributes:
        inspect: the answer; only ``Id`` and ``Name`` where ``error`` is set.
        process: None for a container that does not run.
        places: by target of the mount.
        error: why it could not be inspected; a container that vanished meanwhile is left out instead.
    """

    inspect: Json
    process: Process | None = None
    places: t.Mapping[str, Place] = dataclasses.field(default_factory=dict)
    error: str = ""


@dataclasses.dataclass(frozen=True)
class EngineLook:
    """What the engine's API says. Lists are empty and ``error`` is set where it did not answer.

    Attributes:
        product: ``docker``, ``podman``, or empty where nobody answers.
        info, version: ``GET /info`` and ``GET /version``.
        images: ``GET /images/{id}/json`` without values of secrets, with ``History`` from ``/images/{id}/history`` beside.
        networks, volumes: ``GET /networks``, ``GET /volumes`` (``Volumes``).
        swarm, nodes, services, secrets: on a manager; ``swarm`` is None elsewhere.
        errors: by the name of a field, why it could not be read ("denied", a time limit, ...).
        calls: how many questions the API was asked.
    """

    product: str = ""
    error: str = ""
    info: Json = dataclasses.field(default_factory=dict)
    version: Json = dataclasses.field(default_factory=dict)
    containers: tuple[ContainerLook, ...] = ()
    images: tuple[Json, ...] = ()
    networks: tuple[Json, ...] = ()
    volumes: tuple[Json, ...] = ()
    swarm: Json | None = None
    nodes: tuple[Json, ...] = ()
    services: tuple[Json, ...] = ()
    secrets: tuple[Json, ...] = ()
    errors: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    calls: int = 0


@dataclasses.dataclass(frozen=True)
class DaemonLook:
    """The daemon's own settings: its file and the flags that it runs with.

    Attributes:
        config: daemon.json; None where it cannot be read (``config_error``); empty where there is none.
        config_text: its text, for the schema; empty where there is none.
        flags: of the running process, or of the unit where none runs: values by long name, as engine/unit_flags.py reads them.
        flags_error: why they are not known.
        listening: addresses (``0.0.0.0:2375``) on which dockerd listens by TCP; None where that is not known.
        seccomp_profile: the parsed profile that ``seccomp-profile`` names; None where it is builtin, unconfined or unreadable.
        environment: names and values of variables of the unit that begin with DOCKER_ (never others).
        swarm_state: ``ListenAddr``, ``AdvertiseAddr`` and ``DataPathAddr`` of swarm/docker-state.json below the effective root;
            the API does not tell them. None where it is not there or was not read.
    """

    config: Json | None = None
    config_text: str = ""
    config_error: str = ""
    config_file: str = "/etc/docker/daemon.json"
    flags: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)
    flags_error: str = ""
    listening: tuple[str, ...] | None = None
    seccomp_profile: Json | None = None
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    swarm_state: Json | None = None


@dataclasses.dataclass(frozen=True)
class Policy:
    """What an organisation decides and no tool can know; empty means that nobody decided.

    Attributes:
        trusted_users: who may be in the group of the API's socket.
        trusted_registries: registries that images may come from.
        minimum_version: of the engine.
        image_max_age_days: 0 for any age.
        swarm_expected: whether swarm mode is wanted; None: not decided.
        log_drivers: drivers that count as central.
        swarm_ca_max_age_days: how old the certificate authority of a swarm may be; 0 for any age.
        mended: by component (``engine``, ``containerd``, ``runc``), CVEs that the distribution has mended in its package.
    """

    trusted_users: tuple[str, ...] = ()
    trusted_registries: tuple[str, ...] = ()
    minimum_version: str = ""
    image_max_age_days: int = 0
    swarm_expected: bool | None = None
    log_drivers: tuple[str, ...] = ()
    swarm_ca_max_age_days: int = 0
    mended: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
