# SPDX-License-Identifier: Apache-2.0
"""Every option of every log driver with good and bad values: our verdict is the engine's, or knowingly stricter."""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_drivers, versions

READS = "127.0.0.1:5514"
CREATE, START = False, True

# What a driver needs beside the option that is tried.
BASE = {
    "syslog": {"syslog-address": f"tcp://{READS}"},
    "gelf": {"gelf-address": f"udp://{READS}"},
    "fluentd": {"fluentd-address": READS},
    "splunk": {"splunk-token": "t", "splunk-url": f"https://{READS}", "splunk-verify-connection": "false"},
    "awslogs": {"awslogs-group": "g", "awslogs-region": "eu-central-1"},
    "logentries": {"logentries-token": "t"},
}
# Without their clouds these drivers start no container; the engine looks at their options when one is created.
LEVEL = {"awslogs": CREATE, "gcplogs": CREATE, "logentries": CREATE, "none": CREATE}

BOOLEAN = (["true", "0", "T"], ["yes", "ja", "2"])
REGEX = (["^a.*b$", "", r"\d+[a-z]"], ["("])
REGEXES = (REGEX[0], ["(", "[a", "*a", "a(?=b)", r"(a)\1", "a)"])
TAG = (["{{.ID}}", "plain", ""], ["{{.Id}}"])
TAGS = (
    ["{{.ID}}", "plain", "", "{{.Name}}/{{ .ImageName }}", "{{upper .Name}}", '{{index .ContainerLabels "a"}}', "{{range .ContainerEnv}}{{.}}{{end}}",
     '{{printf "%s-%.3s" .Name .FullID}}', "{{if .Name}}a{{else}}b{{end}}", "{{- .Hostname -}}", "{{.DaemonName | lower}}"],
    ["{{.Id}}", "{{.Name", "{{.NoSuchField}}", "{{Name}}", "{{frob .Name}}", "{{}}"],
)  # fmt: skip
TEXT: tuple[list[str], list[str]] = (["some text", ""], [])
COMMON = {"labels": TEXT, "env": TEXT, "labels-regex": REGEX, "env-regex": REGEX, "tag": TAG}
ROTATED = {"max-size": "1m", "max-file": "3"}
LEVELS = (["-1", "0", "9"], ["10", "-2", "best", ""])

#: For each driver and option: good values, bad values.
VALUES: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "none": {},
    "json-file": {
        **COMMON,
        "tag": TAGS,
        "labels-regex": REGEXES,
        "max-size": (["1m", "10MB", "1.5kb", "5 m", "100", "1KiB", "2g"], ["ten", "-1", "0", " 1m", "1x", "", "1m2", "0.5"]),
        "max-file": (["1", "5", "+2", "007"], ["0", "-1", "many", "", "1.5"]),
        "compress": BOOLEAN,
    },
    "local": {
        **COMMON,
        "max-size": (["1m", "10MB", "1.5kb", "5 m", "1KiB"], ["ten", "-1", "1x", ""]),
        "max-file": (["2", "5"], ["-1", "many", "1"]),
        "compress": BOOLEAN,
    },
    "journald": COMMON,
    "syslog": {
        **COMMON,
        "syslog-address": (
            [f"tcp://{READS}", f"udp://{READS}", "udp://127.0.0.1", "unixgram:///run/systemd/journal/dev-log", "tcp+tls://127.0.0.1:5516"],
            ["127.0.0.1:514", "http://h", "tcp://h:x", "tcp://h:1:2", "unix://", "tcp://127.0.0.1:70000"],
        ),
        "syslog-facility": (["daemon", "local7", "0", "23"], ["24", "-1", "everything"]),
        "syslog-format": (["rfc3164", "rfc5424", "rfc5424micro", ""], ["rfc", "RFC5424"]),
        "syslog-tls-ca-cert": (["/opt/logging/cert.pem"], [""]),
        "syslog-tls-cert": (["/opt/logging/cert.pem"], [""]),
        "syslog-tls-key": (["/opt/logging/key.pem"], [""]),
        "syslog-tls-skip-verify": (["true"], ["false", ""]),
    },
    "gelf": {
        **COMMON,
        "gelf-address": ([f"udp://{READS}", f"tcp://{READS}"], ["127.0.0.1:1", "http://h:1", "udp://h", "udp://h:x", ""]),
        "gelf-compression-type": (["gzip", "zlib", "none"], ["lz4", "GZIP", ""]),
        "gelf-compression-level": LEVELS,
        "gelf-tcp-max-reconnect": (["0", "3"], ["-1", "x", ""]),
        "gelf-tcp-reconnect-delay": (["0", "3"], ["-1", "1s", ""]),
    },
    "fluentd": {
        **COMMON,
        "fluentd-address": ([READS, f"tcp://{READS}"], ["http://h:1", "127.0.0.1:x", "udp://127.0.0.1:5514", "unix://"]),
        "fluentd-async": BOOLEAN,
        "fluentd-async-connect": BOOLEAN,
        "fluentd-async-reconnect-interval": (["100ms", "10s", "0"], ["99ms", "11s", "1", "x"]),
        "fluentd-buffer-limit": (["1m", "8KiB"], ["x", "-1"]),
        "fluentd-max-retries": (["0", "10"], ["-1", "x", "1.5"]),
        "fluentd-request-ack": (["false"], ["yes"]),
        "fluentd-retry-wait": (["1s", "500ms", "1m30s", "1.5s", ".5s", "0"], ["1", "1 s", "s", "1d"]),
        "fluentd-sub-second-precision": BOOLEAN,
        "fluentd-write-timeout": (["1s", "0"], ["-1s", "1", "x"]),
        "fluentd-read-timeout": (["1s", "0"], ["-1s", "1"]),
    },
    "splunk": {
        **COMMON,
        "splunk-token": (["t"], [""]),
        "splunk-url": (["https://127.0.0.1:8088", "http://h", "https://h/"], ["h:8088", "ftp://h", "https://h/path", "", "https://h:x"]),
        "splunk-source": TEXT,
        "splunk-sourcetype": TEXT,
        "splunk-index": TEXT,
        "splunk-capath": (["/opt/logging/cert.pem"], [""]),
        "splunk-caname": TEXT,
        "splunk-insecureskipverify": BOOLEAN,
        "splunk-format": (["inline", "json", "raw"], ["xml", ""]),
        "splunk-verify-connection": (["false", "0"], ["no"]),
        "splunk-gzip": BOOLEAN,
        "splunk-gzip-level": LEVELS,
        "splunk-index-acknowledgment": BOOLEAN,
    },
    "awslogs": {
        "tag": (["{{.FullID}}"], []),
        "awslogs-region": TEXT,
        "awslogs-endpoint": TEXT,
        "awslogs-group": (["g"], [""]),
        "awslogs-stream": TEXT,
        "awslogs-create-group": BOOLEAN,
        "awslogs-create-stream": BOOLEAN,
        "awslogs-datetime-format": (["%Y-%m-%d"], []),
        "awslogs-multiline-pattern": (["^INFO"], []),
        "awslogs-credentials-endpoint": TEXT,
        "awslogs-force-flush-interval-seconds": (["1", "60"], ["0", "-1", "5s"]),
        "awslogs-max-buffered-events": (["1", "4096"], ["0", "-1", "many"]),
        "awslogs-format": (["json/emf"], ["json"]),
    },
    "gcplogs": {
        **{name: values for name, values in COMMON.items() if name in ("labels", "env")},
        "labels-regex": (["a"], []),
        "env-regex": (["a"], []),
        "gcp-project": TEXT,
        "gcp-log-cmd": (["true"], []),
        "gcp-meta-zone": TEXT,
        "gcp-meta-name": TEXT,
        "gcp-meta-id": TEXT,
    },
    "logentries": {"logentries-token": (["t"], []), "line-only": (["true"], []), "tag": (["a"], [])},
}
EVERY_DRIVER = {
    "mode": (["blocking", "non-blocking"], ["fast", "nonblocking"]),
    "max-buffer-size": ([], ["1m"]),
    "cache-disabled": BOOLEAN,
}

#: Combinations: good ones, bad ones.
TOGETHER: list[tuple[str, dict[str, str], bool]] = [
    ("json-file", {**ROTATED, "compress": "true"}, True),
    ("json-file", {"max-size": "1m", "compress": "true"}, False),
    ("json-file", {"max-file": "3", "compress": "true"}, False),
    ("json-file", {"max-file": "3"}, False),
    ("json-file", {"mode": "non-blocking", "max-buffer-size": "4m"}, True),
    ("json-file", {"mode": "non-blocking", "max-buffer-size": "much"}, False),
    ("json-file", {"mode": "non-blocking", "max-buffer-size": "0"}, False),
    ("json-file", {"mode": "blocking", "max-buffer-size": "4m"}, False),
    ("json-file", {"max-sise": "1m"}, False),
    ("json-file", {"cache-max-size": "1m"}, False),
    ("json-file", {"syslog-format": "rfc3164"}, False),
    ("local", {"max-file": "1", "compress": "false"}, True),
    ("local", {"max-size": "0"}, False),
    ("none", {"max-size": "1m"}, False),
    ("nonsense", {}, False),
    ("syslog", {"cache-max-file": "2"}, False),
    ("syslog", {"syslog-address": "tcp+tls://127.0.0.1:5516", "syslog-tls-ca-cert": "/opt/logging/cert.pem"}, True),
    ("syslog", {"syslog-address": "tcp+tls://127.0.0.1:5516", "syslog-tls-cert": "/opt/logging/cert.pem"}, False),
    ("gelf", {"gelf-address": f"tcp://{READS}", "gelf-compression-level": "1"}, False),
    ("gelf", {"gelf-address": f"udp://{READS}", "gelf-tcp-max-reconnect": "1"}, False),
    ("fluentd", {"fluentd-async": "true", "fluentd-async-connect": "true"}, False),
    ("fluentd", {"fluentd-address": "127.0.0.1"}, False),
    ("fluentd", {"fluentd-max-retries": "2147483648"}, False),
    ("awslogs", {"awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "x"}, False),
    ("awslogs", {"awslogs-format": "json/emf", "awslogs-multiline-pattern": "x"}, False),
]

#: Where we refuse what the engine takes: why, and the first release that refuses it too.
STRICTER: dict[tuple[str, ...], tuple[str, str]] = {
    ("none", "max-size=1m"): ("no option means anything to it", ""),
    ("json-file", "max-file=3"): ("rotates nothing without max-size", ""),
    ("json-file", "cache-max-size=1m"): ("is never read", ""),
    ("json-file", "mode=non-blocking", "max-buffer-size=0"): ("keeps one message", ""),
    ("local", "max-size=0"): ("rotates at each message", ""),
    ("syslog", "cache-max-file=2"): ("is never read", ""),
    ("syslog", "labels-regex", "("): ("the driver never looks at it, others do", ""),
    ("syslog", "env-regex", "("): ("the driver never looks at it, others do", ""),
    ("syslog", "syslog-tls-ca-cert", ""): ("an empty value says nothing", ""),
    ("syslog", "syslog-tls-skip-verify", ""): ("skips the verification all the same", ""),
    ("syslog", "syslog-tls-skip-verify", "false"): ("skips the verification all the same", ""),
    ("splunk", "splunk-token", ""): ("nobody is let in without one", ""),
    ("fluentd", "fluentd-address=127.0.0.1"): ("the host is ignored before 23.0 where the port is missing", ""),
    ("fluentd", "fluentd-max-retries=2147483648"): ("the client overflows", "28.0"),
}


def expected_to_be_stricter(bad: list[Case], version: versions.Version) -> set[tuple[str, ...]]:
    return {case.what for case in bad if case.what in STRICTER and versions.within(version, "", STRICTER[case.what][1])}


class Case(t.NamedTuple):
    driver: str
    options: dict[str, str]
    start: bool
    what: tuple[str, ...]


def surroundings(driver: str, option: str, value: str) -> dict[str, str]:
    """Return the options without which this one cannot be judged by itself."""
    needed = dict(BASE.get(driver, {}))
    if driver == "json-file" and option in ("max-file", "compress"):
        needed.update(ROTATED)
    if driver == "local" and option == "max-file" and value == "1":
        needed["compress"] = "true"
    if option.startswith("gelf-tcp-"):
        needed["gelf-address"] = f"tcp://{READS}"
    if option.startswith("syslog-tls-"):
        needed.update({"syslog-address": "tcp+tls://127.0.0.1:5516", "syslog-tls-skip-verify": "true"})
    if option in ("syslog-tls-cert", "syslog-tls-key"):
        needed.update({"syslog-tls-cert": "/opt/logging/cert.pem", "syslog-tls-key": "/opt/logging/key.pem"})
    if value.startswith("tcp+tls://"):
        needed["syslog-tls-skip-verify"] = "true"
    return needed


def cases() -> list[Case]:
    found = []
    for driver, options in VALUES.items():
        start = LEVEL.get(driver, START)
        for option, (good, bad) in options.items():
            for value in [*good, *bad]:
                chosen = {**surroundings(driver, option, value), option: value}
                found.append(Case(driver, chosen, start, (driver, option, value)))
    for option, (good, bad) in EVERY_DRIVER.items():
        for driver in ("json-file", "syslog"):
            for value in [*good, *bad]:
                found.append(Case(driver, {**BASE.get(driver, {}), option: value}, START, (driver, option, value)))
    for driver, options, _good in TOGETHER:
        chosen = {**BASE.get(driver, {}), **options}
        found.append(Case(driver, chosen, LEVEL.get(driver, START), (driver, *(f"{name}={value}" for name, value in options.items()))))
    return found


def test_every_option_of_every_driver_has_a_case():
    missing = [
        f"{driver}: {name}"
        for driver, known in log_drivers.DRIVERS.items()
        for name in known.options
        if name not in VALUES[driver] and driver != "logentries"
    ]
    assert missing == []
    assert set(log_drivers.EVERY_DRIVER) == set(EVERY_DRIVER)


def together(good: list[Case], version) -> list[Case]:
    """Return fewer cases that try the same: options that we find right together, in one container."""
    packs: list[Case] = []
    for case in good:
        for number, pack in enumerate(packs):
            merged = {**pack.options, **case.options}
            agree = all(case.options.get(name, value) == value for name, value in pack.options.items())
            if pack.driver == case.driver and agree and not log_drivers.problems(case.driver, merged, version):
                packs[number] = Case(case.driver, merged, case.start, (*pack.what, *case.what[1:]))
                break
        else:
            packs.append(case)
    return packs


def test_our_verdict_is_the_engines(docker, version, program):
    known = docker.info()["Plugins"]["Log"]
    tried = [case for case in cases() if case.driver in known or case.driver in ("none", "nonsense")]
    bad = [case for case in tried if log_drivers.problems(case.driver, case.options, version)]
    good = together([case for case in tried if case not in bad], version)
    answers = program("try_options.py", [[case.driver, case.options, case.start] for case in [*bad, *good]])
    refused = [(case, said) for case, said in zip(good, answers[len(bad) :]) if said]
    assert refused == [], "we take what the engine refuses"
    taken = {case.what for case, said in zip(bad, answers) if not said}
    assert taken == expected_to_be_stricter(bad, version), "we refuse what the engine takes, or no longer differ"
    print(f"{len(tried)} cases on {version}: {len(tried) - len(bad)} good, {len(bad)} bad, {len(taken)} of them only to us")
