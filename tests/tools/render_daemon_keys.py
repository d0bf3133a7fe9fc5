# SPDX-License-Identifier: Apache-2.0
"""docs/daemon-keys.md, written from the data by which daemon.json is judged; `make docs` writes it (docs.py)."""

from __future__ import annotations

import json
import typing as t

_INTRODUCTION = """\
# Every key of daemon.json

<!-- Written by `make docs` from plugins/module_utils/engine/daemon_keys.py; do not edit. -->

This is what the collection knows about each key, for Docker {oldest} to {newest}; by it `docker_daemon_config` judges a
configuration before it is written, and tells what a change costs. `molecule/schema` holds it against three real engines.

- **default**: what an absent key means; empty where the engine has none or computes it.
- **a change needs**: *SIGHUP* where the daemon reads the key again; *restart* where only a start does. After SIGHUP an absent
  key is *reset* to its default, or *kept* as it was until the value that is named is written.
- **reaches**: the daemon itself, the default bridge (only while no container runs), containers when they are next started,
  only containers that are created later, or only networks that are created later.
- **flag**: setting the key and giving dockerd this flag in its unit keeps it from starting, even with equal values;
  `runtimes` is the exception.
"""
_REACHES = {
    "daemon": "the daemon",
    "bridge": "the default bridge",
    "started": "containers at their next start",
    "created": "new containers",
    "networks": "new networks",
}


def page() -> str:
    """Return the text of the page."""
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_keys, daemon_values, versions

    keys = sorted(daemon_keys.KEYS.values(), key=lambda key: key.name)
    introduction = _INTRODUCTION.format(
        oldest=f"{versions.OLDEST_KNOWN.major}.{versions.OLDEST_KNOWN.minor}", newest=versions.NEWEST_KNOWN
    )
    sections = [
        introduction,
        _table(
            ("key", "value", "default", "Docker", "a change needs", "reaches", "flag"),
            [_key(daemon_keys, key) for key in keys],
        ),
        "## Inside the keys\n",
        _table(("path", "value", "Docker"), list(_inside(daemon_keys, daemon_values))),
        "## Values of `storage-driver`\n",
        _table(
            ("driver", "Docker"),
            [(f"`{name}`", _span(*span)) for name, span in daemon_keys.GRAPH_DRIVERS.items()],
        ),
        "With the containerd image store the value names a snapshotter of containerd: "
        + ", ".join(f"`{name}`" for name in daemon_keys.SNAPSHOTTERS)
        + ".\n",
        "## Names that the file cannot set\n",
        _table(("name", "what happens"), [(f"`{name}`", why) for name, why in daemon_keys.NEVER_READ.items()]),
    ]
    return "\n".join(sections)


def _key(daemon_keys: t.Any, key: t.Any) -> tuple[str, ...]:
    return (
        f"`{key.name}`",
        ", ".join(f"`{choice}`" if choice else "(empty)" for choice in key.choices) or key.kind,
        _default(key),
        _span(key.since, key.removed),
        _needs(daemon_keys, key),
        _REACHES[key.reaches],
        _flags(daemon_keys, key),
    )


def _flags(daemon_keys: t.Any, key: t.Any) -> str:
    if key.flag == daemon_keys.NO_FLAG:
        return ""
    if key.name == "proxies":
        return "`--http-proxy`, `--https-proxy`, `--no-proxy`"
    return f"`--{key.flag or key.name}`" + (f", `-{key.short}`" if key.short else "")


def _default(key: t.Any) -> str:
    if key.default_since:
        release, later = key.default_since
        return f"{_value(key.default)}; {_value(later)} since {release}"
    return _value(key.default)


def _value(value: t.Any) -> str:
    return "" if value is None or value == "" else f"`{json.dumps(value)}`"


def _needs(daemon_keys: t.Any, key: t.Any) -> str:
    if key.apply != daemon_keys.RELOAD:
        return "restart"
    until = f" until {key.reload_until}, then restart" if key.reload_until else ""
    if key.absent == daemon_keys.RESETS:
        return f"SIGHUP{until}; absent: reset"
    value = _value(key.reset) or "`private` or `host`, by the host's cgroup version"
    return f"SIGHUP{until}; absent: kept, {value} resets"


def _inside(daemon_keys: t.Any, values: t.Any) -> t.Iterator[tuple[str, str, str]]:
    for section, fields in values.BUILDER.items():
        since = values.BUILDER_SINCE[section]
        yield from (
            (f"`builder.{section}.{name}`", field.kind, _span(field.since or since, field.removed))
            for name, field in fields.items()
        )
    for path, fields in (
        ("builder.gc.policy[]", values.BUILDER_RULE),
        ("runtimes.*", values.RUNTIME),
        ("default-ulimits.*", values.ULIMIT),
        ("default-address-pools[]", values.ADDRESS_POOL),
        ("proxies", values.PROXIES),
        ("nri-opts", values.NRI),
    ):
        yield from (
            (f"`{path}.{name}`", field.kind, _span(field.since, field.removed)) for name, field in fields.items()
        )
    yield from (
        (f"`default-network-opts.bridge.{name}`", values.STRING, _span(since, ""))
        for name, since in values.BRIDGE_OPTIONS.items()
    )
    yield from (
        (f"`features.{name}`", f"{values.BOOL}; {how}", _span(since, ""))
        for name, (since, how) in daemon_keys.FEATURES.items()
    )


def _span(since: str, removed: str) -> str:
    return " ".join(part for part in (f"since {since}" if since else "", f"until {removed}" if removed else "") if part)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
