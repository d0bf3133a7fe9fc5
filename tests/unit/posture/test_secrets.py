# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What looks like a secret, and that no value of one is left in what is kept of the engine's answers."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets
from hypothesis import given, settings
from hypothesis import strategies as st

# Put together here, so that no scanner of repositories takes them for real ones.
TOKENS = [
    "ghp_" + "a1B2" * 9,
    "glpat-" + "a1B2" * 5,
    "xoxb-" + "1234567890-abcdef",
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "sk_live_" + "a1B2" * 6,
    "npm_" + "a1B2" * 9,
    "dckr_pat_" + "a1B2" * 7,
    "hvs." + "a1B2" * 8,
    "SWMTKN-1-" + "a1b2" * 12 + "-" + "a1b2" * 6,
    "SWMKEY-1-" + "a1B2" * 10,
    "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 20,
]
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("MYSQL_ROOT_PASSWORD", "changeme"),
        ("POSTGRESPASSWORD", "x9"),
        ("MYSQL_PWD", "x9"),
        ("dbPass", "x9"),
        ("API_TOKEN", "x9"),
        ("apiToken", "x9"),
        ("APIKEY", "x9"),
        ("API_KEY_2", "x9"),
        ("SECRET", "x9"),
        ("DJANGO_SECRET_KEY", "x9"),
        ("SECRET_KEY_BASE", "x9"),
        ("AWS_SECRET_ACCESS_KEY", "x9"),
        ("SSH_PRIVATE_KEY", "x9"),
        ("ENCRYPTION_KEY", "x9"),
        ("GPG_PASSPHRASE", "x9"),
        ("SERVICE_CREDENTIALS", "x9"),
        ("DB_PASSWORD_FILE", KEY),
        ("DATABASE_URL", "postgres://shop:hunter2@db/shop"),
        ("REDIS_URL", "redis://:hunter2@cache:6379/0"),
        ("DSN", "shop:hunter2@tcp(db:3306)/shop"),
        ("JAVA_OPTS", "-Xmx1g -Ddb.password=hunter2"),
        ("CONNECTION", "Server=db;User Id=shop;Password=hunter2;"),
        ("CONFIG", '{"user": "a", "password": "hunter2"}'),
        ("HOOK", "https://hooks.slack.com/services/" + "T000/B000/abcdefghij"),
        ("ANYTHING", KEY),
        *(("ANYTHING", token) for token in TOKENS),
    ],
)
def test_secrets_are_seen(name, value):
    assert secrets.is_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", None),
        ("DB_PASSWORD", "${DB_PASSWORD}"),
        ("DB_PASSWORD", "$DB_PASSWORD"),
        ("DB_PASSWORD", "{{ vault_password }}"),
        ("DB_PASSWORD", "<your password>"),
        ("DB_PASSWORD", "*****"),
        ("DB_PASSWORD", "xxxxx"),
        ("DB_PASSWORD", "your-password-here"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("DB_PASSWORD", "/run/secrets/db"),
        ("SECRET", "true"),
        ("PASSWORD_MIN_LENGTH", "12"),
        ("TOKEN_TTL", "3600"),
        ("TOKEN_URL", "https://id.example.com/token"),
        ("AWS_ACCESS_KEY_ID", "x9"),
        ("SECRET_NAME", "shop/db"),
        ("PWD", "/srv"),
        ("OLDPWD", "/"),
        ("COMPASS", "north"),
        ("BYPASS", "1"),
        ("PASS_THROUGH", "1"),
        ("GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568"),
        ("KEY", "value"),
        ("MONKEY", "banana"),
        ("POSTGRES_HOST_AUTH_METHOD", "trust"),
        ("DATABASE_URL", "postgres://shop:${DB_PASSWORD}@db/shop"),
        ("DATABASE_URL", "postgres://db/shop"),
        ("TIME", "12:30:00"),
        ("PATH", "/usr/local/bin:/usr/bin"),
        ("RETRIES", 5),
        ("DEBUG", True),
    ],
)
def test_what_is_none_is_let_alone(name, value):
    assert not secrets.is_secret(name, value)


def test_an_environment_keeps_names_only():
    given = ["PATH=/usr/bin", "DB_PASSWORD=hunter2", "EMPTY=", "BARE", "DOCKER_HOST=tcp://user:hunter2@proxy:2375", 7]
    found = secrets.environment(given)
    assert found == [
        f"PATH={secrets.WITHHELD}",
        f"DB_PASSWORD={secrets.SECRET}",
        "EMPTY=",
        "BARE",
        f"DOCKER_HOST=tcp://user:{secrets.SECRET}@proxy:2375",
    ]
    assert secrets.environment_secrets(found) == ["DB_PASSWORD"]
    assert secrets.environment("PATH=/usr/bin") == []


def test_a_value_that_says_it_was_withheld_gives_nothing_away():
    assert secrets.environment([f"A={secrets.WITHHELD}"]) == [f"A={secrets.WITHHELD}"]
    assert secrets.environment([f"A={secrets.SECRET}"]) == [f"A={secrets.SECRET}"]


def test_labels_keep_values_of_tools_and_those_that_are_asked_for():
    given = {
        "com.docker.compose.project": "shop",
        "org.opencontainers.image.version": "1.4",
        "org.opencontainers.image.source": "https://user:hunter2@git.example.com/shop",
        "tier": "front",
        "team": "shop",
        "token": "hunter2",
        "empty": "",
    }
    found = secrets.labels(given, keep=("tier",))
    assert found == {
        "com.docker.compose.project": "shop",
        "org.opencontainers.image.version": "1.4",
        "org.opencontainers.image.source": secrets.SECRET,
        "tier": "front",
        "team": secrets.WITHHELD,
        "token": secrets.SECRET,
        "empty": "",
    }
    assert secrets.label_secrets(found) == ["org.opencontainers.image.source", "token"]


def test_arguments_keep_the_names_of_what_they_hand_over():
    words = ["serve", "--password", "hunter2", "--token=hunter2", "--port", "80", "sh", "-c", "export DB_PASSWORD=hunter2; run"]
    found = secrets.arguments(words)
    assert len(found) == len(words)
    assert "hunter2" not in " ".join(found) and "80" not in found
    assert secrets.argument_secrets(found) == ["argument --password", "argument --token", "argument DB_PASSWORD"]


def test_a_password_from_a_file_or_a_variable_is_none():
    assert secrets.argument_secrets(secrets.arguments(["--password", "$DB_PASSWORD", "--password-file=/run/secrets/x", "--token", "/run/secrets/t"])) == []


@pytest.mark.parametrize(
    ("given", "kept", "names"),
    [
        ("/bin/sh -c #(nop)  ENV DB_PASSWORD=hunter2 and more=hunter2", f"ENV DB_PASSWORD={secrets.SECRET}", ["DB_PASSWORD"]),
        ("ENV PATH=/usr/bin LANG=C", f"ENV PATH={secrets.WITHHELD} LANG={secrets.WITHHELD}", []),
        ("ENV DB_PASSWORD hunter2", f"ENV DB_PASSWORD={secrets.SECRET}", ["DB_PASSWORD"]),
        ("ARG API_TOKEN=hunter2", f"ARG API_TOKEN={secrets.SECRET}", ["API_TOKEN"]),
        ("ARG VERSION", "ARG VERSION", []),
        ("COPY update.sh /srv/ # buildkit", "COPY update.sh /srv/ # buildkit", []),
        ("RUN /bin/sh -c apt-get update # buildkit", "RUN /bin/sh -c apt-get update # buildkit", []),
        (
            "RUN |2 VERSION=hunter2 API_TOKEN=hunter2 /bin/sh -c make install # buildkit",
            f"RUN |2 VERSION={secrets.WITHHELD} API_TOKEN={secrets.SECRET} /bin/sh -c make install # buildkit",
            ["API_TOKEN"],
        ),
        ("|1 A=hunter2", f"|1 A={secrets.WITHHELD}", []),
        (
            "/bin/sh -c curl -u ann:hunter2 -H 'Authorization: Bearer hunter2hunter2' https://ann:hunter2@example.com/x",
            f"/bin/sh -c curl -u {secrets.SECRET} -H 'Authorization: Bearer {secrets.SECRET}' https://ann:{secrets.SECRET}@example.com/x",
            [],
        ),
        ("/bin/sh -c mysql -uroot -phunter2 < x.sql", f"/bin/sh -c mysql -uroot -p{secrets.SECRET} < x.sql", []),
        ("/bin/sh -c export TOKEN=hunter2 && make", f"/bin/sh -c export TOKEN={secrets.SECRET} && make", ["TOKEN"]),
    ],
)
def test_a_history_keeps_what_was_done_and_no_values(given, kept, names):
    assert secrets.instruction(given) == kept
    assert secrets.instruction_secrets([kept]) == names


VALUE = "hunter2-Tr0ub4dor"


def container() -> dict:
    return {
        "Id": "4f" * 32,
        "Name": "/web",
        "Path": VALUE,
        "Args": ["--password", VALUE],
        "Image": "sha256:" + "ab" * 32,
        "State": {
            "Running": True,
            "Pid": 7,
            "Error": f"password={VALUE}",
            "Health": {"Status": "healthy", "Log": [{"Output": VALUE}]},
        },
        "Config": {
            "Env": [f"DB_PASSWORD={VALUE}", f"OTHER={VALUE}", f"DOCKER_HOST=tcp://a:{VALUE}@h"],
            "Cmd": ["serve", VALUE],
            "Entrypoint": [VALUE],
            "Labels": {"any": VALUE, "com.docker.token": VALUE},
            "Healthcheck": {"Test": ["CMD-SHELL", f"curl -u a:{VALUE} localhost"]},
            "OnBuild": [VALUE],
            "Hostname": VALUE,
        },
        "HostConfig": {
            "Privileged": False,
            "Annotations": {"a": VALUE},
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "splunk", "Config": {"splunk-token": VALUE, "max-size": "10m"}},
            "Mounts": [{"Type": "volume", "VolumeOptions": {"DriverConfig": {"Options": {"o": f"username=a,password={VALUE}", "device": "//nas/x"}}}}],
            "Sysctls": {"net.core.somaxconn": "1024"},
        },
        "Mounts": [{"Type": "bind", "Source": f"https://a:{VALUE}@nas/x", "Destination": "/x", "RW": True}],
        "NetworkSettings": {"Ports": {}, "Networks": {"shop": {"DriverOpts": {"secret": VALUE}, "NetworkID": "1"}}},
        "GraphDriver": {"Data": {"x": VALUE}},
        "ExecIDs": [VALUE],
    }


def test_no_value_survives_in_a_container():
    found = secrets.container(container())
    assert VALUE not in json.dumps(found)
    assert found["HostConfig"]["LogConfig"]["Config"]["max-size"] == "10m"
    assert found["HostConfig"]["Privileged"] is False
    assert found["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    assert found["HostConfig"]["Sysctls"] == {"net.core.somaxconn": "1024"}
    assert found["State"] == {"Running": True, "Pid": 7, "Health": {"Status": "healthy"}}
    assert found["Config"]["Healthcheck"]["Test"][0] == "CMD-SHELL"


def test_the_answer_itself_is_not_changed():
    given = container()
    secrets.container(given)
    assert given == container()


def test_no_value_survives_in_an_image():
    answer = {"Id": "sha256:1", "RepoTags": ["web:1"], "Config": container()["Config"], "Author": VALUE, "Comment": VALUE, "Metadata": {"x": VALUE}}
    rows = [{"CreatedBy": f"ENV DB_PASSWORD={VALUE}", "Comment": VALUE}, {"CreatedBy": f"RUN |1 A={VALUE} /bin/sh -c true"}, {"CreatedBy": 7}, 7]
    found = secrets.image(answer, rows)
    assert VALUE not in json.dumps(found)
    assert [row["CreatedBy"] for row in found["History"]] == [f"ENV DB_PASSWORD={secrets.SECRET}", f"RUN |1 A={secrets.WITHHELD} /bin/sh -c true", ""]
    assert "History" not in secrets.image(answer)


def test_no_value_survives_in_other_answers():
    answers = {
        "services": [
            {
                "ID": "1",
                "Spec": {
                    "Name": "web",
                    "Labels": {"a": VALUE},
                    "TaskTemplate": {
                        "ContainerSpec": {"Image": "web:1", "Env": [f"A={VALUE}"], "Args": [VALUE], "Command": [VALUE], "Labels": {"b": VALUE}},
                        "LogDriver": {"Name": "splunk", "Options": {"splunk-token": VALUE}},
                    },
                },
                "PreviousSpec": {"TaskTemplate": {"ContainerSpec": {"Env": [f"A={VALUE}"]}}},
            }
        ],
        "volumes": [{"Name": "nas", "Options": {"type": "cifs", "o": f"addr=nas,username=a,password={VALUE},vers=3", "device": "//nas/x"}}],
        "swarm": {
            "ID": "1",
            "JoinTokens": {"Worker": VALUE},
            "Spec": {"CAConfig": {"SigningCAKey": VALUE, "NodeCertExpiry": 1}, "EncryptionConfig": {"AutoLockManagers": True}},
        },
        "info": {
            "HttpProxy": f"http://a:{VALUE}@proxy:3128",
            "Labels": [f"x={VALUE}"],
            "SecurityOptions": ["name=seccomp,profile=builtin"],
            "Driver": "overlay2",
        },
    }
    found = secrets.anything(answers)
    assert VALUE not in json.dumps(found)
    assert found["services"][0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == "web:1"
    assert found["swarm"]["Spec"]["EncryptionConfig"]["AutoLockManagers"] is True
    assert found["swarm"]["Spec"]["CAConfig"]["NodeCertExpiry"] == 1
    assert found["info"]["SecurityOptions"] == ["name=seccomp,profile=builtin"]
    assert found["volumes"][0]["Options"]["device"] == "//nas/x"


def test_what_is_no_answer_gives_an_empty_one():
    for value in (None, [], "x", 7):
        assert secrets.container(value) == {}
        assert secrets.image(value) == {}


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "=" * 1_000_000,
        "a=" * 500_000,
        "://a:" * 200_000,
        "a:b@tcp" * 150_000,
        "-----BEGIN PRIVATE KEY-----" * 40_000,
        "password=" * 100_000,
        "--password " * 100_000,
        "eyJ" + "a" * 1_000_000,
        " -u a:" * 150_000,
        "ENV " + "A=1 " * 250_000,
        "|1 " + "A=1 " * 250_000,
        "\"'" * 500_000,
    ],
)
def test_long_texts_take_no_time(text):
    before = time.process_time()
    secrets.is_secret("ANY", text)
    secrets.scrubbed(text)
    secrets.instruction(text)
    secrets.arguments([text, text])
    secrets.environment([text])
    assert time.process_time() - before < 15


def test_deep_answers_end():
    value: dict = {}
    for _depth in range(200):
        value = {"a": value}
    assert secrets.WITHHELD in json.dumps(secrets.anything(value))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=25,
)
NAMES = st.sampled_from(
    ["Env", "Labels", "Config", "HostConfig", "Test", "Cmd", "Args", "SecurityOpt", "Mounts", "State", "Health", "NetworkSettings", "Networks", "History", "x"]
)
ODD = st.recursive(JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=5) | st.lists(inner, max_size=4), max_leaves=20)


@settings(deadline=None)
@given(ODD)
def test_no_answer_is_too_odd(value):
    secrets.container(value)
    secrets.image(value, value)
    secrets.anything(value)
    secrets.history(value)
    secrets.environment(value)
    secrets.labels(value)
    secrets.arguments(value)
    secrets.check_command(value)
    secrets.environment_secrets(value)
    secrets.label_secrets(value)
    secrets.argument_secrets(value)
    secrets.instruction_secrets(value)


LOUD = st.text(st.characters(codec="ascii", categories=("Lu", "Nd")), min_size=12, max_size=30).map(lambda text: "Q" + text + "Z")


@settings(deadline=None)
@given(LOUD, st.text(max_size=20), st.lists(st.text(max_size=20), max_size=4))
def test_values_of_variables_labels_and_arguments_never_survive(value, name, words):
    name = name.replace("=", "") or "A"
    if value in name or any(value in word for word in words):
        return
    answer = {
        "Config": {
            "Env": [f"{name}={value}", f"{name}_PASSWORD={value}"],
            "Labels": {name: value, f"com.docker.{name}_password": value},
            "Cmd": [*words, value, f"--{name}={value}", f"--password={value}"],
            "Healthcheck": {"Test": ["CMD", *words, value]},
        }
    }
    found = json.dumps(secrets.container(answer))
    assert value not in found or name.startswith(("com.docker.", "org.opencontainers."))
    assert value not in json.dumps(secrets.anything({"Spec": answer["Config"]})) or name.startswith(("com.docker.", "org.opencontainers."))


@settings(deadline=None)
@given(st.text(max_size=200))
def test_redaction_is_the_same_the_second_time(text):
    once = secrets.scrubbed(text)
    assert secrets.scrubbed(once) == once


@pytest.mark.parametrize(
    "words, found",
    [
        (["mysqladmin", "ping", "-phunter22"], ["argument -p"]),
        (["CMD-SHELL", "mysqldump -uroot -phunter22 | gzip"], ["argument -p"]),
        (["/usr/bin/mariadb-admin", "-p$MYSQL_ROOT_PASSWORD"], []),
        (["CMD-SHELL", 'mysqladmin -p"$MYSQL_ROOT_PASSWORD" ping'], []),
        (["serve", "--store=mysql://db/shop", "-p8080"], []),
        (["redis-server", "--requirepass", "hunter22"], ["argument --requirepass"]),
        (["redis-cli", "--bypass", "hunter22"], []),
    ],
)
def test_passwords_of_clients(words, found):
    assert secrets.argument_secrets(secrets.arguments(words)) == found


@pytest.mark.parametrize("key", ["MaskedPaths", "ReadonlyPaths"])
def test_lists_that_all_containers_have_alike_are_redacted_as_well(key):
    found = secrets.container({"HostConfig": {key: ["/proc/keys", "https://user:hunter2hunter2@example.com/x"]}})
    assert found["HostConfig"][key][0] == "/proc/keys"
    assert "hunter2" not in str(found)
