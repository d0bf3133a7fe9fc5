# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document as one HTML page that a person reads, and that asks nothing of any network.

PRIVATE to the collection: no stability is promised to other users.

What matters most is plain HTML and needs no script: score and coverage, attack paths, critical and high failures, waivers,
what is unknown. The list of every finding is made on demand by html_script.py from the data of html_data.py. A policy in the
page lets exactly its own sheet and script run, by their digests; no address leads out of it, since texts of hosts are in it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
import re
import typing as t
import urllib.parse

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import FAIL, PASS, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    CRITICAL,
    HIGH,
    HOST_ROOT,
    SEVERITIES,
    WEIGHTS,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.waivers import WAIVER
from ansible_collections.bulkhead.docker.plugins.module_utils.report import clean, phrases
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import (
    COMPOSE_REPORT,
    EXPIRES_SOON_DAYS,
    JUDGED,
    days_left,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report.html_data import LONGEST, packed, script_json
from ansible_collections.bulkhead.docker.plugins.module_utils.report.html_script import SCRIPT
from ansible_collections.bulkhead.docker.plugins.module_utils.report.html_style import STYLE

# How much stands in the page as HTML. The rest is in the list of all findings, and is counted where it is left out.
_MOST_HOSTS = 20
_MOST_PATHS = 60
_FIRST_PATHS = 12
_MOST_CARDS = 60
_FIRST_CARDS = 25
_FIRST_PLACES = 6
_MOST_PLACES = 30
_FIRST_NAMES = 4
_MOST_NAMES = 12
_MOST_WAIVERS = 200
_MOST_REASONS = 60
_LONGEST_STEP = 600

_CODE = re.compile(r"`([^`]+)`")
_TO_ROOT = frozenset(rule.id for rule in attack_paths.RULES if rule.reach == HOST_ROOT)

Item = t.Mapping[str, t.Any]
# A finding with the report that it belongs to.
Placed = tuple[Item, Item]


def render(document: Item) -> str:
    """Return the page."""
    body = _body(document)
    data = script_json(packed(document, lambda expires: _days_left(document, expires)))
    policy = f"default-src 'none'; style-src '{_digest(STYLE)}'; script-src '{_digest(SCRIPT)}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{_e(_title(document))}</title>\n<style>{STYLE}</style>\n</head>\n"
        f'<body>\n{body}\n<script type="application/json" id="data">{data}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _body(document: Item) -> str:
    reports: t.Sequence[Item] = document.get("reports", ())
    several = len(reports) > 1
    paths = [(report, item) for report in reports for item in report.get("attack_paths", ()) if item["status"] == FAIL]
    failures = [(report, item) for report in reports for item in report.get("findings", ()) if item["status"] == FAIL]
    open_paths = [placed for placed in paths if not placed[1]["waiver"]]
    worst = [placed for placed in failures if placed[1]["severity"] in (CRITICAL, HIGH) and not placed[1]["waiver"]]
    sections = (
        _summary(document, several),
        _attack_paths(open_paths, len(paths) - len(open_paths), document, several),
        _critical_and_high(worst, document, several),
        _every_finding(document),
        _waivers([*paths, *failures], document, several),
        _unknown(reports, document, several),
        _reading(),
    )
    return "\n".join((_header(document), "<main>", *sections, "</main>", _footer(document)))


# Small parts.


def _e(value: t.Any, limit: int = LONGEST) -> str:
    return html.escape(clean.text(value, limit))


def _prose(value: t.Any) -> str:
    """Return a text in which what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", _e(value))


def _n(number: int) -> str:
    return f"{number:,}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{_n(number)} {one if number == 1 else many or one + 's'}"


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}&nbsp;%"


def _tag(severity: str, before: str = "") -> str:
    return f'<span class="tag {severity}">{before}{severity.capitalize()}</span>'


def _bar(part: float | None, also: float | None = None) -> str:
    more = f'<rect class="also" width="{also}" height="8"/>' if also is not None and part is not None and also > part else ""
    own = f'<rect class="part" width="{part}" height="8"/>' if part else ""
    return f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="all" width="100" height="8"/>{more}{own}</svg>'


def _more(label: str, inner: str) -> str:
    return f'<details class="more"><summary>{label}</summary>{inner}</details>'


def _some(parts: t.Sequence[str], first: int, label: t.Callable[[int], str], around: t.Callable[[str], str] = lambda inner: inner) -> str:
    """Return the first parts, and the others behind a line that opens."""
    # One line that opens for a single part would be longer than the part.
    first = len(parts) if len(parts) == first + 1 else first
    rest = parts[first:]
    return around("".join(parts[:first])) + (_more(label(len(rest)), around("".join(rest))) if rest else "")


def _section(name: str, title: str, lead: str, inner: str) -> str:
    told = f"<p>{lead}</p>" if lead else ""
    return f'<section id="{name}" aria-labelledby="h-{name}">\n<h2 id="h-{name}">{title}</h2>{told}\n{inner}\n</section>'


def _names(names: t.Sequence[str]) -> str:
    """Return names as part of a sentence."""
    shown = [f"<strong>{_e(name, clean.SHORT + 50)}</strong>" for name in names]
    if len(shown) > _MOST_NAMES:
        return f"{', '.join(shown[:_FIRST_NAMES])} and {_n(len(shown) - _FIRST_NAMES)} more"
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else "".join(shown)


def _reports_of(placed: t.Iterable[Placed]) -> list[str]:
    return list(dict.fromkeys(str(report["name"]) for report, _item in placed))


def _where(placed: t.Iterable[Placed]) -> str:
    """Return on how many hosts and projects findings are."""
    return _hosts_and_projects(list({(report.get("kind"), report["name"]): report for report, _item in placed}.values()))


def _hosts_and_projects(reports: t.Sequence[Item]) -> str:
    hosts = sum(1 for report in reports if report.get("kind") != COMPOSE_REPORT)
    projects = len(reports) - hosts
    parts = ([_count(hosts, "host")] if hosts or not projects else []) + ([_count(projects, "project")] if projects else [])
    return " and ".join(parts)


def _query(**chosen: str) -> str:
    """Return the address of the list of all findings with filters, as the script writes it."""
    return "&amp;".join(f"{key}={urllib.parse.quote(clean.text(value, LONGEST), safe='')}" for key, value in chosen.items())


def _days_left(document: Item, expires: str) -> int:
    try:
        return days_left(document, expires)
    except (KeyError, TypeError, ValueError):
        return EXPIRES_SOON_DAYS


def _ends_soon(document: Item, expires: str) -> str:
    days = _days_left(document, expires)
    if days >= EXPIRES_SOON_DAYS:
        return ""
    return f' <span class="tag soon">{"ends today" if days == 0 else "expired" if days < 0 else "ends in " + _count(days, "day")}</span>'


# Head and foot.


def _title(document: Item) -> str:
    reports = document.get("reports", ())
    return f"Docker audit of {reports[0]['name'] if len(reports) == 1 else _hosts_and_projects(reports)}"


def _moment(document: Item) -> str:
    try:
        moment = datetime.datetime.strptime(document["generated"], "%Y-%m-%dT%H:%M:%SZ")
    except (KeyError, TypeError, ValueError):
        return _e(document.get("generated"))
    months = "January February March April May June July August September October November December".split()
    return f'<time datetime="{_e(document["generated"])}">{moment.day} {months[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC</time>'


_SECTIONS = (
    ("summary", "Summary"),
    ("paths", "Attack paths"),
    ("worst", "Critical and high"),
    ("findings", "All findings"),
    ("waivers", "Waivers"),
    ("unknown", "Unknown"),
    ("reading", "How to read this"),
)


def _header(document: Item) -> str:
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _SECTIONS)
    version = _e(document.get("collection_version"))
    return (
        '<a class="skip" href="#summary">Skip to the summary</a>\n<header>\n<div class="masthead">\n'
        f"<div><h1>{_e(_title(document))}</h1><p>{_moment(document)} &middot; {phrases.PRODUCT} {version}</p></div>\n"
        '<div class="controls needs-script" hidden><button type="button" id="print">Print</button> '
        '<button type="button" id="theme">Dark colours</button></div>\n'
        f'</div>\n<nav aria-label="Parts of this report"><ul>{links}</ul></nav>\n</header>'
    )


def _footer(document: Item) -> str:
    parts = [f"{phrases.PRODUCT} {_e(document.get('collection_version'))}", f"schema {_e(document.get('schema_version'))}"]
    if document.get("content"):
        parts.append(f'content <span class="mono">{_e(document["content"])}</span>')
    told = "Two reports with the same content say the same, whenever they were made. This page loads nothing from anywhere."
    return f"<footer><p>{' &middot; '.join(parts)}</p><p>{told}</p></footer>"


# The summary.


def _summary(document: Item, several: bool) -> str:
    reports, fleet = document.get("reports", ()), document.get("fleet", {})
    judged = [report for report in reports if report.get("state", JUDGED) == JUDGED]
    parts = [_not_judged(fleet, reports), _figures(fleet, judged, several), _hosts(document, reports) if several else _about(reports)]
    return _section("summary", "Summary", "", "\n".join(part for part in parts if part))


def _not_judged(fleet: Item, reports: t.Sequence[Item]) -> str:
    rows = fleet.get("not_judged") or ()
    if not rows:
        return ""
    lines = [f"<li><strong>{_e(row['name'])}</strong>: {_e(row['state'])}. {_e(row['problem'])}</li>" for row in rows]
    listed = _some(lines, 8, lambda rest: f"{_n(rest)} more", lambda inner: f"<ul>{inner}</ul>")
    told = "The numbers below are of the others." if len(rows) < len(reports) else "So there is no score."
    return f'<div class="notice" role="note"><h3>{_hosts_and_projects(rows)} not judged</h3><p>{told}</p>{listed}</div>'


def _figures(fleet: Item, judged: t.Sequence[Item], several: bool) -> str:
    score, coverage = fleet.get("score") or {}, fleet.get("coverage") or {}
    return f'<div class="figures">{_score_figure(score, judged, several)}{_coverage_figure(coverage)}{_failures_figure(fleet, score)}</div>'


def _figure(title: str, number: str, inner: str) -> str:
    return f'<div class="figure"><h3>{title}</h3><p class="number">{number}</p>{inner}</div>'


def _big(percent: float | None) -> str:
    return "<small>none</small>" if percent is None else f"{percent:.1f}<small>&nbsp;%</small>"


def _score_figure(score: Item, judged: t.Sequence[Item], several: bool) -> str:
    percent, waived = score.get("percent"), score.get("percent_waived")
    if percent is None:
        return _figure("Score", _big(None), "<p>Nothing could be judged, so there is no score.</p>")
    of = f" on {_hosts_and_projects(judged)}" if several else ""
    told = f"<p>{_n(score['weight_passed'])} of {_n(score['weight_judged'])} points of weight{of}.</p>"
    if waived is not None and waived != percent:
        told += f'<p class="muted small">{_percent(waived)} if waived failures were passes.</p>'
    return _figure("Score", _big(percent), _bar(percent, waived) + told)


def _coverage_figure(coverage: Item) -> str:
    percent = coverage.get("percent")
    if percent is None:
        return _figure("Coverage", _big(None), "<p>No judgement applies.</p>")
    unknown = coverage["applicable"] - coverage["judged"]
    told = f"<p>{_n(coverage['judged'])} of {_n(coverage['applicable'])} judgements that apply could be made.</p>"
    why = f'<p class="muted small">{_n(unknown)} unknown: <a href="#unknown">why</a>.</p>' if unknown else ""
    return _figure("Coverage", _big(percent), _bar(percent) + told + why)


def _failures_figure(fleet: Item, score: Item) -> str:
    failed, waived = score.get("failed_by_severity") or {}, sum((score.get("waived_by_severity") or {}).values())
    total = sum(failed.values())
    paths = fleet.get("attack_paths") or 0
    told = []
    if paths:
        told.append(f'<a href="#paths">{_count(paths, "attack path")}</a>')
    if waived:
        told.append(f'<a href="#waivers">{_n(waived)} waived</a>')
    more = f'<p class="small">{" &middot; ".join(told)}</p>' if told else ""
    return _figure("Failures", _n(total), _tally(failed) + more)


def _tally(failed: Item, **chosen: str) -> str:
    """Return how many failures there are of each severity, each a link to them."""
    parts = [
        f'<a href="#{_query(severity=severity, status=FAIL, **chosen)}">{_tag(severity, f"<b>{_n(failed[severity])}</b> ")}</a>'
        for severity in SEVERITIES
        if failed.get(severity)
    ]
    return f'<div class="tally">{"".join(parts)}</div>' if parts else '<p class="muted small">none</p>'


def _engine(report: Item) -> str:
    engine = report.get("engine") or {}
    return " ".join(_e(engine[key], 80) for key in ("product", "version") if engine.get(key))


def _about(reports: t.Sequence[Item]) -> str:
    """Return what is known of the only host or project besides its numbers."""
    if not reports:
        return '<p class="calm">There is no result in this report.</p>'
    report = reports[0]
    rows = []
    if _engine(report):
        rows.append(("Engine", _engine(report)))
    rows += [(_e(key).replace("_", " ").capitalize(), _e(value)) for key, value in (report.get("engine") or {}).items() if key not in ("product", "version")]
    subjects = [_count(number, _e(kind)) for kind, number in (report.get("subjects") or {}).items() if kind not in ("host", "daemon", "swarm")]
    if subjects:
        rows.append(("Looked at", ", ".join(subjects)))
    if report.get("duration") is not None:
        calls = f" with {_count(report['api_calls'], 'call')} of the API" if report.get("api_calls") else ""
        rows.append(("Took", f"{report['duration']:.2f} s{calls}"))
    return '<dl class="facts">' + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>" if rows else ""


def _hosts(document: Item, reports: t.Sequence[Item]) -> str:
    """Return a row for each host and project, the worst first; those that were not judged come last."""
    ordered = sorted(reports, key=_worst_first)
    rows = [_host(report) for report in ordered]
    head = "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in ("Host", "Score", "Coverage", "Failures", "Paths", "Waived", "Engine"))

    def table(inner: str) -> str:
        return (
            f'<div class="stack"><table role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
            f'<tbody role="rowgroup">{inner}</tbody></table></div>'
        )

    listed = _some(rows, _MOST_HOSTS, lambda rest: f"{_n(rest)} more", table)
    return f"<h3>{'Hosts and projects, the worst first' if _mixed(reports) else 'Hosts, the worst first'}</h3>{listed}"


def _mixed(reports: t.Sequence[Item]) -> bool:
    return any(report.get("kind") == COMPOSE_REPORT for report in reports)


def _worst_first(report: Item) -> tuple[t.Any, ...]:
    failed = report["score"]["failed_by_severity"]
    percent = report["score"]["percent"]
    judged = report.get("state", JUDGED) == JUDGED
    return (not judged, *(-failed[severity] for severity in SEVERITIES), 101 if percent is None else percent, report["name"])


def _host(report: Item) -> str:
    score, coverage = report["score"], report["coverage"]
    name = f"<strong>{_e(report['name'])}</strong>" + (' <span class="muted small">project</span>' if report.get("kind") == COMPOSE_REPORT else "")
    if report.get("state", JUDGED) != JUDGED:
        name += f' <span class="tag soon">{_e(report["state"])}</span>'
    paths = sum(1 for item in report.get("attack_paths", ()) if item["status"] == FAIL and not item["waiver"])
    which = {"project" if report.get("kind") == COMPOSE_REPORT else "host": report["name"]}
    points = f'<span class="muted small">{_n(score["weight_passed"])} of {_n(score["weight_judged"])}</span>' if score["percent"] is not None else ""
    judged = f'<span class="muted small">{_n(coverage["judged"])} of {_n(coverage["applicable"])}</span>' if coverage["percent"] is not None else ""
    cells = (
        ("Score", f"<div>{_percent(score['percent'])} {points}{_bar(score['percent'], score['percent_waived'])}</div>"),
        ("Coverage", f"<div>{_percent(coverage['percent'])} {judged}</div>"),
        ("Failures", _tally(score["failed_by_severity"], **which)),
        ("Paths", _n(paths) if paths else ""),
        ("Waived", _n(report.get("waived") or 0) if report.get("waived") else ""),
        ("Engine", f'<span class="small">{_engine(report)}</span>' if _engine(report) else ""),
    )
    told = "".join(f'<td role="cell" data-label="{label}"{"" if value else " class=empty"}>{value}</td>' for label, value in cells)
    return f'<tr role="row"><th scope="row" role="rowheader">{name}</th>{told}</tr>'


# Attack paths.


def _attack_paths(paths: t.Sequence[Placed], waived: int, document: Item, several: bool) -> str:
    groups: dict[tuple[t.Any, ...], list[Placed]] = {}
    for report, item in paths:
        steps = tuple((piece["observed"], piece["source"]) for piece in item["evidence"])
        groups.setdefault((SEVERITIES.index(item["severity"]), item["rule"], item["title"], item["subject"], item["reason"], steps), []).append((report, item))
    # By severity and then by how many hosts have it.
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1]), group[0][1:]))
    titles = {item["rule"]: item["title"] for report in document.get("reports", ()) for item in report.get("findings", ())}
    cards = [_path(placed, titles, several) for _key, placed in ordered[:_MOST_PATHS]]
    inner = _some(cards, _FIRST_PATHS, lambda rest: _count(rest, "more attack path")) if cards else _no_paths(document)
    if len(ordered) > _MOST_PATHS:
        inner += f"<p>{_count(len(ordered) - _MOST_PATHS, 'more attack path is', 'more attack paths are')} in the list of all findings.</p>"
    if waived:
        told = _count(waived, "attack path is", "attack paths are")
        inner += f'<p class="muted small">{told} accepted by <a href="#waivers">waivers</a> and not shown here.</p>'
    lead = "Failures that together lead somewhere. Each step was found on the host; breaking one step breaks the path."
    return _section("paths", "Attack paths", lead, inner)


def _no_paths(document: Item) -> str:
    coverage = ((document.get("fleet") or {}).get("coverage") or {}).get("percent")
    if coverage is None:
        return '<p class="calm">Nothing could be judged, so no path could be looked for.</p>'
    return f'<p class="calm">No path was found{"" if coverage == 100 else " among what could be judged"}.</p>'


def _path(placed: t.Sequence[Placed], titles: t.Mapping[str, str], several: bool) -> str:
    item = placed[0][1]
    where = [f"on {_names(_reports_of(placed))}"] if several else []
    where.append(f'<span class="mono">{_e(item["rule"])}</span>')
    steps = "".join(f"<li>{_step(piece, titles)}</li>" for piece in item["evidence"])
    if item["rule"] in _TO_ROOT:
        steps += '<li class="end"><strong>Root on the host</strong></li>'
    left = f'<p class="muted small">{_count(item["evidence_left_out"], "more step")} left out.</p>' if item.get("evidence_left_out") else ""
    why = f'<p class="why">{_prose(item["why"])}</p>' if item["why"] else ""
    return (
        f'<article class="card"><div class="head">{_tag(item["severity"])}<h3>{_path_title(item)}</h3></div>'
        f'<p class="where">{" &middot; ".join(where)}</p>{why}'
        f'<div class="columns"><div><ol class="chain">{steps}</ol>{left}</div>{_mend(item)}</div></article>'
    )


def _path_title(item: Item) -> str:
    """Return from where to where a path leads; the title of its rule says what should not be, and serves where nothing else does."""
    reason, subject = str(item["reason"]), str(item["subject"])
    if " -> " in reason:
        return " &rarr; ".join(_e(part) for part in reason.split(" -> "))
    return f"{_e(subject)}: {_prose(reason)}" if subject and reason else _prose(item["title"])


def _step(piece: Item, titles: t.Mapping[str, str]) -> str:
    """Return a step; one that names the rule that fails is shown with what that rule asks."""
    text = clean.text(piece["observed"] or piece["source"], _LONGEST_STEP)
    # attack_paths.py writes "rule: found", for the last step of several containers "container: rule: found".
    parts = text.split(": ")
    place = next((number for number, part in enumerate(parts[:2]) if part in titles and number + 1 < len(parts)), None)
    source = f'<span class="source mono">{_e(piece["source"])}</span>' if piece["observed"] and piece["source"] else ""
    expected = f'<span class="source">should be: {_e(piece["expected"])}</span>' if piece["expected"] else ""
    if place is None:
        return _prose(text) + expected + source
    rule, who = parts[place], f"{_e(parts[0])} is not as it should be: " if place else "Not so: "
    link = f'<a class="mono" href="#{_query(rule=rule)}">{_e(rule)}</a>'
    found = _e(": ".join(parts[place + 1:]))
    return f'{who}{_prose(titles[rule])}<span class="source">found {found} &middot; {link}</span>{source}'


# Critical and high failures, by rule.


def _critical_and_high(worst: t.Sequence[Placed], document: Item, several: bool) -> str:
    groups: dict[str, list[Placed]] = {}
    for placed in worst:
        groups.setdefault(placed[1]["rule"], []).append(placed)
    ordered = sorted(groups.values(), key=lambda group: (min(SEVERITIES.index(item["severity"]) for _report, item in group), -len(group), group[0][1]["rule"]))
    titles = {row["rule"]: row["title"] for row in (document.get("fleet") or {}).get("rules") or ()}
    cards = [_card(group, titles.get(group[0][1]["rule"]) or group[0][1]["title"], several) for group in ordered[:_MOST_CARDS]]
    inner = _some(cards, _FIRST_CARDS, lambda rest: _count(rest, "more rule")) if cards else '<p class="calm">No critical or high failure is open.</p>'
    if len(ordered) > _MOST_CARDS:
        inner += f"<p>{_count(len(ordered) - _MOST_CARDS, 'more rule is', 'more rules are')} in the list of all findings.</p>"
    return _section("worst", "Critical and high", "Each title says what should be so; below it stands where it is not.", inner)


def _card(group: t.Sequence[Placed], title: str, several: bool) -> str:
    item = min((item for _report, item in group), key=lambda item: SEVERITIES.index(item["severity"]))
    places: dict[tuple[t.Any, ...], list[Placed]] = {}
    for report, one in group:
        piece = one["evidence"][0] if one["evidence"] else {"observed": "", "expected": ""}
        subject = one["subject"] if one["kind"] not in ("host", "daemon") else ""
        key = (SEVERITIES.index(one["severity"]), one["kind"], subject, phrases.place(one), piece["observed"], piece["expected"], one["reason"])
        places.setdefault(key, []).append((report, one))
    ordered = sorted(places.items(), key=lambda place: (place[0][0], -len(place[1]), place[0][1:]))
    lines = [_place(placed, several, item["severity"]) for _key, placed in ordered[:_MOST_PLACES]]
    listed = _some(lines, _FIRST_PLACES, lambda rest: f"{_n(rest)} more", lambda inner: f'<ul class="places">{inner}</ul>')
    many = f'<a href="#{_query(rule=item["rule"], status=FAIL)}">{_count(len(group), "finding")}</a>'
    if several:
        many += f" on {_where(group)}"
    left = f'<p class="muted small">The other {_n(len(ordered) - _MOST_PLACES)} are in the list of all findings.</p>' if len(ordered) > _MOST_PLACES else ""
    return (
        f'<article class="card"><div class="head">{_tag(item["severity"])}<h3>{_prose(title)}</h3></div>'
        f'<p class="where"><span class="mono">{_e(item["rule"])}</span> &middot; {many}</p><p class="why">{_prose(item["why"])}</p>'
        f'<div class="columns"><div class="not-so"><h4>Not so for</h4>{listed}{left}</div>{_mend(item)}</div></article>'
    )


def _place(placed: t.Sequence[Placed], several: bool, usual: str) -> str:
    report, item = placed[0]
    subject = f"the {_e(item['kind'])}"
    if item["subject"] and item["kind"] not in ("host", "daemon"):
        subject = f"{_e(item['kind'])} <strong>{_e(item['subject'])}</strong>"
    other = f" {_tag(item['severity'])}" if item["severity"] != usual else ""
    on = f" {'in' if report.get('kind') == COMPOSE_REPORT else 'on'} {_names(_reports_of(placed))}" if several else ""
    where = f' <span class="mono">{_e(phrases.place(item))}</span>' if item["file"] else ""
    piece = item["evidence"][0] if item["evidence"] else None
    told = ""
    if piece is not None:
        found = _e(piece["observed"], 300)
        expected = f"; expected {_e(piece['expected'], 200)}" if piece["expected"] else ""
        source = f' <span class="mono">{_e(piece["source"], 200)}</span>' if piece["source"] and len(placed) == 1 else ""
        told = f'<span class="found">found {found}{expected}{source}</span>'
    reason = f'<span class="found">{_prose(item["reason"])}</span>' if item["reason"] else ""
    return f"<li>{subject}{on}{other}{where}{reason}{told}</li>"


def _mend(item: Item) -> str:
    rows = []
    if item["variable"]:
        rows.append(("Variable", f"<code>{_e(item['variable'])}</code>"))
    if item["blast"]:
        rows.append(("It interrupts", _e(item["blast"])))
    for label, key in (("CIS 1.8.0", "cis_1_8"), ("CIS 1.6", "cis_1_6"), ("See also", "references")):
        if item[key]:
            rows.append((label, ", ".join(map(_e, item[key]))))
    facts = "<dl>" + "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in rows) + "</dl>" if rows else ""
    remedy = f"<p>{_prose(item['remediation'])}</p>" if item["remediation"] else ""
    return f'<div class="mend"><h4>What to do</h4>{remedy}{facts}</div>' if remedy or facts else ""


# All findings: the frame that the script fills.


def _every_finding(document: Item) -> str:
    inner = (
        "<noscript><p class=\"notice\">The list of every finding, with its filters and all evidence, needs JavaScript. Everything else on this page "
        "does not; the JSON form of this report holds the same findings.</p></noscript>\n"
        '<div class="tools needs-script" role="search" aria-label="Filters of the findings" hidden>\n<div class="fields">'
        '<div><label for="f-text">Text</label><input type="search" id="f-text" autocomplete="off" spellcheck="false" aria-describedby="shown"></div>'
        f'<div id="field-report"><label for="f-report">{"Host or project" if _mixed(document.get("reports", ())) else "Host"}</label>'
        '<select id="f-report"><option value="">All</option></select></div>'
        '<div><label for="f-subject">Container, image or other subject</label><select id="f-subject"></select></div></div>\n'
        '<div class="ticks"><fieldset><legend>Severity</legend><div id="f-severity"></div></fieldset>'
        '<fieldset><legend>Status</legend><div id="f-status"></div></fieldset></div>\n'
        '<div class="bottom"><p role="status" id="shown"></p><button type="button" id="f-rule" hidden title="Take this filter away"></button>'
        '<button type="button" id="open-all">Open all</button><button type="button" id="close-all">Close all</button>'
        '<button type="button" id="reset">Reset</button></div>\n</div>\n'
        f'{_not_listed(document)}<p class="only-print" id="printed"></p>\n<div id="list"></div>\n<p class="only-print" id="not-printed"></p>'
    )
    return _section("findings", "All findings", "By rule, the worst first. The address of this page holds the filters.", inner)


def _not_listed(document: Item) -> str:
    """Return what was counted and is not in the report, as modules return failures and unknowns only unless they are asked for more."""
    reports = document.get("reports", ())
    counted = {status: sum(report["score"]["counts"].get(status, 0) for report in reports) for status in (PASS, FAIL, UNKNOWN)}
    listed = dict.fromkeys(counted, 0)
    for report in reports:
        for item in report.get("findings", ()):
            if item["status"] in listed:
                listed[item["status"]] += 1
    words = ((PASS, "passed"), (FAIL, "failed"), (UNKNOWN, "unknown"))
    missing = [f"{_n(counted[status] - listed[status])} {word}" for status, word in words if counted[status] > listed[status]]
    cut = sum(report.get("findings_left_out") or 0 for report in reports)
    told = f"{', '.join(missing)}: counted in the score, but the audit was not asked to return them, so they are not listed." if missing else ""
    if cut:
        told += f" {_count(cut, 'finding')} left out for size."
    return f'<p class="muted small">{told}</p>\n' if told else ""


# Waivers.


def _waivers(failures: t.Sequence[Placed], document: Item, several: bool) -> str:
    groups: dict[tuple[t.Any, ...], list[Placed]] = {}
    for report, item in failures:
        if item["waiver"]:
            waiver = item["waiver"]
            key = (waiver.get("expires", ""), item["rule"], waiver.get("owner", ""), waiver.get("reason", ""), waiver.get("compensation", ""))
            groups.setdefault(key, []).append((report, item))
    ordered = sorted(groups.items())
    rows = [_waiver(placed, document, several) for _key, placed in ordered[:_MOST_WAIVERS]]
    head = "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in ("Until", "Accepted failure", "For", "Owner", "Reason"))
    inner = _wrong_waivers(failures, several)
    if rows:
        inner += (
            f'<div class="stack"><table role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
            f'<tbody role="rowgroup">{"".join(rows)}</tbody></table></div>'
        )
    else:
        inner += '<p class="calm">No failure is waived.</p>'
    if len(ordered) > _MOST_WAIVERS:
        inner += f"<p>{_n(len(ordered) - _MOST_WAIVERS)} more are in the list of all findings.</p>"
    lead = f"Failures that somebody accepts until a day. They count as failures in the score; those that end in less than {EXPIRES_SOON_DAYS} days are marked."
    return _section("waivers", "Waivers", lead, inner)


def _waiver(placed: t.Sequence[Placed], document: Item, several: bool) -> str:
    item = placed[0][1]
    waiver = item["waiver"]
    subjects = list(dict.fromkeys(phrases.subject(one) for _report, one in placed))
    where = _names(subjects) + (f" on {_names(_reports_of(placed))}" if several else "")
    instead = f'<br><span class="muted">Instead: {_prose(waiver["compensation"])}</span>' if waiver.get("compensation") else ""
    cells = (
        ("Accepted failure", f'<div>{_tag(item["severity"])} {_prose(item["title"])} <span class="mono muted">{_e(item["rule"])}</span></div>'),
        ("For", f"<div>{where}</div>"),
        ("Owner", _e(waiver.get("owner"))),
        ("Reason", f"<div>{_prose(waiver.get('reason'))}{instead}</div>"),
    )
    told = "".join(f'<td role="cell" data-label="{label}">{value}</td>' for label, value in cells)
    expires = str(waiver.get("expires", ""))
    return f'<tr role="row"><th scope="row" role="rowheader"><span class="nowrap">{_e(expires)}</span>{_ends_soon(document, expires)}</th>{told}</tr>'


def _wrong_waivers(failures: t.Sequence[Placed], several: bool) -> str:
    """Return the waivers that have expired or cover nothing."""
    groups: dict[tuple[str, str], list[Placed]] = {}
    for report, item in failures:
        if item["kind"] == WAIVER:
            observed = item["evidence"][0]["observed"] if item["evidence"] else item["subject"]
            groups.setdefault((item["rule"], observed), []).append((report, item))
    if not groups:
        return ""
    lines = []
    for (_rule, observed), placed in sorted(groups.items()):
        item = placed[0][1]
        on = f" on {_names(_reports_of(placed))}" if several else ""
        told = f"Not so: {_prose(item['title'])}. {_e(item['subject'])}{on}: {_e(observed)}. {_prose(item['remediation'])}"
        lines.append(f"<li>{_tag(item['severity'])} {told}</li>")
    listed = _some(lines, 10, lambda rest: f"{_n(rest)} more", lambda inner: f"<ul>{inner}</ul>")
    return f'<div class="notice" role="note"><h3>{_count(len(lines), "waiver needs a look", "waivers need a look")}</h3>{listed}</div>'


# What is unknown.


def _unknown(reports: t.Sequence[Item], document: Item, several: bool) -> str:
    counts: dict[str, int] = {}
    places: dict[str, dict[str, None]] = {}
    rules: dict[str, dict[str, None]] = {}
    for report in reports:
        for row in (report.get("coverage") or {}).get("unknown") or ():
            counts[row["reason"]] = counts.get(row["reason"], 0) + row["count"]
            places.setdefault(row["reason"], {})[str(report["name"])] = None
        for item in report.get("findings", ()):
            if item["status"] == UNKNOWN:
                rules.setdefault(item["reason"], {})[item["rule"]] = None
    ordered = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    rows = [_reason(reason, count, list(places[reason]), list(rules.get(reason, ())), several) for reason, count in ordered[:_MOST_REASONS]]
    names = ("Judgements", "Why it is not known", *(["Where"] if several else []), "Rules")
    head = "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in names)
    if rows:
        inner = (
            f'<div class="stack"><table role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
            f'<tbody role="rowgroup">{"".join(rows)}</tbody></table></div>'
        )
    else:
        percent = ((document.get("fleet") or {}).get("coverage") or {}).get("percent")
        inner = f'<p class="calm">{"Nothing could be judged." if percent is None else "Everything that applies could be judged."}</p>'
    if len(ordered) > _MOST_REASONS:
        inner += f"<p>{_count(len(ordered) - _MOST_REASONS, 'more reason is', 'more reasons are')} in the list of all findings.</p>"
    return _section("unknown", "Unknown", "What could not be looked at is no pass. It counts in the coverage and not in the score.", inner)


def _reason(reason: str, count: int, places: t.Sequence[str], rules: t.Sequence[str], several: bool) -> str:
    shown = ", ".join(f'<span class="mono">{_e(rule)}</span>' for rule in rules[:_FIRST_NAMES])
    more = f" and {_n(len(rules) - _FIRST_NAMES)} more" if len(rules) > _FIRST_NAMES else ""
    cells = [("Why", f"<div>{_e(reason) or 'no reason was given'}</div>")]
    if several:
        cells.append(("Where", f"<div>{_names(places)}</div>"))
    cells.append(("Rules", f'<div class="small">{shown}{more}</div>' if shown else ""))
    told = "".join(f'<td role="cell" data-label="{label}"{"" if value else " class=empty"}>{value}</td>' for label, value in cells)
    return f'<tr role="row"><th scope="row" role="rowheader">{_n(count)}</th>{told}</tr>'


# How to read it.


def _reading() -> str:
    weights = ", ".join(f"{severity} {WEIGHTS[severity]}" for severity in SEVERITIES)
    inner = (
        f"<p><strong>Score.</strong> Each judgement weighs what its severity weighs ({weights}). The score is the weight that passes out of the "
        "weight that was judged. What does not apply does not count, what is unknown does not either, and a waived failure is still a failure.</p>"
        "<p><strong>Coverage.</strong> How many of the judgements that apply could be made. A high score with a low coverage says little.</p>"
        "<p><strong>Severity.</strong> Derived from where an attacker has to be and from what the failure gives them; less where ids are mapped, the engine "
        "runs without root, or AppArmor or SELinux confines the container.</p>"
        "<p><strong>Evidence.</strong> What was found, what was expected, and where it was read. What runs beats what was declared. Values of environment "
        "variables, keys and passwords never leave the host.</p>"
        "<p><strong>It interrupts.</strong> What has to stop or start again to mend a failure. The variable is the one of this collection that mends it.</p>"
    )
    return _section("reading", "How to read this", "", inner)
