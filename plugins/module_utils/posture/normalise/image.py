# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""An image as the engine's API describes it (``GET /images/{id}/json`` and its history), in the facts that rules ask for.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.daemon import is_used
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import (
    Found,
    mapping,
    number,
    read,
    rows,
    text,
    texts,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.images import registry_of
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Json, Policy

_DAY = 24 * 3600
# Builders that want the same image twice set its time to a fixed one in the past, or to none.
_NO_TIME_BEFORE = 365 * _DAY
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,12})?(Z|[+-]\d\d:\d\d)")


def subject(image: Json, used: t.Collection[str], policy: Policy, now: int | None) -> Subject:
    """Return an image with all facts of vocabulary.IMAGE.

    Args:
        image: what the engine says of it; of images that no container uses it may be a row of a list.
        used: ids and references of the images that containers use.
        now: seconds since the epoch by the clock of the host, None where it is not known.
    """
    identifier = text(image.get("Id"))
    source = f"GET /images/{identifier.rpartition(':')[2][:12]}/json"
    references, digests = _names(image.get("RepoTags")), _names(image.get("RepoDigests"))
    config = image.get("Config")
    facts: dict[str, Found] = {
        "references": Fact(references, f"{source} /RepoTags"),
        "digests": Fact(digests, f"{source} /RepoDigests"),
        "registry": Fact(registry_of((*references, *digests)[0]), f"{source} /RepoTags") if references or digests else Unknown("it has no name", source),
        "used": Fact(is_used(image, used), "GET /containers/json"),
        "trusted_registries": Fact(policy.trusted_registries, "the policy"),
        "maximum_age_days": Fact(policy.image_max_age_days, "the policy"),
        "history": _history(image, source),
    }
    if isinstance(config, t.Mapping):
        test = mapping(config.get("Healthcheck")).get("Test")
        facts["healthcheck"] = Fact(bool(test) and texts(test)[:1] != ("NONE",), f"{source} /Config/Healthcheck")
        facts["user"] = read(config, "User", f"{source} /Config", str, "")
        facts["working_dir"] = read(config, "WorkingDir", f"{source} /Config", str, "")
    else:
        unlooked = Unknown("the engine was not asked about this image", source)
        facts.update(healthcheck=unlooked, user=unlooked, working_dir=unlooked)
    facts["secret_names"] = _secret_names(image, config, facts["history"], source)
    facts.update(_age(image.get("Created"), now, source))
    name = (*references, *digests, identifier.rpartition(":")[2][:12] or "unnamed")[0]
    identity = {"id": identifier, "image": name, "digest": next((item.rpartition("@")[2] for item in digests), ""), "labels": _labels(config)}
    return Subject(model.IMAGE, name, facts, identity)


def _names(value: t.Any) -> tuple[str, ...]:
    return tuple(name for name in texts(value) if not name.startswith("<none>"))


def _labels(config: t.Any) -> dict[str, str]:
    found = mapping(mapping(config).get("Labels"))
    return {str(name): "" if value in (secrets.SECRET, secrets.WITHHELD) else text(value) for name, value in found.items()}


def _history(image: Json, source: str) -> Found:
    where = f"{source[: -len('json')]}history"
    if not isinstance(image.get("History"), (list, tuple)):
        return Unknown("the engine was not asked for its history", where)
    return Fact(tuple(text(row.get("CreatedBy")) for row in rows(image["History"])), where)


def _secret_names(image: Json, config: t.Any, history: Found, source: str) -> Found:
    """Return names only; the values were taken out before, or are judged here and never kept."""
    if not isinstance(config, t.Mapping):
        return Unknown("the engine was not asked about this image", source)
    names = [name for name, given, value in (entry.partition("=") for entry in texts(config.get("Env"))) if given and secrets.is_secret(name, value)]
    names += [f"label {name}" for name, value in mapping(config.get("Labels")).items() if secrets.is_secret(str(name), value)]
    names += secrets.instruction_secrets(secrets.history(image["History"]) if isinstance(history, Fact) else ())
    fact = Fact(tuple(dict.fromkeys(names)), f"{source} /Config and its history (values were withheld)")
    return fact if isinstance(history, Fact) else Unknown(history.reason, history.source, fact)


def _age(created: t.Any, now: int | None, source: str) -> dict[str, Found]:
    where = f"{source} /Created"
    moment = seconds(created)
    if moment is None or moment < _NO_TIME_BEFORE:
        unknown = Unknown("the image does not say when it was made, as reproducible builds do not", where)
        return {"created": unknown, "age_days": unknown}
    fact = Fact(moment, where)
    if now is None:
        return {"created": fact, "age_days": Unknown("the engine does not say what time it is", "GET /info /SystemTime")}
    return {"created": fact, "age_days": Fact(max(0, now - moment) // _DAY, f"{where} and GET /info /SystemTime")}


def seconds(moment: t.Any) -> int | None:
    """Return a moment as the API writes it, a text (RFC 3339) or a number, in seconds since the epoch; None where it is none."""
    if number(moment) is not None:
        return int(moment)
    found = _MOMENT.match(text(moment)[:64])
    if found is None:
        return None
    try:
        return int(datetime.datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).timestamp())
    except (ValueError, OverflowError):
        return None
