# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import configparser
import json

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import pull
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.pull import Pull
from hypothesis import given, settings
from hypothesis import strategies as st

REPOSITORY = {"url": "https://git.example.org/fleet.git", "playbook": "drift.yml"}


class Unsafe(str):
    """A text that YAML marks as no template."""


class Loader(yaml.SafeLoader):
    """Reads an inventory as Ansible does."""


Loader.add_constructor("!unsafe", lambda loader, node: Unsafe(loader.construct_scalar(node)))


def read(variables, python="/usr/bin/python3"):
    return yaml.load(pull.inventory(variables, python), Loader)["all"]["hosts"]["localhost"]  # noqa: S506


def plain(value):
    """Return a value as it comes back: keys are texts, and halves of surrogate pairs are gone."""
    if isinstance(value, dict):
        return {plain(str(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in value) if isinstance(value, str) else value


def unit(name, **more):
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read_string(pull.units(Pull(**more))[f"/etc/systemd/system/{name}"])
    return {section: dict(parser[section]) for section in parser.sections()}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"schedule": "Mon..Fri *-*-* 22:00:00 Europe/Berlin", "jitter": "1h 30min", "timeout": "90s"},
        {"metrics": "/var/lib/prometheus/node-exporter", "collections": "/opt/a:/opt/b", "environment": {"https_proxy": "http://proxy:3128"}},
        {**REPOSITORY, "checkout": "release/1.2", "verify_commit": True},
        {**REPOSITORY, "url": "git@git.example.org:fleet/docker.git", "key_file": "/root/.ssh/fleet"},
        {**REPOSITORY, "url": "ssh://git@git.example.org:2222/fleet.git", "playbook": "plays/drift.yaml"},
        {**REPOSITORY, "url": "/srv/fleet.git"},
        {"playbook": "acme.fleet.drift"},
    ],
)
def test_what_is_right(wanted):
    assert pull.problems(Pull(**wanted)) == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"schedule": "daily\nExecStart=/bin/evil"}, "docker_pull_schedule is no time of systemd"),
        ({"schedule": ""}, "docker_pull_schedule"),
        ({"jitter": "soon"}, "docker_pull_jitter is 'soon'"),
        ({"timeout": "1h\nUser=evil"}, "docker_pull_timeout is "),
        ({"timeout": "infinity"}, "docker_pull_timeout is 'infinity'"),
        ({"programs": "bin"}, "docker_pull_program_directory is 'bin'"),
        ({"python": "/usr/bin/python3 -c evil"}, "docker_pull_python"),
        ({"metrics": "relative"}, "docker_pull_textfile_directory"),
        ({"collections": "/a:b"}, "docker_pull_collections_path"),
        ({"environment": {"A=B": "c"}}, "docker_pull_environment has the name 'A=B'"),
        ({"playbook": "drift.yml"}, "without docker_pull_url it is that of a collection"),
        ({"playbook": "--evil"}, "docker_pull_playbook"),
        ({"checkout": "main"}, "docker_pull_checkout needs docker_pull_url."),
        ({"key_file": "/root/key"}, "docker_pull_key_file needs docker_pull_url."),
        ({"verify_commit": True}, "docker_pull_verify_commit needs docker_pull_url"),
        ({**REPOSITORY, "url": "https://me:token@git.example.org/fleet.git"}, "docker_pull_url holds a user or a password"),
        ({**REPOSITORY, "url": "https://token@git.example.org/fleet.git"}, "docker_pull_url holds a user or a password"),
        ({**REPOSITORY, "url": "ssh://git:word@git.example.org/fleet.git"}, "docker_pull_url holds a user or a password"),
        ({**REPOSITORY, "url": "x y"}, "docker_pull_url is no address"),
        ({**REPOSITORY, "url": "--upload-pack=evil"}, "docker_pull_url is no address"),
        ({**REPOSITORY, "url": "/srv/'; evil"}, "docker_pull_url is no address"),
        ({**REPOSITORY, "checkout": "--evil"}, "docker_pull_checkout is no name"),
        ({**REPOSITORY, "checkout": "a b"}, "docker_pull_checkout is no name"),
        ({**REPOSITORY, "playbook": "bulkhead.docker.drift"}, "it is a path in the repository"),
        ({**REPOSITORY, "playbook": "../drift.yml"}, "it is a path in the repository"),
        ({**REPOSITORY, "playbook": "-e.yml"}, "it is a path in the repository"),
    ],
)
def test_what_is_wrong(wanted, said):
    found = pull.problems(Pull(**wanted))
    assert any(sentence.startswith(said) or said in sentence for sentence in found), found


def test_everything_wrong_is_said_at_once():
    assert len(pull.problems(Pull(schedule="", jitter="", timeout="", programs=""))) == 4


def test_the_service():
    found = unit(pull.SERVICE, timeout="30min")["Service"]
    assert found["Type"] == "oneshot"
    assert (found["ExecStart"], found["ExecStopPost"]) == (f"{pull.PROGRAM} run", f"{pull.PROGRAM} finish")
    assert found["TimeoutStartSec"] == "30min"
    assert (found["Nice"], found["IOSchedulingClass"], found["CPUWeight"], found["OOMScoreAdjust"]) == ("15", "idle", "10", "500")


def test_the_timer():
    found = unit(pull.TIMER, schedule="Sun *-*-* 03:00:00", jitter="45min")["Timer"]
    assert (found["OnCalendar"], found["RandomizedDelaySec"], found["FixedRandomDelay"], found["Persistent"]) == ("Sun *-*-* 03:00:00", "45min", "true", "true")


def test_no_unit_holds_what_may_be_a_secret():
    wanted = Pull(**REPOSITORY, environment={"https_proxy": "http://me:hunter2@proxy"}, key_file="/root/key")
    for text in pull.units(wanted).values():
        assert "hunter2" not in text
        assert "proxy" not in text
    assert json.loads(pull.config(wanted))["environment"] == {"https_proxy": "http://me:hunter2@proxy"}


def test_the_inventory_is_of_this_host_alone():
    whole = yaml.load(pull.inventory({"a": 1, "ansible_connection": "ssh"}, "/opt/python"), Loader)  # noqa: S506
    assert whole == {"all": {"hosts": {"localhost": {"a": 1, "ansible_connection": "local", "ansible_python_interpreter": "/opt/python"}}}}


def test_what_looks_like_a_template_is_none():
    found = read({"docker_daemon_log_opts": {"tag": "{{.Name}}"}, "also": ["{% if %}", "{# #}", "{ {", "plain"]})
    assert isinstance(found["docker_daemon_log_opts"]["tag"], Unsafe)
    assert [isinstance(entry, Unsafe) for entry in found["also"]] == [True, True, False, False]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_variables_come_back_as_they_were(variables):
    found = read(variables)
    wanted = {**plain(variables), "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    assert {key: entry for key, entry in found.items() if key in wanted} == wanted
    pull.inventory(variables, "/usr/bin/python3").encode("utf-8")


@settings(deadline=None, max_examples=300)
@given(st.text())
def test_no_text_becomes_a_template(text):
    found = read({"value": text})["value"]
    assert isinstance(found, Unsafe) or not any(mark in found for mark in ("{{", "{%", "{#"))
