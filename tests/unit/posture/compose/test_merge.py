# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How definitions are joined: the rules of compose-go (override/merge.go, uncity.go), each with an example of its own."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError


class Files:
    def __init__(self, texts):
        self.texts = texts

    def text(self, path):
        return self.texts.get(path)


def plain(node):
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def join(base, *others):
    """Return the service web of files that override one another."""
    names = [f"{number}.yml" for number in range(len(others) + 1)]
    indented = ["services:\n  web:\n" + "".join(f"    {line}\n" for line in text.splitlines()) for text in (base, *others)]
    loaded = project.load([project.Source(name) for name in names], Files(dict(zip(names, indented))), project.Options(current="/p"))
    return loaded.services["web"]


def web(base, *others):
    return plain(join(base, *others))


@pytest.mark.parametrize(
    "base, over, key, result",
    [
        # Scalars.
        ("image: a", "image: b", "image", "b"),
        ("user: '1'", "user: null", "user", "1"),
        ("user: null", "user: '1'", "user", "1"),
        ("privileged: true", "tty: true", "privileged", True),
        # Replaced as a whole.
        ("command: [a, b]", "command: c", "command", "c"),
        ("command: a", "command: [b]", "command", ["b"]),
        ("command: a", "command: null", "command", None),
        ("entrypoint: [a]", "entrypoint: [b]", "entrypoint", ["b"]),
        ("healthcheck: {test: [CMD, a], retries: 3}", "healthcheck: {test: b}", "healthcheck", {"test": "b", "retries": 3}),
        ("ulimits: {nofile: 1, nproc: 2}", "ulimits: {nofile: {soft: 3, hard: 4}}", "ulimits", {"nofile": {"soft": 3, "hard": 4}, "nproc": 2}),
        # Lists are appended.
        ("security_opt: [a]", "security_opt: [a, b]", "security_opt", ["a", "a", "b"]),
        ("group_add: [1]", "group_add: [2]", "group_add", [1, 2]),
        ("volumes_from: [a]", "volumes_from: [b]", "volumes_from", ["a", "b"]),
        # Lists without doubles.
        ("cap_add: [A, B]", "cap_add: [B, C]", "cap_add", ["A", "B", "C"]),
        ("expose: ['1']", "expose: ['1', '2']", "expose", ["1", "2"]),
        ("tmpfs: /a", "tmpfs: [/a, /b]", "tmpfs", ["/a", "/b"]),
        ("dns: 1.1.1.1", "dns: [8.8.8.8]", "dns", ["1.1.1.1", "8.8.8.8"]),
        # Lists of NAME=value and mappings.
        ("environment: [A=1, B=2]", "environment: {B: 3, C: 4}", "environment", {"A": "1", "B": 3, "C": 4}),
        ("environment: {A: 1}", "environment: [A]", "environment", {"A": 1}),
        ("labels: {a: b}", "labels: [a=c]", "labels", {"a": "c"}),
        ("sysctls: [a=1]", "sysctls: {a: 2}", "sysctls", {"a": 2}),
        # Mappings in mappings.
        (
            "deploy: {resources: {limits: {cpus: '1', memory: 1g}}}",
            "deploy: {resources: {limits: {memory: 2g}}}",
            "deploy",
            {"resources": {"limits": {"cpus": "1", "memory": "2g"}}},
        ),
        ("build: .", "build: {network: host}", "build", {"context": "/srv/p", "network": "host"}),
        ("build: {args: [A=1]}", "build: {args: {A: 2, B: 3}}", "build", {"args": {"A": 2, "B": 3}}),
        ("networks: [a, b]", "networks: {b: {aliases: [x]}, c: null}", "networks", {"a": None, "b": {"aliases": ["x"]}, "c": None}),
        ("depends_on: [a]", "depends_on: {a: {condition: service_healthy}}", "depends_on", {"a": {"condition": "service_healthy"}}),
        # Options of a log driver belong to that driver.
        (
            "logging: {driver: json-file, options: {max-size: 1m}}",
            "logging: {options: {max-file: '3'}}",
            "logging",
            {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}},
        ),
        (
            "logging: {driver: json-file, options: {max-size: 1m}}",
            "logging: {driver: syslog}",
            "logging",
            {"driver": "syslog"},
        ),
    ],
)
def test_two_files(base, over, key, result):
    assert web(base, over)[key] == result


def test_a_volume_is_unique_by_its_target():
    found = web("volumes: [./a:/x, db:/db, /anon]", "volumes: ['./b:/x:ro', {type: tmpfs, target: /anon}]")["volumes"]
    assert [(item["type"], item.get("source"), item["target"], item.get("read_only")) for item in found] == [
        ("bind", "/srv/p/b", "/x", True),
        ("volume", "db", "/db", False),
        ("tmpfs", None, "/anon", None),
    ]


def test_a_port_is_unique_by_all_that_it_is():
    found = web("ports: ['80:80', '90:90']", "ports: ['80:80', '127.0.0.1:90:90', '90:90/udp', {target: 80, published: '80'}]")["ports"]
    assert len(found) == 4
    assert found[0] == {"target": 80, "published": "80"}


def test_secrets_configs_devices_and_env_files():
    found = web(
        "secrets: [s]\nconfigs: [{source: c, target: /c}]\ndevices: ['/dev/a:/dev/x']\nenv_file: a.env",
        "secrets: [{source: s}]\nconfigs: [{source: d, target: /c}]\ndevices: [{source: /dev/b, target: /dev/x}]\n"
        "env_file: [a.env, {path: b.env, required: false}]",
    )
    assert found["secrets"] == [{"source": "s"}]
    assert found["configs"] == [{"source": "d", "target": "/c"}]
    assert found["devices"] == [{"source": "/dev/b", "target": "/dev/x"}]
    assert [item["path"] for item in found["env_file"]] == ["a.env", "b.env"]


def test_three_files_in_their_order():
    assert web("image: a\ncap_add: [A]", "image: b\ncap_add: [B]", "image: c\ncap_add: [C]") == {"image": "c", "cap_add": ["A", "B", "C"]}


def test_documents_of_one_file_override_one_another():
    files = Files({"c.yml": "services: {web: {image: a, user: '1'}}\n---\nservices: {web: {image: b}}\n"})
    assert plain(project.load([project.Source("c.yml")], files, project.Options(current="/p")).services["web"]) == {"image": "b", "user": "1"}


@pytest.mark.parametrize(
    "base, over, result",
    [
        ("ports: ['80:80']\nuser: '1'", "ports: !reset []", {"user": "1"}),
        ("ports: ['80:80']", "ports: !override ['90:90']", {"ports": [{"published": "90", "target": "90", "protocol": "tcp"}]}),
        ("environment: {A: 1, B: 2}", "environment:\n  A: !reset null", {"environment": {"B": 2}}),
        ("environment: [A=1, B=2]", "environment: !override {C: 3}", {"environment": {"C": 3}}),
        (
            "deploy: {resources: {limits: {cpus: '1', pids: 5}}}",
            "deploy: {resources: {limits: {pids: !reset null}}}",
            {"deploy": {"resources": {"limits": {"cpus": "1"}}}},
        ),
        ("privileged: true", "privileged: !reset false", {}),
        ("user: '1'", "cap_add: [A, !reset B]", {"user": "1", "cap_add": ["A"]}),
    ],
)
def test_resets(base, over, result):
    assert web(base, over) == result


def test_places_are_those_of_the_last_word():
    found = join("image: a\ncap_add: [A]\nprivileged: false", "privileged: true\ncap_add: [B]")
    assert (found.file, found.line) == ("0.yml", 2)
    assert (found.get("privileged").file, found.get("privileged").line) == ("1.yml", 3)
    assert [(item.file, item.line) for item in found.get("cap_add").entries()] == [("0.yml", 4), ("1.yml", 4)]


@pytest.mark.parametrize("base, over", [("deploy: {mode: global}", "deploy: 1"), ("cap_add: [A]", "cap_add: A"), ("networks: [a]", "networks: 5")])
def test_what_cannot_be_joined(base, over):
    with pytest.raises(ComposeError) as caught:
        web(base, over)
    assert (caught.value.file, caught.value.line) == ("1.yml", 3)


def test_top_level_elements():
    files = Files(
        {
            "0.yml": "name: one\nservices: {web: {image: a}}\nvolumes: {db: {driver: local, labels: [a=1]}}\nnetworks: {n: {internal: true}}\n",
            "1.yml": "name: Two!\nvolumes: {db: {driver_opts: {o: bind, device: ./x}, labels: {b: 2}}, e: null}\nnetworks: {n: {external: {name: real}}}\n",
        }
    )
    found = project.load([project.Source("0.yml"), project.Source("1.yml")], files, project.Options(current="/p"))
    assert found.name == "two"
    assert {name: plain(node) for name, node in found.volumes.items()} == {
        "db": {"driver": "local", "labels": {"a": "1", "b": 2}, "driver_opts": {"o": "bind", "device": "/srv/p/x"}},
        "e": None,
    }
    assert plain(found.networks["n"]) == {"internal": True, "external": True, "name": "real"}


def test_many_resets_do_not_take_long():
    import time

    count = 20_000
    base = "environment:\n" + "".join(f"  K{number}: v\n" for number in range(count))
    over = "environment:\n" + "".join(f"  K{number}: !reset null\n" for number in range(count))
    began = time.process_time()
    assert web(base, over) == {"environment": {}}
    assert time.process_time() - began < 15
