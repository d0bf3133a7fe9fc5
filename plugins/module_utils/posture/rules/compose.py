# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of compose files only: the rest of what their services must be is asked of every workload.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import no_items
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import COMPOSE_SERVICE, Rule
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import DEFENCE, FROM_ACCIDENT, NOTHING

RULES = (
    Rule(
        id="compose-keys-known",
        title="The service has no key that compose does not know",
        why="A setting with a slip in its name is none: current releases refuse the file, and older ones start it without the setting.",
        applies_to=(COMPOSE_SERVICE,),
        check=no_items("unknown_keys", lambda _key: True, "keys of the compose specification, and extensions that begin with x-"),
        attacker=FROM_ACCIDENT,
        reach=DEFENCE,
        remedy="Mend the name of the key or remove it; what is meant for other tools goes under a name that begins with `x-`.",
        blast=NOTHING,
        references=("Compose specification, schema",),
    ),
)
