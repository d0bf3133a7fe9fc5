# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every function of the collection that reads a text which a host, one of its tools or its engine has written, and how it is fuzzed.

A row calls the parser the way the collection does. What it may raise is what its callers catch. Where the text comes from a file or
a command, that file or command is replaced, since no real one can be made to say everything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
import typing as t
from unittest import mock

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import live, manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_info,
    daemon_json,
    daemon_state,
    daemon_text,
    id_ranges,
    id_shift,
    limits,
    openpgp,
    package_sources,
    rpm_packages,
    seccomp,
    seccomp_probe,
    unit_flags,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    audit_rules,
    commands,
    container_logs,
    containerd_config,
    daemon_addresses,
    daemon_facts,
    disks,
    docker_api,
    drift_firewall,
    drift_live,
    drift_look,
    drift_packages,
    engine_control,
    engine_socket,
    facts,
    files,
    limits_metrics,
    look_daemon,
    look_host,
    look_places,
    look_processes,
    mount_table,
    mounts,
    package_files,
    package_removal,
    packages,
    processes,
    restart_due,
    security_modules,
    storage,
    subid_files,
    superblock,
    systemd,
    tree_notes,
    unit_environment,
    version_move,
    volume_groups,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    limits as host_limits,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    package_sources as host_sources,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_text, audit_watch
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import seccomp as normalise_seccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard, move_journal


@dataclasses.dataclass(frozen=True)
class Parser:
    """One parser.

    Attributes:
        name: ``package/module function``, as the scan of the sources names it.
        run: calls it with a text.
        tokens: what its texts are made of, so that random ones reach beyond the first line.
        errors: what it may raise.
    """

    name: str
    run: t.Callable[[str], t.Any]
    tokens: tuple[str, ...]
    errors: tuple[type[Exception], ...] = ()


def _says(text: str, rc: int = 0) -> t.ContextManager[t.Any]:
    """Let every command print a text."""
    return mock.patch.object(commands, "run", lambda *_arguments, **_options: commands.CommandResult(rc, text, ""))


@contextlib.contextmanager
def _file(text: str) -> t.Iterator[str]:
    """Have a file with a text."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "file")
        with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            handle.write(text)
        yield path


def said(call: t.Callable[[], t.Any]) -> t.Callable[[str], t.Any]:
    """Return a parser of what commands print."""

    def run(text: str) -> t.Any:
        with _says(text):
            return call()

    return run


def from_file(call: t.Callable[[str], t.Any]) -> t.Callable[[str], t.Any]:
    """Return a parser of a file."""

    def run(text: str) -> t.Any:
        with _file(text) as path:
            return call(path)

    return run


def in_place(module: t.Any, constant: str, call: t.Callable[[], t.Any]) -> t.Callable[[str], t.Any]:
    """Return a parser of the file whose path a constant holds."""

    def run(text: str) -> t.Any:
        with _file(text) as path, mock.patch.object(module, constant, path):
            return call()

    return run


def opened(module: t.Any, call: t.Callable[[], t.Any]) -> t.Callable[[str], t.Any]:
    """Return a parser of a file that a module opens by itself, whatever its path is."""

    def run(text: str) -> t.Any:
        with _file(text) as path:
            real = open

            def instead(_path: t.Any, mode: str = "r", **options: t.Any) -> t.Any:
                return real(path, mode, **options)

            with mock.patch.object(module, "open", instead, create=True):
                return call()

    return run


def read_by_files(call: t.Callable[[], t.Any]) -> t.Callable[[str], t.Any]:
    """Return a parser of a file that is read by `files.read_text`, whatever its path is."""

    def run(text: str) -> t.Any:
        with _file(text) as path:
            real = files.read_text
            with mock.patch.object(files, "read_text", lambda _path, *limit: real(path, *limit)):
                return call()

    return run


def of_api(call: t.Callable[[str], t.Any]) -> t.Callable[[str], t.Any]:
    """Return a parser of an engine's answer."""

    def run(text: str) -> t.Any:
        with mock.patch.object(engine_socket, "_answer", lambda *_arguments: text.encode("utf-8", "surrogateescape")):
            return call("/info")

    return run


def _question(name: str) -> t.Callable[[str], t.Any]:
    def run(text: str) -> t.Any:
        asked = object.__new__(docker_api.Questions)
        with mock.patch.object(docker_api.Questions, "_answer", lambda *_arguments: text.encode("utf-8", "surrogateescape")):
            return getattr(asked, name)("/info")

    return run


def _rewritten(text: str) -> None:
    before = daemon_json.parse(text)
    wanted = {**before, "debug": True}
    if daemon_json.parse(daemon_text.rewrite(text, wanted)) != wanted:
        raise RuntimeError("what is written is not what was wanted")


def _dpkg_status(text: str) -> t.Any:
    return drift_packages._of_status(text.encode("utf-8", "surrogateescape"), ["docker.io", "runc"])


def _environment(text: str) -> t.Any:
    with _file(text) as path:
        return unit_environment.environment({"Environment": text.replace("\n", " "), "EnvironmentFiles": f"{path} (ignore_errors=no)"})


def _proc(name: str, call: t.Callable[[str], t.Any]) -> t.Callable[[str], t.Any]:
    """Return a parser of a file of the process 7."""

    def run(text: str) -> t.Any:
        with tempfile.TemporaryDirectory() as proc:
            path = os.path.join(proc, "7", name)
            os.makedirs(os.path.dirname(path))
            os.makedirs(os.path.join(proc, "7", "fd"), exist_ok=True)
            with open(path, "wb") as handle:
                handle.write(text.encode("utf-8", "surrogateescape"))
            return call(proc)

    return run


def _net_unix(text: str) -> t.Any:
    with tempfile.TemporaryDirectory() as proc:
        os.makedirs(os.path.join(proc, "net"))
        with open(os.path.join(proc, "net", "unix"), "wb") as handle:
            handle.write(text.encode("utf-8", "surrogateescape"))
        return look_places._listening(proc)


def _swarm(text: str) -> t.Any:
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "swarm"))
        with open(os.path.join(root, "swarm", "docker-state.json"), "wb") as handle:
            handle.write(text.encode("utf-8", "surrogateescape"))
        return look_daemon.swarm_state(root)


def _subids(text: str) -> t.Any:
    with _file(text) as path, mock.patch.object(subid_files, "SUBUID", path), mock.patch.object(subid_files, "SUBGID", path):
        return subid_files.mapping_of("dockremap")


def _checksums(text: str) -> t.Any:
    with tempfile.TemporaryDirectory() as directory:
        return package_files.checksum_problems(directory, text)


def _eyes(kind: str, constant: str) -> t.Callable[[str], t.Any]:
    names = {"fstab": "/var/lib/docker", "ranges": "dockremap"}

    def run(text: str) -> t.Any:
        with _file(text) as path, mock.patch.object(drift_look, constant, path):
            return drift_look.Eyes().observe(f"{kind}:{names[kind]}")

    return run


def _md5sums(text: str) -> t.Any:
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "docker.io.md5sums"), "wb") as handle:
            handle.write(text.encode("utf-8", "surrogateescape"))
        with mock.patch.object(drift_packages, "_INFO", directory), mock.patch.object(drift_packages, "_architecture", lambda: "amd64"):
            return drift_packages.as_packaged("/usr/lib/systemd/system/docker.service", ["docker.io"])


_JSON = ('{"', '":', "[", "]", "{", "}", ",", '"', "null", "true", "-1", "1e999", "9" * 400, "\\u0000", "\\ud800", "[" * 3000, '"schema"', '"a"', "NaN", "²")
_ROWS = ("\t", "\n", " ", "=", ":", "docker.io", "installed", "hold", "26.1.5+dfsg1", "²", "\x0b", "\x85", "\r", "\u2028", "-", "'", '"', "\\")
_PATHS = (
    "/",
    "/var/lib/docker",
    "\\040",
    "\\134",
    "\\400",
    "\\3",
    "\xa0",
    "\u3000",
    "é",
    "\udcff",
    " ",
    "\t",
    "\n",
    "\r",
    "\x0b",
    "#",
    "-",
    "rw",
    "ext4",
    "UUID=",
)
_MOUNTINFO = (
    *("36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n", "36 35 0:5 /a /b rw - tmpfs  rw\n", " - ", "0:5"),
    *("36 35 0:5 / /me\rdia/x rw shared:2 - fuse x rw\n", "36 35 0:5 / /a\u3000b rw - xfs /dev/b rw\n"),
    *_PATHS,
)
_AUDIT = (
    "-w",
    "-a",
    "always,exit",
    "-p",
    "wa",
    "-k",
    "-F",
    "path=",
    "dir=/x",
    "key=bulkhead-docker",
    "perm=wa",
    "-S",
    "all",
    "-D",
    "-e",
    "2",
    "-W",
    *_ROWS,
    "never,exit",
)
_UNIT = (
    "ExecStart=",
    "{ path=/usr/bin/dockerd ; argv[]=",
    "/usr/bin/dockerd",
    "-H",
    "fd://",
    "--",
    " ; ignore_errors=no",
    "$OPTS",
    "${OPTS}",
    "'",
    '"',
    "\\",
    *_ROWS,
)
_TOML = (
    "root",
    "=",
    '"/x"',
    "'/y'",
    "[grpc]",
    "[",
    "]",
    "address",
    "#",
    "imports",
    '["/a/*.toml"]',
    '"""',
    "\n",
    " ",
    "\t",
    ".",
    "[[x]]",
    "version = 2\n",
    "\\",
)
_RPM = ("docker-ce", "0:", "26.1.5-1.el9", ".x86_64", "Problem:", "nothing provides", "Error:", "Name", "Version", *_ROWS)
_KEY = (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
    "-----END PGP PUBLIC KEY BLOCK-----\n",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
    "mQ==",
    "=AAAA",
    "\n",
    "\x99",
    "\xc6\xff",
    "Version: 1\n",
)
_SOURCES = (
    "deb ",
    "[signed-by=/x]",
    "http://a.example/debian",
    " stable",
    " main",
    "\n",
    "Types: deb\n",
    "URIs: http://a/\n",
    "Suites: x\n",
    "Enabled: no\n",
    "#",
    " ",
    "[",
    "]",
    "URIs:\n ",
)


def _memory_stat(text: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "memory.stat"), "wb") as handle:
            handle.write(text.encode("utf-8", "surrogateescape"))
        return host_limits.used(directory)


def _table_copy(text: str) -> bool:
    with _file(text) as path:
        return disks._copy_of_table_at_end(path, "none", 1 << 20)


def _groups(text: str) -> t.Any:
    with mock.patch.object(commands, "find", lambda _name: "/sbin/vgs"), _says(text):
        return volume_groups.look(())


def _attribute(name: str) -> t.Callable[[str], t.Any]:
    """Return a reader of an extended attribute, whose ids go into a remapped range and back."""
    ranges = (id_ranges.Range("dockremap", 100000, 65536),)
    mapping = id_ranges.Mapping(ranges, ranges)

    def run(text: str) -> t.Any:
        moved, _outside = id_shift.Shift(None, mapping).attribute(name, text.encode("utf-8", "surrogateescape"))
        return id_shift.Shift(mapping, None).attribute(name, moved)

    return run


def _notes(text: str) -> t.Any:
    with _file(text) as path:
        os.chmod(path, 0o600)
        return tree_notes.HashNotes.load(path)


def _notes_of_this_boot(text: str) -> t.Any:
    head = {"version": tree_notes._VERSION, "hash": tree_notes.tree_content.ALGORITHM, "boot": tree_notes._boot(), "roots": {}}
    return _notes(f"{json.dumps(head)}\n{text}")


_LVM = (
    '{"report":[{"vg":[', '{"report":[{"lv":[', '{"vg_name":"a","vg_attr":"wz--n-","vg_extent_size":"4","vg_size":"8","vg_free":"4"}', "]}]}",
    '"vg":[{"vg_name":"a","vg_attr":"w","vg_extent_size":"x","vg_size":"8","vg_free":"4"}],"lv":[],"pv":[]', *_JSON,
)  # fmt: skip

PARSERS = (
    Parser("engine/id_shift Shift._access_list", _attribute("system.posix_acl_access"), ("\x02\0\0\0", "\x02\0\x07\0", "\x01\0\0\0", "\udcff" * 4)),
    Parser("engine/id_shift Shift._capability", _attribute("security.capability"), ("\0\0\0\x02", "\0\0\0\x03", "\0" * 16, "\x01\0\0\0")),
    Parser("host/engine_control _message", lambda text: engine_control._message(text.encode("utf-8", "surrogateescape")), ('{"message":"x"}', *_JSON)),
    Parser("host/tree_notes HashNotes.load", _notes, ('{"version":1,"hash":"sha256","boot":"x","roots":{"/a":[1,2]}}\n', *_JSON)),
    Parser("host/tree_notes _read", _notes_of_this_boot, ("1 2 3 4 5 ab 1 []\n", "1 2 3 4 5 ab 1 [[\"user.a\",\"AA==\"]]\n", " ", *_JSON)),
    Parser(
        "storage/move_journal parse",
        lambda text: move_journal.parse(text, "/x"),
        ('{"version":1,"phase":"copying","move":{"before":{},"after":{},"places":[]},"running":[],', '"version":1', '"phase":"x"', '"move":', *_JSON),
        (move_journal.JournalError,),
    ),
    Parser("storage/guard pairs", guard.pairs, (f"ExecStartPre=+{guard.PROGRAM} ", "/a ", "uuid ", "\n", "=")),
    Parser("engine/limits given_by", limits.given_by, ("[Slice]\n", "[Unit]\n", "CPUWeight=5\n", "#", ";", "=", "\n", " ")),
    Parser("engine/limits directives_in", limits.set_by, ("[Slice]\n", "CPUWeight=5\n", "MemoryMax=", "IOReadBandwidthMax=/dev/sda 5\n", "=", "\n", " ")),
    Parser("engine/limits said", lambda text: limits.said("io_weight", text), ("default 100\n", "8:0 50\n", "default", " ", "\n")),
    Parser(
        "engine/limits keeps",
        lambda text: [limits.keeps(limits.Expected(field, value), text) for field, value in (("io", "8:0 rbps=5"), ("memory_max", "4096"))],
        ("8:0 rbps=5 wbps=max\n", "4096\n", "max", "²", "9" * 5000, " ", "\n"),
    ),
    Parser("host/limits used", _memory_stat, ("anon 4096\n", "shmem ", "sock -1\n", "²\n", "9" * 5000, "kernel_stack\n", " ", "\n")),
    Parser("host/limits_metrics _left", read_by_files(limits_metrics._left), ('{"directory":"/x"}', *_JSON)),
    Parser("host/disks _copy_of_table_at_end", _table_copy, ("\0" * 512, "EFI PART", "\0" * 32, "\xff")),
    Parser("host/superblock _xfs_size", from_file(lambda path: superblock.size(path, "xfs")), ("XFSB", "\0" * 4096, "\0\0\x10\0", "\x7f")),
    Parser("host/superblock _ext4_size", from_file(lambda path: superblock.size(path, "ext4")), ("\0" * 1024, "\0" * 56, "S\udcef", "\0" * 4096, "\x7f")),
    Parser("host/volume_groups _report", _groups, _LVM, (commands.CommandError,)),
    Parser("drift/manifest parse", manifest.parse, (*_JSON, '"schema":1', '"seal":"x"', '"sections":{}', '"machine":"m"'), (manifest.ManifestError,)),
    Parser("drift/live reload_in", live.reload_in, (*_JSON, "Reloaded configuration: ", 'msg="Reloaded configuration: {', '}"', '\\"debug\\":true')),
    Parser(
        "engine/daemon_info left_by_reload",
        lambda text: daemon_info.left_by_reload(dict.fromkeys([*daemon_info._LEFT, *daemon_info._LEFT_LISTS], text), {}),
        (*_JSON, "--5", "5", "true", "-", "٣"),
    ),
    Parser("engine/daemon_json _Reader.string_at", daemon_json.parse, (*_JSON, '"data-root"', "//", "/*"), (daemon_json.DaemonJsonError,)),
    Parser(
        "engine/daemon_state parse",
        lambda text: daemon_state.parse(text, "/x"),
        (*_JSON, '{"schema":1,"good":null,"managed":[],"pending":"","since":{"a":', '},"stale":[],"unapplied":[]}', "1" + "0" * 400),
    ),
    Parser(
        "engine/id_ranges parse",
        lambda text: id_ranges.parse(text, "/etc/subuid"),
        ("dockremap", ":", "100000", "65536", "0100000", "0x10", "4294967295", *_ROWS),
    ),
    Parser("engine/openpgp packets", lambda text: openpgp.fingerprints(text.encode("latin-1", "replace")), _KEY, (openpgp.BadKey,)),
    Parser("engine/package_sources _one_line_entries", lambda text: package_sources.entries(text, "/x.list"), _SOURCES),
    Parser("engine/package_sources _deb822_entries", lambda text: package_sources.entries(text, "/x.sources"), _SOURCES),
    Parser("engine/rpm_packages table", rpm_packages.table, _RPM),
    Parser("engine/rpm_packages reasons", rpm_packages.reasons, _RPM),
    Parser("engine/rpm_packages files", lambda text: rpm_packages.files(text, ["/x.rpm", "/y.rpm"], "x86_64"), ("package\t", "provides\t", *_RPM)),
    Parser("engine/rpm_packages unsigned", rpm_packages.unsigned, _RPM),
    Parser("engine/rpm_packages _fields", rpm_packages.installed, _RPM),
    Parser(
        "engine/seccomp problems",
        lambda text: seccomp.problems(text, "/x"),
        (*_JSON, '"defaultAction":"SCMP_ACT_ERRNO"', '"syscalls"', '"names"', '"action"'),
    ),
    Parser("engine/seccomp_probe read", lambda text: seccomp_probe.read(text.encode("utf-8", "surrogateescape")), _ROWS),
    Parser("engine/unit_flags arguments", lambda text: unit_flags.parse(unit_flags.arguments(text, {"OPTS": text})), _UNIT, (ValueError,)),
    Parser("engine/versions parse", versions.parse, ("26", ".", "1", "-rc", "+dfsg", "²", "v", "ce"), (ValueError,)),
    Parser("host/audit_rules _enabled", audit_rules._enabled, ("enabled", " ", "=", "1", "²", "\n")),
    Parser("host/container_logs remembered", from_file(container_logs.remembered), (*_JSON, '[{"driver":"local","options":', "}]"), (files.FileError,)),
    Parser("host/containerd_config _values", from_file(lambda path: containerd_config.read((), "", path)), _TOML, (files.FileError,)),
    Parser(
        "host/daemon_addresses _interfaces",
        said(daemon_addresses._interfaces),
        (*_JSON, '[{"ifname":"eth0","addr_info":[{"local":"10.0.0.1"', ',"prefixlen":24}]}]', '"10.0.0.1/"'),
    ),
    Parser("host/daemon_addresses _lines", from_file(daemon_addresses._lines), _ROWS),
    Parser("host/daemon_facts _lines", from_file(daemon_facts._lines), _ROWS),
    Parser("host/disks probe", said(lambda: disks.probe("/dev/x")), ("LABEL=", "UUID=", "TYPE=xfs", "\\", "'", '"', "\n", "x", " ", "\\040")),
    Parser("host/disks _signatures", said(lambda: disks._signatures("/dev/x")), (*_JSON, '{"signatures":[{"type":', "}]}"), (commands.CommandError,)),
    Parser("host/disks _content", said(lambda: disks._content("/dev/x", "xfs")), _ROWS),
    Parser("host/docker_api Questions.get", _question("get"), _JSON, (docker_api.ApiError,)),
    Parser("host/docker_api _parsed", lambda text: docker_api._parsed(text.encode("utf-8", "surrogateescape")), _JSON, (docker_api.ApiError,)),
    Parser("host/docker_api Questions.stream", _question("stream"), (*_JSON, "\x1e"), (docker_api.ApiError,)),
    Parser("host/docker_api _said", lambda text: docker_api._said(text.encode("utf-8", "surrogateescape")), (*_JSON, '{"message":')),
    Parser(
        "host/drift_firewall rules",
        said(lambda: drift_firewall.skeleton(drift_firewall.rules("iptables") or ())),
        (
            "*nat\n",
            ":DOCKER - [0:0]\n",
            "-A DOCKER -i docker0 -j RETURN\n",
            "-A FORWARD -j DOCKER-USER\n",
            "-A",
            " ",
            "\n",
            "-j",
            "COMMIT\n",
            "-A \n",
            "*\n",
            "-A x",
        ),
    ),
    Parser("host/drift_live _former_logs", in_place(drift_live, "_LOG_MEMORY", drift_live._former_logs), (*_JSON, '[{"driver":"local","options":', "}]")),
    Parser("host/drift_look Eyes._ranges", _eyes("ranges", "_SUBUID"), ("dockremap", ":", "100000", "65536", *_ROWS)),
    Parser("host/drift_look Eyes._fstab", _eyes("fstab", "FSTAB"), _PATHS),
    Parser("host/drift_look Eyes._audit", said(lambda: drift_look.Eyes().observe("audit:/x")), _AUDIT),
    Parser(
        "host/drift_look _show",
        said(lambda: drift_look._show(("a.service", "b.service"), ("systemctl",))),
        ("LoadState=loaded\n", "ExecStart={ ", "\n\n", *_ROWS),
    ),
    Parser("host/drift_packages as_packaged", _md5sums, ("d41d8cd98f00b204e9800998ecf8427e  usr/lib/systemd/system/docker.service\n", "  ", *_ROWS)),
    Parser(
        "host/drift_packages _of_dpkg",
        said(lambda: drift_packages._of_dpkg(["docker.io"])),
        ("docker.io\tinstalled\thold\t1\n", *_ROWS),
        (commands.CommandError,),
    ),
    Parser(
        "host/drift_packages _of_status",
        _dpkg_status,
        ("Package: docker.io\n", "Status: hold ok installed\n", "Version: 1\n", "\n", "Description: x\n Package: runc\n", "Architecture: a\n", "\r"),
    ),
    Parser("host/drift_packages _of_rpm", said(lambda: drift_packages._of_rpm(["docker-ce"])), _RPM),
    Parser("host/drift_packages _versions", drift_packages._versions, _RPM),
    Parser("host/drift_packages _candidates", drift_packages._candidates, ("docker.io:\n", "  Candidate: 1\n", "  Candidate: (none)\n", *_ROWS)),
    Parser("host/engine_socket get", of_api(lambda path: engine_socket.get(path, 1)), _JSON, (engine_socket.EngineError,)),
    Parser("host/engine_socket lines", of_api(lambda path: engine_socket.lines(path, 1)), (*_JSON, "\n"), (engine_socket.EngineError,)),
    Parser("host/facts _filesystems", opened(facts, facts._filesystems), ("nodev", "\t", "xfs", "\n", "overlay", *_ROWS)),
    Parser("host/facts _os_release", opened(facts, facts._os_release), ("ID=debian\n", 'NAME="x"\n', *_ROWS)),
    Parser("host/facts _memory", opened(facts, facts._memory), ("MemTotal:", " ", "100", "kB", "\n", "²")),
    Parser("host/facts _id_map", opened(facts, lambda: facts._id_map("/proc/self/uid_map")), _ROWS),
    Parser("host/look_daemon swarm_state", _swarm, (*_JSON, '{"ListenAddr":')),
    Parser(
        "host/look_daemon listening",
        _proc("net/tcp", lambda proc: look_daemon.listening(7, proc)),
        ("sl\n", "0: 0100007F:0016 00000000:0000 0A 0 0 0 0 0 99 1\n", "0:", " ", "\n", "0A", "zz:zz", ":", "²"),
    ),
    Parser("host/look_daemon _profile", from_file(look_daemon._profile), _JSON),
    Parser("host/look_host _holds_passwords", from_file(look_host._holds_passwords), (*_JSON, '{"auths":{"x":{"auth":"y"}}}')),
    Parser(
        "host/look_places _listening", _net_unix, ("Num\n", "ffff: 00000002 00000000 00010000 0001 01 1 /run/docker.sock\n", "x ", " ", "\n", "/docker.sock")
    ),
    Parser("host/look_processes _roots", from_file(lambda path: look_processes._roots(path, "/")), _MOUNTINFO),
    Parser("host/mount_table mountinfo", opened(mount_table, mount_table.mountinfo), _MOUNTINFO),
    Parser("host/mounts fstab", in_place(mounts, "FSTAB", mounts.fstab), _PATHS, (files.FileError,)),
    Parser("host/mounts cut_fstab_lines", in_place(mounts, "FSTAB", lambda: mounts.cut_fstab_lines([("U=a", "/a", "xfs", "b")])), _PATHS, (files.FileError,)),
    Parser("host/package_files installed", said(package_files.installed), ("a\t1\tinstalled\t\t\t\n", *_ROWS), (commands.CommandError,)),
    Parser("host/package_files checksum_problems", _checksums, ("a" * 64, "  ", "x.deb", *_ROWS)),
    Parser("host/package_removal look", said(lambda: package_removal.look(["docker.io"])), ("Remv x [1]\n", "Purg y [2]\n", *_ROWS)),
    Parser("host/package_sources os_release", read_by_files(host_sources.os_release), ("ID=debian\n", *_ROWS), (files.FileError,)),
    Parser(
        "host/packages known",
        said(lambda: packages.known(["docker.io"])),
        ("docker.io\tinstalled\thold\t1\n", "docker.io:\n", "  Candidate: 1\n", "  Version table:\n", " *** 1 500\n", "     2 500\n", *_ROWS),
        (commands.CommandError,),
    ),
    Parser("host/packages simulate", said(lambda: packages.simulate(["apt-get"])), ("Remv x [1]\n", "Inst y [2] (3)\n", *_ROWS)),
    Parser("host/processes started", opened(processes, lambda: processes.started(7)), ("7 (x) S ", "1 " * 40, ")", "\n")),
    Parser("host/restart_due read", in_place(restart_due, "PATH", lambda: restart_due.read("x")), (*_JSON, '{"invocation":"x","reasons":', "}")),
    Parser(
        "host/security_modules loaded_profiles",
        opened(security_modules, security_modules.loaded_profiles),
        ("docker-default (enforce)\n", "(", ")", " (", *_ROWS),
    ),
    Parser("host/security_modules _selinux_type", opened(security_modules, security_modules._selinux_type), ("SELINUXTYPE=targeted\n", *_ROWS)),
    Parser("host/storage configured_data_root", in_place(storage, "DAEMON_CONFIG", storage.configured_data_root), (*_JSON, '{"data-root":"/x"}')),
    Parser(
        "host/storage read_claims",
        in_place(storage, "CLAIMS", storage.read_claims),
        (*_JSON, '{"boot_id":"' + storage.boot_id() + '","paths":', "}"),
        (files.FileError,),
    ),
    Parser("host/subid_files mapping_of", _subids, ("dockremap:100000:65536\n", ":", "²", *_ROWS), (files.FileError,)),
    Parser("host/systemd properties", said(lambda: systemd.properties("a.service", ["LoadState"])), ("LoadState=x\n", *_ROWS)),
    Parser("host/systemd properties_of", said(lambda: systemd.properties_of(["a", "b"], ["LoadState"])), ("LoadState=x\n", "\n\n", *_ROWS)),
    Parser("host/unit_environment environment", _environment, ("A=b\n", "'", '"', "\\", "=", *_ROWS), (files.FileError,)),
    Parser(
        "host/processes containers", _proc("cmdline", processes.containers), ("/usr/bin/containerd-shim-runc-v2\0", "-id\0", "abc\0", "\0")
    ),
    Parser("host/version_move _object", from_file(version_move._object), _JSON),
    Parser("host/look_audit _declared", lambda text: audit_watch.parse(text, lambda _path: True), _AUDIT),
    Parser("posture/audit_text ours", audit_text.ours, _AUDIT),
    Parser("posture/audit_watch parse", audit_watch.parse, _AUDIT),
    Parser("posture/audit_watch enabled_by", audit_watch.enabled_by, ("enabled", " ", "=", "1", "\n")),
    Parser("posture/normalise/seccomp _of_text", normalise_seccomp._of_text, _JSON),
    Parser("storage/guard guarded", guard.guarded, ("RequiresMountsFor=", "/a /b", "\n", " ")),
    Parser("engine/daemon_text _members", _rewritten, (*_JSON, '{"debug": false}', '{"a":{"b":1},"debug":true}', "/* */"), (daemon_json.DaemonJsonError,)),
)

#: Functions that the scan of the sources finds and that need no row, each with the reason.
OTHERWISE = {
    "engine/daemon_text _value": "gets texts that daemon_json has read; see its row",
    "engine/openpgp _old_header": "part of `fingerprints`, whose row it shares with packets",
    "engine/openpgp _new_header": "part of `fingerprints`, whose row it shares with packets",
    "host/commands run": "takes the last line of what a command said into a sentence",
    "host/daemon Daemon.validate": "takes lines of what dockerd said into a sentence; daemon_journal is tested by itself",
    "host/docker_api _first_line": "takes a line of an error into a sentence",
    "host/look_host Host._backports": "compares lines with names, and makes nothing of them",
    "host/look_host Host._auth_files": "/etc/passwd is what getpwent(3) reads; see test_differential",
    "host/look_processes _lines": "only splits; its callers are tested on a made-up /proc",
    "host/manifest_restore _ranges": "writes lines back as they are; see tests/unit/host/test_manifest_restore.py",
    "host/manifest_restore _start": "takes a line of an error into a sentence",
    "host/package_sources _said": "takes lines of what apt said into a sentence",
    "host/packages _installed": "read by known; see its row",
    "host/packages _works": "numbers of a system call",
    "host/packages transaction": "takes lines of what apt said into a sentence",
    "host/seccomp_plan _value": "gets texts that engine/seccomp has judged; see its row",
    "host/seccomp_plan choose": "gets texts that engine/seccomp has judged; see its row",
    "host/seccomp_plan _is_new": "gets texts that engine/seccomp has judged; see its row",
    "host/seccomp_plan _effective": "gets texts that engine/seccomp has judged; see its row",
    "host/data_move _configuration": "a container's configuration, which dockerd wrote; one that is none stays as it is",
    "host/filesystem_size mounted": "numbers of an ioctl",
    "host/mounts drop_fstab_lines": "leaves lines as they are; see tests/unit/host/test_mounts.py",
    "host/mounts _fstab_without": "leaves lines as they are; see tests/unit/host/test_mounts.py",
    "host/tree_content _algorithm": "compares words of /proc/cpuinfo",
    "host/trees Tree._mount_of": "compares the beginning of lines",
    "host/set_aside _writable": "an integer of an ioctl",
    "host/under_mounts _flags": "an integer of an ioctl",
    "host/systemd journal_cursor": "compares the beginning of lines",
    "host/systemd journal": "only splits",
    "host/uninstall _fstab": "writes lines back as they are; see tests/unit/host/test_uninstall.py",
    "host/uninstall _ranges": "writes lines back as they are; see tests/unit/host/test_uninstall.py",
    "host/version_move look": "compares the beginning of lines",
    "host/version_move _command_is_overridden": "compares the beginning of lines",
    "posture/compose/reader _Reader._unreadable": "compose files have a fuzz test of their own, tests/unit/posture/compose/test_properties.py",
    "posture/normalise/compose_words Words._build": "likewise",
    "posture/normalise/compose_words _raw_env": "likewise",
    "posture/normalise/swarm _parts": "bytes of a number",
    "posture/rules/daemon _api_by_tcp": "splits a sentence of our own",
}
