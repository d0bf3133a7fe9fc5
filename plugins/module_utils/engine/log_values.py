# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Values of log options: how the engine reads each kind of them, and what is wrong with one.

PRIVATE to the collection: no stability is promised to other users.

dockerd looks at most of these values only when a container starts: the daemon is up, and no container can be started.
Sources: docker/go-units size.go (FromHumanSize, RAMInBytes), Go's strconv.ParseBool, time.ParseDuration, net/url,
regexp (RE2) and text/template, moby daemon/logger/loginfo.go and daemon/logger/templates.
"""

from __future__ import annotations

import re
import typing as t
import warnings

TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
# What every release reads; 20.10 also takes 10mi, later ones also 1e6.
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?:(?P<unit>[kmgtp])(?:i?b)?|b)?", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE | re.ASCII)
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w-]*\]|[^:/\[\]@?#\s]*)(?::(?P<port>[^:/]*))?", re.ASCII)

#: What a template of a tag can name: fields and methods of logger.Info.
TAG_FIELDS = (
    "ID FullID Name Command ImageID ImageFullID ImageName Hostname DaemonName ContainerID ContainerName "
    "ContainerEntrypoint ContainerArgs ContainerImageID ContainerImageName ContainerCreated ContainerEnv "
    "ContainerLabels Config LogPath ExtraAttributes"
).split()
_TAG_WORDS = frozenset(
    "json split join title lower upper pad truncate and or not len index slice print printf println html js urlquery "
    "call eq ne lt le gt ge if else end range with define template block break continue true false nil".split()
)
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\'(?:[^\'\\]|\\.)*\'|/\*.*?\*/', re.DOTALL)
_FIELD = re.compile(r"(?<![\w.)$])\.([A-Za-z_]\w*)")
_WORD = re.compile(r"(?<![\w.$])[A-Za-z_]\w*")
# These move the dot or name other templates, so a field after them may be of anything.
_MOVES_THE_DOT = frozenset(("range", "with", "define", "template", "block"))

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_NOT_IN_RE2 = (
    ("(?=", "a lookahead, (?=…)"),
    ("(?!", "a lookahead, (?!…)"),
    ("(?<=", "a lookbehind, (?<=…)"),
    ("(?<!", "a lookbehind, (?<!…)"),
    ("(?P=", "a back-reference, (?P=…)"),
    ("(?(", "a condition, (?(…)"),
    ("(?>", "an atomic group, (?>…)"),
    ("(?#", "a comment, (?#…)"),
)
# Errors of Python's reader that RE2 finds too; others may come from a syntax that only RE2 knows.
_SHARED_ERRORS = ("unterminated", "unbalanced parenthesis", "nothing to repeat", "missing )", "bad character range")


class Endpoint(t.NamedTuple):
    """A parsed address; port is 0 where the address leaves it to the driver, path is that of a unix socket."""

    scheme: str
    host: str
    port: int
    path: str


def decimal_size(text: str) -> int:
    """Return a size in bytes as the drivers json-file and local read max-size: ``10m`` is 10 000 000.

    Raises:
        ValueError: the engine would not read it.
    """
    return _size(text, 1000)


def binary_size(text: str) -> int:
    """Return a size in bytes as the engine reads max-buffer-size and fluentd-buffer-limit: ``1m`` is 1 048 576.

    Raises:
        ValueError: the engine would not read it.
    """
    return _size(text, 1024)


def is_true(text: str) -> bool:
    """Tell whether Go's strconv.ParseBool reads a text as true."""
    return text in TRUE


def seconds(text: str) -> float:
    """Return a duration as Go writes it, such as ``1m30s``, in seconds.

    Raises:
        ValueError: Go would not read it.
    """
    body = text[1:] if text[:1] in ("+", "-") else text
    sign = -1 if text.startswith("-") else 1
    if body == "0":
        return 0.0
    parts = _DURATION_PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError(f"'{text}' is no duration")
    return sign * sum(float(number) * _SECONDS[unit] for number, unit in parts)


def endpoint(text: str) -> Endpoint:
    """Return the parts of an address such as ``tcp://host:514`` or ``unix:///dev/log``.

    Raises:
        ValueError: it has no such form; the message says what is wrong and ends a sentence that began with the address.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("has no scheme; write it like tcp://host:514")
    scheme, rest = match["scheme"].lower(), match["rest"]
    if scheme in ("unix", "unixgram"):
        if not rest.strip("/"):
            raise ValueError("names no path; write it like unix:///dev/log")
        if not rest.startswith("/"):
            raise ValueError("names no absolute path; write it like unix:///dev/log, with three slashes")
        return Endpoint(scheme, "", 0, rest)
    place = _PLACE.fullmatch(rest)
    if place is None:
        raise ValueError("is no host and port; write it like tcp://host:514, with [] around an IPv6 address")
    port = place["port"]
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise ValueError(f"has the port '{port}', but ports are numbers from 1 to 65535")
    return Endpoint(scheme, place["host"].strip("[]"), int(port or 0), "")


# Checks: each returns what is wrong, in words that follow the option's name, or nothing. --------------------------------


def size_problem(text: str, least: int = 1) -> str:
    """Say what is wrong with a size."""
    try:
        value = decimal_size(text)
    except ValueError:
        return f"is '{text}', which is no size; write it like 10m"
    return "" if value >= least else f"is {text}; write a size such as 10m"


def whole_problem(text: str, least: int, most: int | None = None) -> str:
    """Say what is wrong with a whole number."""
    if _WHOLE.fullmatch(text) and int(text) >= least and (most is None or int(text) <= most):
        return ""
    wanted = f"of {least} or more" if most is None else f"from {least} to {most}"
    return f"is '{text}', but it must be a whole number {wanted}"


def boolean_problem(text: str) -> str:
    """Say what is wrong with a switch."""
    return "" if text in TRUE or text in FALSE else f'is \'{text}\', but it must be "true" or "false"'


def choice_problem(text: str, choices: t.Sequence[str]) -> str:
    """Say what is wrong with one of several words."""
    shown = [choice for choice in choices if choice]
    return "" if text in choices else f"is '{text}', but only {', '.join(shown[:-1])} and {shown[-1]} exist"


def duration_problem(text: str, least: float = 0.0, most: float | None = None) -> str:
    """Say what is wrong with a duration; 0 is always right and means never, or the driver's own."""
    try:
        value = seconds(text)
    except ValueError:
        return f"is '{text}', which is no duration; write it like 500ms, 2s or 1m30s"
    if value == 0 or (value >= least and (most is None or value <= most)):
        return ""
    if most is None:
        return f"is '{text}', but it must not be negative"
    return f"is '{text}', but it must be 0 or lie between {least:g}s and {most:g}s"


def regex_problem(text: str) -> str:
    """Say what is wrong with a regular expression of RE2, as far as that is obvious."""
    plain = _CLASS.sub(" ", _ESCAPED.sub("  ", text))
    for escaped in _ESCAPED.findall(text):
        if escaped.isdigit() and escaped != "0":
            return f"is '{text}', which holds a back-reference, \\{escaped}; Go's expressions have none"
    for token, name in _NOT_IN_RE2:
        if token in plain:
            return f"is '{text}', which holds {name}; Go's expressions have none"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Classes such as [[:alpha:]] are fine in RE2.
            re.compile(text)
    except re.error as error:
        if str(error).startswith(_SHARED_ERRORS) and "\\" not in str(error):
            return f"is '{text}', which is no regular expression ({error}), and no container would start"
    return ""


def template_problem(text: str) -> str:
    """Say what is wrong with the template of a tag."""
    if "{{" in _ACTION.sub("", text):
        return f"is '{text}', where {{{{ is never closed, and no container would start"
    actions = [_LITERAL.sub(" ", action) for action in _ACTION.findall(text)]
    words = {word for action in actions for word in _WORD.findall(action)}
    unknown = sorted(words - _TAG_WORDS)
    if unknown:
        dotted = f"; write .{unknown[0]}" if unknown[0] in TAG_FIELDS else ""
        return f"is '{text}', but there is no function {unknown[0]} in templates of tags{dotted}"
    if any(not action.strip(" -") for action in actions):
        return f"is '{text}', which holds an empty {{{{}}}}, and no container would start"
    if words & _MOVES_THE_DOT:
        return ""
    for action in actions:
        for field in _FIELD.findall(action):
            if field not in TAG_FIELDS:
                alike = [name for name in TAG_FIELDS if name.lower() == field.lower()]
                known = f"did you mean .{alike[0]}" if alike else f"known are {', '.join(TAG_FIELDS[:8])}"
                return f"is '{text}', but a container has no .{field} there, and none would start; {known}"
    return ""


def _size(text: str, base: int) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no size")
    return int(float(match["number"]) * base ** _POWERS[(match["unit"] or "").lower()])
