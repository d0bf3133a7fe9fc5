# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import HIGHEST_ID, Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import CAPABILITY, Shift
from hypothesis import given
from hypothesis import strategies as st

OLD = Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 200000, 65536),))
NEW = Mapping((Range("dockremap", 500000, 60000), Range("dockremap", 300000, 5536)), (Range("dockremap", 700000, 65536),))
ON, OFF, OTHER = Shift(None, OLD), Shift(OLD, None), Shift(OLD, NEW)
ACCESS = "system.posix_acl_access"
UNDEFINED = 0xFFFFFFFF


def access_list(*entries, version=2):
    return struct.pack("<I", version) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def capability(revision, *root):
    return struct.pack("<5I", revision | 1, 0x2000, 0, 0, 0) + b"".join(struct.pack("<I", number) for number in root)


@pytest.mark.parametrize(
    "shift, uids, gids",
    [
        (ON, {0: 100000, 65535: 165535, 65536: None, 100000: None}, {0: 200000, 65536: None}),
        (OFF, {100000: 0, 165535: 65535, 165536: None, 0: None, 99999: None}, {200000: 0, 100000: None}),
        (OTHER, {100000: 500000, 159999: 559999, 160000: 300000, 165535: 305535, 0: None}, {200001: 700001}),
    ],
)
def test_ids(shift, uids, gids):
    assert {number: shift.uid(number) for number in uids} == uids
    assert {number: shift.gid(number) for number in gids} == gids


@given(st.integers(0, HIGHEST_ID))
def test_there_and_back_is_nothing_and_two_ids_never_become_one(number):
    for there, back in ((OTHER, Shift(NEW, OLD)), (ON, OFF)):
        moved = there.uid(number)
        if moved is not None:
            assert back.uid(moved) == number


def test_a_second_shift_of_the_same_kind_is_noticed():
    assert OTHER.uid(OTHER.uid(100000)) is None
    assert ON.uid(ON.uid(0)) is None


def test_access_lists():
    before = access_list((1, 7, UNDEFINED), (2, 6, 1000), (2, 4, 70000), (4, 5, UNDEFINED), (8, 7, 33), (16, 7, UNDEFINED), (32, 5, UNDEFINED))
    after = access_list((1, 7, UNDEFINED), (2, 4, 70000), (2, 6, 101000), (4, 5, UNDEFINED), (8, 7, 200033), (16, 7, UNDEFINED), (32, 5, UNDEFINED))
    assert ON.attribute(ACCESS, before) == (after, (70000,))
    assert ON.attribute("system.posix_acl_default", before) == (after, (70000,))


def test_entries_stay_in_order_when_ranges_turn_them_round():
    before = access_list((2, 1, 159999), (2, 2, 160000))
    assert OTHER.attribute(ACCESS, before) == (access_list((2, 2, 300000), (2, 1, 559999)), ())


@pytest.mark.parametrize("value", [b"", b"\2\0\0", access_list((2, 6, 1000))[:-1], access_list((2, 6, 1000), version=3)])
def test_what_is_no_access_list_is_kept(value):
    assert ON.attribute(ACCESS, value) == (value, ())


@pytest.mark.parametrize(
    "shift, before, after, outside",
    [
        (ON, capability(0x02000000), capability(0x03000000, 100000), ()),
        (ON, capability(0x03000000, 5), capability(0x03000000, 100005), ()),
        (OFF, capability(0x03000000, 100000), capability(0x02000000), ()),
        (OFF, capability(0x03000000, 100005), capability(0x03000000, 5), ()),
        (OFF, capability(0x02000000), capability(0x02000000), ()),
        (OTHER, capability(0x03000000, 100000), capability(0x03000000, 500000), ()),
        (OTHER, capability(0x03000000, 7), capability(0x03000000, 7), (7,)),
        (OTHER, capability(0x02000000), capability(0x02000000), ()),
        (ON, capability(0x02000000)[:-1], capability(0x02000000)[:-1], ()),
        (ON, b"\1", b"\1", ()),
    ],
)
def test_capabilities(shift, before, after, outside):
    assert shift.attribute(CAPABILITY, before) == (after, outside)


@given(st.binary(max_size=60))
def test_other_attributes_are_kept_and_any_value_is_understood_or_kept(value):
    assert ON.attribute("trusted.overlay.opaque", value) == (value, ())
    for name in (ACCESS, CAPABILITY):
        moved, outside = OTHER.attribute(name, value)
        assert isinstance(moved, bytes) and isinstance(outside, tuple)
