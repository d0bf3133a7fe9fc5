# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What looks like a secret in plain text, and answers of the engine's API without the values that could be one.

PRIVATE to the collection: no stability is promised to other users.

Whoever collects passes every answer through the function for its kind before it keeps it. Values of variables, of most
labels, and arguments of commands are taken out whether they look like secrets or not: what remains is the name, and SECRET
or WITHHELD in place of the value. `environment_secrets` and `argument_secrets` read that form again. Everything else keeps
its text, except for passwords in addresses, tokens whose form is known, private keys, and values beside a name that says
what they are.
"""

from __future__ import annotations

import collections.abc
import functools
import re
import typing as t

Json = dict[str, t.Any]

#: In place of a value that looks like a secret, and of one that does not.
SECRET = "<secret>"
WITHHELD = "<withheld>"
#: Variables whose values say where something is, not what opens it; the part of an address that does is taken out.
KEPT_VARIABLES = ("DOCKER_HOST",)
#: Labels whose values are written by tools, and needed to tell whose a container is.
KEPT_LABELS = ("com.docker.", "org.opencontainers.")

# No variable, label or line of a history is longer in good faith; what lies beyond is never looked at, nor kept.
_LONGEST = 16384
_DEEPEST = 40
_COMMON = 128

# Words of a name that say "secret", as the last word or before one of _QUALIFIERS.
_WORDS = frozenset(
    "password passwd passwort pass pwd pw secret secrets token apikey passphrase credential credentials privatekey secretkey accesskey apitoken authtoken "
    "accesstoken webhookurl".split()
)
# Before the last word "key" (or "keys").
_KEYS = frozenset("api private secret access encryption encrypt signing sign master account shared storage app auth crypto license jwt session".split())
_ENDINGS = ("password", "passwd", "secret", "token", "apikey", "passphrase", "secretkey", "privatekey")
# requirepass, dbpass, rootpass; not bypass and compass.
_PASS = re.compile(r"(?:require|user|root|db|mysql|pg|postgres|redis|mongo|smtp|mail|ftp|ldap|admin|bind|auth|http|proxy|my)pass|masterauth")
# After such a word these keep it a secret: DB_PASSWORD_1, API_TOKEN_OLD, SECRET_KEY_BASE.
_QUALIFIERS = frozenset(
    "base value string plain text raw old new current previous prod production dev test staging main primary secondary default b64 base64".split()
)
_SETTINGS = frozenset("true false yes no on off none null nil undefined enabled disabled optional required".split())
_PLACEHOLDER = re.compile(
    r"\$\{[^}]*\}|\$[A-Za-z_]\w*|\$\([^)]*\)|<[^<>]*>|\{\{.*\}\}|%[({]\w*[)}]s?|%\w+%|[*xX.]{3,}|\[?redacted\]?|\.\.\.|"
    r"(?:your|my|enter|insert|put|add)[-_ ]?(?:own[-_ ])?[\w -]{0,40}(?:here|password|secret|token|key)",
    re.IGNORECASE | re.DOTALL,
)
# A place of a file, not what it holds; base64 can begin with a slash, hence the known first directories.
_PLACE = re.compile(
    r"(?:\./|\.\./|~/|[A-Za-z]:\\|/(?:run|var|etc|secrets?|mnt|opt|home|usr|tmp|root|srv|app|config|data|vault|dev|proc|certs?|keys?)(?:/|$))\S*"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_CREDENTIALS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,30}://)([^\s/:@\"'<>]*):([^\s/\"']+)@")
_DATA_SOURCE = re.compile(r"(?<![\w.-])([\w.-]{1,64}):([^\s:@/]{1,128})@(tcp|unix|tcp6)\(")
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)", re.DOTALL)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|gl(?:pat|ptt|dt|rt|cbt|soat)-[A-Za-z0-9_.-]{16,300}|"
    r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-[A-Za-z0-9-]{10,250}|(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,255}|"
    r"sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,255}|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,300}|"
    r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{16,300}|dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,255}|hv[sbr]\.[A-Za-z0-9_-]{20,300}|do[op]_v1_[a-f0-9]{64}|"
    r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}|eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}(?:\.[A-Za-z0-9_-]{0,2000})?|"
    r"SWMTKN-[0-9]-[A-Za-z0-9-]{20,200}|SWMKEY-[0-9]-[A-Za-z0-9+/=-]{20,200}|AGE-SECRET-KEY-[A-Z0-9]{20,100}|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}|"
    r"dp\.[a-z]{2,6}\.[A-Za-z0-9_.-]{20,100}|hf_[A-Za-z0-9]{30,60}|glc_[A-Za-z0-9+/=]{30,400}|lin_api_[A-Za-z0-9]{30,60}"
    r")"
)
_HOOK = re.compile(r"https://(?:hooks\.slack\.com/services/|discord(?:app)?\.com/api/webhooks/|[\w.-]{1,80}\.webhook\.office\.com/)[^\s\"']{10,300}")
# NAME=value, "name": "value", name: value. Quantifiers are bounded and the name begins at a border, so time stays linear.
_ASSIGNMENT = re.compile(
    r"(?<![A-Za-z0-9_.-])(-{0,2}[A-Za-z_][A-Za-z0-9_.-]{0,80})([\"']?\s{0,3}[=:]\s{0,3})(\"[^\"]*\"?|'[^']*'?|(?![<$])[^\s\"',;&|()}]+)"
)
_OPTION = re.compile(r"(?<!\S)(--?[A-Za-z][A-Za-z0-9_-]{1,60})(\s{1,3})(\"[^\"]*\"?|'[^']*'?|(?!-)[^\s\"';&|]+)")
_AUTHORIZATION = re.compile(r"\b(bearer|basic)(\s{1,3})[A-Za-z0-9._~+/=-]{8,4096}", re.IGNORECASE)
_USER_OPTION = re.compile(r"(?<!\S)(-u|--user|--proxy-user|-U)([ =]?)(?=[^\s:]{1,128}:)[^\s]+")
_SHORT_PASSWORD = re.compile(r"(?<!\S)-p(?=[^\s-])([^\s]+)")
_CLIENT = re.compile(r"(?<![^\s/\"'(;&|])(?:mysql|mariadb)(?:-?(?:admin|dump|check|show|import|slap|pump))?(?![^\s\"'])")
_HINT = re.compile(r"://|[=:]|-----BEGIN|[A-Za-z0-9]{4}[-_.]|bearer|basic|AKIA|ASIA|AIza|\s-", re.IGNORECASE)
_INSTRUCTION = re.compile(r"(?:/bin/sh -c #\(nop\)\s{0,4})?(ENV|ARG|LABEL)\s", re.IGNORECASE)
_BUILD_ARGUMENTS = re.compile(r"((?:RUN )?\|\d{1,4} )(.*?)(?=\s/\S{0,80}\s|\Z)", re.DOTALL)
_NAME = re.compile(r"(?<![^\s])([A-Za-z_][A-Za-z0-9_.-]{0,80})=")


def is_secret(name: str, value: t.Any) -> bool:
    """Tell whether a variable, label or argument holds a secret in plain text, by its name or by the form of its value.

    A value that is taken from elsewhere (``${X}``), that is a place (``/run/secrets/x``), a switch or empty is none.
    """
    if value is None or isinstance(value, (bool, float)):
        return False
    text = str(value).strip()
    if not text or text == WITHHELD:
        return False
    if text == SECRET or form_of_secret(text):
        return True
    return named_secret(name) and not _harmless(text)


def named_secret(name: str) -> bool:
    """Tell whether a name says that its value is a secret: DB_PASSWORD and apiToken, but not PASSWORD_FILE or TOKEN_TTL."""
    return isinstance(name, str) and len(name) <= 200 and _says_secret(name)


# The same few names come with every container.
@functools.lru_cache(maxsize=4096)
def _says_secret(name: str) -> bool:
    if name in ("PWD", "OLDPWD"):
        return False
    words = [word.lower() for word in _WORD.findall(name.lstrip("-"))]
    while len(words) > 1 and (words[-1] in _QUALIFIERS or words[-1].isdecimal()):
        words.pop()
    if not words:
        return False
    last = words[-1]
    if last in ("key", "keys"):
        return len(words) > 1 and words[-2] in _KEYS
    return last in _WORDS or last.endswith(_ENDINGS) or _PASS.fullmatch(last) is not None


def form_of_secret(text: str) -> bool:
    """Tell whether a text holds what only a secret looks like: a password in an address, a known token, a private key."""
    text = text[:_LONGEST]
    if "://" in text:
        for match in _CREDENTIALS.finditer(text):
            if not _placeholder(match[3]):
                return True
        if _HOOK.search(text):
            return True
    if "-----BEGIN" in text and _KEY_BLOCK.search(text):
        return True
    if "(" in text and "@" in text:
        source = _DATA_SOURCE.search(text)
        if source and not _placeholder(source[2]):
            return True
    if len(text) >= 16 and _TOKEN.search(text):
        return True
    return ("=" in text or ":" in text) and any(
        named_secret(match[1]) and not _harmless(match[3].strip("\"'")) for match in _ASSIGNMENT.finditer(text)
    )


def scrubbed(text: str) -> str:
    """Return a text with SECRET in place of what looks like a secret; of a very long one only the beginning."""
    if len(text) <= _COMMON:
        return _scrubbed_common(text)
    return _scrubbed(text if len(text) <= _LONGEST else text[:_LONGEST] + WITHHELD)


def _scrubbed(text: str) -> str:
    if not _HINT.search(text):
        return text
    text = _KEY_BLOCK.sub(SECRET, text)
    text = _CREDENTIALS.sub(rf"\1\2:{SECRET}@", text)
    text = _HOOK.sub(SECRET, text)
    text = _DATA_SOURCE.sub(rf"\1:{SECRET}@\3(", text)
    text = _TOKEN.sub(SECRET, text)
    text = _AUTHORIZATION.sub(rf"\1\2{SECRET}", text)
    text = _ASSIGNMENT.sub(_without_value, text)
    return _OPTION.sub(_without_value, text)


# Masked paths, options and the like, which are the same in every container.
_scrubbed_common = functools.lru_cache(maxsize=4096)(_scrubbed)


def shell_text(text: str) -> str:
    """Return a command line of a shell, as an image's history has it, without the secrets that it carries."""
    text = _USER_OPTION.sub(rf"\1\2{SECRET}", text[:_LONGEST])
    if "mysql" in text or "mariadb" in text:
        text = _SHORT_PASSWORD.sub(f"-p{SECRET}", text)
    return scrubbed(text)


def environment(entries: t.Any) -> list[str]:
    """Return entries ``NAME=value`` of an environment with SECRET or WITHHELD for each value that is not empty."""
    found = []
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        if not isinstance(entry, str):
            continue
        name, separator, value = entry.partition("=")
        name = name[:256]
        if not separator or not value:
            found.append(name + separator)
        elif name in KEPT_VARIABLES:
            found.append(f"{name}={scrubbed(value)[:1024]}")
        else:
            found.append(f"{name}={SECRET if is_secret(name, value) else WITHHELD}")
    return found


def environment_secrets(entries: t.Any) -> list[str]:
    """Return the names in a redacted environment whose values looked like secrets."""
    listed = entries if isinstance(entries, (list, tuple)) else ()
    return [entry[: -len(SECRET) - 1] for entry in listed if isinstance(entry, str) and entry.endswith(f"={SECRET}")]


def labels(given: t.Any, keep: t.Container[str] = ()) -> dict[str, str]:
    """Return labels with SECRET or WITHHELD for each value, except for those of tools and those that are asked for by name.

    Args:
        keep: names of labels whose values somebody asks for, as waivers do.
    """
    found = {}
    for name, value in given.items() if isinstance(given, collections.abc.Mapping) else ():
        name, text = str(name)[:256], "" if value is None else str(value)
        if not text:
            found[name] = ""
        elif is_secret(name, text):
            found[name] = SECRET
        else:
            found[name] = text[:1024] if name.startswith(KEPT_LABELS) or name in keep else WITHHELD
    return found


def label_secrets(given: t.Any) -> list[str]:
    """Return the names of redacted labels whose values looked like secrets."""
    return [str(name) for name, value in given.items() if value == SECRET] if isinstance(given, collections.abc.Mapping) else []


def arguments(words: t.Any) -> list[str]:
    """Return as many words as a command has, each WITHHELD, or the name of what it hands over and SECRET."""
    if isinstance(words, str):
        words = [words]
    found: list[str] = []
    expected = client = False
    for word in words if isinstance(words, (list, tuple)) else ():
        word = word if isinstance(word, str) else str(word)
        client = client or _CLIENT.search(word[:_LONGEST]) is not None
        if expected and word and not _harmless(word):
            found.append(SECRET)
            expected = False
            continue
        expected = len(word) <= 64 and word.startswith("-") and "=" not in word and named_secret(word)
        if expected:
            found.append(word)
        else:
            found.append(_argument(word[:_LONGEST], client))
    return found


def argument_secrets(words: t.Any) -> list[str]:
    """Return what a redacted command hands over in plain text, each with the name of its option or its place."""
    found = []
    before = ""
    for number, word in enumerate(words if isinstance(words, (list, tuple)) else (), start=1):
        if isinstance(word, str) and word.endswith(SECRET):
            name = word[: -len(SECRET)].rstrip("=") or (before if before.startswith("-") else "")
            found.append(f"argument {name or number}")
        before = word if isinstance(word, str) else ""
    return found


def check_command(words: t.Any) -> list[str]:
    """Return a healthcheck's test: its kind, and the rest as `arguments` has it."""
    if not isinstance(words, (list, tuple)) or not words:
        return []
    first = words[0] if words[0] in ("NONE", "CMD", "CMD-SHELL") else WITHHELD
    return [first, *arguments(words[1:])]


def history(rows: t.Any) -> list[Json]:
    """Return rows of ``GET /images/{id}/history`` with instructions that carry no secret: of ENV, ARG and LABEL the names."""
    found = []
    for row in rows if isinstance(rows, (list, tuple)) else ():
        if isinstance(row, collections.abc.Mapping):
            text = row.get("CreatedBy")
            found.append({"CreatedBy": instruction(text if isinstance(text, str) else ""), "Created": row.get("Created"), "Size": row.get("Size")})
    return found


def instruction(text: str) -> str:
    """Return an instruction of an image's history without values."""
    match = _INSTRUCTION.match(text)
    if match is None:
        given = _BUILD_ARGUMENTS.match(text[:_LONGEST])
        if given is None:
            return shell_text(text)
        # What runs follows the values, which may hold spaces.
        return f"{given[1]}{_names_only(given[2])}{shell_text(text[given.end(2) :])}"
    rest = text[match.end() : match.end() + _LONGEST]
    if not _NAME.search(rest):
        # ENV NAME value, or ARG NAME.
        name, _separator, value = rest.strip().partition(" ")
        marked = f"{name[:80]}={SECRET if is_secret(name, value) else WITHHELD}" if value else name[:80]
        return f"{match[1].upper()} {marked}"
    return f"{match[1].upper()} {_names_only(rest)}"


def instruction_secrets(rows: t.Any) -> list[str]:
    """Return the names in redacted instructions, or in rows of `history`, whose values looked like secrets."""
    found = []
    for row in rows if isinstance(rows, (list, tuple)) else ():
        text = row.get("CreatedBy") if isinstance(row, collections.abc.Mapping) else row
        for word in text.split() if isinstance(text, str) and SECRET in text else ():
            if word.endswith(f"={SECRET}"):
                found.append(word[: -len(SECRET) - 1])
    return found


_HEALTH = ("Status", "FailingStreak")
_TOP = (
    "Id Name Created Image Platform Driver RestartCount MountLabel ProcessLabel AppArmorProfile HostConfig Mounts Config ImageManifestDescriptor".split()
)
_CONFIG = "User Env Cmd Entrypoint Image WorkingDir Healthcheck Labels ExposedPorts Volumes NetworkDisabled StopSignal".split()
_STATE = "Status Running Paused Restarting Dead Pid StartedAt FinishedAt ExitCode OOMKilled".split()
_NETWORK = "NetworkID IPAddress GlobalIPv6Address Gateway Aliases DNSNames MacAddress".split()


def container(answer: t.Any, keep_labels: t.Container[str] = ()) -> Json:
    """Return ``GET /containers/{id}/json`` with what is judged, and without values. Other kinds of values give an empty answer."""
    if not isinstance(answer, collections.abc.Mapping):
        return {}
    found = _part(answer, _TOP, keep_labels)
    if isinstance(answer.get("Config"), collections.abc.Mapping):
        found["Config"] = _part(answer["Config"], _CONFIG, keep_labels)
    if isinstance(answer.get("State"), collections.abc.Mapping):
        found["State"] = _part(answer["State"], _STATE)
        if isinstance(answer["State"].get("Health"), collections.abc.Mapping):
            # The output of the checks stays where it is.
            found["State"]["Health"] = _part(answer["State"]["Health"], _HEALTH)
    settings = answer.get("NetworkSettings")
    if isinstance(settings, collections.abc.Mapping):
        found["NetworkSettings"] = _part(settings, ("Ports",))
        if isinstance(settings.get("Networks"), collections.abc.Mapping):
            found["NetworkSettings"]["Networks"] = {
                str(name): _part(network, _NETWORK) if isinstance(network, collections.abc.Mapping) else {} for name, network in settings["Networks"].items()
            }
    return found


def image(answer: t.Any, rows: t.Any = None, keep_labels: t.Container[str] = ()) -> Json:
    """Return ``GET /images/{id}/json`` without values, with ``History`` beside where rows of its history are given."""
    if not isinstance(answer, collections.abc.Mapping):
        return {}
    names = "Id RepoTags RepoDigests Created Architecture Os Size Parent Config".split()
    found = _part(answer, names, keep_labels)
    if isinstance(answer.get("Config"), collections.abc.Mapping):
        found["Config"] = _part(answer["Config"], _CONFIG, keep_labels)
    if rows is not None:
        found["History"] = history(rows)
    return found


def anything(answer: t.Any, keep_labels: t.Container[str] = ()) -> t.Any:
    """Return any other answer of the API (services, volumes, networks, swarm, info, nodes) without values that open something."""
    return _redacted(answer, keep_labels, 0)


# What is left out wherever it stands: copies of what is there anyway, outputs, and what opens a swarm or a registry.
_DROPPED = frozenset(
    "PreviousSpec JoinTokens UnlockKey SigningCAKey Data Annotations CredentialSpec Auth IdentityToken RegistryToken Password Secret".split()
)
_ARGUMENTS = frozenset("Args Cmd Command Entrypoint OnBuild Shell".split())
# The engine writes the same long lists into nearly every container.
_REPEATED = frozenset(("MaskedPaths", "ReadonlyPaths"))
# What is more than a text with a name, an object or a list of them.
_SPECIAL = frozenset(("Env", "Labels", "EngineLabels", "Test", "SecurityOpt", *_ARGUMENTS, *_REPEATED))
# The same keys come with every container, each time as other strings; what ansible-core puts around sys.intern takes longer.
_keys: dict[str, str] = {}


def _redacted(value: t.Any, keep_labels: t.Container[str], depth: int, name: str = "") -> t.Any:
    if isinstance(value, str):
        # A place or a network is called by a name that says nothing about secrets.
        return SECRET if name and named_secret(name) and not _harmless(value) else scrubbed(value) if len(value) > 7 else value
    if value is None or isinstance(value, int):
        return value
    if depth > _DEEPEST:
        return WITHHELD
    if isinstance(value, collections.abc.Mapping):
        found: Json = {}
        for given, item in value.items():
            key = _keys.get(given) or _keys.setdefault(str(given), str(given))
            if key in _DROPPED and not isinstance(item, (bool, int)):
                continue
            # Most settings of a container are empty, and what is empty opens nothing.
            found[key] = _item(key, item, keep_labels, depth) if item or key == "Test" else item
        return found
    if isinstance(value, (list, tuple)):
        return [_redacted(item, keep_labels, depth + 1) for item in value]
    return value


def _item(key: str, item: t.Any, keep_labels: t.Container[str], depth: int) -> t.Any:
    if key not in _SPECIAL:
        return _redacted(item, keep_labels, depth + 1, key)
    if key == "Env":
        return environment(item) if isinstance(item, (list, tuple)) else None
    if key in ("Labels", "EngineLabels"):
        return labels(item, keep_labels) if isinstance(item, collections.abc.Mapping) else [WITHHELD] * len(item) if isinstance(item, (list, tuple)) else None
    if key in _ARGUMENTS:
        return None if item is None else arguments(item)
    if key == "Test":
        return check_command(item)
    if key == "SecurityOpt" and isinstance(item, (list, tuple)):
        # A seccomp profile is long, and nothing in it opens anything.
        return [entry for entry in item if isinstance(entry, str)]
    if key in _REPEATED and _short_texts(item):
        return list(_redacted_texts(tuple(item)))
    return _redacted(item, keep_labels, depth + 1, key)


def _short_texts(item: t.Any) -> bool:
    return isinstance(item, list) and len(item) <= 64 and all(isinstance(entry, str) and len(entry) <= _COMMON for entry in item)


@functools.lru_cache(maxsize=64)
def _redacted_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_redacted(text, (), 0) for text in texts)


def _part(answer: t.Mapping[str, t.Any], names: t.Iterable[str], keep_labels: t.Container[str] = ()) -> Json:
    return {name: _item(name, answer[name], keep_labels, 1) for name in names if name in answer and name not in ("NetworkSettings", "State")}


def _without_value(match: t.Match[str]) -> str:
    name, between, value = match[1], match[2], match[3]
    if SECRET in value or not named_secret(name) or _harmless(value.strip("\"'")):
        return match[0]
    return f"{name}{between}{SECRET}"


def _names_only(text: str) -> str:
    """Return assignments ``NAME=value`` without the values."""
    names = []
    matches = list(_NAME.finditer(text))
    for number, found in enumerate(matches):
        value = text[found.end() : matches[number + 1].start() if number + 1 < len(matches) else len(text)].strip().strip("\"'")
        secret = is_secret(found[1], value)
        names.append(f"{found[1]}={SECRET if secret else WITHHELD if value else ''}")
        if secret and named_secret(found[1]):
            # Its value may hold a space and what looks like the next name.
            break
    return " ".join(names)


def _argument(word: str, client: bool) -> str:
    """Return a word of a command without values; a client of MySQL takes its password right behind -p."""
    if client and any(not _harmless(match[1].strip("\"'")) for match in _SHORT_PASSWORD.finditer(word)):
        return f"-p={SECRET}"
    for match in _ASSIGNMENT.finditer(word):
        if named_secret(match[1]) and not _harmless(match[3].strip("\"'")):
            return f"{match[1]}={SECRET}"
    return SECRET if form_of_secret(word) or scrubbed(word) != word else WITHHELD


def _harmless(text: str) -> bool:
    return not text or text.lower() in _SETTINGS or _placeholder(text) or _PLACE.fullmatch(text[:512]) is not None


def _placeholder(text: str) -> bool:
    return len(text) <= 256 and _PLACEHOLDER.fullmatch(text) is not None
