# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The one document that every report is written from: what was found on hosts and in projects, checked and in a fixed order.

PRIVATE to the collection: no stability is promised to other users. Its JSON form is public: docs/schemas/report-1.json.

Results come over the wire from managed hosts, so nothing about them is taken for granted. What has not the right shape
makes a report ``damaged`` and is said; it never makes one look better. All texts went through clean.py, so a writer only
has to escape what its own format knows.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity as severities
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    FAIL,
    HOST,
    KINDS,
    NOT_APPLICABLE,
    PASS,
    STATUSES,
    UNKNOWN,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import SEVERITIES, WEIGHTS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.waivers import WAIVER
from ansible_collections.bulkhead.docker.plugins.module_utils.report import clean

SCHEMA = "https://github.com/bulkhead/ansible-collection-docker/blob/main/docs/schemas/report-1.json"
SCHEMA_VERSION = "1.0"

# What a report is about.
HOST_REPORT = "host"
COMPOSE_REPORT = "compose"

# Whether its findings are the whole story. Only `judged` counts in the fleet.
JUDGED = "judged"
DAMAGED = "damaged"
FAILED = "failed"
UNREACHABLE = "unreachable"
MISSING = "missing"
STATES = (JUDGED, DAMAGED, FAILED, UNREACHABLE, MISSING)

ATTACK_PATH = "attack path"
EXPIRES_SOON_DAYS = 30

_MOST_FINDINGS = 100_000
_MOST_ITEMS = 50
_MOST_REASONS = 200
_MOST_RULES = 1000
_WORST = 20
_STATUS_ORDER = {status: number for number, status in enumerate(STATUSES)}
_SEVERITY_ORDER = {severity: number for number, severity in enumerate(SEVERITIES)}
_FINGERPRINT = re.compile(r"[0-9a-f]{16}\Z")
_WAIVER_KEYS = ("owner", "reason", "expires", "compensation")
# Different at every run without anything else being different; not part of the digest.
_FLEETING = ("duration", "api_calls")

Dict = dict[str, t.Any]


class DocumentError(ValueError):
    """The caller gave what is no list of results or no time; the message says what to give."""


def build(results: t.Any, generated: str, collection_version: str, base: str = "") -> Dict:
    """Return the document.

    Args:
        results: for each host or project what docker_host_audit or docker_compose_audit returned, with ``name`` (or
            ``host``, ``project``) beside; what Ansible says of hosts that failed or were unreachable is taken as well.
        generated: when the look was made, as an ISO 8601 time; without a zone it is UTC.
        collection_version: of this collection.
        base: directory on the controller; paths of files below it are shown relative to it.

    Raises:
        DocumentError: results or generated are of the wrong kind.
    """
    if not isinstance(results, (list, tuple)):
        raise DocumentError(f"results is {type(results).__name__}; give a list with the result of each host or project")
    moment = _moment(generated)
    reader = _Reader(base)
    reports = sorted((reader.report(result, number) for number, result in enumerate(results, start=1)), key=_report_order)
    _give_each_its_own_name(reports)
    return _made(reports, f"{moment.date().isoformat()}T{moment:%H:%M:%S}Z", clean.name(collection_version))


def part(document: t.Mapping[str, t.Any], report: Dict) -> Dict:
    """Return the document of one report of a document alone."""
    return _made([report], document["generated"], document["collection_version"])


def _made(reports: t.Sequence[Dict], generated: str, collection_version: str) -> Dict:
    document: Dict = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "collection_version": collection_version,
        "generated": generated,
        "content": "",
        "fleet": _fleet(reports, datetime.date.fromisoformat(generated[:10])),
        "reports": list(reports),
    }
    document["content"] = _digest(document)
    return document


def days_left(document: t.Mapping[str, t.Any], expires: str) -> int:
    """Return how many days a waiver still counts after the day of the document; negative when it has expired."""
    return (datetime.date.fromisoformat(expires) - datetime.date.fromisoformat(document["generated"][:10])).days


def _moment(generated: t.Any) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", generated))
        return (moment.replace(tzinfo=datetime.timezone.utc) if moment.tzinfo is None else moment).astimezone(datetime.timezone.utc)
    except (TypeError, ValueError, OverflowError) as error:
        raise DocumentError(f"generated is {clean.name(generated)!r}, which is no time; write it as 2027-01-31T12:00:00Z") from error


def _digest(document: t.Mapping[str, t.Any]) -> str:
    """Return what is the same for two documents that differ only in when they were made and how long that took."""
    digest = hashlib.sha256()
    for part in ({key: document[key] for key in ("schema_version", "collection_version", "fleet")}, *document["reports"]):
        lasting = {key: value for key, value in part.items() if key not in _FLEETING}
        digest.update(json.dumps(lasting, sort_keys=True, separators=(",", ":")).encode("ascii"))
    return digest.hexdigest()[:32]


def _report_order(report: Dict) -> tuple[t.Any, ...]:
    return (report["kind"], report["name"], report["state"], len(report["findings"]), report["problem"])


def _give_each_its_own_name(reports: t.Sequence[Dict]) -> None:
    """Number names that come twice: metrics and test suites are told apart by them."""
    taken: set[tuple[str, str]] = set()
    for report in reports:
        wanted, number = report["name"], 1
        while (report["kind"], report["name"]) in taken:
            number += 1
            report["name"] = f"{wanted} ({number})"
        taken.add((report["kind"], report["name"]))
        if number > 1:
            for item in (*report["findings"], *report["attack_paths"]):
                item["host"] = report["name"] if report["kind"] == HOST_REPORT else ""


class _Reader:
    """Reads results; keeps what it cleaned, since two hundred hosts say the same about the same rule."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/") + "/" if base else ""
        self._seen: dict[str, str] = {}

    def text(self, value: t.Any) -> str:
        if not isinstance(value, str) or len(value) > clean.LONG:
            return clean.text(value)
        found = self._seen.get(value)
        if found is None:
            found = self._seen[value] = clean.text(value)
        return found

    def texts(self, value: t.Any) -> list[str]:
        if not isinstance(value, (list, tuple)):
            return []
        return [text for text in map(self.text, value[:_MOST_ITEMS]) if text]

    def file(self, value: t.Any) -> str:
        path = self.text(value)
        if self._base and path.startswith(self._base):
            path = path[len(self._base):]
        return path[2:] if path.startswith("./") else path

    def report(self, result: t.Any, number: int) -> Dict:
        """Return what one result says, whatever it is."""
        values: t.Mapping[str, t.Any] = result if isinstance(result, t.Mapping) else {}
        problems: list[str] = []
        state = _state(result, problems)
        kind = kind_of(values)
        name = _name(values, kind, number)
        host = name if kind == HOST_REPORT else ""
        findings, paths, left_out = self._judgements(values, host, problems) if state == JUDGED else ([], [], 0)
        if state == JUDGED and problems:
            state = DAMAGED
        score, coverage = _score(values.get("score"), findings), self._coverage(values.get("coverage"), findings)
        return {
            "name": name,
            "kind": kind,
            "state": state,
            "problem": self.text(" ".join(problems)),
            "engine": self._engine(values.get("engine")),
            "score": score,
            "coverage": coverage,
            "waived": sum(1 for item in findings if item["waiver"]),
            "subjects": self._subjects(values.get("subjects"), findings),
            "duration": clean.number(values.get("duration")),
            "api_calls": clean.whole(values.get("api_calls")),
            "findings_left_out": left_out,
            "attack_paths": paths,
            "findings": findings,
        }

    def _judgements(self, values: t.Mapping[str, t.Any], host: str, problems: list[str]) -> tuple[list[Dict], list[Dict], int]:
        given = values.get("findings")
        if not isinstance(given, (list, tuple)):
            problems.append(f"Report damaged: findings is {'missing' if given is None else type(given).__name__}, not a list.")
            given = ()
        separate = values.get("attack_paths")
        if separate is not None and not isinstance(separate, (list, tuple)):
            problems.append(f"Report damaged: attack_paths is {type(separate).__name__}, not a list.")
            separate = ()
        read = [self._finding(item, host) for item in given]
        damaged = read.count(None)
        if damaged:
            problems.append(f"Report damaged: {damaged} of its {len(read)} findings cannot be read and are left out.")
        known = [item for item in read if item is not None]
        paths = [item for item in known if item["kind"] == ATTACK_PATH]
        findings = sorted((item for item in known if item["kind"] != ATTACK_PATH), key=_finding_order)
        listed = [self._attack_path(item, host) for item in separate or ()]
        damaged = listed.count(None)
        if damaged:
            problems.append(f"Report damaged: {damaged} of its {len(listed)} attack paths cannot be read and are left out.")
        # A list of its own says more about a path than the finding for it.
        every = {(item["rule"], item["title"], item["subject"]): item for item in (*paths, *(item for item in listed if item is not None))}
        ordered = sorted(every.values(), key=_finding_order)
        return findings[:_MOST_FINDINGS], ordered[:_MOST_FINDINGS], max(len(findings) - _MOST_FINDINGS, 0) + max(len(ordered) - _MOST_FINDINGS, 0)

    def _finding(self, raw: t.Any, host: str) -> Dict | None:
        """Return a finding with every key that model.Finding has, or None where it cannot be read."""
        if not isinstance(raw, t.Mapping):
            return None
        rule, status, severity = clean.name(raw.get("rule")), raw.get("status"), raw.get("severity")
        if not rule or not isinstance(status, str) or status not in _STATUS_ORDER or not isinstance(severity, str) or severity not in _SEVERITY_ORDER:
            return None
        line = clean.whole(raw.get("line")) or 0
        evidence = raw.get("evidence")
        item: Dict = {
            "rule": rule,
            "title": self.text(raw.get("title")) or rule,
            "severity": SEVERITIES[_SEVERITY_ORDER[severity]],
            "status": STATUSES[_STATUS_ORDER[status]],
            "host": host,
            "subject": clean.name(raw.get("subject")),
            "kind": clean.name(raw.get("kind")),
            "file": self.file(raw.get("file")),
            "line": line,
            "evidence": [self._evidence(piece) for piece in evidence[:_MOST_ITEMS]] if isinstance(evidence, (list, tuple)) else [],
            "evidence_left_out": max(len(evidence) - _MOST_ITEMS, 0) if isinstance(evidence, (list, tuple)) else 0,
            "reason": self.text(raw.get("reason")),
            "why": self.text(raw.get("why")),
            "remediation": self.text(raw.get("remediation")),
            "blast": self.text(raw.get("blast")),
            "variable": self.text(raw.get("variable")),
            "cis_1_6": self.texts(raw.get("cis_1_6")),
            "cis_1_8": self.texts(raw.get("cis_1_8")),
            "references": self.texts(raw.get("references")),
            "fingerprint": "",
            "waiver": self._waiver(raw.get("waiver")) if status == FAIL else None,
        }
        if status in (FAIL, UNKNOWN):
            given = raw.get("fingerprint")
            item["fingerprint"] = str(given) if isinstance(given, str) and _FINGERPRINT.match(given) else _fingerprint(item)
        return item

    def _evidence(self, raw: t.Any) -> Dict:
        if not isinstance(raw, t.Mapping):
            return {"source": "", "observed": self.text(raw), "expected": "", "file": "", "line": 0}
        return {
            "source": self.text(raw.get("source")),
            "observed": self.text(raw.get("observed")),
            "expected": self.text(raw.get("expected")),
            "file": self.file(raw.get("file")),
            "line": clean.whole(raw.get("line")) or 0,
        }

    def _waiver(self, raw: t.Any) -> Dict | None:
        """Return a waiver, or None where it says not who, why and until when: then the failure stands."""
        if not isinstance(raw, t.Mapping):
            return None
        waiver = {key: self.text(raw.get(key)) for key in _WAIVER_KEYS}
        try:
            waiver["expires"] = datetime.date.fromisoformat(waiver["expires"]).isoformat()
        except ValueError:
            return None
        return waiver if waiver["owner"] and waiver["reason"] else None

    def _attack_path(self, raw: t.Any, host: str) -> Dict | None:
        """Return an attack path in the form of a finding: its steps are the evidence, in their order."""
        if not isinstance(raw, t.Mapping):
            return None
        subjects = [text for text in map(self._subject, _listed(raw.get("subjects"))) if text] or self.texts([raw.get("subject")])
        steps = next((raw[key] for key in ("steps", "evidence", "findings") if isinstance(raw.get(key), (list, tuple))), ())
        return self._finding(
            {
                **raw,
                "rule": raw.get("rule") or raw.get("id") or "attack-path",
                "status": raw.get("status", FAIL),
                "subject": ", ".join(subjects),
                "kind": ATTACK_PATH,
                "why": raw.get("why") or raw.get("summary"),
                "evidence": [self._step(step) for step in steps],
            },
            host,
        )

    def _subject(self, raw: t.Any) -> str:
        if isinstance(raw, t.Mapping):
            return " ".join(filter(None, (clean.name(raw.get("kind")), clean.name(raw.get("name") or raw.get("subject")))))
        return clean.name(raw)

    def _step(self, raw: t.Any) -> Dict:
        if not isinstance(raw, t.Mapping) or "observed" in raw:
            return self._evidence(raw)
        observed = next((raw[key] for key in ("text", "title", "reason") if raw.get(key)), "")
        return {**self._evidence(raw), "source": self.text(raw.get("source") or raw.get("subject") or raw.get("rule")), "observed": self.text(observed)}

    def _engine(self, raw: t.Any) -> dict[str, str]:
        if not isinstance(raw, t.Mapping):
            return {}
        found = {}
        for key, value in list(raw.items())[:_MOST_ITEMS]:
            shown = ", ".join(self.texts(value)) if isinstance(value, (list, tuple)) else self.text(value)
            if isinstance(key, str) and shown:
                found[clean.name(key)] = shown
        return dict(sorted(found.items()))

    def _subjects(self, raw: t.Any, findings: t.Sequence[Dict]) -> dict[str, int]:
        given = {kind: clean.whole(raw.get(kind)) for kind in KINDS} if isinstance(raw, t.Mapping) else {}
        seen: dict[str, set[tuple[str, str]]] = {}
        for item in findings:
            if item["kind"] in KINDS:
                seen.setdefault(item["kind"], set()).add((item["subject"], item["file"] if item["kind"] != HOST else ""))
        counts = {kind: max(given.get(kind) or 0, len(seen.get(kind, ()))) for kind in KINDS}
        return {kind: count for kind, count in counts.items() if count}

    def _coverage(self, raw: t.Any, findings: t.Sequence[Dict]) -> Dict:
        judged = sum(1 for item in findings if item["status"] in (PASS, FAIL))
        reasons: dict[str, int] = {}
        for item in findings:
            if item["status"] == UNKNOWN:
                reasons[item["reason"]] = reasons.get(item["reason"], 0) + 1
        unknown = sum(reasons.values())
        given = raw if isinstance(raw, t.Mapping) else {}
        claimed, applicable = clean.whole(given.get("judged")), clean.whole(given.get("applicable"))
        about_waivers = sum(1 for item in findings if item["kind"] == WAIVER)
        if claimed is not None and applicable is not None and claimed >= judged - about_waivers and applicable - claimed >= unknown:
            # A module that was told to return only failures counted more than it shows.
            judged, unknown = max(claimed, judged), applicable - claimed
            for row in _listed(given.get("unknown"))[:_MOST_REASONS]:
                if isinstance(row, t.Mapping) and clean.whole(row.get("count")):
                    reason = self.text(row.get("reason"))
                    reasons[reason] = max(reasons.get(reason, 0), clean.whole(row.get("count")) or 0)
        return {"percent": _percent(judged, judged + unknown), "judged": judged, "applicable": judged + unknown, "unknown": _rows(reasons)}


def _state(result: t.Any, problems: list[str]) -> str:
    """Return a state, with the reason added to problems where it is not JUDGED."""
    if not isinstance(result, t.Mapping):
        problems.append(f"Report damaged: the result is {type(result).__name__}, not a dictionary.")
        return DAMAGED
    said = clean.text(result.get("msg"), 500)
    has_findings = "findings" in result
    if result.get("unreachable"):
        problems.append(said or "The host was not reachable.")
        return UNREACHABLE
    if result.get("damaged"):
        problems.append(said or "Report damaged.")
        return DAMAGED
    if has_findings:
        return JUDGED
    if result.get("failed"):
        problems.append(said or "The audit failed and did not say why.")
        return FAILED
    if result.get("skipped") or result.get("missing") or not set(result) - {"name", "host", "project", "kind", "changed", "msg"}:
        problems.append(said or "There is no result.")
        return MISSING
    problems.append("Report damaged: the result has no findings.")
    return DAMAGED


def kind_of(values: t.Mapping[str, t.Any]) -> str:
    """Return what a result is about: HOST_REPORT or COMPOSE_REPORT."""
    if values.get("kind") in (HOST_REPORT, COMPOSE_REPORT):
        return str(values["kind"])
    if values.get("host") or values.get("engine"):
        return HOST_REPORT
    subjects = values.get("subjects")
    if "project" in values or "projects" in values or "files" in values or (isinstance(subjects, t.Mapping) and COMPOSE_SERVICE in subjects):
        return COMPOSE_REPORT
    return HOST_REPORT


def _name(values: t.Mapping[str, t.Any], kind: str, number: int) -> str:
    found = next((clean.name(values[key]) for key in ("name", "host", "project") if isinstance(values.get(key), str) and values[key]), "")
    if not found and kind == HOST_REPORT:
        first = next(iter(_listed(values.get("findings"))), None)
        found = clean.name(first.get("host")) if isinstance(first, t.Mapping) else ""
    return found or (f"host {number}" if kind == HOST_REPORT else f"project {number}")


def _listed(value: t.Any) -> t.Sequence[t.Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _finding_order(item: Dict) -> tuple[t.Any, ...]:
    return (
        _STATUS_ORDER[item["status"]],
        item["waiver"] is not None,
        _SEVERITY_ORDER[item["severity"]],
        item["kind"],
        item["subject"],
        item["rule"],
        item["file"],
        item["line"],
        item["fingerprint"],
        item["reason"],
    )


def _fingerprint(item: Dict) -> str:
    text = "\0".join((item["rule"], item["host"], item["kind"], item["subject"], item["file"]))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _percent(part: int, whole: int) -> float | None:
    # Rounded down: 99.96 is not 100.
    return int(part * 1000 / whole) / 10 if whole else None


def _rows(reasons: t.Mapping[str, int]) -> list[Dict]:
    ordered = sorted(reasons.items(), key=lambda row: (-row[1], row[0]))
    return [{"reason": reason, "count": count} for reason, count in ordered[:_MOST_REASONS]]


def _score(raw: t.Any, findings: t.Sequence[Dict]) -> Dict:
    """Return the score that a result gives, or the one of its findings where it does not fit them.

    A module returns only failures and what is unknown unless it is asked for more, so a score may count more than is shown.
    """
    counts = dict.fromkeys((PASS, FAIL, UNKNOWN, NOT_APPLICABLE), 0)
    failed, waived = dict.fromkeys(SEVERITIES, 0), dict.fromkeys(SEVERITIES, 0)
    passed = lost = forgiven = 0
    for item in findings:
        counts[item["status"]] += 1
        weight = WEIGHTS[item["severity"]]
        if item["status"] == PASS:
            passed += weight
        elif item["status"] == FAIL:
            (waived if item["waiver"] else failed)[item["severity"]] += 1
            lost += weight
            forgiven += weight if item["waiver"] else 0
    # A module may count the findings about waivers themselves or not.
    own = [item for item in findings if item["kind"] != WAIVER]
    least = {status: sum(1 for item in own if item["status"] == status) for status in counts}
    given = raw if isinstance(raw, t.Mapping) else {}
    claimed = given.get("counts")
    weights = clean.whole(given.get("weight_passed")), clean.whole(given.get("weight_judged"))
    if (
        isinstance(claimed, t.Mapping)
        and all((clean.whole(claimed.get(status)) or 0) >= count for status, count in least.items())
        and weights[0] is not None
        and weights[1] is not None
        and weights[0] <= weights[1]
    ):
        # It knows which rules cannot fail in the release, and may have counted what it was told not to return.
        counts = {status: max(clean.whole(claimed.get(status)) or 0, count) for status, count in counts.items()}
        claimed = given.get("failed_by_severity")
        if isinstance(claimed, t.Mapping):
            failed = {severity: max(clean.whole(claimed.get(severity)) or 0, count) for severity, count in failed.items()}
        passed, lost = weights[0], weights[1] - weights[0]
        forgiven = min(forgiven, lost)
    return {
        "percent": _percent(passed, passed + lost),
        "percent_waived": _percent(passed + forgiven, passed + lost),
        "weight_passed": passed,
        "weight_judged": passed + lost,
        "counts": counts,
        "failed_by_severity": failed,
        "waived_by_severity": waived,
    }


def _fleet(reports: t.Sequence[Dict], today: datetime.date) -> Dict:
    judged = [report for report in reports if report["state"] == JUDGED]
    weights = {key: sum(report["score"][key] for report in judged) for key in ("weight_passed", "weight_judged")}
    forgiven = sum(WEIGHTS[item["severity"]] for report in judged for item in report["findings"] if item["waiver"])
    forgiven = min(forgiven, weights["weight_judged"] - weights["weight_passed"])
    coverage = {key: sum(report["coverage"][key] for report in judged) for key in ("judged", "applicable")}
    reasons: dict[str, int] = {}
    for report in judged:
        for row in report["coverage"]["unknown"]:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["count"]
    worst = sorted((report for report in judged if any(report["score"]["failed_by_severity"].values())), key=_worst_first)
    return {
        "reports": len(reports),
        "judged": len(judged),
        "not_judged": [{key: report[key] for key in ("name", "kind", "state", "problem")} for report in reports if report["state"] != JUDGED],
        "score": {
            "percent": _percent(weights["weight_passed"], weights["weight_judged"]),
            "percent_waived": _percent(weights["weight_passed"] + forgiven, weights["weight_judged"]),
            **weights,
            "counts": {status: sum(report["score"]["counts"][status] for report in judged) for status in (PASS, FAIL, UNKNOWN, NOT_APPLICABLE)},
            "failed_by_severity": _by_severity(judged, "failed_by_severity"),
            "waived_by_severity": _by_severity(judged, "waived_by_severity"),
        },
        "coverage": {"percent": _percent(coverage["judged"], coverage["applicable"]), **coverage, "unknown": _rows(reasons)},
        "attack_paths": sum(1 for report in judged for item in report["attack_paths"] if item["status"] == FAIL and not item["waiver"]),
        "worst": [
            {
                "name": report["name"],
                "kind": report["kind"],
                "percent": report["score"]["percent"],
                "failed_by_severity": report["score"]["failed_by_severity"],
            }
            for report in worst[:_WORST]
        ],
        "rules": _rules(reports),
        "waivers_expiring": _expiring(reports, today),
    }


def _by_severity(reports: t.Sequence[Dict], key: str) -> dict[str, int]:
    return {severity: sum(report["score"][key][severity] for report in reports) for severity in SEVERITIES}


def _worst_first(report: Dict) -> tuple[t.Any, ...]:
    failed = report["score"]["failed_by_severity"]
    percent = report["score"]["percent"]
    return (*(-failed[severity] for severity in SEVERITIES), -1 if percent is None else percent, report["kind"], report["name"])


def _rules(reports: t.Sequence[Dict]) -> list[Dict]:
    """Return the rules that fail without a waiver: how bad at worst, on how many hosts or projects, for how many subjects."""
    rows: dict[str, Dict] = {}
    titles: dict[str, dict[str, int]] = {}
    for number, report in enumerate(reports):
        for item in report["findings"]:
            if item["status"] != FAIL or item["waiver"]:
                continue
            row = rows.setdefault(item["rule"], {"severity": item["severity"], "reports": 0, "findings": 0, "last": -1})
            row["findings"] += 1
            if row["last"] != number:
                row["last"] = number
                row["reports"] += 1
                # What most of them call it, so that no single host gives a rule its name.
                said = titles.setdefault(item["rule"], {})
                said[item["title"]] = said.get(item["title"], 0) + 1
            if severities.at_least(item["severity"], row["severity"]):
                row["severity"] = item["severity"]
    found = [
        {
            "rule": rule,
            "title": min(titles[rule], key=lambda title, said=titles[rule]: (-said[title], title)),  # type: ignore[misc]
            "severity": row["severity"],
            "reports": row["reports"],
            "findings": row["findings"],
        }
        for rule, row in rows.items()
    ]
    return sorted(found, key=lambda row: (_SEVERITY_ORDER[row["severity"]], -row["reports"], row["rule"]))[:_MOST_RULES]


def _expiring(reports: t.Sequence[Dict], today: datetime.date) -> list[Dict]:
    """Return the waivers that end within EXPIRES_SOON_DAYS, the next one first."""
    last = (today + datetime.timedelta(days=EXPIRES_SOON_DAYS)).isoformat() if today.year < datetime.MAXYEAR else f"{datetime.MAXYEAR}-12-31"
    found = [
        {"name": report["name"], "rule": item["rule"], "subject": item["subject"], "owner": item["waiver"]["owner"], "expires": item["waiver"]["expires"]}
        for report in reports
        for item in (*report["attack_paths"], *report["findings"])
        if item["waiver"] and item["waiver"]["expires"] <= last
    ]
    return sorted(found, key=lambda row: (row["expires"], row["name"], row["rule"], row["subject"]))[:_MOST_REASONS]
