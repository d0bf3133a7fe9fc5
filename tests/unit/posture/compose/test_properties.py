# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in a file: findings, or a refusal with a sentence; never another exception, and never a pass out of the unknown."""

from __future__ import annotations

import json

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import compose_audit, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project, reader, schema, variables
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEYS = sorted(schema._KNOWN[()])
INNER = sorted({key for keys in schema._KNOWN.values() for key in keys} | {"driver_opts", "device", "o", "external", "name", "file", "content", "CMD", "A"})
WORDS = st.sampled_from(
    "host none bridge ALL NET_ADMIN unconfined seccomp=unconfined label:disable no-new-privileges:true service:web container:x 80:80 80 /:/x ./a:/b:ro "
    "~/x:/x 0:0 root always on-failure:x 512m -1 true false yes $A ${A} ${A:-x} ${A:?e} ${ $$ /dev/mem /dev/sda:/dev/x:rwm tcp://x A=b "
    "A=$B 1-2:3-4 : / .".split()
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=8), WORDS)


def trees(keys, depth):
    if depth == 0:
        return SCALARS
    inner = trees(INNER, depth - 1)
    return st.one_of(SCALARS, st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(keys), st.text(max_size=5)), inner, max_size=4))


SERVICE = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), trees(INNER, 3), max_size=6)
PROJECT = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from(["web", "db", "x.y", "-"]), SERVICE, min_size=1, max_size=3)},
    optional={
        "volumes": st.dictionaries(st.sampled_from(["a", "b"]), trees(INNER, 2), max_size=2),
        "networks": st.dictionaries(st.sampled_from(["default", "n"]), trees(INNER, 2), max_size=2),
        "secrets": st.dictionaries(st.sampled_from(["a", "b"]), trees(INNER, 2), max_size=2),
        "configs": st.dictionaries(st.sampled_from(["a", "b"]), trees(INNER, 2), max_size=2),
        "include": trees(["path", "env_file", "project_directory"], 2),
        "name": SCALARS,
    },
)
LINES = ["services:", "  web:", "    ports:", "      - 80:80", "    <<: *a", "x: &a", "  - ", "{", "}", "[", "!reset", "---", "'", "\t", ": "]
FORMS = {"ports", "volumes", "environment", "networks", "devices", "secrets", "configs", "ulimits", "deploy", "logging", "healthcheck", "security_opt"}


class Files:
    def __init__(self, text):
        self._text = text

    def text(self, path):
        return {"compose.yml": self._text, "more.yml": "services: {more: {image: x}}\n", "a.env": "A=1\n"}.get(path)


def judge(text):
    request = compose_audit.Request((project.Source("compose.yml"),), project.Options(current="/srv/shop"), include=model.STATUSES)
    return compose_audit.audit(request, Files(text))


def settled(text):
    """Judge a text; return what was found, or None where it was refused as it has to be."""
    try:
        found = judge(text)
    except ComposeError as error:
        assert str(error).endswith((".", "\u2026"))
        assert str(error).isprintable()
        return None
    assert all(finding["status"] in model.STATUSES for finding in found["findings"])
    json.dumps(found)
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(PROJECT)
def test_any_project(tree):
    settled(json.dumps(tree, ensure_ascii=False))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(FORMS | {"extends", "env_file", "build", "gpus", "post_start", "restart", "user"})), trees(INNER, 3))
def test_any_value_of_a_key(key, value):
    settled(json.dumps({"services": {"web": {key: value}, "base": {"image": "x"}}}, ensure_ascii=False))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text(text):
    settled(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_any_lines(lines):
    settled("\n".join(lines))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_as_text(data):
    settled(data.decode("utf-8", "surrogateescape"))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="$${}AB:-?+ x\n", max_size=30), st.dictionaries(st.sampled_from("AB"), st.text(alphabet="x$A", max_size=3)))
def test_any_template(text, values):
    try:
        found = variables.substitute(text, values)
    except variables.TemplateError:
        return
    assert set(found.required) <= set(found.unset)
    if "$" not in text:
        assert found.text == text
    assert not set(found.unset) & {name for name, value in values.items() if value}


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="AB=:'\"\\\n $#{}x", max_size=40))
def test_any_env_file(text):
    try:
        found = variables.read_env(text, ".env", {"A": "1"})
    except ComposeError as error:
        assert error.line >= 1
        return
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in found.items())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30).filter(lambda text: text and "\x00" not in text))
def test_any_plain_word_is_read(text):
    value = reader.scalar(text)
    assert value is None or isinstance(value, (bool, int, float, str))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["privileged", "user", "cap_add", "volumes", "ports", "security_opt", "network_mode", "pid", "devices", "read_only", "mem_limit"]))
def test_what_depends_on_the_unknown_never_passes(key):
    """A service whose every answer hangs on a variable passes no rule that asks for it."""
    asked = {
        "privileged": "container-not-privileged",
        "user": "container-runs-as-user",
        "cap_add": "capability-sys-admin-not-held",
        "volumes": "api-socket-not-mounted",
        "ports": "ports-bound-to-an-address",
        "security_opt": "seccomp-filter-on",
        "network_mode": "network-not-the-host",
        "pid": "pid-namespace-own",
        "devices": "devices-none-of-the-host",
        "read_only": "root-filesystem-read-only",
        "mem_limit": "memory-limited",
    }
    value = ["${X}"] if key in ("cap_add", "volumes", "ports", "security_opt", "devices") else "${X}"
    found = judge(json.dumps({"services": {"web": {key: value}}}))
    (finding,) = [item for item in found["findings"] if item["rule"] == asked[key]]
    assert (finding["status"], "${X}" in finding["reason"]) == ("unknown", True), finding
