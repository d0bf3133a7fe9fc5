# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every format that a report can have, by name.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.report import json, junit, ocsf, prometheus, sarif, text

Document = t.Mapping[str, t.Any]


class Writer(t.NamedTuple):
    """How a format is written.

    Attributes:
        suffix: of its files, with the leading point.
        mime: its media type.
        function: from the document to the whole text; the same text for the same document, and ``content`` of the
            document stands in it wherever the document has any report.
    """

    suffix: str
    mime: str
    function: t.Callable[[Document], str]


def _html(document: Document) -> str:
    # The page carries its styles and scripts along, which no other format needs in memory.
    from ansible_collections.bulkhead.docker.plugins.module_utils.report import html

    page = html.render(document)
    # So that two pages can be told apart by what they say, whenever they were made.
    return page if document["content"] in page else f"{page.rstrip()}\n<!-- content {document['content']} -->\n"


WRITERS: dict[str, Writer] = {
    "json": Writer(".json", "application/json", json.render),
    "sarif": Writer(".sarif", "application/sarif+json", sarif.render),
    "junit": Writer(".junit.xml", "application/xml", junit.render),
    "ocsf": Writer(".ocsf.jsonl", "application/jsonl", ocsf.render),
    "prometheus": Writer(".prom", "text/plain; version=0.0.4", prometheus.render),
    "text": Writer(".txt", "text/plain", text.render),
    "html": Writer(".html", "text/html", _html),
}
