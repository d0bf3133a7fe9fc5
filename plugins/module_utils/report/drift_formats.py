# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every format that a report of drift can have, by name.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.report import (
    drift_html,
    drift_json,
    drift_prometheus,
    drift_text,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report.formats import Writer

WRITERS: dict[str, Writer] = {
    "json": Writer(".json", "application/json", drift_json.render),
    "html": Writer(".html", "text/html", drift_html.render),
    "prometheus": Writer(".prom", "text/plain; version=0.0.4", drift_prometheus.render),
    "text": Writer(".txt", "text/plain", drift_text.render),
}
