# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import json

import jsonschema
import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document
from ansible_collections.bulkhead.docker.plugins.module_utils.report import json as writer
from ansible_collections.bulkhead.docker.tests.unit.report import schemas
from ansible_collections.bulkhead.docker.tests.unit.report.examples import made


def report(whole, name):
    return next(found for found in whole["reports"] if found["name"] == name)


def test_the_schema_is_one():
    schema = json.loads(schemas.OURS.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == document.SCHEMA
    assert document.SCHEMA.endswith("docs/schemas/" + schemas.OURS.name)
    assert schema["properties"]["schema_version"]["pattern"].startswith("^" + document.SCHEMA_VERSION.split(".", maxsplit=1)[0])


def test_it_is_the_document():
    assert json.loads(writer.render(made())) == made()


@pytest.mark.parametrize("results", [None, []])
def test_it_fits_the_schema(results):
    assert schemas.wrong(schemas.ours(), json.loads(writer.render(made(results)))) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole.pop("content"),
        lambda whole: whole.update(more=1),
        lambda whole: whole.update(schema_version="2.0"),
        lambda whole: whole.update(generated="2026-11-26 11:00:00"),
        lambda whole: report(whole, "gamma").update(state="good"),
        lambda whole: report(whole, "gamma").update(problem=""),
        lambda whole: report(whole, "gamma").update(more=1),
        lambda whole: whole["fleet"]["score"].update(percent=101),
        lambda whole: whole["fleet"]["score"]["failed_by_severity"].pop("info"),
        lambda whole: report(whole, "alpha")["findings"][0].update(severity="bad"),
        lambda whole: report(whole, "alpha")["findings"][0].update(fingerprint=""),
        lambda whole: report(whole, "alpha")["findings"][0].update(title="\x1b[0m"),
        lambda whole: report(whole, "alpha")["findings"][-1].update(waiver={"owner": "a", "reason": "b", "expires": "2027-01-01", "compensation": ""}),
        lambda whole: report(whole, "alpha")["attack_paths"][0].update(kind="container"),
        lambda whole: report(whole, "alpha")["attack_paths"][0].update(more=1),
    ],
)
def test_the_schema_refuses(spoil):
    whole = copy.deepcopy(made())
    assert schemas.wrong(schemas.ours(), whole) == []
    spoil(whole)
    assert schemas.wrong(schemas.ours(), whole) != []


def test_a_finding_is_a_line():
    text = writer.render(made())
    lines = [line.rstrip(",") for line in text.splitlines() if line.startswith('{"rule":') and '"fingerprint"' in line]
    items = [item for report in made()["reports"] for item in (*report["attack_paths"], *report["findings"])]
    assert [json.loads(line) for line in lines] == items
    assert text.endswith("}\n")
