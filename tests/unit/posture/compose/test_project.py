# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError


class Files:
    def __init__(self, texts):
        self.texts = texts
        self.read = []

    def text(self, path):
        self.read.append(path)
        return self.texts.get(path)


def plain(node):
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def load(texts, *names, **options):
    return project.load([project.Source(name) for name in names or ("compose.yml",)], Files(texts), project.Options(**{"current": "/srv/shop", **options}))


def services(texts, *names, **options):
    return {name: plain(node) for name, node in load(texts, *names, **options).services.items()}


# Variables.


def test_the_environment_wins_over_env_files_and_later_files_win():
    texts = {"compose.yml": "services: {w: {image: '$A-$B-$C'}}", "1.env": "A=1\nB=1\nC=1\n", "2.env": "B=2\n"}
    assert services(texts, env_files=("1.env", "2.env"), environment={"C": "e"})["w"]["image"] == "1-2-e"


def test_the_env_file_beside_the_project_is_the_default():
    texts = {"dir/compose.yml": "services: {w: {image: '$A'}}", "dir/.env": "A=1\n", ".env": "A=2\n"}
    assert services(texts, "dir/compose.yml", directory="dir")["w"]["image"] == "1"
    assert services(texts, "dir/compose.yml", directory="dir", env_files=())["w"]["image"] == ""


def test_an_env_file_that_is_missing():
    with pytest.raises(ComposeError, match=r"^x\.env: is an env file that does not exist\.$"):
        load({"compose.yml": "services: {w: {}}"}, env_files=("x.env",))


def test_variables_without_a_value_are_warned_of_once_with_their_line():
    found = load({"compose.yml": "services:\n  w:\n    image: $A$A\n    user: ${B:?tell}\n"})
    assert len(found.warnings) == 2
    assert found.warnings[0].startswith("compose.yml:3: the variable A has no value")
    assert found.warnings[1].startswith("compose.yml:4: the variable B has no value, and compose refuses")
    assert found.services["w"].get("user").unset == ("B",)


def test_keys_are_not_interpolated():
    assert services({"compose.yml": "services: {w: {environment: {'$A': '$$A'}}}"}, environment={"A": "x"})["w"] == {"environment": {"$A": "$A"}}


def test_a_template_that_is_none():
    with pytest.raises(ComposeError, match=r"^compose\.yml:3: holds '\$\{'"):
        load({"compose.yml": "services:\n  w:\n    image: '${'\n"})


# extends.


def test_extends_in_the_same_file():
    text = "services:\n  a: {image: x, cap_add: [A], privileged: true}\n  b: {extends: a, cap_add: [B], privileged: false}\n  c: {extends: {service: b}}\n"
    found = services({"compose.yml": text})
    assert found["b"] == {"image": "x", "cap_add": ["A", "B"], "privileged": False}
    assert found["c"] == found["b"]


def test_extends_from_another_file_with_its_own_paths():
    texts = {
        "compose.yml": "services:\n  w: {extends: {file: common/base.yml, service: b}, volumes: ['./w:/w']}\n",
        "common/base.yml": "services:\n  b:\n    extends: {file: ../deep/c.yml, service: c}\n    volumes: ['./b:/b']\n    env_file: b.env\n    build: .\n",
        "deep/c.yml": "services:\n  c:\n    volumes: ['../c:/c']\n    pid: host\n",
    }
    found = load(texts).services["w"]
    assert [item["source"] for item in plain(found)["volumes"]] == ["/srv/shop/c", "/srv/shop/common/b", "/srv/shop/w"]
    assert plain(found)["build"] == {"context": "/srv/shop/common"}
    assert plain(found)["env_file"][0]["path"] == "common/b.env"
    assert (found.get("pid").file, found.get("pid").line) == ("deep/c.yml", 4)
    assert (found.file, found.line) == ("compose.yml", 2)


def test_the_base_need_not_be_in_the_file_of_an_override():
    texts = {"compose.yml": "services: {a: {image: x}}", "o.yml": "services: {b: {extends: a}}"}
    with pytest.raises(ComposeError, match="extends the service 'a', which is not in o.yml"):
        load(texts, "compose.yml", "o.yml")


def test_an_extending_service_can_reset():
    base = "services:\n  a: {image: x, privileged: true, ports: ['1:1']}\n"
    texts = {"compose.yml": base + "  b: {extends: a, privileged: !reset false, ports: !override ['2:2']}\n"}
    assert services(texts)["b"] == {"image": "x", "ports": [{"published": "2", "target": "2", "protocol": "tcp"}]}


@pytest.mark.parametrize(
    "texts, place, part",
    [
        ({"compose.yml": "services:\n  a: {extends: a}\n"}, "compose.yml:2", "extends itself: a in compose.yml -> a in compose.yml"),
        (
            {"compose.yml": "services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n"},
            "compose.yml:2",
            "a in compose.yml -> b in compose.yml -> c in compose.yml -> a in compose.yml",
        ),
        (
            {
                "compose.yml": "services:\n  a: {extends: {file: o.yml, service: b}}\n",
                "o.yml": "services:\n  b: {extends: {file: compose.yml, service: a}}\n",
            },
            "compose.yml:2",
            "a in compose.yml -> b in o.yml -> a in compose.yml; break the circle",
        ),
        ({"compose.yml": "services:\n  a: {extends: nobody}\n"}, "compose.yml:2", "extends the service 'nobody', which is not in compose.yml"),
        ({"compose.yml": "services:\n  a: {extends: {file: o.yml, service: b}}\n"}, "compose.yml:2", "extends a service of o.yml, which does not exist"),
        ({"compose.yml": "services:\n  a: {extends: {file: o.yml, service: b}}\n", "o.yml": "x: 1\n"}, "compose.yml:2", "is not in o.yml"),
        ({"compose.yml": "services:\n  a: {extends: {file: o.yml, service: b}}\n", "o.yml": "services: [\n"}, "o.yml:2", "is no YAML"),
        ({"compose.yml": "services:\n  a: {extends: {file: o.yml}}\n"}, "compose.yml:2", "does not say which service it extends"),
        ({"compose.yml": "services:\n  a: {extends: [b]}\n"}, "compose.yml:2", "services.a.extends is a list"),
        ({"compose.yml": "services:\n  a: {extends: {file: 'https://x/y.git', service: b}}\n"}, "compose.yml:2", "lies on another host"),
    ],
)
def test_extends_that_cannot_be(texts, place, part):
    with pytest.raises(ComposeError) as caught:
        load(texts)
    assert str(caught.value).startswith(f"{place}: ")
    assert part in str(caught.value)


def test_a_long_chain_of_extends_is_refused():
    text = "services:\n  s0: {image: x}\n" + "".join(f"  s{number}: {{extends: s{number - 1}}}\n" for number in range(1, 2000))
    # In the order of the file each is done before the next needs it, the other way round none is.
    assert len(load({"compose.yml": text}).services) == 2000
    backwards = "services:\n" + "".join(f"  s{number}: {{extends: s{number - 1}}}\n" for number in range(2000, 0, -1)) + "  s0: {image: x}\n"
    with pytest.raises(ComposeError, match="deeper than 30 levels"):
        load({"compose.yml": backwards})


def test_a_large_base_that_everybody_extends_is_refused():
    base = "services:\n  big:\n    environment:\n" + "".join(f"      K{number}: v\n" for number in range(5000))
    text = base + "".join(f"  s{number}: {{extends: big}}\n" for number in range(1000))
    with pytest.raises(ComposeError, match="expands to more than 100000 values"):
        load({"compose.yml": text})


# include.


def test_include():
    texts = {
        "compose.yml": "include:\n  - a/compose.yml\n  - {path: [b.yml, b2.yml], project_directory: bdir, env_file: b.env}\n"
        "services:\n  w: {image: '$TAG', volumes: ['./w:/w']}\n",
        "a/compose.yml": "services:\n  a: {image: '$TAG', volumes: ['./a:/a']}\nvolumes: {va: null}\n",
        "a/.env": "TAG=a\n",
        "b.yml": "services:\n  b: {image: '$TAG', volumes: ['./b:/b']}\n",
        "b2.yml": "services:\n  b: {user: '2'}\n",
        "b.env": "TAG=b\n",
        ".env": "OTHER=1\n",
    }
    found = load(texts)
    assert {name: plain(node)["image"] for name, node in found.services.items()} == {"w": "", "a": "a", "b": "b"}
    assert {name: plain(node)["volumes"][0]["source"] for name, node in found.services.items()} == {
        "w": "/srv/shop/w",
        "a": "/srv/shop/a/a",
        "b": "/srv/shop/bdir/b",
    }
    assert plain(found.services["b"])["user"] == "2"
    assert list(found.volumes) == ["va"]
    assert set(found.files) == set(texts)
    assert found.services["a"].file == "a/compose.yml"


def test_variables_of_outside_win_in_an_included_file():
    texts = {"compose.yml": "include: [a/compose.yml]\n", "a/compose.yml": "services: {a: {image: '$TAG'}}\n"}
    texts |= {"a/.env": "TAG=a\n", ".env": "TAG=outer\n"}
    assert services(texts)["a"]["image"] == "outer"
    assert services(texts, env_files=())["a"]["image"] == "a"


def test_what_is_defined_twice_is_overridden_by_the_including_file():
    texts = {"compose.yml": "include: [a.yml]\nservices: {a: {image: mine}}\n", "a.yml": "services: {a: {image: theirs, privileged: true}}\n"}
    assert services(texts)["a"] == {"image": "mine", "privileged": True}


def test_included_services_can_be_extended():
    texts = {"compose.yml": "include: [a.yml]\nservices: {b: {extends: a}}\n", "a.yml": "services: {a: {privileged: true}}\n"}
    assert services(texts)["b"] == {"privileged": True}


def test_one_file_can_be_included_by_two():
    texts = {"compose.yml": "include: [a.yml, b.yml]\n", "a.yml": "include: [c.yml]\n", "b.yml": "include: [c.yml]\n"}
    texts |= {"c.yml": "services: {c: {image: x}}\n"}
    assert services(texts) == {"c": {"image": "x"}}


@pytest.mark.parametrize(
    "texts, place, part",
    [
        ({"compose.yml": "services: {a: {}}\ninclude:\n  - compose.yml\n"}, "compose.yml:3", "compose.yml -> compose.yml; break the circle"),
        ({"compose.yml": "include: [a.yml]\n", "a.yml": "include:\n  - ./compose.yml\n"}, "a.yml:2", "compose.yml -> a.yml -> compose.yml"),
        ({"compose.yml": "include:\n  - gone.yml\n"}, "compose.yml:2", "includes gone.yml, which does not exist"),
        ({"compose.yml": "include: gone.yml\n"}, "compose.yml:1", "include is a text; compose wants a list"),
        ({"compose.yml": "include: [{project_directory: x}]\n"}, "compose.yml:1", "without a path"),
        ({"compose.yml": "include: ['']\n"}, "compose.yml:1", "empty name"),
        ({"compose.yml": "include: ['oci://x/y']\n"}, "compose.yml:1", "lies on another host"),
        ({"compose.yml": "include: [{path: a.yml, env_file: x.env}]\n", "a.yml": ""}, "compose.yml:1", "includes x.env, which is an env file"),
    ],
)
def test_includes_that_cannot_be(texts, place, part):
    with pytest.raises(ComposeError) as caught:
        load(texts)
    assert str(caught.value).startswith(f"{place}: ")
    assert part in str(caught.value)


def test_includes_that_double_end():
    texts = {f"{number}.yml": f"include: [{number + 1}.yml, {number + 1}.yml]\n" for number in range(25)}
    texts["25.yml"] = "services: {a: {}}\n"
    with pytest.raises(ComposeError, match="is file number 201"):
        load(texts, "0.yml")


def test_a_deep_chain_of_includes_is_refused():
    texts = {f"{number}.yml": f"include: [{number + 1}.yml]\n" for number in range(100)}
    with pytest.raises(ComposeError, match="includes files deeper than 30 levels"):
        load(texts, "0.yml")


def test_without_other_files():
    source = project.Source("c.yml", "include: [other.yml]\nservices: {a: {}}\n")
    with pytest.raises(ComposeError, match="other.yml"):
        project.load([source], project.NoFiles(), project.Options(current="/", env_files=()))


# Forms and places.


def test_paths():
    text = """
services:
  w:
    volumes:
      - ./a:/a
      - ../../../../etc:/e
      - ~/.ssh:/s
      - /x/../y//z:/z/../q
      - {type: bind, source: rel, target: /t}
      - {type: bind, source: //run, target: /r}
    configs: [c]
configs: {c: {file: ../c.txt}}
"""
    found = plain(load({"compose.yml": text}, home="/home/me").services["w"])
    assert [item["source"] for item in found["volumes"]] == ["/srv/shop/a", "/etc", "/home/me/.ssh", "/y/z", "/srv/shop/rel", "/run"]
    assert found["volumes"][3]["target"] == "/q"
    assert plain(load({"compose.yml": text}).services["w"])["volumes"][2]["source"] == "/home/~/.ssh"
    assert plain(load({"compose.yml": text}).configs["c"])["file"] == "/srv/c.txt"


@pytest.mark.parametrize(
    "name, options, deployed, project_name",
    [
        ("compose.yml", {}, "/srv/shop", "shop"),
        ("compose.yml", {"current": "/home/me/work/Shop"}, "/srv/shop", "shop"),
        ("Web App/compose.yml", {"directory": "Web App"}, "/srv/webapp", "webapp"),
        ("/abs/compose.yml", {"directory": "/abs"}, "/srv/abs", "abs"),
        ("../x/compose.yml", {"directory": "../x"}, "/srv/x", "x"),
        ("compose.yml", {"name": "given"}, "/srv/given", "given"),
        ("compose.yml", {"current": "/"}, "/srv/default", "default"),
        ("compose.yml", {"deployed": "/opt/stacks/shop"}, "/opt/stacks/shop", "shop"),
    ],
)
def test_directories_and_names(name, options, deployed, project_name):
    """What is mounted begins where the project is going to run, whatever machine the files lie on."""
    found = load({name: "services: {w: {build: .}}"}, name, **options)
    assert (found.directory, found.name) == (options.get("directory", ""), project_name)
    assert plain(found.services["w"]) == {"build": {"context": deployed}}


@pytest.mark.parametrize(
    "text, part",
    [
        ("", "defines no services"),
        ("services:\n", "defines no services"),
        ("services: {}\n", "defines no services"),
        ("volumes: {a: null}\n", "defines no services"),
        ("services: [a]\n", "services is a list"),
        ("services: {w: text}\n", "services.w is a text"),
        ("services: {w: null}\n", "services.w is a null"),
        ("services: {w: {volumes: /a}}\n", "services.w.volumes is a text"),
        ("services: {w: {volumes: ['']}}\n", "is an empty volume"),
        ("services: {w: {volumes: [{type: bind}]}}\n", "without a target"),
        ("services: {w: {ports: ['x']}}\n", "is no port: 'x'"),
        ("services: {w: {ports: {a: b}}}\n", "services.w.ports is a mapping"),
        ("services: {w: {ports: [{published: '1'}]}}\n", "without a target"),
        ("services: {w: {cap_add: A}}\n", "services.w.cap_add is a text"),
        ("services: {w: {deploy: [a]}}\n", "services.w.deploy is a list"),
        ("services: {w: {devices: ['a:b:c:d']}}\n", "too many colons"),
        ("services: {w: {environment: text}}\n", "is a text"),
        ("services: {w: {environment: [{a: b}]}}\n", "is a mapping where a text has to stand"),
        ("services: {w: {}}\nvolumes: {v: text}\n", "volumes.v is a text"),
        ("services: {w: {env_file: [{required: true}]}}\n", "without a path"),
    ],
)
def test_what_compose_does_not_read(text, part):
    with pytest.raises(ComposeError) as caught:
        load({"compose.yml": text})
    assert part in str(caught.value)
    assert str(caught.value).startswith("compose.yml")


def test_a_file_that_is_missing():
    with pytest.raises(ComposeError, match=r"^compose\.yml: does not exist\.$"):
        load({})


def test_unknown_keys_beside_services_are_warned_of():
    found = load({"compose.yml": "service: 1\nx-mine: 1\nversion: '3'\nservices: {w: {}}\nnetworks: {n: {drvier: x, x-y: 1}}\n"})
    assert found.warnings == (
        "compose.yml:1: the key service is unknown to compose, which refuses the file.",
        "compose.yml:5: the key networks.n.drvier is unknown to compose, which refuses the file.",
    )


def test_warnings_are_bounded():
    text = "services:\n  w:\n    environment:\n" + "".join(f"      K{number}: $V{number}\n" for number in range(1000))
    assert len(load({"compose.yml": text}).warnings) == 200
