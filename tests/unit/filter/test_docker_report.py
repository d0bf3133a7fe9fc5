# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.filter.docker_report import DOCUMENTATION, FilterModule, docker_report
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, formats
from ansible_collections.bulkhead.docker.plugins.plugin_utils import reports
from ansible_collections.bulkhead.docker.tests.unit.report.examples import GENERATED, fleet, made, project, result

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", formats.WRITERS)
def test_every_format(name):
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    expected = formats.WRITERS[name].function(document.build(fleet(), GENERATED, version))
    assert docker_report(fleet(), name, generated=GENERATED) == expected


def test_one_result_is_a_list_of_one():
    assert docker_report(result(), "json", GENERATED) == docker_report([result()], "json", GENERATED)


def test_the_default_is_a_summary_of_now():
    before = reports.now()
    shown = docker_report([result()])
    assert before <= shown.splitlines()[0].split(", ")[1] <= reports.now()


def test_base():
    text = docker_report([project()], "json", GENERATED, base="/srv/shop")
    assert json.loads(text)["reports"] == made([project()], base="/srv/shop")["reports"]


@pytest.mark.parametrize("value", [None, 5, "text"])
def test_wrong_types(value):
    with pytest.raises(AnsibleFilterError, match="docker_report: results is .* give a list"):
        docker_report(value)


@pytest.mark.parametrize("name", ["yaml", "", None, ["json"]])
def test_a_wrong_format(name):
    with pytest.raises(AnsibleFilterError, match="choose one of json, sarif, junit, ocsf, prometheus, text, html"):
        docker_report([], name)


def test_a_wrong_time():
    with pytest.raises(AnsibleFilterError, match="which is no time"):
        docker_report([], "json", "yesterday")


def test_the_choices_are_the_formats():
    assert yaml.safe_load(DOCUMENTATION)["options"]["format"]["choices"] == list(formats.WRITERS)


def test_registered():
    assert FilterModule().filters() == {"docker_report": docker_report}
