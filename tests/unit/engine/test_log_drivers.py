# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_drivers
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse


@pytest.mark.parametrize(
    ("driver", "options", "version"),
    [
        ("json-file", {}, "20.10.24"),
        ("json-file", {"max-size": "10m", "max-file": "3", "compress": "true"}, "20.10.24"),
        ("json-file", {"max-size": "10m"}, "28.5.2"),
        ("json-file", {"max-size": "10m", "mode": "non-blocking", "max-buffer-size": "4m"}, "28.5.2"),
        ("json-file", {"labels": "team", "env": "OS", "tag": "{{.Name}}"}, "26.1.5"),
        ("local", {"max-size": "10m", "max-file": "5"}, "26.1.5"),
        ("local", {"max-file": "1", "compress": "false"}, "26.1.5"),
        ("local", {"tag": "x"}, "29.5.0"),
        ("journald", {"tag": "x"}, "26.1.5"),
        ("none", {}, "26.1.5"),
        ("syslog", {"syslog-address": "tcp+tls://logs.example.org:6514", "syslog-format": "rfc5424"}, "26.1.5"),
        ("gelf", {"gelf-address": "udp://127.0.0.1:12201", "gelf-compression-type": "none"}, "26.1.5"),
        ("fluentd", {"fluentd-address": "127.0.0.1:24224", "fluentd-async": "true"}, "28.5.2"),
        ("fluentd", {"fluentd-async-connect": "true"}, "27.5.1"),
        ("awslogs", {"awslogs-group": "g", "awslogs-region": "eu-central-1"}, "26.1.5"),
        ("grafana/loki-docker-driver:latest", {"loki-url": "https://example.org"}, "28.5.2"),
        ("syslog", {"cache-disabled": "true"}, "28.5.2"),
    ],
)
def test_good(driver, options, version):
    assert log_drivers.problems(driver, options, parse(version)) == []


@pytest.mark.parametrize(
    ("driver", "options", "version", "path", "words"),
    [
        ("jsonfile", {}, "28.5.2", "log-driver", "is unknown"),
        ("logentries", {"logentries-token": "t"}, "25.0.0", "log-driver", "was removed in 25.0"),
        ("some/plugin:1", {"mode": "non-blocking", "max-buffer-size": "x"}, "28.5.2", "log-opts.max-buffer-size", "no size"),
        ("some/plugin:1", {"max-buffer-size": "1m"}, "28.5.2", "log-opts.max-buffer-size", "non-blocking"),
        ("json-file", {"max-sise": "10m"}, "28.5.2", "log-opts.max-sise", "did you mean max-size"),
        ("journald", {"syslog-address": "udp://h:1"}, "28.5.2", "log-opts.syslog-address", "but of syslog"),
        ("json-file", {"nonsense-xyz": "1"}, "28.5.2", "log-opts.nonsense-xyz", "is no option of the driver"),
        ("json-file", {"max-file": 3}, "28.5.2", "log-opts.max-file", 'such as "3"'),
        ("json-file", {"compress": True}, "28.5.2", "log-opts.compress", 'such as "true"'),
        ("json-file", {"tag": None}, "28.5.2", "log-opts.tag", "must be a string"),
        ("json-file", {"max-file": "3"}, "28.5.2", "log-opts.max-file", "rotates nothing without max-size"),
        ("json-file", {"max-file": "3", "max-size": "-1"}, "28.5.2", "log-opts.max-size", "no size"),
        ("json-file", {"max-size": "ten"}, "28.5.2", "log-opts.max-size", "no size"),
        ("json-file", {"max-size": "0"}, "28.5.2", "log-opts.max-size", "is 0"),
        ("json-file", {"max-size": "1m", "max-file": "0"}, "28.5.2", "log-opts.max-file", "1 or more"),
        ("json-file", {"max-size": "1m", "compress": "true"}, "28.5.2", "log-opts.compress", "max-file of 2"),
        ("json-file", {"max-file": "3", "compress": "true"}, "28.5.2", "log-opts.compress", "needs max-size"),
        ("json-file", {"compress": "yes"}, "28.5.2", "log-opts.compress", '"true" or "false"'),
        ("json-file", {"max-buffer-size": "4m"}, "28.5.2", "log-opts.max-buffer-size", "non-blocking"),
        ("json-file", {"mode": "fast"}, "28.5.2", "log-opts.mode", "blocking and non-blocking"),
        ("json-file", {"cache-max-size": "1m"}, "28.5.2", "log-opts.cache-max-size", "ignored"),
        ("syslog", {"cache-max-file": "2"}, "28.5.2", "log-opts.cache-max-file", "ignored"),
        ("syslog", {"cache-compress": "true"}, "28.5.2", "log-opts.cache-compress", "ignored"),
        ("local", {"max-file": "1"}, "28.5.2", "log-opts.max-file", "compresses"),
        ("local", {"tag": "x"}, "28.5.2", "log-opts.tag", "came to the driver local with Docker 29.5"),
        ("gelf", {}, "28.5.2", "log-opts", "cannot do without gelf-address"),
        ("gelf", {"gelf-address": "h:1"}, "28.5.2", "log-opts.gelf-address", "has no scheme"),
        (
            "gelf",
            {"gelf-address": "tcp://h:1", "gelf-compression-level": "1"},
            "28.5.2",
            "log-opts.gelf-compression-level",
            "udp://",
        ),
        (
            "gelf",
            {"gelf-address": "udp://h:1", "gelf-tcp-max-reconnect": "1"},
            "28.5.2",
            "log-opts.gelf-tcp-max-reconnect",
            "tcp://",
        ),
        ("fluentd", {"fluentd-async-connect": "true"}, "28.0.0", "log-opts.fluentd-async-connect", "left the driver"),
        ("fluentd", {"fluentd-write-timeout": "1s"}, "28.1.1", "log-opts.fluentd-write-timeout", "came to"),
        ("splunk", {"splunk-url": "https://h"}, "28.5.2", "log-opts", "splunk-token"),
        ("awslogs", {"awslogs-region": "x"}, "28.5.2", "log-opts", "awslogs-group"),
        (
            "awslogs",
            {"awslogs-group": "g", "awslogs-datetime-format": "a", "awslogs-multiline-pattern": "b"},
            "28.5.2",
            "log-opts.awslogs-multiline-pattern",
            "excludes",
        ),
        (
            "awslogs",
            {"awslogs-group": "g", "awslogs-format": "json/emf"},
            "20.10.24",
            "log-opts.awslogs-format",
            "23.0",
        ),
        ("gcplogs", {"tag": "x"}, "28.5.2", "log-opts.tag", "is no option of the driver gcplogs"),
    ],
)
def test_bad(driver, options, version, path, words):
    found = log_drivers.problems(driver, options, parse(version))
    assert path in [where for where, _message in found]
    assert any(words in message for where, message in found if where == path)


def test_a_token_is_never_repeated():
    found = log_drivers.problems("splunk", {"splunk-token": 12345, "splunk-url": "https://h"}, parse("28.5.2"))
    assert found
    assert "12345" not in str(found)
