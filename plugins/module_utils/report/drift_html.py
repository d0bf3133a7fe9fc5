# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document of drift as one HTML page that a person reads, and that asks nothing of any network.

PRIVATE to the collection: no stability is promised to other users.

It looks as the report of the audit does and has no script at all: a policy in the page lets exactly its own style sheet be used,
by its digest. No address leads out of it, since texts of hosts are in it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import (
    BLASTS,
    NOTHING,
    RECREATE,
    RELOAD,
    RESTART,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report import (
    clean,
    drift_document,
    drift_phrases,
    phrases,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report.drift_document import (
    CLEAN,
    DRIFTED,
    GONE,
    LOST,
    MENDED,
    NEW,
    UNSURE,
    VERDICTS,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report.html_style import STYLE as _COMMON

# How much stands in the page. What is left out is counted, and is in the JSON.
_MOST_ROWS = 2000
_MOST_CARDS = 300
_FIRST_CARDS = 20
_MOST_DIFFERENCES = 200
_FIRST_DIFFERENCES = 12
_FIRST_ROWS = 40
_LONGEST = clean.LONG + 100

_MARKS = {DRIFTED: "fail", LOST: "waived", UNSURE: "unknown", MENDED: "pass", CLEAN: "pass"}
_TAGS = {NOTHING: "low", RELOAD: "medium", RESTART: "high", RECREATE: "critical"}
_WORDS = {DRIFTED: "drifted", LOST: "not looked at", UNSURE: "unsure", MENDED: "mended", CLEAN: "clean"}
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)\Z")

STYLE = _COMMON + (
    ".drifts>li{padding:.8rem 0 .85rem;border-top:1px solid var(--line)}\n"
    ".drifts>li:first-child{border-top:0}\n"
    ".drifts .what{margin:.1rem 0 .4rem;max-width:none}\n"
    ".drifts .facts dd{overflow-wrap:anywhere}\n"
    ".drifts li.gone .what{color:var(--muted)}\n"
    "td .names{display:block}\n"
    "tbody th{min-width:9.5rem}\n"
    "@media print{.drifts>li{break-inside:avoid}.status{font-size:8.5pt}}\n"
)

Item = t.Mapping[str, t.Any]


def render(document: Item) -> str:
    """Return the page."""
    policy = f"default-src 'none'; style-src '{_digest(STYLE)}'; img-src data:; base-uri 'none'; form-action 'none'"
    hosts = drift_document.worst_first(document["hosts"])
    sections = (_summary(document, hosts), _by_name(document), _cards(hosts), _unknown(hosts), _upgrades(hosts), _reading())
    body = "\n".join((_header(document), "<main>", *sections, "</main>", _footer(document)))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{_e(_title(document))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


# Small parts.


def _e(value: t.Any) -> str:
    return html.escape(clean.text(value, _LONGEST))


def _n(number: int) -> str:
    return f"{number:,}"


def _count(number: int, one: str) -> str:
    return f"{_n(number)} {one if number == 1 else one + 's'}"


def _time(text: str) -> str:
    """Return a time for people, or a text that is none as it is."""
    if not _WHEN.match(text):
        return _e(text)
    try:
        moment = datetime.datetime.fromisoformat(text[:19])
    except ValueError:
        return _e(text)
    return f'<time datetime="{_e(text)}">{moment:%Y-%m-%d %H:%M}&nbsp;UTC</time>'


def _blast(blast: str) -> str:
    return f'<span class="tag {_TAGS[blast]}">{blast.capitalize()}</span>' if blast else ""


def _verdict(host: Item) -> str:
    return f'<span class="status {_MARKS[host["verdict"]]}">{_e(drift_phrases.verdict(host))}</span>'


def _section(name: str, title: str, lead: str, inner: str) -> str:
    told = f"<p>{lead}</p>" if lead else ""
    return f'<section id="{name}" aria-labelledby="h-{name}">\n<h2 id="h-{name}">{title}</h2>{told}\n{inner}\n</section>'


def _calm(text: str) -> str:
    return f'<p class="calm">{text}</p>'


def _some(parts: t.Sequence[str], first: int, what: str, around: t.Callable[[str], str]) -> str:
    """Return the first parts, and the others behind a line that opens."""
    # One line that opens for a single part would be longer than the part.
    first = len(parts) if len(parts) == first + 1 else first
    rest = parts[first:]
    made = around("".join(parts[:first]))
    return made + (f'<details class="more"><summary>{_n(len(rest))} more {what}</summary>{around("".join(rest))}</details>' if rest else "")


def _left_out(count: int, what: str) -> str:
    return f'<p class="muted">{_n(count)} more {what} are left out here; the JSON has all.</p>' if count > 0 else ""


# Head and foot.


def _title(document: Item) -> str:
    hosts = document["hosts"]
    return f"Docker drift of {hosts[0]['name'] if len(hosts) == 1 else str(len(hosts)) + ' hosts'}"


_SECTIONS = (("summary", "Summary"), ("names", "What differs"), ("hosts", "Where"), ("unknown", "Not looked at"), ("reading", "How to read this"))


def _header(document: Item) -> str:
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _SECTIONS)
    return (
        '<a class="skip" href="#summary">Skip to the summary</a>\n<header>\n<div class="masthead">\n'
        f"<div><h1>{_e(_title(document))}</h1><p>{_time(document['generated'])} &middot; {phrases.PRODUCT} {_e(document['collection_version'])}</p></div>\n"
        f'</div>\n<nav aria-label="Parts of this report"><ul>{links}</ul></nav>\n</header>'
    )


def _footer(document: Item) -> str:
    told = "Two reports with the same content say the same, whenever they were made. This page loads nothing from anywhere."
    parts = [f"{phrases.PRODUCT} {_e(document['collection_version'])}", f"schema {_e(document['schema_version'])}"]
    parts.append(f'content <span class="mono">{_e(document["content"])}</span>')
    return f"<footer><p>{' &middot; '.join(parts)}</p><p>{told}</p></footer>"


# The summary.


def _summary(document: Item, hosts: t.Sequence[Item]) -> str:
    fleet = document["fleet"]
    figures = f'<div class="figures">{_hosts_figure(fleet)}{_differences_figure(fleet)}{_cost_figure(fleet)}</div>'
    return _section("summary", "Summary", "", "\n".join(part for part in (_not_checked(fleet), figures, _table(hosts)) if part))


def _not_checked(fleet: Item) -> str:
    rows = fleet["not_checked"]
    if not rows:
        return ""
    lines = [f"<li><strong>{_e(row['name'])}</strong>: {_e(row['state'])}. {_e(row['problem'])}</li>" for row in rows[:_MOST_ROWS]]
    listed = _some(lines, 8, "hosts", lambda inner: f"<ul>{inner}</ul>")
    title = f"{_count(len(rows), 'host')} could not be looked at"
    return f'<div class="notice" role="note"><h3>{title}</h3><p>How they are is not known; they count as neither clean nor drifted.</p>{listed}</div>'


def _figure(title: str, number: str, inner: str) -> str:
    return f'<div class="figure"><h3>{title}</h3><p class="number">{number}</p>{inner}</div>'


def _hosts_figure(fleet: Item) -> str:
    verdicts = fleet["verdicts"]
    good = verdicts[CLEAN] + verdicts[MENDED]
    marks = " ".join(
        f'<span class="status {_MARKS[verdict]}">{_n(verdicts[verdict])} {_WORDS[verdict]}</span>' for verdict in VERDICTS if verdicts[verdict]
    )
    share = 100 * good / fleet["hosts"] if fleet["hosts"] else 0
    part = f'<rect class="part" width="{share:.1f}" height="8"/>' if share else ""
    meter = f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="all" width="100" height="8"/>{part}</svg>'
    return _figure("Hosts as they were left", f"{_n(good)}<small>&nbsp;of {_n(fleet['hosts'])}</small>", f"{meter}<p>{marks or 'There is none.'}</p>")


def _differences_figure(fleet: Item) -> str:
    counts = fleet["differences"]
    told = []
    if counts[NEW]:
        told.append(f"{_n(counts[NEW])} of them came up since the first look.")
    told.append(f"{_n(counts[GONE])} mended in this run." if counts[GONE] else "None was mended in this run.")
    if fleet["unknown"]:
        told.append(f'<a href="#unknown">{_count(fleet["unknown"], "thing")}</a> could not be looked at.')
    return _figure("Differences", _n(counts["open"] + counts[NEW]), f"<p>{' '.join(told)}</p>")


def _cost_figure(fleet: Item) -> str:
    blasts = fleet["by_blast"]
    worst = next((blast for blast in reversed(BLASTS) if blasts[blast]), "")
    tags = "".join(
        f'<span class="none"><span class="tag {_TAGS[blast]}"><b>{_n(blasts[blast])}</b> {blast.capitalize()}</span></span>'
        for blast in reversed(BLASTS)
        if blasts[blast]
    )
    inner = f'<div class="tally">{tags}</div>' if tags else '<p class="muted small">Nothing is to be mended.</p>'
    return _figure("Mending interrupts at most", f"<small>{worst or 'nothing'}</small>", inner)


_EMPTY = {False: "", True: ' class="empty"'}
_HOST_HEADS = ("Host", "State", "Mended", "Blast radius", "Differences", "Last converge")


def _table(hosts: t.Sequence[Item]) -> str:
    if not hosts:
        return _calm("There is no host in this report.")
    rows = [_host_row(host, number) for number, host in enumerate(hosts[:_MOST_ROWS])]
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HOST_HEADS)

    def around(inner: str) -> str:
        return f'<div class="wrap stack"><table><thead><tr>{heads}</tr></thead><tbody>{inner}</tbody></table></div>'

    return f"<h3>Hosts, the worst first</h3>{_some(rows, _FIRST_ROWS, 'hosts', around)}{_left_out(len(hosts) - _MOST_ROWS, 'hosts')}"


def _host_row(host: Item, number: int) -> str:
    name = _e(host["name"])
    linked = f'<a href="#host-{number}">{name}</a>' if host["differences"] and number < _MOST_CARDS else name
    groups = drift_phrases.grouped(drift_document.standing(host) or host["differences"])
    told = "".join(f'<span class="names"><span class="muted">{_e(role)}:</span> {_e(names)}</span>' for role, names in groups.items())
    told += f'<span class="names muted">{_count(len(host["unknown"]), "thing")} could not be looked at</span>' if host["unknown"] else ""
    cells = (
        ("State", _verdict(host)),
        ("Mended", _e(drift_phrases.mended(host))),
        ("Blast radius", _blast(host["blast"])),
        ("Differences", told or (_e(host["problem"]) if host["verdict"] == LOST else "")),
        ("Last converge", _time(host["last_converge"])),
    )
    inner = "".join(f'<td data-label="{label}"{_EMPTY[not cell]}><div>{cell}</div></td>' for label, cell in cells)
    return f'<tr><th scope="row">{linked}</th>{inner}</tr>'


# By name, over all hosts.


def _by_name(document: Item) -> str:
    fleet = document["fleet"]
    rows = [
        f'<tr><th scope="row"><span class="mono">{_e(row["name"])}</span></th><td data-label="Mended by">{_e(row["role"] or drift_phrases.NO_ROLE)}</td>'
        f'<td data-label="Blast radius"><div>{_blast(row["blast"])}</div></td><td class="count" data-label="Hosts">{_n(row["hosts"])}</td>'
        f'<td class="count" data-label="Now">{_n(row["open"])}</td><td class="count" data-label="Mended">{_n(row["mended"])}</td></tr>'
        for row in fleet["by_name"]
    ]
    if not rows:
        return _section("names", "What differs", "", _calm("Nothing differs on the hosts that could be looked at."))
    heads = '<th scope="col">Difference</th><th scope="col">Mended by</th><th scope="col">Blast radius</th>' + "".join(
        f'<th scope="col" class="count">{head}</th>' for head in ("Hosts", "Now", "Mended")
    )
    inner = _some(
        rows, _FIRST_ROWS, "names", lambda body: f'<div class="wrap stack"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    return _section("names", "What differs", "Over all hosts, what stands most often first.", inner + _left_out(fleet["by_name_left_out"], "names"))


# By host.


def _cards(hosts: t.Sequence[Item]) -> str:
    numbered = [(number, host) for number, host in enumerate(hosts) if host["differences"]]
    cards = [_card(host, number) for number, host in numbered if number < _MOST_CARDS]
    inner = _some(cards, _FIRST_CARDS, "hosts", lambda body: body) if cards else _calm("There is nothing to tell of.")
    return _section("hosts", "Where", "Each host with its differences: what was found, since when, who mends it, and what that interrupts.", inner + _left_out(
        len(numbered) - len(cards), "hosts"
    ))


def _card(host: Item, number: int) -> str:
    facts = []
    if host["last_converge"]:
        facts.append(f"last converge {_time(host['last_converge'])}")
    if host["running_containers"] is not None:
        stops = ", which a restart of dockerd would stop" if host["live_restore"] is False and host["running_containers"] else ""
        facts.append(_count(host["running_containers"], "running container") + stops)
    if host["window_open"] is False:
        facts.append("outside of its maintenance window")
    if host["problem"]:
        facts.append(f"{_e(host['state'])}: {_e(host['problem'])}")
    items = [_difference(one, host) for one in host["differences"][:_MOST_DIFFERENCES]]
    listed = _some(items, _FIRST_DIFFERENCES, "differences", lambda inner: f'<ul class="drifts">{inner}</ul>')
    left = len(host["differences"]) - len(items) + host["differences_left_out"]
    return (
        f'<article class="card" id="host-{number}"><div class="head"><h3>{_e(host["name"])}</h3>{_verdict(host)}</div>'
        f'<p class="where">{" &middot; ".join(facts)}</p>{listed}{_left_out(left, "differences")}</article>'
    )


def _difference(one: Item, host: Item) -> str:
    gone = one["standing"] == GONE
    mark = '<span class="status pass">mended</span>' if gone else '<span class="status fail">new</span>' if one["standing"] == NEW else ""
    facts = [
        ("Found", _e(one["observed"])),
        ("Expected", _e(one["expected"])),
        ("Seen in", _e(one["source"])),
        ("Changed", _time(one["changed_at"])),
        ("Last good", _time(one["last_good"])),
    ]
    if not gone:
        facts += [("Mends it", _e(drift_phrases.mending(one))), ("It interrupts", _e(drift_phrases.cost(one["blast"], host)))]
    listed = "".join(f"<dt>{label}</dt><dd>{told}</dd>" for label, told in facts if told)
    return (
        f'<li{" class=gone" if gone else ""}><div><span class="mono">{_e(one["name"])}</span> {"" if gone else _blast(one["blast"])} {mark}</div>'
        f'<p class="what">{_e(one["what"])}</p><dl class="facts">{listed}</dl></li>'
    )


def _unknown(hosts: t.Sequence[Item]) -> str:
    reasons: dict[str, dict[str, list[str]]] = {}
    for host in hosts:
        for one in host["unknown"]:
            reasons.setdefault(one["reason"], {}).setdefault(host["name"], []).append(one["item"])
    if not reasons:
        return _section("unknown", "Not looked at", "", _calm("Everything that was to be looked at could be, on the hosts that answered."))
    lines = []
    for reason, places in sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        told = []
        for name, items in list(places.items())[:_FIRST_DIFFERENCES]:
            named = ", ".join(_e(item) for item in items[:_FIRST_DIFFERENCES] if item)
            more = f" and {_n(len(items) - _FIRST_DIFFERENCES)} more" if len(items) > _FIRST_DIFFERENCES else ""
            told.append(f"<strong>{_e(name)}</strong>" + (f": {named}{more}" if named else ""))
        rest = len(places) - len(told)
        told += [f"and {_count(rest, 'host')} more"] if rest > 0 else []
        lines.append(f'<li><strong>{_e(reason)}</strong><span class="found">{"; ".join(told)}</span></li>')
    listed = _some(lines, _FIRST_ROWS, "reasons", lambda inner: f'<ul class="places">{inner}</ul>')
    return _section("unknown", "Not looked at", "Nobody knows of these whether they are as they were left.", listed)


def _upgrades(hosts: t.Sequence[Item]) -> str:
    """Return the newer packages that are offered, each once with the number of hosts; nothing where none is."""
    counts: dict[tuple[str, str, str], int] = {}
    for host in hosts:
        for one in host["upgrades"]:
            key = (one["name"], one["installed"], one["offered"])
            counts[key] = counts.get(key, 0) + 1
    rows = [
        f'<tr><th scope="row">{_e(name)}</th><td data-label="Installed">{_e(installed)}</td><td data-label="Offered">{_e(offered)}</td>'
        f'<td class="count" data-label="Hosts">{_n(count)}</td></tr>'
        for (name, installed, offered), count in sorted(counts.items())
    ]
    if not rows:
        return ""
    heads = '<th scope="col">Package</th><th scope="col">Installed</th><th scope="col">Offered</th><th scope="col" class="count">Hosts</th>'
    inner = _some(
        rows, _FIRST_ROWS, "packages", lambda body: f'<div class="wrap stack"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    return _section("upgrades", "Newer packages", "Offered by the package lists of the hosts; this is no difference.", inner)


def _reading() -> str:
    rows = (
        ("Difference", "The host is not as the last converge left it, not as its variables want it now, or runs with something else than its files say."),
        ("Blast radius", "What mending interrupts: nothing, a reload of the daemon, its restart, or containers that have to be made anew."),
        ("Mended", "It was there at the first look of this run, and not at the last one."),
        ("Unsure", "Nothing differs, but not everything could be looked at."),
        ("Last good", "When it was last known to be as wanted, which is when the role that owns it last converged."),
    )
    inner = "".join(f"<dt>{title}</dt><dd>{told}</dd>" for title, told in rows)
    return _section("reading", "How to read this", "", f'<dl class="facts">{inner}</dl>')
