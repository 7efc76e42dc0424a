"""URLs of nodes in their parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from lepton_lab.errors import InvalidParameter
from lepton_lab.nodes.servers.access import PREFIX

YES, NO = ("yes", "true", "1"), ("no", "false", "0")
_NAMING = {"prefix": PREFIX, "collection": ""}  # options that tell two places on one server apart


@dataclass(frozen=True)
class Url:
    """A URL in its parts, of which `shown` has no secret in it."""

    scheme: str
    user: str | None
    password: str | None = field(repr=False)
    hosts: str
    path: str
    options: dict[str, str] = field(repr=False)

    @property
    def shown(self) -> str:
        """What names and errors say."""
        naming = [
            f"{name}={self.options[name]}"
            for name in _NAMING
            if self.options.get(name, _NAMING[name]) != _NAMING[name]
        ]
        return f"{self.scheme}://{self.hosts}{self.path}" + (
            "?" + "&".join(naming) if naming else ""
        )

    def refuse(self, why: str) -> InvalidParameter:
        """The error for a URL that cannot be."""
        return InvalidParameter(f"{self.shown}: {why}")


def parsed(text: str) -> Url:
    """Take a URL apart. Raises InvalidParameter for a malformed one."""
    if not isinstance(text, str):
        raise InvalidParameter(f"a URL is a str, not {type(text).__name__}")
    try:
        parts: SplitResult = urlsplit(text)
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise InvalidParameter("a URL is malformed") from None  # its text may hold a password
    account, _, hosts = parts.netloc.rpartition("@")
    user, colon, password = account.partition(":")
    return Url(
        parts.scheme,
        unquote(user) or None,
        unquote(password) if colon else None,
        hosts,
        parts.path,
        {name: values[-1] for name, values in options.items()},
    )
