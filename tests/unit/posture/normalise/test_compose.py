# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, model, registry, vocabulary
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import compose
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import Assumptions
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect import bounding_set
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount, Port


class Files:
    def __init__(self, texts):
        self.texts = texts

    def text(self, path):
        return self.texts.get(path)


def subjects(text, files=None, environment=None, **assumptions):
    texts = Files({"compose.yml": text, **(files or {})})
    loaded = project.load([project.Source("compose.yml")], texts, project.Options(current="/srv/shop", environment=environment or {}))
    return compose.subjects(loaded, texts, Assumptions(**assumptions))


def web(body, rest="", **options):
    """Return the service web with the given lines."""
    lines = "".join(f"    {line}\n" for line in body.splitlines()) or "    image: x\n"
    found, _warnings = subjects(f"services:\n  web:\n{lines}{rest}", **options)
    return next(subject for subject in found if subject.name == "web")


def value(body, name, rest="", **options):
    return web(body, rest, **options).value(name)


def test_every_fact_of_a_workload_is_there():
    found = web("image: x")
    assert set(found.facts) == set(vocabulary.BY_KIND[model.COMPOSE_SERVICE])
    assert (found.kind, found.file, found.line) == (model.COMPOSE_SERVICE, "compose.yml", 2)
    for name, fact in found.facts.items():
        assert isinstance(fact, Unknown) or (fact.source and (fact.line or name == "programs")), name


def test_every_fact_has_the_line_that_decides_it():
    found = web("image: x\nprivileged: true\nports:\n  - 80:80\ncap_add:\n  - NET_ADMIN\n  - SYS_ADMIN")
    assert found.fact("privileged")[2:] == ("compose.yml", 4)
    assert found.value("ports") == (Port("", 80, 80, "tcp", "compose.yml", 6),)
    assert [(item, item.file, item.line) for item in found.value("cap_add")] == [("NET_ADMIN", "compose.yml", 8), ("SYS_ADMIN", "compose.yml", 9)]
    assert found.fact("read_only_rootfs")[1:] == ("services.web does not set read_only", "compose.yml", 2)


UNNAMED = {"names": (), "links": {}, "joins": {}, "volumes": {}, "offers_api": False}


def test_identity():
    found = web("image: shop/web:1\nlabels: {team: a}", "name: Shop-2\n")
    assert found.identity == {"image": "shop/web:1", "project": "shop-2", "service": "web", "labels": {"team": "a"}, **UNNAMED}


@pytest.mark.parametrize(
    "body, options, uid",
    [
        ("user: '1000'", {}, 1000),
        ("user: 1000", {}, 1000),
        ("user: root", {}, 0),
        ("user: ''", {}, 0),
        ("image: x", {}, 0),
        ("image: shop/web:1", {"image_users": {"shop/*": "10001:10001"}}, 10001),
        ("image: shop/web:1", {"image_users": {"other/*": "10001"}}, 0),
        ("image: shop/web:1", {"image_users": {"shop/*": ""}}, 0),
        ("image: shop/web:1\nuser: '5'", {"image_users": {"shop/*": "10001"}}, 5),
    ],
)
def test_the_user(body, options, uid):
    assert value(body, "uid", **options) == uid


def test_a_user_by_name_is_unknown():
    found = web("user: nginx:nginx").facts["uid"]
    assert found.reason == "the user 'nginx' is looked up in the image, which was not looked at; write a number"
    assert web("image: a/b", image_users={"a/*": "app"}).facts["uid"].reason.startswith("the user 'app' is looked up")


def test_a_user_that_nobody_set_is_said_to_be_an_assumption():
    assert "the image may set one" in web("image: x").fact("uid").source
    assert "known to set none" in web("image: x", image_users={"*": ""}).fact("uid").source


@pytest.mark.parametrize(
    "body, daemon, mapped",
    [("image: x", {}, False), ("image: x", {"userns-remap": "default"}, True), ("userns_mode: host", {"userns-remap": "default"}, False)],
)
def test_mapped_ids(body, daemon, mapped):
    found = web(body, daemon=daemon)
    assert found.value("uid_mapped") is mapped
    assert isinstance(found.facts["host_uid"], Unknown) is mapped


DEFAULT = bounding_set((), (), False)


@pytest.mark.parametrize(
    "body, result",
    [
        ("image: x", DEFAULT),
        ("cap_drop: [all]", frozenset()),
        ("cap_drop: [ALL]\ncap_add: [cap_chown, NET_ADMIN]", {"CHOWN", "NET_ADMIN"}),
        ("cap_drop: [CAP_NET_RAW]", DEFAULT - {"NET_RAW"}),
        ("cap_add: [ALL]\ncap_drop: [SYS_ADMIN]", bounding_set((), (), True) - {"SYS_ADMIN"}),
        ("privileged: true\ncap_drop: [ALL]", bounding_set((), (), True)),
    ],
)
def test_capabilities(body, result):
    assert value(body, "capabilities") == result


@pytest.mark.parametrize(
    "body, daemon, result",
    [
        ("image: x", {}, "builtin"),
        ("image: x", {"seccomp-profile": "unconfined"}, "unconfined"),
        ("image: x", {"seccomp-profile": "/etc/docker/p.json"}, "custom"),
        ("privileged: true", {}, "unconfined"),
        ("privileged: true\nsecurity_opt: ['seccomp=builtin']", {}, "builtin"),
        ("security_opt: ['seccomp:unconfined']", {}, "unconfined"),
        ("security_opt: ['seccomp=a.json', 'seccomp=unconfined']", {}, "unconfined"),
        ("security_opt: ['seccomp=a.json']", {}, "custom"),
    ],
)
def test_seccomp(body, daemon, result):
    assert value(body, "seccomp", daemon=daemon) == result


@pytest.mark.parametrize(
    "files, reason",
    [
        ({}, "the seccomp profile p.json does not exist here"),
        ({"p.json": "{"}, "the seccomp profile is not JSON (p.json)"),
    ],
)
def test_a_seccomp_profile_that_cannot_be_read_is_unknown(files, reason):
    assert web("security_opt: ['seccomp=./p.json']".replace("./", ""), files=files).facts["seccomp_opens"].reason == reason


@pytest.mark.parametrize(
    "body, apparmor, mode, selinux",
    [
        ("image: x", "docker-default", "enforce", ""),
        ("privileged: true", "unconfined", "unconfined", ""),
        ("security_opt: ['apparmor:unconfined']", "unconfined", "unconfined", ""),
        ("security_opt: ['label:disable']", "docker-default", "enforce", "disabled"),
        ("security_opt: ['label=type:svirt_x', 'label=level:s0']", "docker-default", "enforce", "svirt_x"),
    ],
)
def test_labels_of_security_modules(body, apparmor, mode, selinux):
    found = web(body)
    assert (found.value("apparmor"), found.value("apparmor_mode"), found.value("selinux")) == (apparmor, mode, selinux)


def test_the_mode_of_a_profile_of_ones_own_is_unknown():
    found = web("security_opt: ['apparmor=mine']")
    assert (found.value("apparmor"), isinstance(found.facts["apparmor_mode"], Unknown)) == ("mine", True)


@pytest.mark.parametrize(
    "body, daemon, result",
    [
        ("image: x", {}, False),
        ("image: x", {"no-new-privileges": True}, True),
        ("security_opt: [no-new-privileges:false]", {"no-new-privileges": True}, False),
        ("security_opt: [no-new-privileges]", {}, True),
        ("security_opt: [no-new-privileges=1]", {}, True),
    ],
)
def test_new_privileges(body, daemon, result):
    assert value(body, "no_new_privileges", daemon=daemon) is result


@pytest.mark.parametrize(
    "body, rest, mode, networks, parents",
    [
        ("image: x", "", "", ("shop_default",), ()),
        ("networks: [a]", "networks: {a: null}\n", "", ("shop_a",), ()),
        ("networks: {a: {aliases: [x]}, b: }", "networks: {a: {name: real}, b: {external: true}}\n", "", ("real", "b"), None),
        ("network_mode: host", "", "host", (), ()),
        ("network_mode: none", "", "none", (), ()),
        ("network_mode: bridge", "", "bridge", ("bridge",), ()),
        ("network_mode: 'service:db'", "", "service:db", (), ()),
        ("image: x", "networks: {default: {driver: macvlan, driver_opts: {parent: eth0.1}}}\n", "", ("shop_default",), ("macvlan on eth0.1",)),
        ("image: x", "networks: {default: {driver: ipvlan}}\n", "", ("shop_default",), ("ipvlan on an interface of its own",)),
        ("networks: [n]", "networks: {n: {external: true, name: none}}\n", "", (), ()),
    ],
)
def test_networks(body, rest, mode, networks, parents):
    found = web(body, rest)
    assert (found.value("network_mode"), found.value("networks")) == (mode, networks)
    assert found.known("macvlan_parents") == parents


@pytest.mark.parametrize(
    "body, rest, daemon, result",
    [
        ("ports: ['80', 81]", "", {}, [("", 0, 80, "tcp"), ("", 0, 81, "tcp")]),
        ("ports: ['8000-9000:80']", "", {}, [("", 8000, 80, "tcp")]),
        ("ports: ['1000-2000:3000-4000/udp']", "", {}, [("", port, port + 2000, "udp") for port in (1000, 1306, 1389, 1433, 1521, 2000)]),
        ("ports: ['2000-3000:2000-3000']", "", {}, [("", port, port, "tcp") for port in (2000, 2049, 2375, 2376, 2377, 2379, 2380, 3000)]),
        ("ports: [{target: 80, published: '8080', protocol: UDP, host_ip: '::1'}]", "", {}, [("::1", 8080, 80, "udp")]),
        ("ports: [{target: '80'}]", "", {}, [("", 0, 80, "tcp")]),
        ("network_mode: host\nports: ['80:80']", "", {}, []),
        (
            "ports: ['80:80']",
            "",
            {"default-network-opts": {"bridge": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}}},
            [("127.0.0.1", 80, 80, "tcp")],
        ),
    ],
)
def test_ports(body, rest, daemon, result):
    assert [tuple(port[:4]) for port in value(body, "ports", rest, daemon=daemon)] == result


def test_mounts():
    body = (
        "volumes:\n  - ./a:/a:ro\n  - db:/db\n  - host:/h\n  - /anon\n  - {type: tmpfs, target: /t}\n"
        "tmpfs: /run:size=1m\nsecrets: [s, {source: e}]\nconfigs: [{source: c, target: /etc/app.conf}]"
    )
    rest = (
        "volumes: {db: , host: {driver_opts: {type: none, o: bind, device: /srv/data}}, }\n"
        "secrets: {s: {file: ./s.txt}, e: {environment: E}}\nconfigs: {c: {file: ./c.conf}}\n"
    )
    found = [mount._replace(file="", line=0) for mount in value(body, "mounts", rest)]
    assert found == [
        Mount("bind", "/srv/shop/a", "/a", True, host_path="/srv/shop/a"),
        Mount("volume", "db", "/db"),
        Mount("volume", "host", "/h", host_path="/srv/data"),
        Mount("volume", "", "/anon"),
        Mount("tmpfs", "", "/t"),
        Mount("tmpfs", "", "/run"),
        Mount("bind", "/srv/shop/s.txt", "/run/secrets/s", True, host_path="/srv/shop/s.txt"),
        Mount("bind", "/srv/shop/c.conf", "/etc/app.conf", True, host_path="/srv/shop/c.conf"),
    ]


def test_what_is_known_of_a_list_is_kept_beside_the_unknown():
    found = web("volumes: ['${DATA}:/d', /etc:/e]\ncap_add: [SYS_ADMIN, '$CAP']\nports: ['80:80', '${PORT}:81']")
    mounts = found.facts["mounts"]
    assert (mounts.reason, [mount.target for mount in mounts.partly.value]) == ("depends on ${DATA}, which is not set", ["/e"])
    assert found.facts["cap_add"].partly.value == ("SYS_ADMIN",)
    assert [port.host_port for port in found.facts["ports"].partly.value] == [80]
    # What is named is held, whatever the variable may add to it.
    assert found.facts["capabilities"].partly.value == DEFAULT | {"SYS_ADMIN"}
    dropping = web("cap_drop: ['$CAP']\ncap_add: [SYS_ADMIN, ALL]").facts["capabilities"]
    assert dropping.partly.value == {"SYS_ADMIN"}


def test_devices():
    body = "devices: [/dev/fuse, '/dev/a:/dev/b:r', {source: /dev/c, target: /dev/d, permissions: m}, vendor.example/gpu=all]\ngpus: all"
    found = web(body)
    assert [device[:3] for device in found.value("devices")] == [
        Device("/dev/fuse", "/dev/fuse", "rwm")[:3],
        Device("/dev/a", "/dev/b", "r")[:3],
        Device("/dev/c", "/dev/d", "m")[:3],
    ]
    assert found.value("device_requests") == ("vendor.example/gpu=all", "gpu")


@pytest.mark.parametrize(
    "body, memory, pids, cpu",
    [
        ("image: x", 0, 0, False),
        ("mem_limit: 1g\npids_limit: 10\ncpus: 0.5", 1024**3, 10, True),
        ("deploy: {resources: {limits: {memory: 1M, pids: 5, cpus: '2'}}}", 1024**2, 5, True),
        ("mem_limit: 0\npids_limit: -1\ncpus: '0'", 0, 0, False),
        ("mem_limit: -1\ncpu_shares: 512", 0, 0, True),
        ("mem_limit: 1048576\ncpuset: 0-1", 1048576, 0, True),
        ("cpu_quota: 50000", 0, 0, True),
    ],
)
def test_limits(body, memory, pids, cpu):
    found = web(body)
    assert (found.value("memory"), found.value("pids_limit"), found.value("cpu_limited")) == (memory, pids, cpu)


@pytest.mark.parametrize(
    "body, policy, retries",
    [
        ("image: x", "no", 0),
        ("restart: no", "no", 0),
        ("restart: false", "no", 0),
        ("restart: always", "always", 0),
        ("restart: on-failure:3", "on-failure", 3),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", "no", 0),
        ("deploy: {restart_policy: {}}", "always", 0),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}", "on-failure", 2),
    ],
)
def test_restarts(body, policy, retries):
    found = web(body)
    assert (found.value("restart_policy"), found.value("restart_retries")) == (policy, retries)


@pytest.mark.parametrize(
    "body, result",
    [
        ("image: x", "none"),
        ("healthcheck: {test: x}", "defined"),
        ("healthcheck: {test: [CMD, x]}", "defined"),
        ("healthcheck: {test: [NONE]}", "disabled"),
        ("healthcheck: {test: x, disable: 'true'}", "disabled"),
        ("healthcheck: {interval: 5s}", "none"),
        ("healthcheck: {test: []}", "none"),
    ],
)
def test_health(body, result):
    assert value(body, "healthcheck") == result


@pytest.mark.parametrize(
    "body, daemon, driver, bounded",
    [
        ("image: x", {}, "json-file", False),
        ("image: x", {"log-opts": {"max-size": "10m"}}, "json-file", True),
        ("image: x", {"log-driver": "local"}, "local", True),
        ("logging: {driver: json-file}", {"log-driver": "local", "log-opts": {"max-size": "10m"}}, "json-file", False),
        ("logging: {options: {max-size: 5m}}", {}, "json-file", True),
        ("logging: {driver: syslog}", {}, "syslog", True),
        ("logging: {driver: none}", {}, "none", True),
    ],
)
def test_logs(body, daemon, driver, bounded):
    found = web(body, daemon=daemon)
    assert (found.value("log_driver"), found.value("log_bounded")) == (driver, bounded)


@pytest.mark.parametrize(
    "body, names",
    [
        ("environment: {DB_PASSWORD: hunter2-x}", ("DB_PASSWORD",)),
        ("environment: ['DB_PASSWORD=hunter2-x', LANG=C]", ("DB_PASSWORD",)),
        ("environment: {DB_PASSWORD_FILE: /run/secrets/x, DB_PASSWORD: }", ()),
        ("build: {context: ., args: ['NPM_TOKEN=hunter2-x']}", ("build argument NPM_TOKEN",)),
        ("labels: {api.token: hunter2-x}", ("label api.token",)),
        ("command: [serve, --password, hunter2-x]", ("argument --password",)),
    ],
)
def test_names_of_secrets(body, names):
    found = web(body)
    assert found.value("secret_names") == names
    assert "hunter2-x" not in repr([fact for name, fact in found.facts.items()])


def test_a_secret_that_a_deploy_brings():
    assert value("environment: [DB_PASSWORD]", "secret_names", environment={"DB_PASSWORD": "hunter2-x"}) == ("DB_PASSWORD",)
    assert value("environment: {DB_PASSWORD: '$P'}", "secret_names", environment={"P": "hunter2-x"}) == ("DB_PASSWORD",)
    assert web("environment: {DB_PASSWORD: '$P'}").facts["secret_names"].reason == "depends on ${P}, which is not set"
    assert value("environment: {LANG: '$P'}", "secret_names") == ()


def test_env_files():
    files = {"a.env": "TOKEN=hunter2-x\nDOCKER_HOST=tcp://u:pw-hunter2@h:2375\n"}
    found = web("env_file: [a.env]", files=files)
    assert found.value("secret_names") == ("TOKEN of a.env", "DOCKER_HOST of a.env")
    assert found.value("docker_host") == "tcp://u:<secret>@h:2375"
    assert "hunter2" not in repr(found.facts)


def test_env_files_that_cannot_be_read():
    found, warnings = subjects("services:\n  web:\n    env_file: [gone.env]\n")
    assert found[0].facts["secret_names"].reason == "the env file gone.env does not exist here"
    assert warnings == ["compose.yml:3: services.web.env_file names gone.env, which does not exist here."]
    assert value("env_file: [{path: gone.env, required: false}]", "secret_names") == ()
    assert web("env_file: x.env", files={"x.env": "A='"}).facts["secret_names"].reason.startswith("the env file x.env opens a quote")
    assert value("env_file: [{path: raw.env, format: raw}]", "secret_names", files={"raw.env": "TOKEN='hunter2-x\n# B=1\n"}) == ("TOKEN of raw.env",)


def test_profiles():
    text = "services:\n  a: {image: x}\n  b: {image: x, profiles: [debug, test]}\n  c: {image: x, profiles: [other]}\n"

    def names(profiles):
        return [subject.name for subject in subjects(text, profiles=profiles)[0]]

    assert names(None) == ["a", "b", "c"]
    assert names([]) == ["a"]
    assert names(["test"]) == ["a", "b"]
    assert names(["*"]) == ["a", "b", "c"]


def test_what_a_provider_makes_is_no_container():
    found, warnings = subjects("services:\n  a: {image: x}\n  db:\n    provider: {type: awesomecloud}\n")
    assert [subject.name for subject in found] == ["a"]
    assert warnings == ["compose.yml:4: services.db is made by the provider awesomecloud, not as a container, so it was not judged."]


def test_references_that_lead_nowhere_are_warned_of():
    text = (
        "services:\n  web:\n    networks: [n]\n    depends_on: [d]\n    secrets: [s]\n    configs: [c]\n    volumes: ['v1:/x']\n"
        "    pid: service:gone\n    ipc: service:web\n"
    )
    _found, warnings = subjects(text)
    assert [warning.split(": ", 1)[1].split(", which")[0] for warning in warnings] == [
        "services.web.networks names the network n",
        "services.web.depends_on names the service d",
        "services.web.secrets names the secret s",
        "services.web.configs names the config c",
        "services.web.volumes names the volume v1",
        "services.web.pid names the service gone",
    ]


@pytest.mark.parametrize(
    "body, part",
    [
        ("privileged: maybe", "is 'maybe' where compose wants true or false"),
        ("pids_limit: many", "is 'many' where compose wants a whole number"),
        ("mem_limit: much", "is 'much' where compose wants a size"),
        ("restart: on-failure:x", "services.web.restart is 'on-failure:x'"),
        ("security_opt: ['no-new-privileges:perhaps']", "sets no-new-privileges to 'perhaps'"),
        ("ports: [{target: 99999}]", "has a port that cannot be"),
        ("secrets: [{target: x}]", "has an entry without a source"),
        ("user: [a]", "is a list where a text has to stand"),
        ("volumes: ['/" + "x" * 5000 + ":/y']", "longer than 4096 characters"),
    ],
)
def test_values_that_compose_refuses(body, part):
    with pytest.raises(ComposeError) as caught:
        web(body)
    assert part in str(caught.value)
    assert (caught.value.file, caught.value.line) == ("compose.yml", 3)


@pytest.mark.parametrize("text, value_read", [("yes", True), ("ON", True), ("y", True), ("'true'", True), ("no", False), ("Off", False), ("n", False)])
def test_truth_as_compose_casts_it(text, value_read):
    assert value(f"privileged: {text}", "privileged") is value_read


def test_unknown_keys_with_their_path_and_line():
    found = web("read_onyl: true\nx-mine: 1\nhealthcheck: {tset: x}\nvolumes:\n  - {type: volume, target: /x, read_onli: true}")
    assert [(key, key.line) for key in found.value("unknown_keys")] == [("read_onyl", 3), ("healthcheck.tset", 5), ("volumes[0].read_onli", 7)]


def test_labels_of_files_yield_to_those_of_the_service():
    files = {"a.txt": "team=a\nzone=one\n", "b.txt": "zone=two\nteam=b\n# remark\n"}
    found = web("label_file: [a.txt, ./b.txt]\nlabels: {team: own}", files=files)
    assert dict(found.identity["labels"]) == {"team": "own", "zone": "two"}
    assert set(found.value("labels")) == {"team", "zone"}
    assert found.value("secret_names") == ()


@pytest.mark.parametrize(
    "body, files, reason",
    [
        ("label_file: gone.txt", {}, "the label file gone.txt does not exist here"),
        ("label_file: odd.txt", {"odd.txt": "a b\n"}, "the label file odd.txt is no line of an env file; write NAME=value"),
        ("label_file: '${L}'", {}, "depends on ${L}, which is not set"),
    ],
)
def test_a_label_file_that_nobody_can_read_is_unknown(body, files, reason):
    assert web(body, files=files).facts["secret_names"].reason == reason


def test_where_an_env_file_leads_nobody_knows_who_cannot_read_it():
    assert web("env_file: gone.env").facts["docker_host"].reason == "the env file gone.env does not exist here"
    assert web("env_file: gone.env\nenvironment: {DOCKER_HOST: tcp://x:1}").value("docker_host") == "tcp://x:1"
    assert web("env_file: [{path: gone.env, required: false}]").value("docker_host") == ""


LINES = """image: x
cap_drop: [ALL]
cap_add:
  - CHOWN
  - SYS_ADMIN
  - NET_RAW
device_cgroup_rules:
  - c 10:200 rwm
sysctls:
  net.core.somaxconn: 1024
  kernel.core_pattern: x
ulimits:
  nofile: 5
command:
  - serve
  - --password=hunter22"""


@pytest.mark.parametrize(
    "rule, line",
    [
        ("capability-sys-admin-not-held", 7),
        ("capabilities-none-beyond-default", 7),
        ("capability-net-raw-dropped", 8),
        ("device-rules-none", 10),
        ("kernel-settings-harmless", 13),
        ("ulimits-are-the-defaults", 15),
        ("secrets-not-in-plain-text", 18),
    ],
)
def test_a_finding_has_the_line_of_the_item(rule, line):
    judged = evaluate.judge([web(LINES)], [registry.BY_ID[rule]])
    assert [(finding.status, finding.file, finding.line) for finding in judged] == [("fail", "compose.yml", line)]


def test_all_capabilities_have_the_line_of_all():
    judged = evaluate.judge([web("cap_add:\n  - CHOWN\n  - all")], [registry.BY_ID["capability-sys-module-not-held"]])
    assert judged[0].line == 5
