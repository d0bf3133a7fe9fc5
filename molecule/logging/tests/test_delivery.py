# SPDX-License-Identifier: Apache-2.0
"""What a receiver that stalls or is away does to containers is what we say."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_delivery

READS, STALLS, ABSENT = "127.0.0.1:5514", "127.0.0.1:5515", "127.0.0.1:5599"
NON_BLOCKING = {"mode": "non-blocking", "max-buffer-size": "1m"}
# By default gelf spends three seconds on each message for a receiver that has gone, and fluentd tries for ever; clearing up
# would wait for both.
GELF = {"gelf-address": f"tcp://{STALLS}", "gelf-tcp-max-reconnect": "0", "gelf-tcp-reconnect-delay": "0"}
FLUENTD = {"fluentd-address": STALLS, "fluentd-max-retries": "1", "fluentd-retry-wait": "100ms"}
STALLED = [
    ("syslog", {"syslog-address": f"tcp://{STALLS}"}),
    ("syslog", {"syslog-address": f"tcp://{STALLS}", **NON_BLOCKING}),
    ("syslog", {"syslog-address": f"udp://{STALLS}"}),
    ("gelf", GELF),
    ("gelf", {**GELF, **NON_BLOCKING}),
    ("gelf", {"gelf-address": f"udp://{STALLS}"}),
    ("fluentd", FLUENTD),
    ("fluentd", {**FLUENTD, **NON_BLOCKING}),
    ("fluentd", {"fluentd-address": STALLS, "fluentd-async": "true", "fluentd-buffer-limit": "64"}),
]
# A receiver that reads stops nobody, whatever the mode.
READING = [
    ("syslog", {"syslog-address": f"tcp://{READS}"}),
    ("gelf", {"gelf-address": f"tcp://{READS}"}),
    ("fluentd", {"fluentd-address": READS}),
]
AWAY = [
    ("json-file", {}),
    ("local", {}),
    ("syslog", {"syslog-address": f"tcp://{ABSENT}"}),
    ("syslog", {"syslog-address": f"tcp://{ABSENT}", **NON_BLOCKING}),
    ("syslog", {"syslog-address": f"udp://{ABSENT}"}),
    ("gelf", {"gelf-address": f"tcp://{ABSENT}"}),
    ("gelf", {"gelf-address": f"udp://{ABSENT}"}),
    ("fluentd", {"fluentd-address": ABSENT}),
    ("fluentd", {"fluentd-address": ABSENT, **NON_BLOCKING}),
    ("fluentd", {"fluentd-address": ABSENT, "fluentd-async": "true"}),
    ("splunk", {"splunk-token": "t", "splunk-url": f"http://{ABSENT}"}),
    ("splunk", {"splunk-token": "t", "splunk-url": f"http://{ABSENT}", "splunk-verify-connection": "false"}),
]
READ = [
    ("json-file", {}),
    ("local", {}),
    ("journald", {}),
    ("none", {}),
    ("syslog", {"syslog-address": f"udp://{READS}"}),
    ("syslog", {"syslog-address": f"udp://{READS}", "cache-disabled": "true"}),
]


def test_a_receiver_that_stalls(docker, program):
    answers = program("stall.py", [*STALLED, *READING])
    ended = [answer["ended"] for answer in answers]
    print([(driver, options.get("mode", ""), answer) for (driver, options), answer in zip([*STALLED, *READING], answers)])
    said = [log_delivery.delivery(*case).stalled == log_delivery.DROPS for case in STALLED]
    assert ended[: len(STALLED)] == said
    assert ended[len(STALLED) :] == [True] * len(READING)
    # The process is free, but at its end the engine waits for a driver that waits for the receiver, as our remark says.
    for (driver, options), answer in zip(STALLED, answers):
        waits = any("docker inspect" in remark for remark in log_delivery.delivery(driver, options).remarks)
        assert answer["answered"] is not waits, (driver, options, answer)
    assert True in said
    assert False in said


def test_a_receiver_that_is_away(docker, program):
    answers = program("try_options.py", [[driver, options, True] for driver, options in AWAY])
    said = [log_delivery.delivery(*case).absent == log_delivery.STARTS for case in AWAY]
    assert [not answer for answer in answers] == said, answers


def test_how_logs_are_read(docker):
    for number, (driver, options) in enumerate(READ):
        arguments = [word for name, value in options.items() for word in ("--log-opt", f"{name}={value}")]
        name = docker.start(f"read-{number}", "--network", "none", "--log-driver", driver, *arguments, command=["echo", "hello"])
        docker.call("wait", name)
        reads = log_delivery.delivery(driver, options).reads
        shown = docker.attempt("logs", name)
        assert (shown.rc == 0 and "hello" in shown.stdout) is (reads != "none"), (driver, options, shown)
        identity = docker.inspect(name)["Id"]
        cached = docker.host.run("ls /var/lib/docker/containers/%s/container-cached.log", identity).rc == 0
        assert cached is (reads == "cache"), (driver, options)
