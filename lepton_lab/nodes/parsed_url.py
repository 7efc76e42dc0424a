"""A node's URL in its parts: split as a whole, or refused without being repeated."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote_to_bytes, urlsplit

from lepton_lab.errors import InvalidParameter

YES = ("yes", "true", "1")
NO = ("no", "false", "0")

# Options that tell two places on one server apart, and so belong to a node's name, with their
# defaults.
_NAMING_OPTIONS = {"prefix": "lep:", "collection": ""}
SCHEMES = (
    "dir://, redis://, rediss://, unix://, redis+cluster://, rediss+cluster://, mongodb://, "
    "mongodb+srv://, fsspec+…://"
)
# Hosts as every scheme writes them: a name or [IPv6], a port, several of them divided by commas.
_HOSTS = re.compile(r"(?:(?:\[[0-9a-fA-F:.]+\]|[^\s:\[\]@/,]+)(?::[0-9]*)?(?:,|$))*")
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")


@dataclass(frozen=True)
class Url:
    """A URL in its parts.

    `shown` is the form for names and errors and contains neither user nor password.
    """

    scheme: str
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    hosts: str
    path: str
    options: dict[str, str] = field(repr=False)

    @property
    def shown(self) -> str:
        """The URL without its account, and of its options only those that tell two places apart."""
        naming = []
        for name, default in _NAMING_OPTIONS.items():
            value = self.options.get(name, default)
            if value != default:
                naming.append(f"{name}={value}")
        query = "?" + "&".join(naming) if naming else ""
        return f"{self.scheme}://{self.hosts}{self.path}{query}"

    def refuse(self, why: str) -> InvalidParameter:
        """Return the error to raise for this URL."""
        return InvalidParameter(f"{self.shown}: {why}")


def parse_url(text: str) -> Url:
    """Split a URL into its parts (RFC 3986, section 3).

    Raises InvalidParameter if any character could belong to two parts: then a piece of a password
    might be taken for a host or a path and be printed. These errors therefore repeat nothing of the
    URL.
    """
    if not isinstance(text, str):
        raise InvalidParameter(f"a URL is a str, not {type(text).__name__}")
    if "://" not in text:
        raise InvalidParameter(f"a node's URL begins with none of {SCHEMES}")
    if not text.isprintable() or " " in text:
        # urlsplit would drop line breaks without a word.
        raise InvalidParameter("a URL has a space or an unprintable character: percent-encode it")
    if _BAD_PERCENT.search(text):
        raise InvalidParameter(
            "a URL has a % that two hexadecimal digits do not follow: write %25 for it"
        )
    if "#" in text:
        raise InvalidParameter("a node's URL has no fragment: write %23 for #")
    try:
        parts: SplitResult = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise InvalidParameter("a URL is malformed") from None
    account, at, hosts = parts.netloc.rpartition("@")
    if "@" in account or "@" in parts.path or "@" in parts.query:
        # A / or ? in a password ends the account early, and what follows would be read as a path or
        # an option.
        raise InvalidParameter(
            "a URL has an @ behind its account; in a password write %40 for @, %2F for / and %3F "
            "for ?, and in a path %40 for @"
        )
    if not _HOSTS.fullmatch(hosts):
        # user:password without an @ behind it looks like a host with a port.
        raise InvalidParameter(
            "a server is a host, and a port from 1 to 65535 behind a colon; an account ends in @"
        )
    user, colon, password = account.partition(":")
    if at and not account:
        raise InvalidParameter("a URL has an @ without an account before it")
    options: dict[str, str] = {}
    for name, value in pairs:
        if name in options:
            raise InvalidParameter("a URL gives one option twice")
        options[name] = value
    _require_text(parts.path, parts.query)
    return Url(
        scheme=parts.scheme,
        user=decoded(user) or None,
        password=decoded(password) if colon else None,
        hosts=hosts,
        path=parts.path,
        options=options,
    )


def decoded(text: str) -> str:
    """Decode percent-encoded UTF-8.

    Raises InvalidParameter for other bytes and for NUL, without repeating them.
    """
    try:
        plain = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise InvalidParameter("a URL has percent-encoded bytes that are not UTF-8") from None
    if "\0" in plain:
        raise InvalidParameter("a URL has a NUL character (%00)")
    return plain


def _require_text(*parts: str) -> None:
    """Raise InvalidParameter if any part of a URL is not the percent-encoded form of a text."""
    for part in parts:
        decoded(part)
