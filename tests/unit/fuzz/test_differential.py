# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What our parsers read is what the programs read that act on the same files; and what we write is read back as it was meant."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import re
import shutil
import subprocess
import sys

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_json,
    id_ranges,
    openpgp,
    package_sources,
    text_lines,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    containerd_config,
    disks,
    drift_packages,
    mount_table,
    mounts,
    unit_environment,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_text
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

QUICK = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")), deadline=None, database=None, suppress_health_check=list(HealthCheck))
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\x00\n"), max_size=12)


def needs(tool):
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not here")


def in_file(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("fuzz") / "file"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


# mountinfo and fstab against libmount ---------------------------------------------------------------------------------------

KERNEL_ESCAPED = str.maketrans({" ": "\\040", "\t": "\\011", "\n": "\\012", "\\": "\\134", "#": "\\043"})
NAMES = st.text(st.sampled_from("ab/é .-\t\n\\#\r\x0b\x85\xa0\u2028\u3000"), min_size=1, max_size=8)


@needs("findmnt")
@QUICK
@given(name=NAMES, source=NAMES)
def test_a_mount_with_any_name_is_what_libmount_says(tmp_path_factory, name, source):
    target = "/" + name.strip("/").replace("//", "/")
    assume("//" not in target)
    line = f"36 35 98:0 / {target.translate(KERNEL_ESCAPED)} rw,noatime shared:1 - ext4 {source.translate(KERNEL_ESCAPED)} rw,errors=continue\n"
    path = in_file(tmp_path_factory, line * 1)
    said = subprocess.run(["findmnt", "--tab-file", str(path), "--json", "--output", "TARGET,SOURCE,FSTYPE"], capture_output=True, check=False).stdout
    theirs = json.loads(said)["filesystems"][0]
    found = read_mountinfo(path)
    assert [(mount.target, mount.source, mount.fstype) for mount in found] == [(target, source, "ext4")]
    # libmount makes canonical paths of sources and shows unprintable characters by escapes of its own; what is plain is the same.
    if target.isprintable() and target.isascii():
        assert theirs["target"] == target


def read_mountinfo(path):
    real = open
    try:
        mount_table.open = lambda _path, mode="r", **options: real(path, mode, **options)
        return mount_table.mountinfo()
    finally:
        del mount_table.open


def test_a_mount_point_cannot_forge_the_rest_of_its_line(tmp_path_factory):
    # Kept from an attack: a carriage return, or a blank that only Python knows, made another mount of one.
    text = "36 35 0:5 / /media/x\r37 35 0:6 / /var/lib/docker rw - xfs /dev/evil rw rw - vfat /dev/sdz1 rw\n"
    assert [mount.target for mount in read_mountinfo(in_file(tmp_path_factory, text))] == ["/media/x\r37"]
    text = "36 35 0:5 / /media/x\u3000/y rw - vfat /dev/sdz1 rw\n"
    assert [mount.target for mount in read_mountinfo(in_file(tmp_path_factory, text))] == ["/media/x\u3000/y"]


def test_a_source_without_a_name_moves_nothing(tmp_path_factory):
    found = read_mountinfo(in_file(tmp_path_factory, "36 35 0:5 / /mnt rw - tmpfs  rw,size=1k\n"))
    assert [(mount.source, mount.options) for mount in found] == [("", ("rw", "rw", "size=1k"))]


@needs("findmnt")
@QUICK
@given(
    fields=st.lists(
        st.sampled_from(["/mnt/a", "/mnt/a\\040b", "/x\\303\\251", "/dev/sda1", "UUID=1-2", "ext4", "defaults", "rw,nodev", "0", "\xa0", "a\u3000b", "#x"]),
        min_size=1,
        max_size=6,
    ),
    blank=st.sampled_from([" ", "\t", "  ", " \t"]),
    first=st.sampled_from(["", "# c\n", "\n", " \n"]),
)
def test_a_line_of_fstab_is_what_libmount_says(tmp_path_factory, fields, blank, first):
    assume(fields[0].isascii())
    line = blank.join(fields)
    path = in_file(tmp_path_factory, f"{first}{line}\n")
    said = subprocess.run(
        ["findmnt", "--tab-file", str(path), "--json", "--output", "TARGET,FSTYPE"], capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    theirs = [(entry["target"], entry["fstype"]) for entry in (json.loads(said.stdout)["filesystems"] if said.stdout.strip() else [])]
    before, mounts.FSTAB = mounts.FSTAB, str(path)
    try:
        ours = [(entry.target, entry.fstype) for entry in mounts.fstab()]
    finally:
        mounts.FSTAB = before
    for target, fstype in theirs:
        # What libmount would mount, we know of, by the same name.
        if target.isprintable() and "\xa0" not in target:
            assert (target, fstype) in ours


@QUICK
@given(PLAIN)
def test_escapes_of_the_kernel_are_undone(text):
    assert mount_table.unescaped(text.translate(KERNEL_ESCAPED)) == text


# Ids ------------------------------------------------------------------------------------------------------------------------


def as_shadow(text):
    """Read ranges as shadow-utils does (lib/subordinateio.c: three fields that are not empty, numbers by strtoul with base 0)."""
    found = []
    for line in text.split("\n"):
        fields = line.split(":")
        if len(fields) == 3 and all(fields):
            try:
                start, count = (
                    int(field, 8)
                    if re.fullmatch("0[0-7]+", field)
                    else int(field, 16)
                    if field.lower().startswith("0x")
                    else int(field, 10)
                    if re.fullmatch("[0-9]+", field)
                    else None
                    for field in fields[1:]
                )
            except ValueError:
                continue
            if start is not None and count:
                found.append((fields[0], start, count))
    return found


def as_engine(text):
    """Read ranges as dockerd does (moby/sys/user: lines trimmed, fields by colons, numbers by Atoi, which is decimal)."""
    found = []
    for line in text.split("\n"):
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[0] and re.fullmatch("[0-9]+", fields[1]) and re.fullmatch("[0-9]+", fields[2]):
            found.append((fields[0], int(fields[1]), int(fields[2])))
    return found


OWNERS = st.sampled_from(["dockremap", "0", "#x", "a b", "ü", "dockremap\x0bmallory", "x\u2028dockremap"])
NUMBERS = st.sampled_from(["100000", "65536", "0100000", "0x186a0", "²", "١٠٠", "+5", " 5", "5 ", "4294967295", "0", ""])


@QUICK
@given(st.lists(st.tuples(OWNERS, NUMBERS, NUMBERS), max_size=5))
def test_a_range_that_is_accepted_means_the_same_to_shadow_and_to_the_engine(rows):
    text = "".join(f"{owner}:{start}:{count}\n" for owner, start, count in rows)
    ours, problems = id_ranges.parse(text, "/etc/subuid")
    for found in ours:
        row = (found.owner, found.start, found.count)
        assert row in as_shadow(text)
        assert row in as_engine(text)
    # Nothing that either of them gives out is passed over in silence.
    told = {*((found.owner, found.start, found.count) for found in ours)}
    for row in {*as_shadow(text), *as_engine(text)}:
        assert row in told or problems or row[0].startswith("#") or row[2] == 0


def test_a_number_that_c_reads_otherwise_is_told():
    ours, problems = id_ranges.parse("dockremap:0100000:65536\n", "/etc/subuid")
    assert ours == [] and "line 1" in str(problems[0])


def test_passwd_is_read_as_getpwent_reads_it():
    text = "".join(
        f"{entry.pw_name}:{entry.pw_passwd}:{entry.pw_uid}:{entry.pw_gid}:{entry.pw_gecos}:{entry.pw_dir}:{entry.pw_shell}\n" for entry in pwd.getpwall()
    )
    homes = [line.split(":")[5] for line in text_lines.lines_of(text)]
    assert homes == [entry.pw_dir for entry in pwd.getpwall()]


# daemon.json ------------------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@QUICK
@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=4), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_daemon_json_is_what_json_says(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assume(not re.search("[\ud800-\udfff]", text))
    try:
        assert daemon_json.parse(text) == json.loads(text)
    except daemon_json.DaemonJsonError as error:
        # Only a name that stands there twice for the engine, which does not know case, is refused.
        assert len({name.casefold() for name in value}) < len(value) or str(error)
    assert daemon_json.parse(daemon_json.render({"a": value})) == {"a": value}


@QUICK
@given(st.text(st.sampled_from('{}[]",:0123456789.eE+-truefalsn \n\t\\ud/*\x00\xa0'), max_size=30))
def test_no_text_is_accepted_that_is_no_json(text):
    try:
        ours = daemon_json.parse(text)
    except daemon_json.DaemonJsonError:
        return
    if text.strip(" \t\r\n"):
        assert json.loads(text) == ours


# The manifest -------------------------------------------------------------------------------------------------------------------

STATES = st.dictionaries(
    st.text(max_size=6), st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.lists(st.text(max_size=4), max_size=2), max_size=3
)


@QUICK
@given(st.dictionaries(st.text(max_size=6), st.dictionaries(st.text(max_size=8), STATES, max_size=3), max_size=3), st.text(max_size=8))
def test_a_manifest_comes_back_as_it_was_written(sections, machine):
    made = manifest.Manifest(machine, {role: manifest.Section("i", "c", "t", items) for role, items in sections.items()})
    assert manifest.parse(manifest.render(made)) == made


@pytest.mark.parametrize("seed", range(60))
def test_a_manifest_with_one_byte_changed_is_refused(seed):
    made = manifest.Manifest("m", {"docker_engine": manifest.Section("i", "1", "t", {"file:/etc/x": {"type": "regular file", "sha256": "a" * 64}})})
    text = manifest.render(made)
    chosen = random.Random(seed)
    place = chosen.randrange(len(text))
    changed = text[:place] + chosen.choice([letter for letter in 'ab0{}":,\n\\' if letter != text[place]]) + text[place + 1 :]
    with contextlib.suppress(manifest.ManifestError):
        assert manifest.parse(changed) == made, "only white space may differ"


# Packages -------------------------------------------------------------------------------------------------------------------------


@needs("dpkg-query")
@QUICK
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["docker.io", "runc", "containerd"]),
            st.sampled_from(["install", "hold", "deinstall"]),
            st.sampled_from(["installed", "config-files", "half-configured", "not-installed", "unpacked"]),
            st.sampled_from(["1.0", "2:3.4-5+b1", "1~rc1"]),
            st.sampled_from(["", "\n Package: runc", "\n Status: install ok installed", "\n ."]),
        ),
        max_size=3,
        unique_by=lambda row: row[0],
    )
)
def test_the_status_of_packages_is_what_dpkg_says(tmp_path_factory, rows):
    directory = tmp_path_factory.mktemp("dpkg")
    text = "".join(
        f"Package: {name}\nStatus: {want} ok {state}\nMaintainer: x <x@x>\nArchitecture: all\nVersion: {version}\n"
        f"Conffiles:\n /etc/x d41d8cd98f00b204e9800998ecf8427e\nDescription: x{more}\n\n"
        for name, want, state, version, more in rows
    )
    (directory / "status").write_text(text, encoding="utf-8")
    (directory / "info").mkdir()
    (directory / "updates").mkdir()
    names = ["docker.io", "runc", "containerd"]
    form = "${Package}\t${db:Status-Status}\t${db:Status-Want}\t${Version}\n"
    said = subprocess.run(
        ["dpkg-query", f"--admindir={directory}", "--show", "--showformat", form, *names], capture_output=True, text=True, check=False
    ).stdout
    theirs = {}
    for name, state, want, version in (line.split("\t") for line in said.splitlines()):
        if state not in ("not-installed", "config-files"):
            theirs[name] = (version, want == "hold", state)
    assert {name: tuple(found) for name, found in drift_packages._of_status(text.encode(), names).items()} == theirs


@QUICK
@given(st.text(st.sampled_from("abc/.:-+~"), min_size=1, max_size=10), st.text(st.sampled_from("abc/-"), min_size=1, max_size=8))
def test_a_source_that_we_write_is_read_back(url, suite):
    repository = package_sources.Repository(
        name="bulkhead-docker", url=f"https://{url}", suite=suite, components=("stable",), architectures=(), fingerprints=(), packages=("x",)
    )
    found = package_sources.entries(package_sources.deb822(repository, "/etc/apt/keyrings/x.asc"), "/x.sources")
    assert [(entry.urls, entry.suites) for entry in found] == [((f"https://{url}",), (suite,))]


@QUICK
@given(st.binary(min_size=1, max_size=200).filter(lambda content: content[0] & 0x80))
def test_an_armored_keyring_is_read_back(content):
    assert openpgp.packets(openpgp.armored(content).encode()) == content


@needs("gpg")
@QUICK
@given(st.binary(min_size=1, max_size=60).filter(lambda content: content[0] & 0x80))
def test_gpg_reads_the_armor_that_we_write(content):
    said = subprocess.run(["gpg", "--batch", "--dearmor"], input=openpgp.armored(content).encode(), capture_output=True, check=False)
    assert said.stdout == content


# Files of variables, TOML, audit, disks -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
@QUICK
@given(
    root=st.sampled_from(["/a", "/var/lib/x y", "/é"]),
    quote=st.sampled_from("\"'"),
    blank=st.sampled_from(["", " ", "  "]),
    table=st.sampled_from(["", "[other]\nroot = '/no'\n"]),
    comment=st.sampled_from(["", "# root = '/no'\n"]),
    address=st.sampled_from(["", '[grpc]\n  address = "/run/a.sock"\n']),
)
def test_containerd_is_where_its_toml_says(tmp_path_factory, root, quote, blank, table, comment, address):
    import tomllib

    text = f"{comment}version = 2\nroot{blank}={blank}{quote}{root}{quote}\n{address}{table}"
    theirs = tomllib.loads(text)
    ours = containerd_config.read((), "", str(in_file(tmp_path_factory, text)))
    assert (ours.root, ours.address) == (theirs["root"], theirs.get("grpc", {}).get("address", containerd_config.DEFAULT_ADDRESS))


@QUICK
@given(
    st.dictionaries(
        st.from_regex("[A-Z_]{1,6}", fullmatch=True), st.text(st.sampled_from("ab /:=.-"), min_size=1, max_size=8).map(str.strip).filter(bool), max_size=4
    ),
    st.sampled_from(["", '"', "'"]),
)
def test_variables_of_a_unit_are_read_back(tmp_path_factory, variables, quote):
    text = "".join(f"{name}={quote}{value}{quote}\n" for name, value in variables.items())
    path = in_file(tmp_path_factory, text)
    assert unit_environment.environment({"Environment": "", "EnvironmentFiles": f"{path} (ignore_errors=no)"}) == variables


@QUICK
@given(st.lists(st.tuples(st.sampled_from(["/etc/docker", "/var/lib/docker/é", "/x-y"]), st.sampled_from(["wa", "x"])), max_size=4, unique=True))
def test_rules_of_audit_that_we_write_are_read_back(rows):
    text = audit_text.document([audit_text.people(path, permissions) for path, permissions in rows], tolerant=True)
    assert {(rule.path, "".join(sorted(rule.permissions))) for rule in audit_text.ours(text)} == {(path, "".join(sorted(letters))) for path, letters in rows}


@needs("mkfs.ext4")
@pytest.mark.parametrize("label", ["a\rTYPE=xfs", "a\nTYPE=xfs", "x\x0bUUID=1", "it's", "b\\", "q\\\"'", " x y ", "$(id)", "é\u2028", "-"])
def test_no_label_of_a_disk_forges_what_is_on_it(tmp_path, label):
    image = tmp_path / "image"
    with image.open("wb") as handle:
        handle.truncate(8 * 1024 * 1024)
    uuid = "11111111-2222-3333-4444-555555555555"
    subprocess.run(["mkfs.ext4", "-q", "-F", "-U", uuid, "-L", label, str(image)], check=True, capture_output=True)
    found = disks.probe(str(image))
    assert (found["TYPE"], found["UUID"]) == ("ext4", uuid)
    assert set(found) <= {"DEVNAME", "LABEL", "UUID", "VERSION", "BLOCK_SIZE", "FSBLOCKSIZE", "FSLASTBLOCK", "FSSIZE", "TYPE", "USAGE"}
