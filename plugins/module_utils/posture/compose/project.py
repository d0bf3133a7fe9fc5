# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A compose project: its files read, their variables replaced, extended and included services joined, in compose's order.

PRIVATE to the collection: no stability is promised to other users.

Order of compose-go (loader/loader.go, extends.go, include.go): for each file interpolate, include, take out what it resets,
extend, join. Paths of all files of a project begin in the project's directory; those of a file that is extended from, or
that is included, begin beside it.
"""

from __future__ import annotations

import collections
import dataclasses
import posixpath
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import (
    canonical,
    merge,
    reader,
    schema,
    variables,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import (
    Budget,
    ComposeError,
    Node,
    kind_of,
    sentence,
    text_of,
)

MOST_FILES = 200
_MOST_WARNINGS = 200
_DEEPEST = 30
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9_-]")
_NAMED = ("services", "volumes", "networks", "secrets", "configs", "models")


class Files(t.Protocol):
    """Where the text of files comes from; host/compose_files.py on a machine."""

    def text(self, path: str) -> str | None:
        """Return the text of a file, None where there is none.

        Raises:
            ComposeError: the file cannot be taken.
        """


class NoFiles:
    """For whoever has a text only: every other file is refused, except for those that are looked for without being named."""

    def text(self, path: str) -> str | None:
        """Refuse."""
        if posixpath.basename(path) == ".env":
            return None
        raise ComposeError("is another file, which cannot be read from here; use the module docker_compose_audit", path)


class Source(t.NamedTuple):
    """A file of a project: how it is called, and its text where the caller has it already."""

    path: str
    text: str | None = None


@dataclasses.dataclass(frozen=True)
class Options:
    """How a project is read.

    Attributes:
        current: the directory in which paths of the caller begin, absolute.
        directory: of the project, as the caller writes it, empty for the current one; files that the files name are read here.
        deployed: where that directory lies on the host on which the project is going to run; what the files mount begins here.
            A checkout on somebody's machine says nothing about it, so without it ``/srv/`` and the name are assumed.
        environment: values of variables.
        env_files: files with values; they yield to environment, and later ones win. None for ``.env`` in the directory of
            the project, where there is one.
        home: where ~ leads.
        name: of the project, where the files do not say it.
    """

    current: str
    directory: str = ""
    deployed: str = ""
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    env_files: tuple[str, ...] | None = None
    home: str = canonical.HOME
    name: str = ""


@dataclasses.dataclass(frozen=True)
class Project:
    """What the files say together.

    Attributes:
        name: of the project, which networks and volumes carry in front.
        directory: in which files are read, as in Options.
        services, networks, volumes, secrets, configs: by name, in canonical form.
        files: all that were read.
        warnings: what is odd, each a sentence with file and line.
        values: of the variables.
    """

    name: str
    directory: str
    services: dict[str, Node]
    networks: dict[str, Node]
    volumes: dict[str, Node]
    secrets: dict[str, Node]
    configs: dict[str, Node]
    files: tuple[str, ...]
    warnings: tuple[str, ...]
    values: t.Mapping[str, str]


def load(sources: t.Sequence[Source], files: Files, options: Options) -> Project:
    """Return the project of some files, which override one another in their order.

    Raises:
        ComposeError: compose would not read it, or it is endless.
    """
    return _Loader(files, options).load(sources)


class _Scope(t.NamedTuple):
    """How a file is read: the directory in which its paths begin, as in Options, and the values of variables."""

    directory: str
    values: t.Mapping[str, str]


class _Loader:
    def __init__(self, files: Files, options: Options) -> None:
        self._files = files
        self._options = options
        self._budget = Budget()
        self._room = [variables.MOST_TEXT]
        self._read: dict[str, None] = {}
        self._warnings: dict[str, None] = {}
        self._loads = 0
        self._bases: dict[tuple[str, int], tuple[dict[str, Node], merge.Removal]] = {}
        self._scopes: list[_Scope] = []
        self._here = self._absolute(options.directory)
        self._name = _name(options.name or posixpath.basename(self._here)) or "default"
        self._deployed = options.deployed or f"/srv/{self._name}"

    def load(self, sources: t.Sequence[Source]) -> Project:
        options = self._options
        env_files = self._default_env(options.directory) if options.env_files is None else options.env_files
        values = self._values(env_files, options.environment)
        root = self._model(sources, _Scope(options.directory, values), ())
        place = (sources[0].path, 0)
        if not root.get("services") or not root["services"].value:
            raise ComposeError("defines no services, so there is nothing to judge", *place)
        for path, node in schema.unknown_elsewhere(root):
            self._warn(node, f"the key {path} is unknown to compose, which refuses the file")
        return Project(
            name=(_name(text_of(root["name"])) if "name" in root else "") or self._name,
            directory=options.directory,
            **{kind: dict(root[kind].value) if kind in root else {} for kind in ("services", "networks", "volumes", "secrets", "configs")},
            files=tuple(self._read),
            warnings=tuple(self._warnings),
            values=values,
        )

    def _values(self, paths: t.Iterable[str], environment: t.Mapping[str, str]) -> t.Mapping[str, str]:
        found: dict[str, str] = {}
        for path in paths:
            text = self._text(path)
            if text is None:
                raise ComposeError("is an env file that does not exist", path)
            found.update(variables.read_env(text, path, collections.ChainMap(dict(environment), found)))
        return collections.ChainMap(dict(environment), found)

    def _model(self, sources: t.Sequence[Source], scope: _Scope, included: tuple[str, ...]) -> dict[str, Node]:
        """Return the top of what some files say together."""
        merged: dict[str, Node] = {}
        self._scopes.append(scope)
        for source in sources:
            for document in self._documents(source):
                merged = self._add(merged, document, source.path, scope, included)
        return merged

    def _documents(self, source: Source) -> list[Node]:
        self._loads += 1
        if self._loads > MOST_FILES:
            raise ComposeError(f"is file number {MOST_FILES + 1} of the project; so many are not read, look for an include that repeats itself", source.path)
        text = self._text(source.path) if source.text is None else source.text
        self._read[source.path] = None
        if text is None:
            raise ComposeError("does not exist", source.path)
        return reader.read(text, source.path, self._budget)

    def _absolute(self, directory: str) -> str:
        return canonical.normal(posixpath.join(self._options.current, directory))

    def _default_env(self, directory: str) -> tuple[str, ...]:
        path = _beside(directory, ".env")
        return () if self._text(path) is None else (path,)

    def _text(self, path: str) -> str | None:
        text = self._files.text(path)
        if text is not None:
            self._read[path] = None
        return text

    def _prepared(self, document: Node, scope: _Scope) -> tuple[dict[str, Node], merge.Removal]:
        removal = merge.Removal(merge.resets(document))
        filled = variables.Interpolation(scope.values, self._warn, self._room).apply(merge.without_resets(document))
        beside = posixpath.relpath(self._absolute(scope.directory), self._here)
        places = canonical.Places(canonical.normal(posixpath.join(self._deployed, beside)), scope.directory, self._options.home)
        return canonical.document(filled, places, self._budget), removal

    def _add(self, merged: dict[str, Node], document: Node, path: str, scope: _Scope, included: tuple[str, ...]) -> dict[str, Node]:
        config, removal = self._prepared(document, scope)
        config = self._include(config, removal, scope, (*included, path))
        merged = removal.apply(merged)
        services = config.get("services")
        if services is not None:
            extended = _Extension(self, path, scope, services.value, removal).all()
            config = {**config, "services": services.with_value(extended)}
        return merge.unique(merge.documents(merged, config))

    def _include(self, config: dict[str, Node], removal: merge.Removal, scope: _Scope, included: tuple[str, ...]) -> dict[str, Node]:
        include = config.pop("include", None)
        if include is None or include.value is None:
            return config
        if not isinstance(include.value, list):
            raise include.error(f"include is a {kind_of(include.value)}; compose wants a list of files")
        if len(included) > _DEEPEST:
            raise include.error(f"includes files deeper than {_DEEPEST} levels")
        for entry in include.value:
            self._budget.take(1, entry.file, entry.line)
            imported = self._included(entry, scope, included)
            for kind in _NAMED:
                if kind in imported:
                    config = _imported(config, imported[kind], kind, removal)
        return config

    def _included(self, entry: Node, scope: _Scope, included: tuple[str, ...]) -> dict[str, Node]:
        paths = _texts(entry.value.get("path"), entry) if isinstance(entry.value, dict) else _texts(entry, entry)
        if not paths:
            raise entry.error("include has an entry without a path; add path")
        shown = [_beside(scope.directory, _local(path, entry)) for path in paths]
        for path in shown:
            if path in included:
                raise entry.error(f"includes {path}, which includes this file: {' -> '.join((*included[included.index(path):], path))}; break the circle")
        given = entry.get("project_directory")
        directory = _beside(scope.directory, text_of(given)) if given is not None else posixpath.dirname(shown[0])
        env = entry.get("env_file")
        names = [name for name in _texts(env, entry) if name != "/dev/null"]
        env_files = self._default_env(directory) if env is None else tuple(_beside(scope.directory, name) for name in names)
        try:
            values = self._values(env_files, scope.values) if env_files else scope.values
            return self._model([Source(path) for path in shown], _Scope(directory, values), included)
        except ComposeError as error:
            if error.line or not error.file:
                raise
            raise entry.error(f"includes {error.file}, which {error.message}") from error

    def base(self, extends: Node, name: str, path: str, scope: _Scope) -> tuple[str, dict[str, Node], merge.Removal, _Scope]:
        """Return the services of the file that a service extends from."""
        shown = _beside(scope.directory, _local(path, extends))
        inner = _Scope(posixpath.dirname(shown), scope.values)
        key = (shown, id(scope.values))
        if key not in self._bases:
            merged: dict[str, Node] = {}
            removal = merge.Removal(())
            try:
                found = self._documents(Source(shown))
            except ComposeError as error:
                if error.line:
                    raise
                raise extends.error(f"services.{name} extends a service of {shown}, which {error.message}") from error
            for document in found:
                config, removal = self._prepared(document, inner)
                merged = merge.documents(removal.apply(merged), config)
            services = merged.get("services")
            self._bases[key] = (dict(services.value) if services is not None else {}, removal)
        return (shown, *self._bases[key], inner)

    def take_tree(self, node: Node) -> None:
        """Count a service that is used once more."""
        self._budget.take_tree(node)

    def _warn(self, node: Node, message: str) -> None:
        if len(self._warnings) < _MOST_WARNINGS:
            self._warnings[sentence(message, node.file, node.line)] = None


class _Extension:
    """The services of one file with what they extend in them."""

    def __init__(self, loader: _Loader, path: str, scope: _Scope, services: dict[str, Node], removal: merge.Removal) -> None:
        self._loader = loader
        self._path = path
        self._scope = scope
        self._services = services
        self._removal = removal
        self._done: dict[tuple[str, str], Node] = {}

    def all(self) -> dict[str, Node]:
        """Return the services."""
        return {name: self._resolve(name, node, self._path, self._scope, self._services, self._removal, ()) for name, node in self._services.items()}

    def _resolve(
        self,
        name: str,
        node: Node,
        path: str,
        scope: _Scope,
        services: t.Mapping[str, Node],
        removal: merge.Removal,
        chain: tuple[tuple[str, str], ...],
    ) -> Node:
        extends = node.get("extends")
        if extends is None:
            return node
        here = (path, name)
        if here in self._done:
            return self._done[here]
        if here in chain:
            circle = " -> ".join(f"{service} in {file}" for file, service in (*chain[chain.index(here):], here))
            raise extends.error(f"services.{name} extends itself: {circle}; break the circle")
        if len(chain) >= _DEEPEST:
            raise extends.error(f"services.{name} extends services deeper than {_DEEPEST} levels")
        wanted = text_of(extends.value["service"])
        file = extends.get("file")
        other: tuple[str, t.Mapping[str, Node], merge.Removal, _Scope] = (path, services, removal, scope)
        if file is not None:
            other = self._loader.base(extends, name, text_of(file), scope)
        base = other[1].get(wanted)
        if base is None:
            raise extends.error(f"services.{name} extends the service {wanted!r}, which is not in {other[0]}; mend the name")
        base = self._resolve(wanted, base, other[0], other[3], other[1], other[2], (*chain, here))
        self._loader.take_tree(base)
        joined = merge.service(removal.apply_to_service(name, base), node)
        value = {key: item for key, item in joined.value.items() if key != "extends"}
        self._done[here] = joined.with_value(value)
        return self._done[here]


def _imported(config: dict[str, Node], elements: Node, kind: str, removal: merge.Removal) -> dict[str, Node]:
    """Return a file with what it includes: its own definitions override those of the included files."""
    ours = config.get(kind)
    if ours is None:
        return {**config, kind: elements}
    theirs = removal.apply({kind: elements})
    joined = merge.documents(theirs, {kind: ours})
    return {**config, kind: joined[kind]}


def _name(text: str) -> str:
    """Return the name of a project as compose writes it."""
    return _NOT_IN_A_NAME.sub("", text.lower()).lstrip("_-")


def _texts(node: Node | None, entry: Node) -> list[str]:
    if node is None:
        return []
    found = node.value if isinstance(node.value, list) else [node]
    texts = [text_of(item) for item in found]
    if any(not text for text in texts):
        raise entry.error("names a file with an empty name")
    return texts


def _local(path: str, node: Node) -> str:
    if canonical.is_remote(path) or path.endswith(".git") or ".git#" in path:
        raise node.error(f"names {path!r}, which lies on another host; fetch it and name the file")
    return path


def _beside(directory: str, path: str) -> str:
    """Return how a file is called that a file of a directory names."""
    return canonical.normal(posixpath.join(directory, path))
