# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the HTML report of 200 hosts with 200 rules each costs: seconds and bytes, with a third of all failing and with all failing.

Run it with Python where the collection can be imported. It fails when a limit is passed.
"""

from __future__ import annotations

import sys
import time

from ansible_collections.bulkhead.docker.plugins.module_utils.report import html
from ansible_collections.bulkhead.docker.tests.unit.report import sample

HOSTS = RULES = 200
MOST_SECONDS = 10.0
MOST_BYTES = 5_000_000


def main() -> int:
    bad = 0
    print(f"HTML of {HOSTS} hosts x {RULES} rules (limits: {MOST_SECONDS:.0f} s, {MOST_BYTES:,} bytes)")
    for failing in (0.35, 1.0):
        document = sample.large(HOSTS, RULES, failing)
        begin = time.monotonic()
        page = html.render(document)
        took, size = time.monotonic() - begin, len(page.encode("utf-8"))
        bad += took > MOST_SECONDS or size > MOST_BYTES
        print(f"  {failing:4.0%} failing: {took:5.2f} s, {size:,} bytes")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
