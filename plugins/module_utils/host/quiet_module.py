# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Modules whose options may hold credentials in the midst of what everybody may read, such as the settings of the daemon.

PRIVATE to the collection: no stability is promised to other users.

Ansible knows an option as a secret or not, and takes a whole dictionary of settings for one only together with every word in it. It
writes the options into the host's journal before a module can say more. So these modules leave the journal alone and name the secrets.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_changes


def hide(module: AnsibleModule, *names: str) -> None:
    """Have a module repeat no credential of the named options, whatever it returns.

    Args:
        module: made with no_log, which keeps its options out of the journal.
        names: of options that may be dictionaries, lists or texts with credentials in them.
    """
    for name in names:
        module.no_log_values.update(daemon_changes.secrets(module.params[name]))
