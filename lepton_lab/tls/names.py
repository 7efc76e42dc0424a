"""The names a certificate carries: hosts and addresses, how they are written, and which an authority may certify."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from lepton_lab.errors import InvalidName, InvalidParameter

GeneralName = x509.DNSName | x509.IPAddress

# What cryptography.x509 raises, now or when a field is looked at, for a certificate that it cannot read.
UNREADABLE = (
    *(ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion),
    *(x509.DuplicateExtension, x509.ExtensionNotFound, x509.UnsupportedGeneralNameType),
)

# RFC 1123 §2.1: letters, digits and inner hyphens. The last label is never all digits: it would be half an address.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*(?!\d+\Z){_LABEL}", re.ASCII)


def general_name(name: str) -> GeneralName:
    """An address as an iPAddress, any other name as a dNSName in lower case (RFC 5280 §4.2.1.6).

    Raises InvalidName for what is neither: no wildcards, no underscores, names beyond ASCII in their xn-- form.
    """
    if not isinstance(name, str):
        raise InvalidName(f"a name is a str, not {type(name).__name__}")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        host = name.lower()
        if len(host) > 253 or not _HOST.fullmatch(host):
            raise InvalidName(f"{name[:80]!r} is neither a host name nor an address") from None
        return x509.DNSName(host)
    if "%" in name:
        raise InvalidName(f"{name[:80]!r} names an interface of one machine; a certificate cannot")
    return x509.IPAddress(address)


def label(name: str) -> str:
    """A client's plain name, 'alice', for the subject: 1 to 64 printable characters (RFC 5280, ub-common-name).

    Raises InvalidName otherwise.
    """
    if (
        not isinstance(name, str)
        or not 1 <= len(name) <= 64
        or not name.isprintable()
        or name != name.strip()
    ):
        raise InvalidName("a client's name is 1 to 64 printable characters")
    return name


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Whom a certificate names: its dNSNames and iPAddresses or, without any, the common names of its subject."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return tuple(
            str(each.value)
            for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        )
    return tuple(str(each.value) for each in names if isinstance(each, GeneralName))


def listed(names: Iterable[str]) -> list[str]:
    """Names as a list. Raises InvalidParameter for a single str, whose letters would be taken for names."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InvalidParameter("a list of names is needed, not one name")
    return list(names)


def constraints(permitted: Iterable[str]) -> x509.NameConstraints:
    """Name constraints that permit these domains (with all that lies in them) and these networks (RFC 5280 §4.2.1.10).

    Both kinds must be there: a kind that no subtree mentions is not constrained at all, so with domains alone every
    address would be permitted. Raises InvalidParameter when one kind is missing, InvalidName for a malformed name.
    """
    subtrees = [_subtree(each) for each in listed(permitted)]
    if {type(each) for each in subtrees} != {x509.DNSName, x509.IPAddress}:
        raise InvalidParameter(
            "permit at least one domain and one network: what no subtree mentions is not constrained"
        )
    return x509.NameConstraints(permitted_subtrees=subtrees, excluded_subtrees=None)


def require_permitted(name: GeneralName, by: x509.NameConstraints) -> None:
    """Return when a name lies in one of the permitted subtrees; raise InvalidName when it lies in none."""
    subtrees = [each for each in by.permitted_subtrees or () if type(each) is type(name)]
    if not any(_inside(name, each) for each in subtrees):
        permitted = ", ".join(str(each.value) for each in subtrees)
        raise InvalidName(
            f"{name.value} is not for this authority to certify ({permitted}): LabCA.create(permitted=…)"
        )


def _subtree(name: str) -> GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return general_name(name)


def _inside(name: GeneralName, subtree: x509.GeneralName) -> bool:
    if isinstance(name, x509.IPAddress):
        return name.value in subtree.value
    return name.value == subtree.value or name.value.endswith(f".{subtree.value}")
