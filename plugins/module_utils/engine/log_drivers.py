# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The log drivers of the Docker engine, their options, and what is wrong with a pair of log-driver and log-opts.

PRIVATE to the collection: no stability is promised to other users.

``dockerd --validate`` looks at none of this; a bad option keeps the daemon, or every new container, from starting, or
logs from being rotated. Sources: ValidateLogOpt and New of each driver in moby daemon/logger/*, logger/factory.go for
what every driver takes, and logger/loggerutils/cache for the local copy of logs that remote drivers keep.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_values
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

#: How ``docker logs`` gets at what a container wrote.
NATIVE = "native"
CACHE = "cache"
NOT_AT_ALL = "none"

Check = t.Callable[[str], str]


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a driver.

    Attributes:
        check: from a value to what is wrong with it; None where any text will do.
        since, removed: the releases that brought and dropped it.
        empty: whether an empty value is right; else it says nothing and is refused, although some drivers take it.
    """

    check: Check | None = None
    since: str = ""
    removed: str = ""
    empty: bool = False


@dataclasses.dataclass(frozen=True)
class LogDriver:
    """One driver.

    Attributes:
        options: by name.
        required: the options that it cannot do without.
        exclusive: pairs of options of which only one may be there.
        schemes: from the option with the receiver's address to the schemes that it takes.
        reads: how ``docker logs`` reads: NATIVE, CACHE or NOT_AT_ALL.
        since, removed: the releases that brought and dropped it.
    """

    options: dict[str, Option]
    required: tuple[str, ...] = ()
    exclusive: tuple[tuple[str, str], ...] = ()
    schemes: tuple[str, tuple[str, ...]] = ("", ())
    reads: str = CACHE
    since: str = ""
    removed: str = ""


def _whole(least: int, most: int | None = None) -> Check:
    return lambda text: log_values.whole_problem(text, least, most)


def _choice(*choices: str) -> Check:
    return lambda text: log_values.choice_problem(text, choices)


def _facility(text: str) -> str:
    if text in _FACILITIES or not log_values.whole_problem(text, 0, 23):
        return ""
    return f"is '{text}', but it must be a facility such as {', '.join(_FACILITIES[:4])} or local0, or a number from 0 to 23"


def _reconnect_interval(text: str) -> str:
    return log_values.duration_problem(text, 0.1, 10)


def _only_by_presence(text: str) -> str:
    if log_values.is_true(text):
        return ""
    return f"is '{text}', but the engine skips the verification as soon as the option is there; write \"true\" or remove it"


def _splunk_url(text: str) -> str:
    try:
        place = log_values.endpoint(text[:-1] if text.endswith("/") else text)
    except ValueError:
        return f"is '{text}', which is no scheme://host:port"
    return "" if place.scheme in ("http", "https") and place.host else f"is '{text}', but it must be https://host:port"


_FACILITIES = (
    "daemon user auth kern mail syslog lpr news uucp cron authpriv ftp "
    "local0 local1 local2 local3 local4 local5 local6 local7"
).split()
_TEXT = Option(empty=True)
_BOOLEAN = Option(log_values.boolean_problem)
_FILE_SIZE = Option(log_values.size_problem)
_LABELS = {
    "labels": _TEXT,
    "labels-regex": Option(log_values.regex_problem, empty=True),
    "env": _TEXT,
    "env-regex": Option(log_values.regex_problem, empty=True),
}
_COMMON = {**_LABELS, "tag": Option(log_values.template_problem, empty=True)}
_FILES = {"max-size": _FILE_SIZE, "max-file": Option(_whole(1)), "compress": _BOOLEAN}

#: What every driver takes.
EVERY_DRIVER: dict[str, Option] = {
    "mode": Option(_choice("blocking", "non-blocking")),
    "max-buffer-size": Option(log_values.size_problem),
    "cache-disabled": _BOOLEAN,
}

DRIVERS: dict[str, LogDriver] = {
    "none": LogDriver({}, reads=NOT_AT_ALL),
    "json-file": LogDriver({**_COMMON, **_FILES}, reads=NATIVE),
    "local": LogDriver(
        {**_FILES, **{name: dataclasses.replace(option, since="29.5") for name, option in _COMMON.items()}},
        reads=NATIVE,
    ),
    "journald": LogDriver({**_COMMON}, reads=NATIVE),
    "syslog": LogDriver(
        {
            **_COMMON,
            "syslog-address": Option(),
            "syslog-facility": Option(_facility),
            "syslog-tls-ca-cert": Option(),
            "syslog-tls-cert": Option(),
            "syslog-tls-key": Option(),
            "syslog-tls-skip-verify": Option(_only_by_presence),
            "syslog-format": Option(_choice("", "rfc3164", "rfc5424", "rfc5424micro"), empty=True),
        },
        schemes=("syslog-address", ("udp", "tcp", "tcp+tls", "unix", "unixgram")),
    ),
    "gelf": LogDriver(
        {
            **_COMMON,
            "gelf-address": Option(),
            "gelf-compression-type": Option(_choice("gzip", "zlib", "none")),
            "gelf-compression-level": Option(_whole(-1, 9)),
            "gelf-tcp-max-reconnect": Option(_whole(0)),
            "gelf-tcp-reconnect-delay": Option(_whole(0)),
        },
        required=("gelf-address",),
        schemes=("gelf-address", ("udp", "tcp")),
    ),
    "fluentd": LogDriver(
        {
            **_COMMON,
            "fluentd-address": Option(),
            "fluentd-async": _BOOLEAN,
            "fluentd-async-connect": dataclasses.replace(_BOOLEAN, removed="28.0"),
            "fluentd-async-reconnect-interval": Option(_reconnect_interval, since="23.0"),
            "fluentd-buffer-limit": Option(log_values.size_problem),
            "fluentd-max-retries": Option(_whole(0, 2**31 - 1)),
            "fluentd-request-ack": _BOOLEAN,
            "fluentd-retry-wait": Option(log_values.duration_problem),
            "fluentd-sub-second-precision": _BOOLEAN,
            "fluentd-write-timeout": Option(log_values.duration_problem, since="28.2"),
            "fluentd-read-timeout": Option(log_values.duration_problem, since="29.0"),
        },
        exclusive=(("fluentd-async-connect", "fluentd-async"),),
        schemes=("fluentd-address", ("tcp", "tls", "unix")),
    ),
    "splunk": LogDriver(
        {
            **_COMMON,
            "splunk-token": Option(),
            "splunk-url": Option(_splunk_url),
            "splunk-source": _TEXT,
            "splunk-sourcetype": _TEXT,
            "splunk-index": _TEXT,
            "splunk-capath": Option(),
            "splunk-caname": _TEXT,
            "splunk-insecureskipverify": _BOOLEAN,
            "splunk-format": Option(_choice("inline", "json", "raw")),
            "splunk-verify-connection": _BOOLEAN,
            "splunk-gzip": _BOOLEAN,
            "splunk-gzip-level": Option(_whole(-1, 9)),
            "splunk-index-acknowledgment": _BOOLEAN,
        },
        required=("splunk-token", "splunk-url"),
    ),
    "awslogs": LogDriver(
        {
            "tag": _COMMON["tag"],
            "awslogs-region": _TEXT,
            "awslogs-endpoint": _TEXT,
            "awslogs-group": Option(),
            "awslogs-stream": _TEXT,
            "awslogs-create-group": _BOOLEAN,
            "awslogs-create-stream": dataclasses.replace(_BOOLEAN, since="29.0"),
            "awslogs-datetime-format": Option(),
            "awslogs-multiline-pattern": Option(log_values.regex_problem),
            "awslogs-credentials-endpoint": _TEXT,
            "awslogs-force-flush-interval-seconds": Option(_whole(1)),
            "awslogs-max-buffered-events": Option(_whole(1)),
            "awslogs-format": Option(lambda text: "" if text == "json/emf" else f"is '{text}', but only json/emf exists", since="23.0"),
        },
        required=("awslogs-group",),
        exclusive=(
            ("awslogs-multiline-pattern", "awslogs-datetime-format"),
            ("awslogs-format", "awslogs-datetime-format"),
            ("awslogs-format", "awslogs-multiline-pattern"),
        ),
    ),
    "gcplogs": LogDriver(
        {
            **_LABELS,
            "gcp-project": _TEXT,
            "gcp-log-cmd": _BOOLEAN,
            "gcp-meta-zone": _TEXT,
            "gcp-meta-name": _TEXT,
            "gcp-meta-id": _TEXT,
        }
    ),
    "logentries": LogDriver(
        {**_COMMON, "logentries-token": Option(), "line-only": _BOOLEAN},
        required=("logentries-token",),
        removed="25.0",
    ),
}

#: Options whose values nobody may see.
SECRETS = ("splunk-token", "logentries-token")
#: Options that name files which every new container needs; the driver reads those of TLS for tcp+tls:// only.
FILES = ("syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "splunk-capath")
_CACHE_IGNORED = ("cache-max-size", "cache-max-file", "cache-compress")


def problems(driver: str, options: t.Mapping[str, t.Any], version: Version) -> list[tuple[str, str]]:
    """Return what is wrong with a log driver and its options.

    Args:
        driver: the value of log-driver, or json-file where it is absent.
        options: the value of log-opts.
        version: of the engine that shall read them.

    Returns:
        Pairs of a path, ``log-driver`` or ``log-opts.<name>``, and a sentence without a final stop.
    """
    known = DRIVERS.get(driver)
    if known is None and ":" in driver:
        known = LogDriver({})  # A log plugin: beside those that the engine reads itself, it has options of its own.
        options = {name: value for name, value in options.items() if name in EVERY_DRIVER}
    if known is None or not within(version, known.since, known.removed):
        names = ", ".join(name for name, entry in DRIVERS.items() if within(version, entry.since, entry.removed))
        gone = f"was removed in {known.removed}" if known else "is unknown"
        return [("log-driver", f"'{driver}' {gone}; Docker {version} has {names}, and plugins named name:tag")]
    found = []
    for name, value in options.items():
        problem = _name_problem(driver, known, name, version) or _value_problem(known, name, value, version)
        if problem:
            found.append((f"log-opts.{name}", problem))
    found += [
        ("log-opts", f"the driver {driver} cannot do without {name}; add it")
        for name in known.required
        if not options.get(name)
    ]
    # Rules between options need options that can be read.
    return found or _between(driver, known, t.cast("t.Mapping[str, str]", options))


def address(driver: str, options: t.Mapping[str, str]) -> log_values.Endpoint | None:
    """Return where a driver of the engine sends its logs, None where it sends none or the address cannot be read."""
    known = DRIVERS.get(driver)
    name = known.schemes[0] if known else ""
    defaults = {"syslog-address": "unixgram:///dev/log", "fluentd-address": "tcp://127.0.0.1:24224"}
    given = options.get(name) or defaults.get(name, "")
    if not given:
        return None
    try:
        return log_values.endpoint(_with_scheme(name, given))
    except ValueError:
        return None


def _name_problem(driver: str, known: LogDriver, name: str, version: Version) -> str:
    if name in EVERY_DRIVER:
        return ""
    if name in _CACHE_IGNORED:
        return (
            "is accepted and then ignored by the engine, which keeps up to 100 MiB for each container whatever it "
            'says; remove it, or set cache-disabled to "true"'
        )
    option = known.options.get(name)
    if option is None:
        near = difflib.get_close_matches(name, [*known.options, *EVERY_DRIVER], n=1)
        owner = next((other for other, entry in DRIVERS.items() if other != driver and name in entry.options), "")
        if near:
            return f"is no option of the driver {driver}; did you mean {near[0]}"
        return f"is no option of the driver {driver}" + (f" but of {owner}" if owner else "") + "; remove it"
    if not within(version, option.since):
        return f"came to the driver {driver} with Docker {option.since}, but {version} is installed; remove it"
    if not within(version, "", option.removed):
        return f"left the driver {driver} with Docker {option.removed}, and {version} is installed; remove it"
    return ""


def _value_problem(known: LogDriver, name: str, value: t.Any, version: Version) -> str:
    if not isinstance(value, str):
        quoted = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        hint = f', such as "{quoted}"' if isinstance(value, (bool, int, float)) and name not in SECRETS else ""
        return f"must be a string, or dockerd does not start; put it in quotes{hint}"
    option = EVERY_DRIVER.get(name) or known.options[name]
    if not value:
        return "" if option.empty else "is empty; give it a value or remove it"
    if name == known.schemes[0]:
        return _address_problem(known, name, value, version)
    return option.check(value) if option.check else ""


def _address_problem(known: LogDriver, name: str, value: str, version: Version) -> str:
    try:
        place = log_values.endpoint(_with_scheme(name, value))
    except ValueError as error:
        return f"is '{value}', which {error}"
    schemes = [scheme for scheme in known.schemes[1] if scheme != "tls" or within(version, "23.0")]
    if place.scheme not in schemes:
        shown = [f"{scheme}://" for scheme in schemes]
        return f"is '{value}', but it must begin with {', '.join(shown[:-1])} or {shown[-1]}"
    if name == "gelf-address" and not place.port:
        return f"is '{value}', which has no port; write it like {place.scheme}://host:12201"
    if name == "fluentd-address" and place.host and not place.port and not within(version, "23.0"):
        return f"is '{value}', which has no port, and Docker {version} then takes 127.0.0.1 for the host; add :24224"
    return ""


def _with_scheme(name: str, value: str) -> str:
    if name in ("syslog-address", "gelf-address") and not value.startswith("unix"):
        return value[:-1] if value.endswith("/") else value  # Go takes the host of it, and these drivers look no further.
    return f"tcp://{value}" if name == "fluentd-address" and "://" not in value else value


def _between(driver: str, known: LogDriver, options: t.Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    if "max-buffer-size" in options and options.get("mode") != "non-blocking":
        found.append(
            (
                "log-opts.max-buffer-size",
                "works only with mode set to non-blocking, and dockerd does not start otherwise; set the mode or "
                "remove it",
            )
        )
    found += [
        (f"log-opts.{one}", f"excludes {other}; keep one of the two")
        for one, other in known.exclusive
        if one in options and other in options
    ]
    special = {"json-file": _between_json_file, "local": _between_local, "gelf": _between_gelf, "syslog": _between_syslog}
    return found + special.get(driver, lambda _options: [])(options)


def _between_json_file(options: t.Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    if "max-file" in options and "max-size" not in options:
        found.append(
            (
                "log-opts.max-file",
                "rotates nothing without max-size, so logs grow until the disk is full; add max-size",
            )
        )
    few = "max-size" not in options or int(options.get("max-file", "1")) < 2
    if log_values.is_true(options.get("compress", "false")) and few:
        found.append(
            (
                "log-opts.compress",
                "needs max-size and a max-file of 2 or more, or containers do not start; add them or remove it",
            )
        )
    return found


def _between_local(options: t.Mapping[str, str]) -> list[tuple[str, str]]:
    if int(options.get("max-file", "5")) >= 2 or not log_values.is_true(options.get("compress", "true")):
        return []
    return [
        (
            "log-opts.max-file",
            'is 1, but the driver local compresses and needs 2 or more; raise it or set compress to "false"',
        )
    ]


def _between_gelf(options: t.Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    udp = options["gelf-address"].startswith("udp://")
    for name in options:
        if name.startswith("gelf-tcp-") and udp:
            found.append((f"log-opts.{name}", "works only with a tcp:// address; remove it"))
        if name.startswith("gelf-compression-") and not udp:
            found.append((f"log-opts.{name}", "works only with a udp:// address; remove it"))
    return found


def _between_syslog(options: t.Mapping[str, str]) -> list[tuple[str, str]]:
    if options.get("syslog-address", "").startswith("tcp+tls://"):
        return [
            (f"log-opts.{one}", f"is of no use without {other}, and no container would start; add it")
            for one, other in (("syslog-tls-cert", "syslog-tls-key"), ("syslog-tls-key", "syslog-tls-cert"))
            if one in options and other not in options
        ]
    return [
        (f"log-opts.{name}", "is ignored unless syslog-address begins with tcp+tls://; write the address so or remove it")
        for name in options
        if name.startswith("syslog-tls-")
    ]
