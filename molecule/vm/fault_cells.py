# SPDX-License-Identifier: Apache-2.0
"""Faults that need a kernel, disks and a power plug of one's own; the tests that show them carry the mark `cell`."""

from __future__ import annotations

from fault_matrix import BOOT, CHANGE, FIRST, HEALED, LAST_GOOD, REFUSED, RESTART, SECOND, Cell

CUT_AMID_FILESYSTEMS = Cell("power cut", FIRST, HEALED)
CUT_AMID_CHANGE = Cell("power cut", CHANGE, LAST_GOOD)
MISSING = Cell("disk missing at boot", BOOT, REFUSED)
SWAPPED = Cell("another disk in its place at boot", BOOT, REFUSED)
SWAPPED_RUN = Cell("another disk in its place at boot", SECOND, REFUSED, "/etc/fstab")
COPIED = Cell("a copy of the disk attached", BOOT, REFUSED, "remove the copy or give it another UUID")
IO_ERRORS = Cell("I/O errors of the disk under volumes", RESTART, REFUSED)
NO_PROFILE = Cell("AppArmor profile missing", SECOND, HEALED)

CELLS = (CUT_AMID_FILESYSTEMS, CUT_AMID_CHANGE, MISSING, SWAPPED, SWAPPED_RUN, COPIED, IO_ERRORS, NO_PROFILE)
