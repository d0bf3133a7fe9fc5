# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What moves in the HTML report: the list of all findings with its filters, printing, and the switch between light and dark.

PRIVATE to the collection: no stability is promised to other users.

Data come from the page's own ``<script type="application/json" id="data">`` (html_data.py says how it is packed). Texts reach
the page as text nodes and attributes only, never as markup. Everything above that list works without the script.
"""

from __future__ import annotations

SCRIPT = r"""
(() => {
"use strict";
const $ = (id) => document.getElementById(id);
const PAGE = 100, MOST_PRINTED = 2000, FEW = 30;
const STATUSES = ["fail", "waived", "unknown", "pass", "not-applicable"];
const STATUS_WORDS = {fail: "Fail", waived: "Waived", unknown: "Unknown", pass: "Pass", "not-applicable": "Not applicable"};
const USUAL = ["fail", "waived", "unknown"];
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const number = (value) => value.toLocaleString("en-US");
const plural = (count, one, many) => number(count) + " " + (count === 1 ? one : many || one + "s");

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}
// What stands between backticks is code.
const prose = (text) => text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? el("code", {}, part) : part));

// Light and dark.
const theme = $("theme"), wantsDark = matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
const KEY = "bulkhead-report-theme";
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : wantsDark.matches);
const showTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
try {
  const kept = localStorage.getItem(KEY);
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
} catch (error) { /* a page from a file may have no storage */ }
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem(KEY, root.dataset.theme); } catch (error) { /* it lasts as long as the page */ }
  showTheme();
});
wantsDark.addEventListener("change", showTheme);
showTheme();
$("print").addEventListener("click", () => print());
for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;

// The data, unpacked.
const data = JSON.parse($("data").textContent);
const strings = [];
for (let index = 0, last = ""; index < data.strings.length; index += 2) {
  last = last.slice(0, data.strings[index]) + data.strings[index + 1];
  strings.push(last);
}
const column = (values) => (Array.isArray(values) ? values : {constant: values});
const at = (values, index) => (values.constant === undefined ? values[index] : values.constant);
const rows = Object.fromEntries(Object.entries(data.rows).map(([key, values]) => [key, column(values)]));
const pieces = Object.fromEntries(Object.entries(data.pieces).map(([key, values]) => [key, column(values)]));
const count = data.count;
const reportOf = new Uint32Array(count), printOf = new Int32Array(count).fill(-1);
{
  let row = 0, prints = 0;
  data.per_report.forEach((many, report) => { reportOf.fill(report, row, row + many); row += many; });
  for (row = 0; row < count; row += 1) {
    const status = data.statuses[Math.floor(at(rows.code, row) / data.severities.length)];
    if (status === "fail" || status === "unknown") { printOf[row] = prints; prints += 1; }
  }
}
const several = data.reports.length > 1;
const ruleOf = (row) => data.rules[at(rows.rule, row)];
const severityOf = (row) => data.severities[at(rows.code, row) % data.severities.length];
const waiverOf = (row) => data.waivers[at(rows.waiver, row) - 1];
function statusOf(row) {
  const status = data.statuses[Math.floor(at(rows.code, row) / data.severities.length)];
  return status === "fail" && at(rows.waiver, row) ? "waived" : status;
}
function proofOf(row) {
  const proof = at(rows.proof, row);
  return proof > 0 ? [proof - 1] : proof < 0 ? data.proofs[-proof - 1] : [];
}
const text = (values, row) => strings[at(values, row)];
function placeOf(file, line) { return file && line ? file + ":" + line : file; }
function subjectOf(row) {
  const kind = text(rows.kind, row), subject = text(rows.subject, row);
  return kind === "host" || !subject ? kind : kind + " " + subject;
}
function fingerprintOf(row) {
  if (printOf[row] < 0) return "";
  const packed = data.prints.substr(printOf[row] * 11, 11);
  if (packed.includes(".")) return "";
  const bytes = atob(packed.replace(/-/g, "+").replace(/_/g, "/"));
  return Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

// What is chosen, and its place in the address.
const fresh = () => ({severity: new Set(data.severities), status: new Set(USUAL), report: -1, kind: "", subject: "", rule: "", text: ""});
let chosen = fresh();
const kindWord = (report) => (data.reports[report][1] ? "project" : "host");
const same = (set, list) => set.size === list.length && list.every((item) => set.has(item));

function toHash() {
  const parts = [];
  const add = (key, value) => parts.push(key + "=" + encodeURIComponent(value).replace(/%2C/g, ","));
  if (!same(chosen.severity, data.severities)) add("severity", data.severities.filter((item) => chosen.severity.has(item)).join(",") || "none");
  if (!same(chosen.status, USUAL)) add("status", STATUSES.filter((item) => chosen.status.has(item)).join(",") || "none");
  if (chosen.report >= 0) add(kindWord(chosen.report), strings[data.reports[chosen.report][0]]);
  if (chosen.kind) { add("kind", chosen.kind); add("subject", chosen.subject); }
  if (chosen.rule) add("rule", chosen.rule);
  if (chosen.text) add("text", chosen.text);
  return parts.join("&");
}
function fromHash(hash) {
  const found = fresh();
  const set = (value, known) => new Set(value.split(",").filter((item) => known.includes(item)));
  for (const part of hash.split("&")) {
    const cut = part.indexOf("=");
    if (cut < 0) continue;
    const key = part.slice(0, cut);
    let value = part.slice(cut + 1);
    try { value = decodeURIComponent(value); } catch (error) { continue; }
    if (key === "severity") found.severity = set(value, data.severities);
    else if (key === "status") found.status = value === "all" ? new Set(STATUSES) : set(value, STATUSES);
    else if (key === "host" || key === "project") {
      found.report = data.reports.findIndex((report) => strings[report[0]] === value && Boolean(report[1]) === (key === "project"));
    } else if (key === "container") { found.kind = "container"; found.subject = value; }
    else if (key === "kind" || key === "subject" || key === "rule" || key === "text") found[key] = value;
  }
  return found;
}
const isFilter = (hash) => hash.includes("=");

// Which rows are chosen.
let lower = null;
function hitsOf(word) {
  lower = lower || strings.map((item) => item.toLowerCase());
  const hit = Uint8Array.from(lower, (item) => (item.includes(word) ? 1 : 0));
  const any = (list) => list.some((item) => (Array.isArray(item) ? any(item) : hit[item]));
  const rules = data.rules.map((rule) => any(rule));
  const waivers = data.waivers.map((waiver) => any(waiver.slice(0, 4)));
  const reports = data.reports.map((report) => hit[report[0]]);
  const isPiece = (piece) => hit[at(pieces.source, piece)] || hit[at(pieces.observed, piece)] || hit[at(pieces.expected, piece)] || hit[at(pieces.file, piece)];
  const isPrint = /^[0-9a-f]{8,16}$/.test(word);
  return (row) => rules[at(rows.rule, row)] || hit[at(rows.subject, row)] || hit[at(rows.kind, row)] || hit[at(rows.file, row)] || hit[at(rows.reason, row)]
    || reports[reportOf[row]] || (at(rows.waiver, row) && waivers[at(rows.waiver, row) - 1]) || proofOf(row).some(isPiece)
    || (isPrint && fingerprintOf(row).startsWith(word));
}
function select() {
  const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean).map(hitsOf);
  const found = [], bySeverity = {}, byStatus = {};
  for (let row = 0; row < count; row += 1) {
    if (chosen.report >= 0 && reportOf[row] !== chosen.report) continue;
    if (chosen.kind && (text(rows.kind, row) !== chosen.kind || text(rows.subject, row) !== chosen.subject)) continue;
    if (chosen.rule && strings[ruleOf(row)[0]] !== chosen.rule) continue;
    if (!words.every((matches) => matches(row))) continue;
    const severity = severityOf(row), status = statusOf(row);
    const isSeverity = chosen.severity.has(severity), isStatus = chosen.status.has(status);
    if (isStatus) bySeverity[severity] = (bySeverity[severity] || 0) + 1;
    if (isSeverity) byStatus[status] = (byStatus[status] || 0) + 1;
    if (isSeverity && isStatus) found.push(row);
  }
  return {found, bySeverity, byStatus};
}
const rankOf = (row) => STATUSES.indexOf(statusOf(row)) * 10 + data.severities.indexOf(severityOf(row));
function grouped(found) {
  const groups = new Map();
  for (const row of found) {
    const id = strings[ruleOf(row)[0]];
    let group = groups.get(id);
    if (!group) { group = {id, rows: [], rank: 99, counts: {}, lead: row}; groups.set(id, group); }
    const rank = rankOf(row), status = statusOf(row);
    if (rank < group.rank) { group.rank = rank; group.lead = row; }
    group.counts[status] = (group.counts[status] || 0) + 1;
    group.rows.push(row);
  }
  const ordered = [...groups.values()];
  for (const group of ordered) {
    const ranks = new Map(group.rows.map((row) => [row, rankOf(row)]));
    group.rows.sort((one, other) => ranks.get(one) - ranks.get(other) || one - other);
  }
  return ordered.sort((one, other) => one.rank - other.rank || other.rows.length - one.rows.length || (one.id < other.id ? -1 : 1));
}

// What is shown of them.
const severityTag = (severity) => el("span", {class: "tag " + severity}, capital(severity));
const statusMark = (status, shown) => el("span", {class: "status " + status}, shown || STATUS_WORDS[status]);
const pair = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
const listed = (indexes) => indexes.map((index) => strings[index]).join(", ");

function aboutRule(rule) {
  const [, , why, remedy, blast, variable, old, current, references] = rule;
  const facts = [];
  if (strings[variable]) facts.push(...pair("Variable", el("code", {}, strings[variable])));
  if (strings[blast]) facts.push(...pair("It interrupts", strings[blast]));
  if (current.length) facts.push(...pair("CIS 1.8.0", listed(current)));
  if (old.length) facts.push(...pair("CIS 1.6", listed(old)));
  if (references.length) facts.push(...pair("See also", listed(references)));
  return el("div", {class: "columns"},
    el("div", {},
      strings[why] ? [el("h4", {}, "Why"), el("p", {}, prose(strings[why]))] : null,
      strings[remedy] ? [el("h4", {}, "What to do"), el("p", {}, prose(strings[remedy]))] : null),
    el("dl", {class: "facts"}, facts));
}
function rowBody(row, lead) {
  const body = el("div", {class: "body"}), rule = ruleOf(row), reason = text(rows.reason, row), waiver = waiverOf(row);
  if (strings[rule[1]] !== strings[lead[1]]) body.append(el("p", {}, prose(strings[rule[1]])));
  if (reason) body.append(el("p", {}, prose(reason)));
  if (waiver) {
    const [owner, why, expires, instead, days] = waiver;
    const soon = days < 0 ? "expired" : days < data.soon ? "ends in " + plural(days, "day") : "";
    body.append(el("dl", {class: "facts"},
      pair("Accepted by", strings[owner]), pair("Because", strings[why]), strings[instead] ? pair("Instead", strings[instead]) : null,
      pair("Until", strings[expires] + " ", soon ? el("span", {class: "tag soon"}, soon) : null)));
  }
  for (const piece of proofOf(row)) {
    const place = placeOf(text(pieces.file, piece), at(pieces.line, piece)), expected = text(pieces.expected, piece), source = text(pieces.source, piece);
    body.append(el("dl", {class: "facts proof"},
      pair("Found", text(pieces.observed, piece) || "nothing"), expected ? pair("Expected", expected) : null,
      source ? pair("Read from", el("span", {class: "mono"}, source)) : null, place ? pair("Written in", el("span", {class: "mono"}, place)) : null));
  }
  if (at(rows.left_out, row)) body.append(el("p", {class: "muted"}, plural(at(rows.left_out, row), "more piece") + " of evidence left out."));
  if (rule !== lead) body.append(aboutRule(rule));
  const print = fingerprintOf(row);
  if (print) body.append(el("p", {class: "muted small"}, "Fingerprint ", el("span", {class: "mono"}, print)));
  return body;
}
function rowItem(row, lead, usual) {
  const place = placeOf(text(rows.file, row), at(rows.line, row)), proof = proofOf(row);
  const reason = text(rows.reason, row), status = statusOf(row);
  // A path is told by its reason, a failure by what was found.
  const byReason = reason && (status === "unknown" || !proof.length || text(rows.kind, row) === "attack path");
  const found = byReason ? reason : proof.length ? text(pieces.observed, proof[0]) : "";
  const details = el("details", {class: "row"},
    el("summary", {},
      statusMark(status),
      el("span", {class: "place"},
        several ? [el("strong", {}, strings[data.reports[reportOf[row]][0]]), " "] : null, subjectOf(row),
        place ? el("span", {class: "in"}, " \u00b7 " + place) : null,
        severityOf(row) === usual ? null : [" ", severityTag(severityOf(row))]),
      el("span", {class: "found"}, found)));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(rowBody(row, lead)); });
  const item = el("li", {"data-row": row}, details);
  item.expand = () => { if (details.children.length === 1) details.append(rowBody(row, lead)); details.open = true; };
  return item;
}
function groupItem(group) {
  const lead = ruleOf(group.lead);
  const list = el("ul", {class: "rows"}), next = el("p", {class: "next"}), details = el("details", {class: "group", "data-rule": group.id});
  const counts = STATUSES.filter((status) => group.counts[status]).map((status) => statusMark(status,
    number(group.counts[status]) + " " + STATUS_WORDS[status].toLowerCase()));
  details.append(el("summary", {},
    el("span", {}, severityTag(severityOf(group.lead))),
    el("div", {class: "title"}, el("h3", {}, prose(strings[lead[1]])), el("span", {class: "id mono"}, group.id)),
    el("span", {class: "counts"}, counts)));
  let shown = 0;
  const more = (many) => {
    const last = Math.min(shown + many, group.rows.length), first = shown;
    for (; shown < last; shown += 1) list.append(rowItem(group.rows[shown], lead, severityOf(group.lead)));
    const left = group.rows.length - shown;
    next.replaceChildren();
    if (left) {
      const button = el("button", {type: "button"}, "Show " + number(Math.min(PAGE, left)) + " of " + number(left) + " more");
      button.addEventListener("click", () => { const before = shown; more(PAGE); list.children[before].querySelector("summary").focus(); });
      next.append(button);
    }
    next.hidden = !left;
    return last - first;
  };
  const fill = () => {
    if (details.children.length > 1) return;
    details.append(el("div", {class: "about"}, aboutRule(lead)), list, next);
    more(PAGE);
  };
  details.addEventListener("toggle", () => { if (details.open) fill(); });
  // What a person opened stays open when the filters change.
  details.firstChild.addEventListener("click", () => { if (details.open) opened.delete(group.id); else opened.add(group.id); });
  details.open_now = () => { fill(); details.open = true; };
  details.print_all = (budget) => {
    if (budget <= 0) { details.open = false; return 0; }
    fill();
    if (list.children.length < budget) more(budget - list.children.length);
    details.open = true;
    let done = 0;
    for (const item of list.children) if (done < budget) { item.expand(); done += 1; } else item.hidden = true;
    return done;
  };
  return details;
}

const opened = new Set();
let printing = false;
function subjectsFor(report) {
  const kinds = new Map();
  for (let row = 0; row < count; row += 1) {
    if (report >= 0 && reportOf[row] !== report) continue;
    const kind = text(rows.kind, row), subject = text(rows.subject, row);
    if (!subject || kind === "host" || kind === "daemon") continue;
    if (!kinds.has(kind)) kinds.set(kind, new Set());
    kinds.get(kind).add(subject);
  }
  return kinds;
}
const options = [];
function fillSubjects() {
  const list = $("f-subject"), kinds = subjectsFor(chosen.report);
  // What is chosen stays in the list, also where this host has no such subject.
  if (chosen.kind) kinds.set(chosen.kind, (kinds.get(chosen.kind) || new Set()).add(chosen.subject));
  options.length = 0;
  const order = (kind) => (kind === "container" ? "" : kind);
  const groups = [...kinds.keys()].sort((one, other) => (order(one) < order(other) ? -1 : 1)).map((kind) => el("optgroup", {label: capital(kind)},
    [...kinds.get(kind)].sort().map((subject) => {
      options.push([kind, subject]);
      return el("option", {value: options.length - 1, selected: kind === chosen.kind && subject === chosen.subject}, subject);
    })));
  list.replaceChildren(el("option", {value: "", selected: !chosen.kind}, "All"), ...groups);
}
function tickBoxes(place, name, values, words) {
  $(place).replaceChildren(...values.map((value) => {
    const box = el("input", {type: "checkbox", name, value});
    box.addEventListener("change", () => { if (box.checked) chosen[name].add(value); else chosen[name].delete(value); change(true); });
    return el("label", {class: "tick"}, box, words(value), " ", el("span", {class: "many"}));
  }));
}
function showTicks(place, name, counts) {
  for (const label of $(place).children) {
    const box = label.querySelector("input");
    box.checked = chosen[name].has(box.value);
    label.querySelector(".many").textContent = number(counts[box.value] || 0);
  }
}
function sentence(found, groups) {
  const parts = [];
  if (chosen.report >= 0) parts.push(kindWord(chosen.report) + " " + strings[data.reports[chosen.report][0]]);
  if (chosen.kind) parts.push(chosen.kind + " " + chosen.subject);
  if (chosen.rule) parts.push("rule " + chosen.rule);
  if (chosen.text) parts.push("text \u201c" + chosen.text + "\u201d");
  if (!same(chosen.severity, data.severities)) parts.push("severity " + (data.severities.filter((item) => chosen.severity.has(item)).join(", ") || "none"));
  if (!same(chosen.status, STATUSES)) parts.push("status " + (STATUSES.filter((item) => chosen.status.has(item)).join(", ") || "none"));
  return number(found.length) + " of " + plural(count, "finding")
    + (found.length ? " under " + plural(groups.length, "rule") : "") + (parts.length ? ": " + parts.join("; ") : "") + ".";
}
let groups = [];
function show() {
  const result = select();
  groups = grouped(result.found);
  showTicks("f-severity", "severity", result.bySeverity);
  showTicks("f-status", "status", result.byStatus);
  const said = sentence(result.found, groups);
  $("shown").textContent = said;
  $("printed").textContent = "Printed are " + said;
  const made = groups.map(groupItem);
  $("list").replaceChildren(...made);
  if (!groups.length) $("list").append(el("p", {class: "calm"}, "Nothing matches. Take a filter away."));
  const all = result.found.length <= FEW;
  for (const details of made) if (all || opened.has(details.dataset.rule)) details.open_now();
}
function showFields() {
  $("f-report").value = chosen.report < 0 ? "" : String(chosen.report);
  if ($("f-text").value !== chosen.text) $("f-text").value = chosen.text;
  $("f-rule").hidden = !chosen.rule;
  $("f-rule").textContent = "Rule " + chosen.rule + " \u2715";
  fillSubjects();
}
let known = null;
function change(step) {
  const hash = toHash();
  if (hash !== known) {
    known = hash;
    const address = hash ? "#" + hash : location.pathname + location.search;
    try { if (step) history.pushState(null, "", address); else history.replaceState(null, "", address); } catch (error) { location.hash = hash; }
  }
  showFields();
  show();
}
function restore() {
  const hash = location.hash.slice(1);
  if (hash === known || (hash && !isFilter(hash))) return;
  known = hash;
  chosen = fromHash(hash);
  showFields();
  show();
}

$("f-report").append(...data.reports.map((report, index) => [index, strings[report[0]], report[1]]).filter((item) => data.per_report[item[0]])
  .map(([index, name, project]) => el("option", {value: index}, project ? name + " (project)" : name)));
$("field-report").hidden = !several;
tickBoxes("f-severity", "severity", data.severities, severityTag);
tickBoxes("f-status", "status", STATUSES, (status) => statusMark(status));
$("f-report").addEventListener("change", (event) => { chosen.report = event.target.value === "" ? -1 : Number(event.target.value); change(true); });
$("f-subject").addEventListener("change", (event) => {
  [chosen.kind, chosen.subject] = event.target.value === "" ? ["", ""] : options[Number(event.target.value)];
  change(true);
});
let waiting = 0;
$("f-text").addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { chosen.text = event.target.value.trim(); change(false); }, 150);
});
$("f-rule").addEventListener("click", () => { chosen.rule = ""; change(true); $("f-text").focus(); });
$("reset").addEventListener("click", () => { chosen = fresh(); opened.clear(); $("f-text").value = ""; change(true); });
$("open-all").addEventListener("click", () => {
  for (const group of document.querySelectorAll(".group")) { group.open_now(); opened.add(group.dataset.rule); }
});
$("close-all").addEventListener("click", () => {
  opened.clear();
  for (const group of document.querySelectorAll(".group")) group.open = false;
});
function jump(id) {
  $(id).scrollIntoView();
  const heading = $(id).querySelector("h2") || $(id);
  heading.tabIndex = -1;
  heading.focus({preventScroll: true});
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const target = link.getAttribute("href").slice(1);
  event.preventDefault();
  if (isFilter(target)) { chosen = fromHash(target); change(true); jump("findings"); } else jump(target);
});
addEventListener("hashchange", restore);
addEventListener("popstate", restore);

// On paper everything that is chosen stands open.
let shut = [];
addEventListener("beforeprint", () => {
  if (printing) return;
  printing = true;
  shut = [...document.querySelectorAll("details.more:not([open])")];
  for (const details of shut) details.open = true;
  let budget = MOST_PRINTED, total = 0;
  for (const details of document.querySelectorAll(".group")) budget -= details.print_all(budget);
  for (const group of groups) total += group.rows.length;
  $("not-printed").textContent = total > MOST_PRINTED ? number(total - MOST_PRINTED) + " more findings match and are not printed; choose fewer." : "";
});
addEventListener("afterprint", () => {
  for (const details of shut) details.open = false;
  shut = [];
  show();
  printing = false;
});

known = null;
restore();
if (known === null) { known = ""; showFields(); show(); }
root.dataset.ready = "yes";
})();
"""
