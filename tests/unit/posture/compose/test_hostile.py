# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What somebody writes to harm whoever judges it: it ends soon, in a refusal with a sentence or in findings."""

from __future__ import annotations

import datetime
import json
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import compose_audit, model, result
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project, reader
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError

SOON = 5


class Files:
    def __init__(self, texts):
        self.texts = texts

    def text(self, path):
        return self.texts.get(path)


def judge(text, files=None, **options):
    texts = {"compose.yml": text, **(files or {})}
    request = compose_audit.Request((project.Source("compose.yml"),), project.Options(current="/srv/shop", **options), include=model.STATUSES)
    return compose_audit.audit(request, Files(texts))


@pytest.fixture(autouse=True)
def soon():
    began = time.process_time()
    yield
    assert time.process_time() - began < SOON


def refused(text, files=None, **options):
    with pytest.raises(ComposeError) as caught:
        judge(text, files, **options)
    message = str(caught.value)
    assert message.startswith("compose.yml") and message.endswith(".") and len(message) < 2000
    return message


def wide(count, line):
    return "services:\n  w:\n" + "".join(line.format(number) for number in range(count))


@pytest.mark.parametrize(
    "text",
    [
        # Bombs in what is judged, not only in what is thrown away.
        'a: &a ["/x:/x"]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n'
        + "".join(f"c{n}: &c{n} [{', '.join([f'*c{n - 1}' if n else '*b'] * 10)}]\n" for n in range(8))
        + "services: {w: {volumes: *c7}}\n",
        "x: &x {environment: {A: 1}}\nservices:\n" + "".join(f"  s{n}: {{<<: [{', '.join(['*x'] * 40)}]}}\n" for n in range(3000)),
        "services:\n  w: &w\n    x-w: *w\n",
        "services:\n  w:\n    <<: &w {<<: *w}\n",
        wide(60_000, "    x-{0}: 1\n"),
        wide(1, "    environment:\n") + "".join(f"      K{n}: v\n" for n in range(120_000)),
        "services:\n" + "".join(f"  s{n}: {{extends: s{n + 1}}}\n" for n in range(5_000)),
        "services: " + "{a: " * 90_000,
        "services:\n  w:\n    ports:\n" + "      - 1-64:1-64\n" * 9_000,
        "services: {w: {image: '" + "${A:-" * 100_000 + "'}}",
        "services: {w: {image: '" + "${A:-" * 60 + "}" * 60 + "'}}",
    ],
    ids=range(11),
)
def test_bombs(text):
    assert refused(text) if len(text) < reader.LARGEST else refused(text).endswith("no compose file is.")


def test_a_long_value_that_is_named_often():
    text = wide(1, "    environment:\n") + "".join(f"      K{n}: $BIG\n" for n in range(10_000))
    assert "larger than" in refused(text, environment={"BIG": "x" * 100_000})


def test_files_that_name_one_another():
    files = {f"{n}.yml": f"include: [{n + 1}.yml, {n + 1}.yml]\nservices: {{s{n}: {{image: x}}}}\n" for n in range(20)}
    files["20.yml"] = "services: {s: {image: x}}\n"
    with pytest.raises(ComposeError, match="is file number 201"):
        judge("include: [0.yml]\nservices: {w: {}}\n", files)
    circle = {"a.yml": "include: [b.yml]\n", "b.yml": "include: [a.yml]\n"}
    with pytest.raises(ComposeError, match=r"^b\.yml:1: includes a\.yml, which includes this file: a\.yml -> b\.yml -> a\.yml"):
        judge("include: [a.yml]\nservices: {w: {}}\n", circle)


def test_an_extended_file_that_extends_back():
    files = {"a.yml": "services: {s: {extends: {file: compose.yml, service: w}}}\n"}
    assert "extends itself" in refused("services: {w: {extends: {file: a.yml, service: s}}}\n", files)


ODD_NAMES = [
    "<script>alert(1)</script>",
    "\u202eexe.piz",
    "{{ lookup('pipe', 'id') }}",
    "'; DROP TABLE x; --",
    "../../etc/passwd",
    "x" * 1000,
    "\U0001f4a3",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_are_kept_as_they_are(name):
    """Whoever writes a report escapes them; the judge neither breaks nor hides them."""
    text = json.dumps({"services": {name: {"privileged": True, "image": name, "environment": {name: name}, "labels": {name: name}}}}, ensure_ascii=False)
    found = judge(text)
    assert found["services"] == [name]
    (finding,) = [item for item in found["findings"] if item["rule"] == "container-not-privileged"]
    assert (finding["status"], finding["subject"]) == ("fail", name)


@pytest.mark.parametrize("character", ["\x1b[2J", "\x00", "\x07", "\x9b31m", "\ud800", "\ufffe"])
def test_control_characters_are_refused_without_being_shown(character):
    message = refused(f"services:\n  'w{character}':\n    image: x\n")
    assert message.startswith("compose.yml:2: holds the character U+")
    assert message.isprintable()


def test_control_characters_in_escapes_are_text():
    found = judge('services:\n  "w\\x1b[31m\\0":\n    privileged: true\n    image: "\\u001b]8;;x"\n')
    assert found["services"] == ["w\x1b[31m\x00"]
    (sentence,) = result.sentences(
        result.from_dicts([item for item in found["findings"] if (item["rule"], item["status"]) == ("container-not-privileged", "fail")])
    )
    assert sentence.isprintable()


def test_a_megabyte_of_one_text():
    size = reader.LARGEST - 200
    for text in (
        f"services: {{w: {{image: '{'x' * size}'}}}}\n",
        f"services: {{w: {{volumes: ['{'/x' * (size // 2)}:/y']}}}}\n",
        f"services: {{w: {{environment: {{A: '{'a=' * (size // 2)}'}}}}}}\n",
        f"services: {{w: {{command: '{'--password ' * (size // 11)}'}}}}\n",
        f"services: {{w: {{ports: ['{'1' * size}']}}}}\n",
        f"services: {{w: {{user: '{'9' * size}'}}}}\n",
        f"services: {{w: {{mem_limit: '{'9' * size}'}}}}\n",
        f"services: {{w: {{cpus: '{'9' * size}', pids_limit: '{'9' * size}'}}}}\n"[: size * 2],
    ):
        try:
            found = judge(text)
        except ComposeError as error:
            assert len(str(error)) < 1000
        else:
            assert max(len(item["observed"]) for finding in found["findings"] for item in finding["evidence"]) <= 301


def test_many_services():
    text = "services:\n" + "".join(f"  s{n}: {{image: 'x:{n}', ports: ['{n + 1024}:80'], privileged: true}}\n" for n in range(300))
    found = judge(text)
    assert found["subjects"] == {"compose service": 300}


def test_a_secret_that_cannot_be_read_is_not_shown():
    """Refusals quote what was found, but only where no secret stands."""
    files = {"db.env": "PASSWORD='correct-horse-9\n"}
    found = judge("services: {w: {env_file: db.env}}\n", files)
    assert "correct-horse-9" not in repr(found)
    with pytest.raises(ComposeError) as caught:
        judge("services: {w: {}}\n", files, env_files=("db.env",))
    assert "correct-horse-9" not in str(caught.value)


def test_a_waiver_for_a_service_whose_fault_stands_in_another_file():
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture import waivers

    accepted, problems = waivers.parse(
        [{"rule": "container-not-privileged", "label": "team=a", "owner": "a", "reason": "b", "expires": "2027-01-01"}], result.RULE_IDS
    )
    assert problems == []
    request = compose_audit.Request(
        (project.Source("a.yml"), project.Source("b.yml")),
        project.Options(current="/srv/shop"),
        waivers=tuple(accepted),
        today=datetime.date(2026, 1, 1),
    )
    files = Files({"a.yml": "services: {w: {labels: {team: a}}}\n", "b.yml": "services:\n  w:\n    privileged: true\n"})
    found = compose_audit.audit(request, files)
    assert found["waived"] == 1
    (finding,) = [item for item in found["findings"] if item["waiver"]]
    assert (finding["rule"], finding["file"], finding["line"]) == ("container-not-privileged", "b.yml", 3)
