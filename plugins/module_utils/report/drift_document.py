# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The one document that every report of drift is written from: what each look at each host found, checked and in a fixed order.

PRIVATE to the collection: no stability is promised to other users. Its JSON form is public: docs/schemas/drift-1.json.

A host may have been looked at more than once in a run: before something was mended, and after it. The last look says how the host
is; what only the first one saw was mended meanwhile. Results come over the wire from managed hosts, so nothing about them is taken
for granted: what has not the right shape makes a host ``damaged``, and never clean.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import BLASTS, CONVERGE, RESTORE, ROUTES
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.report import clean
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import DocumentError

SCHEMA = "https://github.com/bulkhead/ansible-collection-docker/blob/main/docs/schemas/drift-1.json"
SCHEMA_VERSION = "1.0"

# Whether the last look at a host is the whole story. Only `checked` says anything about it.
CHECKED = "checked"
DAMAGED = "damaged"
FAILED = "failed"
UNREACHABLE = "unreachable"
MISSING = "missing"
STATES = (CHECKED, DAMAGED, FAILED, UNREACHABLE, MISSING)

# How a host is now, the worst first.
DRIFTED = "drifted"
LOST = "lost"
UNSURE = "unsure"
MENDED = "mended"
CLEAN = "clean"
VERDICTS = (DRIFTED, LOST, UNSURE, MENDED, CLEAN)

# What became of a difference between the first look and the last one.
OPEN = "open"
NEW = "new"
GONE = "mended"
STANDINGS = (OPEN, NEW, GONE)

_MOST_DIFFERENCES = 2000
_MOST_UNKNOWN = 200
_MOST_ENTRIES = 20
_MOST_NAMES = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_LATEST = 253402300799  # the last second of the year 9999
_VERDICT_ORDER = {verdict: number for number, verdict in enumerate(VERDICTS)}

Dict = dict[str, t.Any]
Item = t.Mapping[str, t.Any]


def build(results: t.Any, generated: str, collection_version: str) -> Dict:
    """Return the document.

    Args:
        results: for each host ``name`` and ``looks``, a list of what docker_host_drift returned, the first look first; what Ansible
            says of a look that failed, was skipped or did not reach the host is taken as well.
        generated: when the report is made, in ISO 8601, UTC, as in 2027-01-31T12:00:00Z.
        collection_version: of this collection.

    Raises:
        DocumentError: results or generated are of the wrong kind.
    """
    if not isinstance(results, (list, tuple)):
        raise DocumentError(f"results is {type(results).__name__}; give a list with the looks at each host")
    try:
        datetime.datetime.strptime(generated, "%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError) as error:
        raise DocumentError(f"generated is {clean.name(generated)!r}, which is no time; write it as 2027-01-31T12:00:00Z") from error
    hosts = sorted((_host(result, number) for number, result in enumerate(results, start=1)), key=_host_order)
    _give_each_its_own_name(hosts)
    return _made(hosts, generated, clean.name(collection_version))


def part(document: Item, host: Dict) -> Dict:
    """Return the document of one host of a document alone."""
    return _made([host], document["generated"], document["collection_version"])


def counted(host: Item) -> bool:
    """Tell whether what is known of a host is how it is."""
    return bool(host["state"] == CHECKED)


def standing(host: Item) -> list[Dict]:
    """Return the differences that a host has now."""
    return [one for one in host["differences"] if one["standing"] != GONE]


def _made(hosts: t.Sequence[Dict], generated: str, collection_version: str) -> Dict:
    document: Dict = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "collection_version": collection_version,
        "generated": generated,
        "content": "",
        "fleet": _fleet(hosts),
        "hosts": list(hosts),
    }
    lasting = [document["schema_version"], collection_version, document["fleet"], document["hosts"]]
    document["content"] = hashlib.sha256(json.dumps(lasting, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()[:32]
    return document


def _host_order(host: Item) -> tuple[t.Any, ...]:
    return (host["name"], host["state"], len(host["differences"]), host["problem"])


def _give_each_its_own_name(hosts: t.Sequence[Dict]) -> None:
    """Number names that come twice: metrics are told apart by them."""
    taken: set[str] = set()
    for host in hosts:
        wanted, number = host["name"], 1
        while host["name"] in taken:
            number += 1
            host["name"] = f"{wanted} ({number})"
        taken.add(host["name"])


def text(value: t.Any) -> str:
    """Return a text of a host as one line without what looks like a secret."""
    return clean.text(secrets.scrubbed(value) if isinstance(value, str) else value)


def _shown(value: t.Any, depth: int = 0) -> str:
    """Return evidence, whatever JSON value it is, as one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        told = [_shown(entry, depth + 1) for entry in value[:_MOST_ENTRIES]] if depth < 2 else ["..."]
        more = [f"and {len(value) - _MOST_ENTRIES} more"] if len(value) > _MOST_ENTRIES and depth < 2 else []
        return clean.text(", ".join([*told, *more]) or "none")
    if isinstance(value, t.Mapping):
        if depth >= 2:
            return "{...}"
        pairs = list(value.items())
        redacted = secrets.anything({str(key): entry for key, entry in pairs[:_MOST_ENTRIES]})
        told = [f"{text(str(key))}: {_shown(entry, depth + 1)}" for key, entry in redacted.items()]
        more = [f"and {len(pairs) - _MOST_ENTRIES} more"] if len(pairs) > _MOST_ENTRIES else []
        return clean.text("; ".join([*told, *more]) or "none")
    return text(value)


def _host(result: t.Any, number: int) -> Dict:
    values: Item = result if isinstance(result, t.Mapping) else {}
    looks = values.get("looks")
    given: t.Sequence[t.Any] = looks if isinstance(looks, (list, tuple)) and looks else [result if looks is None else {}]
    first, last = _Look(given[0]), _Look(given[-1])
    differences = _differences(first, last, several=len(given) > 1)
    host: Dict = {
        "name": clean.name(values.get("name")) or f"host {number}",
        "state": last.state,
        "problem": last.problem,
        "verdict": "",
        "looks": len(given),
        "last_converge": last.text("last_converge") or first.text("last_converge"),
        "window_open": last.flag("window_open"),
        "live_restore": last.fact("live_restore"),
        "running_containers": last.running,
        "roles": last.roles,
        "blast": "",
        "counts": {},
        "upgrades": last.upgrades,
        "unknown": last.unknown,
        "unknown_left_out": last.unknown_left_out,
        "differences": differences[:_MOST_DIFFERENCES],
        "differences_left_out": max(len(differences) - _MOST_DIFFERENCES, 0),
    }
    host["counts"] = {name: sum(1 for one in differences if one["standing"] == name) for name in STANDINGS}
    host["blast"] = max((one["blast"] for one in differences if one["standing"] != GONE), key=BLASTS.index, default="")
    host["verdict"] = _verdict(host)
    return host


def _verdict(host: Item) -> str:
    if not counted(host):
        return LOST
    if host["counts"][OPEN] or host["counts"][NEW]:
        return DRIFTED
    if host["unknown"]:
        return UNSURE
    return MENDED if host["counts"][GONE] else CLEAN


def _differences(first: _Look, last: _Look, several: bool) -> list[Dict]:
    """Return what any of the two looks saw, with what became of it."""
    if not several:
        found = [{**one, "standing": OPEN} for one in last.differences]
    elif last.state != CHECKED:
        # Nobody saw that anything was mended.
        found = [{**one, "standing": OPEN} for one in first.differences]
    else:
        before, now = {_key(one) for one in first.differences}, {_key(one) for one in last.differences}
        # Where the first look saw nothing for a reason of its own, nothing can be told to be new.
        fresh = NEW if first.state == CHECKED else OPEN
        found = [{**one, "standing": OPEN if _key(one) in before else fresh} for one in last.differences]
        found += [{**one, "standing": GONE} for one in first.differences if _key(one) not in now]
    return sorted(found, key=_difference_order)


def _key(one: Item) -> tuple[str, str, str]:
    return (one["name"], one["role"], one["item"])


def _difference_order(one: Item) -> tuple[t.Any, ...]:
    return (STANDINGS.index(one["standing"]) == 2, -BLASTS.index(one["blast"]), one["role"] == "", one["role"], one["name"], one["item"], one["what"])


class _Look:
    """What one look at a host says, read with suspicion."""

    def __init__(self, result: t.Any) -> None:
        self._values: Item = result if isinstance(result, t.Mapping) else {}
        self._problems: list[str] = []
        self.differences: list[Dict] = []
        self.unknown: list[Dict] = []
        self.unknown_left_out = 0
        self.roles: list[str] = []
        self.upgrades: list[Dict] = []
        self.state = self._state(result)
        if self.state == CHECKED:
            self._read()
        if self._problems and self.state == CHECKED:
            self.state = DAMAGED
        self.problem = clean.text(" ".join(self._problems))

    @property
    def running(self) -> int | None:
        """How many containers run."""
        found = self._facts.get("running")
        if not isinstance(found, (list, tuple)):
            found = self._facts.get("running_containers", found)
        return len(found) if isinstance(found, (list, tuple)) else clean.whole(found)

    @property
    def _facts(self) -> Item:
        found = self._values.get("facts")
        return found if isinstance(found, t.Mapping) else {}

    def text(self, key: str) -> str:
        return clean.name(self._values.get(key)) if self.state == CHECKED else ""

    def flag(self, key: str) -> bool | None:
        found = self._values.get(key)
        return found if isinstance(found, bool) and self.state == CHECKED else None

    def fact(self, key: str) -> bool | None:
        found = self._facts.get(key)
        return found if isinstance(found, bool) and self.state == CHECKED else None

    def _state(self, result: t.Any) -> str:
        values, told = self._values, clean.text(self._values.get("msg"))
        if not isinstance(result, t.Mapping):
            self._problems.append(f"Result damaged: it is {type(result).__name__}, not a dictionary.")
            return DAMAGED
        for key, state, otherwise in (
            ("unreachable", UNREACHABLE, "The host was not reachable."),
            ("failed", FAILED, "The look failed and does not say why."),
            ("missing", MISSING, "There is no result."),
            ("skipped", MISSING, "The look was skipped."),
        ):
            if values.get(key):
                self._problems.append(told or otherwise)
                return state
        if values.get("damaged"):
            self._problems.append(told or "Result damaged.")
            return DAMAGED
        return CHECKED

    def _read(self) -> None:
        given = self._values.get("differences")
        if not isinstance(given, (list, tuple)):
            self._problems.append(f"Result damaged: differences is {'missing' if given is None else type(given).__name__}, not a list.")
            given = ()
        read = [_difference(one) for one in given]
        damaged = read.count(None)
        if damaged:
            self._problems.append(f"Result damaged: {damaged} of its {len(read)} differences cannot be read and are left out.")
        self.differences = [one for one in read if one is not None]
        drifted = self._values.get("drifted")
        if not isinstance(drifted, bool):
            self._problems.append(f"Result damaged: drifted is {'missing' if drifted is None else type(drifted).__name__}, not a truth value.")
        elif drifted and not self.differences and not damaged:
            self._problems.append("Result damaged: it says that the host has drifted, and names no difference.")
        self._read_unknown()
        upgrades = self._values.get("upgrades")
        for one in upgrades[:_MOST_UNKNOWN] if isinstance(upgrades, (list, tuple)) else ():
            if isinstance(one, t.Mapping) and clean.name(one.get("name")):
                self.upgrades.append({key: clean.name(one.get(key)) for key in ("name", "installed", "offered")})
        roles = self._values.get("roles")
        self.roles = [name for name in map(clean.name, roles[:_MOST_ENTRIES]) if name] if isinstance(roles, (list, tuple)) else []

    def _read_unknown(self) -> None:
        given = self._values.get("unknown")
        if given is None:
            return
        if not isinstance(given, (list, tuple)):
            self._problems.append(f"Result damaged: unknown is {type(given).__name__}, not a list.")
            return
        self.unknown_left_out = max(len(given) - _MOST_UNKNOWN, 0)
        for one in given[:_MOST_UNKNOWN]:
            if isinstance(one, t.Mapping):
                item, reason = text(one.get("item") or one.get("thing") or one.get("name")), text(one.get("reason"))
            else:
                item, reason = "", _shown(one)
            self.unknown.append({"item": item, "reason": reason or "no reason given"})


def _difference(raw: t.Any) -> Dict | None:
    """Return a difference with every key that model.Difference has, or None where it cannot be read."""
    if not isinstance(raw, t.Mapping):
        return None
    name, route, blast = raw.get("name"), raw.get("route"), raw.get("blast")
    if not isinstance(name, str) or not _NAME.match(name) or route not in ROUTES or blast not in BLASTS:
        return None
    role, item = clean.name(raw.get("role")), text(raw.get("item"))
    return {
        "name": str(name),
        "role": role,
        "item": item,
        "what": text(raw.get("what")) or f"{item or name} differs",
        "expected": _shown(raw.get("expected")),
        "observed": _shown(raw.get("observed")),
        "source": text(raw.get("source")),
        "route": str(route),
        "blast": str(blast),
        "advice": text(raw.get("advice")),
        "changed_at": _when(raw.get("changed_at")),
        "last_good": clean.name(raw.get("last_good")),
    }


def _when(seconds: t.Any) -> str:
    """Return a time in seconds since the epoch in ISO 8601; empty where it is none."""
    found = clean.number(seconds, _LATEST)
    if found is None:
        return ""
    return datetime.datetime.fromtimestamp(int(found), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fleet(hosts: t.Sequence[Item]) -> Dict:
    verdicts = dict.fromkeys(VERDICTS, 0)
    standings = dict.fromkeys(STANDINGS, 0)
    blasts = dict.fromkeys(BLASTS, 0)
    names: dict[tuple[str, str], Dict] = {}
    roles: dict[str, Dict] = {}
    for host in hosts:
        verdicts[host["verdict"]] += 1
        for name in STANDINGS:
            standings[name] += host["counts"][name]
        seen: set[tuple[str, str]] = set()
        for one in host["differences"]:
            key = (one["name"], one["role"])
            row = names.setdefault(key, {"name": one["name"], "role": one["role"], "blast": one["blast"], "hosts": 0, "open": 0, "mended": 0})
            row["hosts"] += key not in seen
            seen.add(key)
            row["blast"] = max(row["blast"], one["blast"], key=BLASTS.index)
            row["mended" if one["standing"] == GONE else "open"] += 1
            if one["standing"] != GONE:
                blasts[one["blast"]] += 1
        for role in sorted({one["role"] for one in standing(host) if one["role"] and one["route"] in (CONVERGE, RESTORE)}):
            row = roles.setdefault(role, {"role": role, "hosts": 0, "differences": 0})
            row["hosts"] += 1
            row["differences"] += sum(1 for one in standing(host) if one["role"] == role and one["route"] in (CONVERGE, RESTORE))
    by_name = sorted(names.values(), key=lambda row: (-row["open"], -BLASTS.index(row["blast"]), -row["hosts"], row["name"], row["role"]))
    return {
        "hosts": len(hosts),
        "checked": sum(1 for host in hosts if counted(host)),
        "verdicts": verdicts,
        "differences": standings,
        "by_blast": blasts,
        "by_name": by_name[:_MOST_NAMES],
        "by_name_left_out": max(len(by_name) - _MOST_NAMES, 0),
        "roles": [roles[role] for role in sorted(roles)],
        "unknown": sum(len(host["unknown"]) + host["unknown_left_out"] for host in hosts),
        "not_checked": [{key: host[key] for key in ("name", "state", "problem")} for host in hosts if not counted(host)],
    }


def worst_first(hosts: t.Iterable[Dict]) -> list[Dict]:
    """Return hosts in the order in which a person wants to read of them."""
    return sorted(hosts, key=lambda host: (_VERDICT_ORDER[host["verdict"]], -BLASTS.index(host["blast"] or BLASTS[0]), host["name"]))
