# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations


class ModuleDocFragment:
    """What the attributes mean that every module of the collection states; the modules add their support."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and predict what a real run would do, without changing the host.
  diff_mode:
    description: Returns what differs, before and after, when in diff mode.
  idempotent:
    description: A second run with the same options changes nothing and says so.
    support: full
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and predict what a real run would do, without changing the host.
    support: full
    details:
      - This module only reads.
  diff_mode:
    description: Returns what differs, before and after, when in diff mode.
    support: N/A
    details:
      - This module only reads.
  idempotent:
    description: A second run with the same options changes nothing and says so.
    support: full
"""
