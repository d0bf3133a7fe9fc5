# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The flags that a systemd unit gives dockerd, and where they clash with the keys of daemon.json.

PRIVATE to the collection: no stability is promised to other users.

dockerd does not start when a setting stands both in the file and on its command line, even with equal values; runtimes
are the exception (moby: daemon/config/config.go, findConfigurationConflicts and skipDuplicates).
"""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_values
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

_ARGV = re.compile(r"argv\[\]=(?P<argv>.*?) ; ignore_errors=")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<plain>\w+))")
_SWITCHES = {"restart", "validate", "version", "help"}
_SHORT = {key.short: key.flag or key.name for key in KEYS.values() if key.short}
# -g is graph, which until 24.0 was another name of data-root.
_SHORT.update({"g": "data-root", "r": "restart", "v": "version", "h": "help"})
_PROXIES = ("http-proxy", "https-proxy", "no-proxy")


def arguments(exec_start: str, environment: t.Mapping[str, str] | None = None) -> list[str]:
    """Return the arguments of dockerd, without its path.

    Args:
        exec_start: a line of a unit, or what ``systemctl show -p ExecStart`` prints, with or without ``ExecStart=``.
        environment: what the unit's variables hold; ``$NAME`` becomes none, one or more words, ``${NAME}`` one word
            (systemd.service(5), COMMAND LINES).
    """
    text = exec_start[len("ExecStart=") :] if exec_start.startswith("ExecStart=") else exec_start
    match = _ARGV.search(text)
    words = match["argv"].split() if match else shlex.split(text.lstrip("@-:+!"))
    known = environment or {}
    expanded: list[str] = []
    for word in words[1:]:
        whole = _VARIABLE.fullmatch(word)
        if whole and whole["plain"]:
            expanded += known.get(whole["plain"], "").split()
        else:
            expanded.append(_VARIABLE.sub(lambda found: known.get(found["braced"] or found["plain"], ""), word))
    return expanded


def parse(words: t.Sequence[str]) -> dict[str, list[str]]:
    """Return the flags among arguments of dockerd: long names without dashes, each with its values in order.

    A switch without a value has the value ``true``.
    """
    flags: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, separator, value = "", "", ""
        if word.startswith("--") and len(word) > 2:
            name, separator, value = word[2:].partition("=")
        elif word.startswith("-") and len(word) > 1:
            name = _SHORT.get(word[1], word[1])
            value = word[2:].lstrip("=")
            separator = "=" if value else ""
            if value and _is_switch(name) and word[2] != "=":
                # Short switches may be written together, and the last with its value: -DH fd://
                rest.insert(0, f"-{value}")
                separator = ""
        else:
            continue
        if not separator:
            value = "true" if _is_switch(name) else rest.pop(0) if rest else ""
        flags.setdefault(name, []).append(value)
    return flags


def differ(wanted: t.Sequence[str], running: t.Sequence[str]) -> bool:
    """Tell whether a process runs with other flags than its unit says; where quotes leave that open it does not.

    Args:
        wanted: of the unit, as arguments returns them.
        running: of the process, as the kernel knows them.
    """
    if any(character in word for word in (*wanted, *running) for character in "'\"\\$%"):
        # What systemd shows of quoted words does not tell where they end.
        return False
    return parse(" ".join(wanted).split()) != parse(" ".join(running).split())


def keys(flags: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return which keys of daemon.json the flags set, each with its flag."""
    by_flag = {key.flag or key.name: key.name for key in KEYS.values()}
    by_flag.update({"host-gateway-ip": "host-gateway-ips", **dict.fromkeys(_PROXIES, "proxies")})
    return {by_flag[flag]: flag for flag in flags if flag in by_flag}


def problems(
    flags: t.Mapping[str, t.Sequence[str]],
    config: t.Mapping[str, t.Any],
    config_file: str,
    unit: str = "docker.service",
) -> list[Problem]:
    """Return the clashes between the flags of a unit and a configuration.

    Args:
        flags: what parse returned.
        config: the whole configuration, as the file would hold it.
        config_file: the path of the file.
        unit: the unit's name, for the messages.
    """
    found = []
    for key, flag in keys(flags).items():
        if key == "runtimes":
            continue
        names = {key, "host-gateway-ip"} if key == "host-gateway-ips" else {key}
        if key == "proxies" and flag not in (config.get("proxies") or {}):
            continue
        for name in sorted(names & set(config)):
            shown = " ".join(f"--{flag}={value}" for value in flags[flag])
            found.append(
                Problem(
                    name,
                    f"{unit} already starts dockerd with {shown}, and dockerd does not start with the setting in "
                    "both places; "
                    f"remove {name} from the file, or take the flag out with a drop-in of {unit} that clears and "
                    "sets ExecStart",
                )
            )
    for other in flags.get("config-file", []):
        if other != config_file:
            found.append(
                Problem(
                    "config_file",
                    f"{unit} starts dockerd with --config-file={other}, so {config_file} is never read; give "
                    f"{other} as the path",
                )
            )
    return found


def _is_switch(name: str) -> bool:
    return name in _SWITCHES or any(
        (key.flag or key.name) == name and key.kind == daemon_values.BOOL for key in KEYS.values()
    )
