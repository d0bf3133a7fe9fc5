# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A look at an engine through its API: what it is, its containers, images, networks, volumes and its swarm.

PRIVATE to the collection: no stability is promised to other users.

Each question is asked once, several at a time; each has a time limit of its own and together they have one. What is
not answered is an error by name, never an empty list that looks like an answer. Values of secrets are taken out the moment
an answer arrives (posture/secrets.py); nothing runs inside a container.
"""

from __future__ import annotations

import json
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import (
    ApiError,
    Gone,
    Question,
    Questions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import (
    ContainerLook,
    EngineLook,
    Json,
    Process,
)

DOCKER = "docker"
PODMAN = "podman"
# Images are asked for besides the containers, and as many questions as there are containers are enough for both together.
_FEWEST_IMAGE_QUESTIONS = 20
_MOST_HISTORIES = 50
_MOST_EXECS = 20
# The engine keeps its last 256 events (moby: daemon/events/events.go), so a day is longer than it remembers on most hosts.
_EVENTS_SECONDS = 24 * 3600
_LATE = "the time for the whole look was over"
_ROOT_USERS = ("root", "0")

_ProcessOf = t.Callable[[Json], t.Optional[Process]]


class Engine:
    """A look at one engine.

    Args:
        questions: to the engine.
        process_of: from the answer about a container to the look at its first process; None where it does not run.
        keep_labels: labels whose values somebody asks for.
        seconds: for the whole look.
        clock: seconds, only ever forward.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        questions: Questions,
        process_of: _ProcessOf,
        keep_labels: t.Container[str] = (),
        seconds: float = 120,
        clock: t.Callable[[], float] = time.monotonic,
        now: t.Callable[[], float] = time.time,
    ) -> None:
        self._questions = questions
        self._process_of = process_of
        self._keep = keep_labels
        self._seconds = seconds
        self._deadline = clock() + seconds
        self._clock = clock
        self._now = now
        self._errors: dict[str, str] = {}
        self._execs: list[_Exec] = []
        self._users: dict[str, _Owner] = {}
        self._containers: list[ContainerLook] = []
        self.exec_audit: Fact | Unknown = Unknown("the engine was not asked for its exec sessions", "GET /events")

    def look(self) -> EngineLook:
        """Return what the engine says; an engine that does not say what it is gives an error and nothing else."""
        try:
            version = self._questions.version()
        except ApiError as error:
            self.exec_audit = Unknown(str(error), "GET /events")
            return EngineLook(error=str(error), calls=self._questions.calls)
        product = _product(version, self._questions.server)
        if product != DOCKER:
            # Its answers have other meanings, so that nothing could be made of them.
            self.exec_audit = Unknown(f"{product} answers, not dockerd", "GET /events")
            return EngineLook(product=product, version=secrets.anything(version), calls=self._questions.calls)
        answers = self._all(
            {
                "info": Question("/info"),
                "containers": Question("/containers/json", {"all": 1}),
                "images": Question("/images/json"),
                "networks": Question("/networks"),
                "volumes": Question("/volumes"),
            }
        )
        info = self._dictionary(answers, "info")
        self._containers = self._look_at_containers(self._rows(answers, "containers"))
        images = self._look_at_images(self._rows(answers, "images"))
        volumes = self._dictionary(answers, "volumes").get("Volumes")
        swarm = self._look_at_swarm(info)
        self._look_at_execs()
        return EngineLook(
            product=product,
            info=secrets.anything(info, self._keep),
            version=secrets.anything(version),
            containers=tuple(self._containers),
            images=tuple(images),
            networks=tuple(secrets.anything(self._rows(answers, "networks"), self._keep)),
            volumes=tuple(secrets.anything([row for row in volumes if isinstance(row, dict)], self._keep)) if isinstance(volumes, list) else (),
            swarm=swarm.get("swarm"),
            nodes=swarm.get("nodes", ()),
            services=swarm.get("services", ()),
            secrets=swarm.get("secrets", ()),
            errors=self._errors,
            calls=self._questions.calls,
        )

    # Containers ----------------------------------------------------------------------------------------------------

    def _look_at_containers(self, rows: t.Sequence[Json]) -> list[ContainerLook]:
        names = {str(row["Id"]): _name(row) for row in rows if row.get("Id")}
        identifiers = list(names)
        found: list[ContainerLook | None] = [None] * len(identifiers)
        for number, answer in self._each(f"/containers/{identifier}/json" for identifier in identifiers):
            identifier = identifiers[number]
            found[number] = self._container(identifier, names[identifier], answer)
        return [look for look in found if look is not None]

    def _container(self, identifier: str, name: str, answer: t.Any) -> ContainerLook | None:
        if isinstance(answer, Gone):
            return None
        if not isinstance(answer, dict):
            error = str(answer) if isinstance(answer, ApiError) else "the engine's answer about it is no object"
            return ContainerLook({"Id": identifier, "Name": f"/{name}"}, error=error)
        self._remember_execs(identifier, name, answer)
        return ContainerLook(secrets.container(answer, self._keep), self._process_of(answer))

    # Images --------------------------------------------------------------------------------------------------------

    def _look_at_images(self, rows: t.Sequence[Json]) -> list[Json]:
        """Return all images; those that containers use with what is known about them, as far as the questions reach."""
        used = {str(look.inspect.get("Image", "")) for look in self._containers}
        budget = max(_FEWEST_IMAGE_QUESTIONS, len(self._containers) - _FEWEST_IMAGE_QUESTIONS)
        wanted = [str(row.get("Id", "")) for row in rows if str(row.get("Id", "")) in used]
        # An image without any reference may be in use and in no list.
        listed = {str(row.get("Id", "")) for row in rows}
        wanted += sorted(identifier for identifier in used - listed if identifier)
        asked = wanted[:budget]
        looked = self._images(asked, max(0, min(_MOST_HISTORIES, budget - len(asked))))
        if len(wanted) > len(asked):
            self._errors.setdefault("images", f"{len(wanted) - len(asked)} of {len(wanted)} images in use were not asked for, to spare the engine")
        found = []
        for row in rows:
            answer = looked.pop(str(row.get("Id", "")), None)
            found.append(answer if answer else secrets.image(row, None, self._keep))
        return [*found, *(answer for answer in looked.values() if answer)]

    def _images(self, identifiers: t.Sequence[str], histories: int) -> dict[str, Json]:
        """Return images by their ids, so many of them with their history; those that cannot be had are left out."""
        found: dict[str, Json] = {}
        for number, answer in self._each(f"/images/{identifier}/json" for identifier in identifiers):
            if not self._failed(answer):
                found[identifiers[number]] = secrets.image(answer, None, self._keep)
        there = [identifier for identifier in identifiers if found.get(identifier)][:histories]
        for number, rows in self._each(f"/images/{identifier}/history" for identifier in there):
            if isinstance(rows, Gone):
                del found[there[number]]
            elif not self._failed(rows):
                found[there[number]]["History"] = secrets.history(rows)
        return {identifier: found[identifier] for identifier in identifiers if identifier in found}

    def _failed(self, answer: t.Any) -> bool:
        """Note what kept an image from being looked at; one that is gone is not missed."""
        if isinstance(answer, ApiError) and not isinstance(answer, Gone):
            self._errors.setdefault("images", str(answer))
        return isinstance(answer, ApiError)

    # Swarm ---------------------------------------------------------------------------------------------------------

    def _look_at_swarm(self, info: Json) -> dict[str, t.Any]:
        state = info.get("Swarm")
        if not isinstance(state, dict) or not state.get("ControlAvailable"):
            return {}
        answers = self._all(
            {
                "swarm": Question("/swarm"),
                "nodes": Question("/nodes"),
                "services": Question("/services"),
                "secrets": Question("/secrets"),
            }
        )
        found: dict[str, t.Any] = {name: tuple(secrets.anything(self._rows(answers, name), self._keep)) for name in ("nodes", "services", "secrets")}
        if "swarm" in answers:
            found["swarm"] = secrets.anything(self._dictionary(answers, "swarm"), self._keep)
        return found

    # Exec sessions -------------------------------------------------------------------------------------------------

    def _remember_execs(self, identifier: str, name: str, answer: Json) -> None:
        config = answer.get("Config")
        config = config if isinstance(config, dict) else {}
        self._users[identifier] = _Owner(name, str(config.get("User") or ""), _check_command(config))
        for session in answer.get("ExecIDs") or ():
            self._execs.append(_Exec(str(session), identifier))

    def _look_at_execs(self) -> None:
        """Find out about the exec sessions that the engine still knows: those of its events, and those of containers now.

        The events do not say as whom a session runs; the session itself does, for a few minutes after its end.
        """
        moment = self._now()
        source = "GET /events and GET /exec/{id}/json"
        try:
            self._in_time()
            events = self._questions.stream(
                "/events",
                since=str(int(moment - _EVENTS_SECONDS)),
                until=f"{moment:.9f}",
                filters=json.dumps({"type": ["container"], "event": ["exec_create"]}),
            )
        except ApiError as error:
            self.exec_audit = Unknown(f"the engine's events could not be read: {error}", source)
            return
        sessions = {session.identifier: session for session in self._execs}
        for event in events:
            session = self._session(event)
            if session is not None:
                sessions.setdefault(session.identifier, session)
        asked = list(sessions.values())[:_MOST_EXECS]
        judged = [self._judge_exec(asked[number], answer) for number, answer in self._each(f"/exec/{session.identifier}/json" for session in asked)]
        found = tuple(sorted({text for text in judged if text}))
        unknown = len(sessions) - len(asked) + sum(1 for text in judged if text is None)
        known = Fact(found, source)
        if unknown:
            reason = f"{unknown} exec {'session' if unknown == 1 else 'sessions'} ended, or could not be asked for, before it was seen as whom they ran"
            self.exec_audit = Unknown(reason, source, known)
        else:
            self.exec_audit = known

    def _session(self, event: t.Any) -> _Exec | None:
        """Return the session that an event is about, None for those of healthchecks."""
        if not isinstance(event, dict):
            return None
        actor = event.get("Actor")
        actor = actor if isinstance(actor, dict) else {}
        container = str(actor.get("ID", ""))
        attributes = actor.get("Attributes")
        identifier = str(attributes.get("execID", "")) if isinstance(attributes, dict) else ""
        command = str(event.get("Action", "")).partition(": ")[2]
        owner = self._users.get(container)
        if not identifier or (owner is not None and owner.check and command.endswith(owner.check)):
            return None
        return _Exec(identifier, container)

    def _judge_exec(self, session: _Exec, answer: t.Any) -> str | None:
        """Return what is wrong with a session, empty for nothing, None where nobody knows."""
        process = answer.get("ProcessConfig") if isinstance(answer, dict) else None
        if not isinstance(process, dict):
            return None
        owner = self._users.get(session.container, _Owner(session.container[:12], "", ""))
        if process.get("privileged"):
            return f"{owner.name}: privileged"
        user = str(process.get("user") or "").partition(":")[0]
        own = owner.user.partition(":")[0]
        return f"{owner.name}: as root" if user in _ROOT_USERS and own not in ("", *_ROOT_USERS) else ""

    # Asking --------------------------------------------------------------------------------------------------------

    def _in_time(self) -> None:
        if self._clock() > self._deadline:
            raise ApiError(f"{_LATE} ({self._seconds:g} seconds)")

    def _each(self, paths: t.Iterable[str]) -> t.Iterator[tuple[int, t.Any]]:
        return self._questions.each([Question(path) for path in paths], self._in_time)

    def _all(self, asked: t.Mapping[str, Question]) -> dict[str, t.Any]:
        """Return the answers to several questions by name; those without one are noted as errors."""
        names = list(asked)
        answers = {names[number]: answer for number, answer in self._questions.each(list(asked.values()), self._in_time)}
        self._errors.update({name: str(answer) for name, answer in answers.items() if isinstance(answer, ApiError)})
        return {name: answer for name, answer in answers.items() if not isinstance(answer, ApiError)}

    def _dictionary(self, answers: t.Mapping[str, t.Any], name: str) -> Json:
        answer = answers.get(name, {})
        if not isinstance(answer, dict):
            self._errors[name] = "the engine's answer is no object"
            return {}
        return answer

    def _rows(self, answers: t.Mapping[str, t.Any], name: str) -> list[Json]:
        answer = answers.get(name)
        if answer is None:
            # The engine writes null for an empty list.
            return []
        if not isinstance(answer, list):
            self._errors[name] = "the engine's answer is no list"
            return []
        return [row for row in answer if isinstance(row, dict)]


class _Exec(t.NamedTuple):
    identifier: str
    container: str


class _Owner(t.NamedTuple):
    """A container of exec sessions: its name, its own user, and what its healthcheck runs."""

    name: str
    user: str
    check: str


def _name(row: Json) -> str:
    names = row.get("Names")
    # A link of another container is a name with a second slash.
    own = [str(name).lstrip("/") for name in names if "/" not in str(name).lstrip("/")] if isinstance(names, list) else []
    return own[0] if own else str(row.get("Id", ""))[:12]


def _check_command(config: Json) -> str:
    check = config.get("Healthcheck")
    test = check.get("Test") if isinstance(check, dict) else None
    return " ".join(str(word) for word in test[1:]) if isinstance(test, list) and len(test) > 1 else ""


def _product(version: Json, server: str) -> str:
    components = version.get("Components")
    names = [str(row.get("Name", "")) for row in components if isinstance(row, dict)] if isinstance(components, list) else []
    if any("podman" in name.lower() for name in names) or server.lower().startswith("libpod"):
        return PODMAN
    return DOCKER
