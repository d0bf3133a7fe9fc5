# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a restart of the daemon interrupts on a host, said before it is done.

PRIVATE to the collection: no stability is promised to other users.

Sources: moby daemon/daemon.go (Shutdown, restore), container/container.go and restartmanager (ShouldRestart),
libnetwork/portmapper/proxy_linux.go (the proxies end with dockerd), docker docs engine/daemon/live-restore.
"""

from __future__ import annotations

import dataclasses
import typing as t

#: Stands for the engine itself among the names of containers; no container can have this name.
ENGINE = "(engine)"

_COMES_BACK = {
    "always": "comes back by itself (restart policy always)",
    "unless-stopped": "comes back by itself (restart policy unless-stopped)",
    "on-failure": "comes back only if it ends with an error (restart policy on-failure)",
}
_STAYS = "stays down until somebody starts it (no restart policy)"

Container = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Interrupt:
    """One thing that a restart interrupts.

    Attributes:
        name: of a container, or ENGINE.
        why: sentences without a full stop: what happens to it.
        stops: whether it is a container that stops.
    """

    name: str
    why: tuple[str, ...]
    stops: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as a module returns it."""
        return {"name": self.name, "why": list(self.why)}


def interrupts(inspected: t.Iterable[Container], lives_on: bool, proxied: bool) -> list[Interrupt]:
    """Return what a restart of the daemon interrupts, the engine first, then the running containers by name.

    Args:
        inspected: answers of ``GET /containers/<id>/json``; those that do not run are passed over.
        lives_on: whether containers go on while the daemon is away (live-restore, before and after).
        proxied: whether the daemon serves published ports by its userland proxy too.
    """
    running = [container for container in inspected if (container.get("State") or {}).get("Running")]
    engine = ["no command reaches the engine until it serves again; builds, pulls and pushes under way break off"]
    if running and lives_on:
        engine.append("no container is restarted by its policy, and no health check runs, until it serves again")
    found = [_lives(container, proxied) if lives_on else _stops(container) for container in running]
    return [Interrupt(ENGINE, tuple(engine)), *sorted(found, key=lambda entry: entry.name)]


def warning(found: t.Sequence[Interrupt], deferred: bool = False) -> str:
    """Return one sentence about the containers that a restart stops; empty where it stops none."""
    stopping = [entry for entry in found if entry.stops]
    if not stopping:
        return ""
    shown = ", ".join(f"{entry.name} {entry.why[-1]}" for entry in stopping[:10])
    more = f", and {len(stopping) - 10} more" if len(stopping) > 10 else ""
    verb = "would stop" if deferred else "stops"
    count = f"{len(stopping)} running container{'s' if len(stopping) > 1 else ''}"
    return f"The restart {verb} {count}, as live-restore is off: {shown}{more}."


def _stops(container: Container) -> Interrupt:
    host_config = container.get("HostConfig") or {}
    policy = str((host_config.get("RestartPolicy") or {}).get("Name") or "no")
    after = _COMES_BACK.get(policy, _STAYS)
    if host_config.get("AutoRemove"):
        after = "is removed with what it holds (--rm)"
    return Interrupt(_name(container), ("stops, as live-restore is off", after), stops=True)


def _lives(container: Container, proxied: bool) -> Interrupt:
    host_config = container.get("HostConfig") or {}
    why = ["goes on; sessions of docker attach and docker logs --follow end"]
    sessions = len(container.get("ExecIDs") or [])
    if sessions:
        why.append(f"{sessions} session{'s' if sessions > 1 else ''} of docker exec end{'' if sessions > 1 else 's'}")
    if (host_config.get("LogConfig") or {}).get("Type") != "none":
        why.append("what it writes waits in a pipe of 64 KiB, and it blocks when that is full")
    ports = _published(container)
    if ports and proxied:
        why.append(
            f"connections to its ports {', '.join(ports)} that go through the userland proxy, such as those from this "
            "host to localhost, break"
        )
    if (container.get("Config") or {}).get("Healthcheck"):
        why.append("its health is not checked meanwhile")
    return Interrupt(_name(container), tuple(why))


def _published(container: Container) -> list[str]:
    ports = (container.get("NetworkSettings") or {}).get("Ports") or {}
    numbers = {str(binding.get("HostPort")) for bindings in ports.values() for binding in bindings or []}
    return sorted(numbers, key=lambda number: (len(number), number))


def _name(container: Container) -> str:
    return str(container.get("Name") or container.get("Id") or "").lstrip("/")
