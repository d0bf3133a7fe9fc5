# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The words of a compose service: variables, labels, arguments and options, and which of them hold a secret in plain text.

PRIVATE to the collection: no stability is promised to other users.

What is found is kept by its name, with the line; values are looked at and forgotten.
"""

from __future__ import annotations

import collections
import posixpath
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import canonical, schema, variables
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError, Node, text_of
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import (
    FileSays,
    Known,
    Part,
    Placed,
    Reading,
    truth_of,
)

_MISSING = "does not exist here"
_HOOKS = ("pre_start", "post_start", "pre_stop")
# Where NAME=value stands, and what the name is called in a finding.
_PAIRS = (
    (("environment",), ""),
    (("build", "args"), "build argument "),
    (("labels",), "label "),
    (("annotations",), "annotation "),
    (("build", "labels"), "label of the build "),
    (("deploy", "labels"), "label of the deploy "),
    (("logging", "options"), "option of the log driver "),
)
# Of these a name alone takes the value that it has where compose runs.
_FROM_OUTSIDE = (("environment",), ("build", "args"))
_COMMANDS = ((("entrypoint",), ""), (("command",), ""), (("healthcheck", "test"), "healthcheck "))


class Words(Part):
    """What a service says in words."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        # By name of what is secret where it stands; what of env files leads to an API of Docker.
        self._found: dict[str, Node] = {}
        self._host: Fact | None = None
        # The variables without a value on which something secret depends, and by key why a file could not be looked at.
        self._unset_names: dict[str, None] = {}
        self._first_unset: Node | None = None
        self._blind: dict[str, Unknown] = {}
        own = self._node.get("labels")
        said = {key: text_of(value) for key, value in own.items()} if own is not None else {}
        files = self._label_files()
        #: With their values, for waivers that select by them; a later file wins, and over all what the service says itself.
        self.labels: t.Mapping[str, str] = collections.ChainMap(said, *reversed(files)) if files else said

    def facts(self) -> dict[str, Known]:
        """Return the facts."""
        self._look()
        place = self._node.get("labels") or self._node.get("label_file")
        return {
            "working_dir": self._text("working_dir", "sets no working_dir; that of the image is judged with the image"),
            "secret_names": self._secret_names(),
            "docker_host": self._docker_host(),
            "labels": self._here(tuple(self.labels), "labels", place) if place is not None else self._absent((), "has no labels"),
            "unknown_keys": self._unknown_keys(),
        }

    def _docker_host(self) -> Known:
        node = self._node.get("environment", "DOCKER_HOST")
        if node is None:
            return self._host or self._blind.get("env_file") or self._absent("", "does not set DOCKER_HOST")
        return self._unset("environment", node.unset, node) if node.unset else self._here(text_of(node), "environment", node)

    def _secret_names(self) -> Known:
        where = next(iter(self._found.values()), self._node)
        names = tuple(Placed.of(name, named) for name, named in self._found.items())
        fact = Fact(names, f"{self._path}, environment, arguments and labels", where.file, where.line)
        if self._first_unset is not None:
            return self._unset("environment", tuple(self._unset_names), self._first_unset, fact)
        blind = self._blind.get("env_file") or self._blind.get("label_file")
        return blind._replace(partly=fact) if blind is not None else fact

    # Where something secret can stand.

    def _look(self) -> None:
        for path, prefix in _PAIRS:
            self._pairs(self._node.get(*path), prefix, path in _FROM_OUTSIDE)
        for path, prefix in _COMMANDS:
            self._command(self._node.get(*path), prefix)
        for key in _HOOKS:
            hooks = self._node.get(key)
            for number, hook in enumerate(hooks.entries() if hooks is not None else ()):
                given = hook.get("environment")
                self._pairs(canonical.pairs(given) if given is not None else None, f"{key}[{number}] ", True)
                self._command(hook.get("command"), f"{key}[{number}] ")
        self._build()
        self._configs()
        self._env_files()

    def _pairs(self, node: Node | None, prefix: str, from_outside: bool) -> None:
        for name, value in node.items() if node is not None else ():
            if value.value is None:
                if from_outside and secrets.is_secret(name, self._project.values.get(name)):
                    self._found.setdefault(prefix + name, value)
            elif value.unset:
                if secrets.named_secret(name):
                    self._unset_names.update(dict.fromkeys(value.unset))
                    self._first_unset = self._first_unset or value
            elif secrets.is_secret(name, value.value):
                self._found.setdefault(prefix + name, value)

    def _command(self, node: Node | None, prefix: str) -> None:
        if node is None:
            return
        words = [text_of(item) for item in node.entries()] if node.is_list() else text_of(node).split()
        marked = secrets.arguments(words)
        places = [number for number, word in enumerate(marked) if word.endswith(secrets.SECRET)]
        for name, number in zip(secrets.argument_secrets(marked), places):
            self._found.setdefault(f"{prefix}{name}", node.entries()[number] if node.is_list() else node)

    def _build(self) -> None:
        for name, node in (("build context", self._node.get("build", "context")), *self._contexts()):
            if node is not None and node.value is not None and secrets.form_of_secret(text_of(node)):
                self._found.setdefault(name, node)
        inline = self._node.get("build", "dockerfile_inline")
        if inline is not None:
            lines = [secrets.instruction(line.strip()) for line in text_of(inline).splitlines()]
            for name in secrets.instruction_secrets(lines):
                self._found.setdefault(f"dockerfile_inline {name}", inline)

    def _contexts(self) -> list[tuple[str, Node]]:
        contexts = self._node.get("build", "additional_contexts")
        return [(f"build context {name}", node) for name, node in contexts.items()] if contexts is not None else []

    def _configs(self) -> None:
        configs = self._node.get("configs")
        for item in configs.entries() if configs is not None else ():
            source = item.get("source")
            definition = self._project.configs.get(text_of(source)) if source is not None else None
            content = definition.get("content") if definition is not None else None
            if source is not None and content is not None and secrets.form_of_secret(text_of(content)):
                self._found[f"content of config {text_of(source)}"] = content

    # Files that the service names.

    def _env_files(self) -> None:
        for item, name, said in self._files_of("env_file", "env file"):
            for key in said.secret_names:
                self._found.setdefault(f"{key} of {posixpath.basename(name)}", item)
            if said.docker_host is not None:
                self._host = Fact(said.docker_host, f"{self._at('env_file')} in {item.file}:{item.line}", item.file, item.line)

    def _label_files(self) -> list[dict[str, str]]:
        """Return the labels of each file."""
        found = []
        for item, name, said in self._files_of("label_file", "label file"):
            for key in said.secret_names:
                self._found.setdefault(f"label {key} of {posixpath.basename(name)}", item)
            found.append(said.labels or {})
        return found

    def _files_of(self, key: str, what: str) -> list[tuple[Node, str, FileSays]]:
        """Return for each file of a list its entry, its path and what it says; why one could not be looked at is kept."""
        node = self._node.get(key)
        found = []
        for item in node.entries() if node is not None else ():
            path = item.value["path"] if item.is_mapping() and "path" in item.value else item
            if path.unset:
                self._blind[key] = self._unset(key, path.unset, item)
                continue
            name, required, form = text_of(path), item.get("required"), item.get("format")
            said = self._said(key, name, form is not None and text_of(form) == "raw")
            if not said.wrong:
                found.append((item, name, said))
            elif said.wrong != _MISSING or required is None or truth_of(required):
                self._blind[key] = Unknown(f"the {what} {name} {said.wrong}", f"{self._at(key)} in {item.file}:{item.line}")
                if said.wrong == _MISSING:
                    self._warn(item, f"{self._at(key)} names {name}, which does not exist here")
        return found

    def _said(self, key: str, name: str, raw: bool) -> FileSays:
        """Return what a file says; many services name the same one, and it is read once."""
        said = self._reading.said.get((key, name, raw))
        if said is None:
            try:
                text = self._files.text(name)
                said = FileSays(_MISSING) if text is None else self._read(key, name, text, raw)
            except ComposeError as error:
                said = FileSays(error.message)
            self._reading.said[key, name, raw] = said
        return said

    def _read(self, key: str, name: str, text: str, raw: bool) -> FileSays:
        labels = key == "label_file"
        # Labels can only name one another.
        values = _raw_env(text) if raw else variables.read_env(text, name, {} if labels else self._project.values)
        secret = tuple(each for each, value in values.items() if secrets.is_secret(each, value))
        if labels:
            return FileSays("", secret, values)
        host = values.get("DOCKER_HOST")
        return FileSays("", secret, None, None if host is None else secrets.scrubbed(host))

    def _unknown_keys(self) -> Known:
        found = schema.unknown_keys(self._node)
        if not found:
            return self._absent((), "has no key that compose does not know")
        return Fact(tuple(Placed.of(path, node) for path, node in found), self._path, found[0][1].file, found[0][1].line)


def _raw_env(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {name.strip(): value for name, equals, value in lines if equals}
