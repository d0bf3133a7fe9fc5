# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_values


@pytest.mark.parametrize(
    ("text", "decimal", "binary"),
    [
        ("100", 100, 100),
        ("10m", 10_000_000, 10_485_760),
        ("1k", 1000, 1024),
        ("1.5K", 1500, 1536),
        ("2 GB", 2_000_000_000, 2_147_483_648),
        ("1MiB", 1_000_000, 1_048_576),
        ("7b", 7, 7),
    ],
)
def test_sizes(text, decimal, binary):
    assert (log_values.decimal_size(text), log_values.binary_size(text)) == (decimal, binary)


@pytest.mark.parametrize("text", ["", "m", "-1", " 1m", "1m ", "1  m", "1x", "1mi", "1ib", "1e3", "1m2", "²", "1.m"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="no size"):
        log_values.decimal_size(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("1s", 1), ("500ms", 0.5), ("1m30s", 90), ("1.5h", 5400), (".5s", 0.5), ("-2s", -2), ("+1s", 1), ("1us", 1e-6)],
)
def test_durations(text, expected):
    assert log_values.seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "1", "s", "1 s", "1d", "1s ", "1.2.3s", "-"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="no duration"):
        log_values.seconds(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("udp://logs.example.org:514", ("udp", "logs.example.org", 514, "")),
        ("TCP://logs", ("tcp", "logs", 0, "")),
        ("tcp+tls://[2001:db8::1]:6514", ("tcp+tls", "2001:db8::1", 6514, "")),
        ("unix:///dev/log", ("unix", "", 0, "/dev/log")),
        ("tcp://:514", ("tcp", "", 514, "")),
    ],
)
def test_addresses(text, parts):
    assert log_values.endpoint(text) == parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("127.0.0.1:514", "no scheme"),
        ("unix://", "no path"),
        ("unix://dev/log", "three slashes"),
        ("tcp://h:0", "from 1 to 65535"),
        ("tcp://h:65536", "from 1 to 65535"),
        ("tcp://h:", "from 1 to 65535"),
        ("tcp://h:http", "from 1 to 65535"),
        ("tcp://2001:db8::1", "no host and port"),
        ("tcp://h/path", "no host and port"),
        ("tcp://user@h:1", "no host and port"),
    ],
)
def test_what_is_no_address(text, words):
    with pytest.raises(ValueError, match=words):
        log_values.endpoint(text)


@pytest.mark.parametrize("text", ["^a.*b$", "(?i)a|b", r"\d+\.\w", r"[(?=]", r"\\1", "(?P<n>a)", r"\pL", "[[:alpha:]]", r"[\\w-a]", ""])
def test_good_expressions(text):
    assert log_values.regex_problem(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(", "no regular expression"),
        ("[a", "no regular expression"),
        ("*a", "no regular expression"),
        ("a)", "no regular expression"),
        ("(?=a)", "lookahead"),
        ("(?<!a)b", "lookbehind"),
        (r"(a)\1", "back-reference"),
    ],
)
def test_bad_expressions(text, words):
    assert words in log_values.regex_problem(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "{{.ID}}/{{ .Name }}",
        "{{- .ImageName -}}",
        '{{printf "%s {{" .Name}}',
        "{{index .ContainerLabels `a.b`}}",
        "{{with .Name}}{{.}}{{end}}",
        "{{range .ContainerEnv}}{{.Whatever}}{{end}}",
        "{{.ContainerLabels.team}}",
        "{{.ExtraAttributes nil}}",
        "{{$x := .Name}}{{$x}}",
    ],
)
def test_good_templates(text):
    assert log_values.template_problem(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{.Name", "never closed"),
        ("{{.ID}} {{", "never closed"),
        ("{{}}", "empty"),
        ("{{.Id}}", "did you mean .ID"),
        ("{{.Pod}}", "no .Pod"),
        ("{{Name}}", "write .Name"),
        ("{{frob .Name}}", "no function frob"),
    ],
)
def test_bad_templates(text, words):
    assert words in log_values.template_problem(text)
