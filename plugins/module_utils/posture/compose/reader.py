# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From the text of a compose file to its values with their lines, as compose reads YAML.

PRIVATE to the collection: no stability is promised to other users.

PyYAML only cuts the text into events; what they mean is decided here. That is needed twice: PyYAML reads YAML 1.1, where
``22:22`` is a number and ``no`` is false, while compose reads both as text (go-yaml resolve.go); and neither depth nor
aliases can be bounded once objects are made. Nothing but plain values is ever constructed.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import (
    DEEPEST,
    Budget,
    ComposeError,
    Node,
    kind_of,
)

try:
    import yaml
except ImportError:  # pragma: no cover - ansible-core itself needs PyYAML
    yaml = None  # type: ignore[assignment]

LARGEST = 1024 * 1024
_MERGE = "<<"
_CORE = "tag:yaml.org,2002:"
_RESET = {"!reset": "reset", "!override": "override"}
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_BASED = re.compile(r"(?P<sign>[-+]?)0(?P<base>[xXbBoO]?)(?P<digits>[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_LONGEST_NUMBER = 40
_BASES = {"": 8, "x": 16, "b": 2, "o": 8}
_WORDS: dict[str, t.Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


class _Frame:
    """A list or mapping that is being read."""

    __slots__ = ("mapping", "line", "tag", "anchor", "items", "pairs", "merged", "key", "key_line", "size", "height")

    def __init__(self, mapping: bool, line: int, tag: str, anchor: str | None) -> None:
        self.mapping = mapping
        self.line = line
        self.tag = tag
        self.anchor = anchor
        self.items: list[Node] = []
        self.pairs: dict[str, Node] = {}
        self.merged: list[Node] | None = None
        self.key: str | None = None
        self.key_line = 0
        self.size = 1
        self.height = 1


class _Anchored(t.NamedTuple):
    node: Node
    size: int
    height: int


def read(text: str, file: str, budget: Budget | None = None) -> list[Node]:
    """Return the documents of a file, each a mapping; one that holds nothing is left out.

    Args:
        text: of the file.
        file: how messages and nodes call it.
        budget: of the project.

    Raises:
        ComposeError: the text is too large or no YAML that compose would read, with the line.
    """
    if yaml is None:
        raise ComposeError("PyYAML is missing, without which no compose file can be read; install it for the Python that runs this", file)
    return _Reader(file, budget or Budget()).read(_checked(text, file))


def scalar(text: str) -> t.Any:
    """Return what a word without quotes means: null, a truth value, a number, or itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS or len(text) > _LONGEST_NUMBER:
        return text
    digits = text.replace("_", "")
    if _INTEGER.match(digits):
        return int(digits)
    based = _BASED.match(digits)
    if based:
        try:
            return int(based["sign"] + based["digits"], _BASES[based["base"].lower()])
        except ValueError:
            pass
    return float(digits) if _FLOAT.match(digits) else text


def _checked(text: str, file: str) -> str:
    if len(text) > LARGEST or len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise ComposeError(f"is larger than {LARGEST} bytes; no compose file is", file)
    if text.startswith("\ufeff"):
        text = text[1:]
    odd = _NOT_PRINTABLE.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise ComposeError(f"holds the character U+{ord(odd[0]):04X}, which YAML does not allow; remove it, or write it as an escape in quotes", file, line)
    return text


class _Reader:
    def __init__(self, file: str, budget: Budget) -> None:
        self._file = file
        self._budget = budget
        self._documents: list[Node] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}

    def read(self, text: str) -> list[Node]:
        try:
            # The loader of libyaml is a hundred times faster; without it a large file takes seconds.
            for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                self._take(event)
        except yaml.YAMLError as error:
            raise self._unreadable(error, text) from error
        except RecursionError as error:
            raise ComposeError("is nested too deeply", self._file) from error
        return self._documents

    def _take(self, event: t.Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._value(self._scalar(event, line), 1, 0, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}

    def _open(self, event: t.Any, line: int) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if self._stack and self._stack[-1].mapping and self._stack[-1].key is None:
            raise ComposeError(f"has a {'mapping' if mapping else 'list'} as a key; keys have to be texts", self._file, line)
        if len(self._stack) >= DEEPEST:
            raise self._too_deep(line)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._budget.take(1, self._file, line)
        self._stack.append(_Frame(mapping, line, self._tag(event.tag, line, "map" if mapping else "seq"), event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.mapping:
            value: t.Any = frame.pairs
            for other in frame.merged or ():
                for key, node in other.value.items():
                    value.setdefault(key, node)
        else:
            value = frame.items
        self._value(Node(value, self._file, frame.line, (), frame.tag), frame.size, frame.height, frame.anchor, counted=True)

    def _alias(self, event: t.Any, line: int) -> None:
        found = self._anchors.get(event.anchor)
        if found is None:
            inside = any(frame.anchor == event.anchor for frame in self._stack)
            wrong = "refers to itself" if inside else "names no anchor before it; define it with & first"
            raise ComposeError(f"the alias *{event.anchor} {wrong}", self._file, line)
        if len(self._stack) + found.height > DEEPEST:
            raise self._too_deep(line)
        self._value(Node(found.node.value, self._file, line, (), found.node.tag), found.size, found.height, None)

    def _value(self, node: Node, size: int, height: int, anchor: str | None, counted: bool = False) -> None:
        """Put a value where it belongs: it is a key, what a key holds, an item, or a document."""
        if not counted:
            self._budget.take(size, self._file, node.line)
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, size, height)
        if not self._stack:
            self._document(node)
            return
        frame = self._stack[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if not frame.mapping:
            frame.items.append(node)
        elif frame.key is None:
            frame.key, frame.key_line = self._key(node), node.line
            if frame.key in frame.pairs or (frame.key == _MERGE and frame.merged is not None):
                before = f" (before on line {frame.pairs[frame.key].line})" if frame.key in frame.pairs else ""
                raise ComposeError(f"holds the key {_short(frame.key)} a second time{before}; keep one of the two", self._file, node.line)
        else:
            key, frame.key = frame.key, None
            if key == _MERGE:
                frame.merged = self._merged(node, frame.key_line)
            else:
                frame.pairs[key] = Node(node.value, self._file, frame.key_line, (), node.tag)

    def _document(self, node: Node) -> None:
        if node.value is None:
            return
        if not isinstance(node.value, dict):
            raise ComposeError(f"holds a {kind_of(node.value)}, but a compose file is a mapping with services in it", self._file, node.line)
        self._documents.append(node)

    def _key(self, node: Node) -> str:
        if not isinstance(node.value, str):
            raise ComposeError(f"has a {kind_of(node.value)} as a key, {_short(str(node.value))}; write it in quotes", self._file, node.line)
        return node.value

    def _merged(self, node: Node, line: int) -> list[Node]:
        found = node.value if isinstance(node.value, list) else [node]
        if any(not isinstance(item.value, dict) for item in found):
            raise ComposeError("merges (<<) what is no mapping; give an alias of a mapping, or a list of such", self._file, line)
        return found

    def _scalar(self, event: t.Any, line: int) -> Node:
        plain = event.style is None or event.style == ""
        tag = event.tag
        if tag in (None, "") or tag in _RESET:
            value = scalar(event.value) if plain else event.value
        elif tag in ("!", _CORE + "str"):
            value = event.value
        elif tag in (_CORE + "int", _CORE + "float", _CORE + "bool", _CORE + "null"):
            value = scalar(event.value)
            wanted = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}[tag[len(_CORE):]]
            if not isinstance(value, wanted):  # type: ignore[arg-type]
                raise ComposeError(f"{_short(event.value)} is not what its tag !!{tag[len(_CORE):]} says", self._file, line)
        else:
            raise self._unknown_tag(tag, line)
        return Node(value, self._file, line, (), _RESET.get(tag, ""))

    def _tag(self, tag: str | None, line: int, own: str) -> str:
        if tag in (None, "", "!", _CORE + own):
            return ""
        if tag in _RESET:
            return _RESET[tag]
        raise self._unknown_tag(str(tag), line)

    def _unknown_tag(self, tag: str, line: int) -> ComposeError:
        shown = tag.replace(_CORE, "!!")
        return ComposeError(f"has the tag {_short(shown)}, which compose does not know; remove it, or use !reset or !override", self._file, line)

    def _too_deep(self, line: int) -> ComposeError:
        return ComposeError(f"is nested deeper than {DEEPEST} levels; no compose file is", self._file, line)

    def _unreadable(self, error: t.Any, text: str) -> ComposeError:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark is not None else 0
        lines = text.splitlines()
        written = lines[line - 1] if 0 < line <= len(lines) else ""
        if "\t" in written[: len(written) - len(written.lstrip())]:
            return ComposeError("is indented with a tab, which YAML does not allow; indent with spaces", self._file, line)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be understood"
        # libyaml has a limit of its own, and reads ahead until it.
        return self._too_deep(line) if "nesting depth" in problem else ComposeError(f"is no YAML: {problem}", self._file, line)


def _short(text: str) -> str:
    shown = text if len(text) <= 60 else text[:59] + "\u2026"
    return repr(shown)
