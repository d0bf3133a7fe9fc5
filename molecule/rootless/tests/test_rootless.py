# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Docker of a user without privileges: who it is, what it survives, and what it refuses."""
