# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_drivers
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_delivery import delivery, warning

TCP = {"syslog-address": "tcp://logs.example.org:514"}
GELF = {"gelf-address": "tcp://logs.example.org:12201"}
NON_BLOCKING = {"mode": "non-blocking"}


@pytest.mark.parametrize(
    ("driver", "options", "expected"),
    [
        ("none", {}, ("blocking", 0, "", "starts", "none", False)),
        ("json-file", {}, ("blocking", 0, "blocks", "starts", "native", False)),
        ("local", NON_BLOCKING, ("non-blocking", 1_000_000, "drops", "starts", "native", False)),
        ("local", {**NON_BLOCKING, "max-buffer-size": "4m"}, ("non-blocking", 4 * 1024**2, "drops", "starts", "native", False)),
        ("journald", {}, ("blocking", 0, "blocks", "fails", "native", False)),
        ("syslog", {}, ("blocking", 0, "blocks", "fails", "cache", False)),
        ("syslog", TCP, ("blocking", 0, "blocks", "fails", "cache", True)),
        ("syslog", {**TCP, **NON_BLOCKING}, ("non-blocking", 1_000_000, "drops", "fails", "cache", True)),
        ("syslog", {**TCP, "cache-disabled": "true"}, ("blocking", 0, "blocks", "fails", "none", True)),
        ("syslog", {"syslog-address": "udp://h"}, ("blocking", 0, "drops", "starts", "cache", True)),
        ("gelf", GELF, ("blocking", 0, "blocks", "fails", "cache", True)),
        ("gelf", {"gelf-address": "udp://h:1"}, ("blocking", 0, "drops", "starts", "cache", True)),
        ("fluentd", {}, ("blocking", 0, "blocks", "fails", "cache", True)),
        ("fluentd", {"fluentd-async": "true"}, ("blocking", 0, "drops", "starts", "cache", True)),
        ("fluentd", {"fluentd-async": "false"}, ("blocking", 0, "blocks", "fails", "cache", True)),
        ("splunk", {}, ("blocking", 0, "blocks", "fails", "cache", True)),
        ("splunk", {"splunk-verify-connection": "false"}, ("blocking", 0, "blocks", "starts", "cache", True)),
        ("awslogs", {}, ("blocking", 0, "blocks", "fails", "cache", True)),
        ("awslogs", NON_BLOCKING, ("non-blocking", 1_000_000, "drops", "starts", "cache", True)),
        ("grafana/loki:1", {}, ("blocking", 0, "blocks", "fails", "cache", True)),
    ],
)
def test_delivery(driver, options, expected):
    found = delivery(driver, options)
    assert (found.mode, found.buffer, found.stalled, found.absent, found.reads, found.remote) == expected
    assert found.as_dict()["remarks"] == list(found.remarks)


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("journald", {}, "docker.service"),
        ("fluentd", {"fluentd-async": "true"}, "up to 1048576 of them"),
        ("fluentd", {"fluentd-async": "true", "fluentd-buffer-limit": "1k"}, "up to 1024 of them"),
        ("syslog", {**TCP, **NON_BLOCKING}, "does not help a container to start"),
        ("syslog", {"syslog-address": "udp://h"}, "lost"),
    ],
)
def test_remarks(driver, options, words):
    assert words in " ".join(delivery(driver, options).remarks)


def test_remarks_do_not_pile_up():
    options = {**NON_BLOCKING}
    assert delivery("journald", options).remarks == delivery("journald", options).remarks


@pytest.mark.parametrize(
    ("driver", "options", "warned"),
    [
        ("syslog", TCP, True),
        ("gelf", GELF, True),
        ("fluentd", {}, True),
        ("syslog", {**TCP, "mode": "blocking"}, False),
        ("syslog", {**TCP, **NON_BLOCKING}, False),
        ("syslog", {}, False),
        ("gelf", {"gelf-address": "udp://h:1"}, False),
        ("local", {}, False),
        ("journald", {}, False),
    ],
)
def test_a_blocking_receiver_is_warned_of_unless_it_is_wanted(driver, options, warned):
    assert bool(warning(driver, options)) is warned


def test_every_driver_has_a_delivery():
    for driver in log_drivers.DRIVERS:
        assert delivery(driver, {}).absent in ("fails", "starts")
