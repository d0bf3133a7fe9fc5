# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Results as modules return them, good ones and hostile ones, for the tests of the reports."""

from __future__ import annotations

import copy
import datetime
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, score, severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    CONTAINER,
    FAIL,
    HOST,
    NOT_APPLICABLE,
    PASS,
    UNKNOWN,
    Evidence,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document

GENERATED = "2026-11-26T11:00:00Z"
VERSION = "0.1.0"

# Everything that a terminal, a browser, an XML parser or a reader of metrics could obey. The letters around tell where a text is broken.
HOSTILE = (
    "<script>alert(1)</script>",
    "</failure></testcase><testcase name='passed'/>",
    "]]><![CDATA[",
    "&lt;&unknown;<!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "a\x00b\x01c\x7fd\x9be",
    "\ud800lone\udfff",
    "gpj.\u202eexe\u2066\u2069\u200f",
    "two\nlines\r\nand\ttabs\u2028\u2029\x85",
    'quote" backslash\\ brace} equals= {a="b"} 1\n# TYPE x counter\nx 1',
    "{{ lookup('pipe', 'id') }}{% raw %}",
    "[link](https://evil.example/) {0} %s ${HOME} `id`",
    "\ufffe\uffff\ufdd0\U0001ffff\U000e0041\ufeff",
    "'; DROP TABLE findings; --",
    "../../../../etc/passwd",
    "漢字かな\u0301" * 5,
    "=cmd|' /C calc'!A0",
    "",
    " ",
)
# What must never stand in an output besides the line breaks that a writer makes itself.
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")


def _never(_subject: Subject) -> Outcome:
    raise AssertionError("examples are judged by hand")


def rule(name: str, attacker: str = severity.FROM_CONTAINER, reach: str = severity.HOST_ROOT, **more: t.Any) -> Rule:
    """Return a rule; by default its failure is critical."""
    return Rule(
        **{
            "id": name,
            "title": f"The rule {name} holds",
            "why": f"Without {name} the host is open.",
            "applies_to": (HOST, CONTAINER, COMPOSE_SERVICE),
            "check": _never,
            "attacker": attacker,
            "reach": reach,
            "remedy": f"Set {name}.",
            "blast": severity.RECREATE,
            "variable": "docker_daemon_settings",
            "cis_1_6": ("5.5",),
            "cis_1_8": ("5.5", "5.6"),
            "references": ("ATT&CK T1611",),
            **more,
        }
    )


PRIVILEGED = rule("container-not-privileged")
TRACES = rule("logs-are-kept", severity.FROM_NETWORK, severity.TRACES)
LIMITS = rule("memory-is-limited", severity.FROM_CONTAINER, severity.AVAILABILITY)


def finding(
    of: Rule = PRIVILEGED, status: str = FAIL, subject: str = "web", kind: str = CONTAINER, host: str = "alpha", file: str = "", line: int = 0, **more: t.Any
) -> dict[str, t.Any]:
    """Return a finding as modules return it."""
    outcome = Outcome(
        status,
        (Evidence("/containers/{id}/json#/HostConfig/Privileged", "yes" if status == FAIL else "no", "no", file, line),),
        {UNKNOWN: "the API was not asked", NOT_APPLICABLE: "there is no swarm"}.get(status, ""),
    )
    made = evaluate.finding(of, Subject(kind, subject, {}, {}, file, line), outcome, host, ()).as_dict()
    return {**made, **more}


def waiver(days: int = 10) -> dict[str, str]:
    """Return a waiver that ends so many days after GENERATED."""
    ends = datetime.date.fromisoformat(GENERATED[:10]) + datetime.timedelta(days=days)
    return {"owner": "ops", "reason": "the vendor wants it", "expires": ends.isoformat(), "compensation": "watched by falco"}


def findings(host: str = "alpha") -> list[dict[str, t.Any]]:
    """Return one finding of each status, a waived one, and one for the host."""
    return [
        finding(host=host),
        finding(LIMITS, FAIL, "db", host=host, waiver=waiver()),
        finding(TRACES, FAIL, "alpha", HOST, host=host),
        finding(TRACES, PASS, "web", host=host),
        finding(LIMITS, PASS, "web", host=host),
        finding(LIMITS, UNKNOWN, "cache", host=host),
        finding(PRIVILEGED, NOT_APPLICABLE, "cache", host=host),
    ]


def path(host: str = "alpha") -> dict[str, t.Any]:
    """Return an attack path."""
    return {
        "id": "socket-to-root",
        "title": "From web to root of the host",
        "severity": "critical",
        "subjects": [{"kind": CONTAINER, "name": "web"}, {"kind": CONTAINER, "name": "db"}],
        "steps": ["web reaches the socket of the engine", {"subject": "db", "title": "it starts a privileged container"}],
        "remediation": "Take the socket away.",
        "host": host,
    }


def result(name: str = "alpha", items: list[dict[str, t.Any]] | None = None, **more: t.Any) -> dict[str, t.Any]:
    """Return what docker_host_audit returns for a host."""
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Finding

    chosen = findings(name) if items is None else items
    typed = [Finding(**{**item, "evidence": tuple(Evidence(**piece) for piece in item["evidence"])}) for item in chosen]
    return {
        "name": name,
        "changed": False,
        "engine": {"product": "docker", "version": "29.7.2", "api_version": "1.52"},
        "findings": chosen,
        "attack_paths": [],
        "score": score.score(typed),
        "coverage": score.coverage(typed),
        "subjects": {"container": 3, "host": 1},
        "duration": 1.25,
        "api_calls": 12,
        **more,
    }


def project() -> dict[str, t.Any]:
    """Return what docker_compose_audit returns for a project."""
    items = [
        finding(host="", kind=COMPOSE_SERVICE, file="/srv/shop/compose files/compose.yml", line=12),
        finding(TRACES, PASS, host="", kind=COMPOSE_SERVICE, file="/srv/shop/compose files/compose.yml", line=4),
        finding(LIMITS, FAIL, "outside", host="", kind=COMPOSE_SERVICE, file="/opt/other.yml"),
    ]
    made = result("shop", items)
    for key in ("engine", "api_calls"):
        del made[key]
    return {**made, "kind": "compose", "subjects": {}}


def fleet() -> list[t.Any]:
    """Return results of every kind that there is."""
    return [
        result("beta", [finding(host="beta"), finding(TRACES, PASS, host="beta")]),
        result(attack_paths=[path()]),
        project(),
        {"name": "gamma", "unreachable": True, "msg": "Connection timed out"},
        {"name": "delta", "failed": True, "msg": "The module needs root."},
        {"name": "epsilon", "missing": True},
        {"name": "zeta", "findings": "none"},
        result("eta", [], subjects={}),
    ]


def made(results: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    """Return the document of results, by default of `fleet`."""
    return document.build(fleet() if results is None else results, GENERATED, VERSION, **more)


def with_text_everywhere(text: str) -> list[t.Any]:
    """Return results in which every text that a host can choose is this one."""
    sample = copy.deepcopy(result(attack_paths=[path()]))
    keep = {"severity", "status", "expires"}

    def spoil(value: t.Any, key: str = "") -> t.Any:
        if isinstance(value, dict):
            return {name: spoil(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoil(item, key) for item in value]
        return text if isinstance(value, str) and key not in keep else value

    spoiled = spoil(sample)
    spoiled["engine"][text] = text
    spoiled["coverage"]["unknown"] = [{"reason": text, "count": 1}]
    spoiled["findings"] += [{**item, "fingerprint": text} for item in spoiled["findings"][:1]]
    return [spoiled, {"name": text, "failed": True, "msg": text}, {"name": text, "unreachable": True, "msg": text}, {**spoiled, "kind": "compose"}]
