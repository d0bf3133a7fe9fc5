# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The recommendations of the CIS Docker Benchmark 1.8.0 by number, and which of them a program can judge.

Numbers only: the texts are not ours. What a program can judge includes what it can judge with a policy of the organisation, by a
heuristic, or from logs.
"""

from __future__ import annotations

#: By section the number of the last recommendation: 20 + 19 + 24 + 12 + 32 + 2 + 9 = 118.
SECTIONS = {"1.1": 18, "1.2": 2, "2": 19, "3": 24, "4": 12, "5": 32, "6": 2, "7": 9}
ALL = tuple(f"{section}.{number}" for section, last in SECTIONS.items() for number in range(1, last + 1))
#: What a person must judge: how the host is hardened, whether packages are needed and verified, whether a key was changed.
MANUAL = ("1.2.1", "4.3", "4.11", "7.6")
#: What needs a scanner of images.
EXTERNAL = ("4.4",)
#: What no release since CLI 29 can fail or pass: Docker Content Trust is gone from it.
VOID = ("4.5",)
AUTOMATABLE = tuple(number for number in ALL if number not in (*MANUAL, *EXTERNAL, *VOID))

#: What is automatable and still asked by no rule, with the reason.
NOT_ASKED: dict[str, str] = {
    "4.8": "setuid files of an image are seen only by reading its whole filesystem, for minutes; no-new-privileges takes their effect away",
    "4.12": "which signatures a registry must have is a policy that neither the engine nor the host holds",
}
