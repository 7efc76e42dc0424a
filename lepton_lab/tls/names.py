"""The names in a certificate: their syntax, and which of them an authority may certify."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from lepton_lab.errors import InvalidName, InvalidParameter

GeneralName = x509.DNSName | x509.IPAddress

# What cryptography.x509 raises for a certificate that it cannot read. It parses lazily, so the
# error may come when the certificate is loaded or later, when one of its fields is looked at.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)

LONGEST_HOST = 253  # characters (RFC 1035 §2.3.4, without the final dot)
LONGEST_COMMON_NAME = 64  # characters (RFC 5280, ub-common-name)
# In a certificate. OpenSSL takes 100 kB of certificates in a handshake, and LabCA.load
# reads 64 KiB: this many of the longest names fit into both.
MOST_NAMES = 100
_SHOWN = 80  # characters of a refused name that an error repeats

# RFC 1123 §2.1: letters, digits and inner hyphens. The last label must not be all digits, because
# such a name could be read as an address.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*(?!\d+\Z){_LABEL}", re.ASCII)


def general_name(name: str) -> GeneralName:
    """Parse an address as an iPAddress, any other name as a dNSName in lower case.

    RFC 5280 §4.2.1.6. Raises InvalidName for anything else. Wildcards and underscores are refused;
    names beyond ASCII must be given in their xn-- form.
    """
    if not isinstance(name, str):
        raise InvalidName(f"a name is a str, not {type(name).__name__}")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return _dns_name(name)
    if "%" in name:
        # An IPv6 zone ("fe80::1%eth0") has a meaning on one machine only.
        raise InvalidName(
            f"{name[:_SHOWN]!r} names an interface of one machine; leave out its zone"
        )
    return x509.IPAddress(address)


def _dns_name(name: str) -> x509.DNSName:
    host = name.lower()
    if len(host) > LONGEST_HOST or not _HOST.fullmatch(host):
        raise InvalidName(f"{name[:_SHOWN]!r} is neither a host name nor an address") from None
    return x509.DNSName(host)


def client_label(name: str) -> str:
    """Check a client's plain name ('alice') and return it.

    It stands in the certificate's subject, so it is 1 to 64 printable characters without spaces at
    its ends (RFC 5280, ub-common-name). Raises InvalidName otherwise.
    """
    is_text = isinstance(name, str)
    if not is_text or not 1 <= len(name) <= LONGEST_COMMON_NAME:
        raise InvalidName(f"a client's name is 1 to {LONGEST_COMMON_NAME} printable characters")
    if not name.isprintable() or name != name.strip():
        raise InvalidName("a client's name is printable characters, without spaces at its ends")
    return name


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """List whom a certificate names: dNSNames and iPAddresses or, without any, common names."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(each.value) for each in common_names)
    return tuple(str(each.value) for each in names if isinstance(each, GeneralName))


def name_list(names: Iterable[str]) -> list[str]:
    """Return names as a list.

    Raises InvalidParameter for a single str: iterating over it would give one name per letter.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InvalidParameter("a list of names is needed, not one name")
    return list(names)


def certificate_names(names: Iterable[str]) -> list[str]:
    """Return names as a list. Raises InvalidParameter for more than fit into a certificate."""
    found = name_list(names)
    if len(found) > MOST_NAMES:
        raise InvalidParameter(f"a certificate has at most {MOST_NAMES} names")
    return found


def constraints(permitted: Iterable[str]) -> x509.NameConstraints:
    """Make name constraints that permit these domains, with their subdomains, and these networks.

    Both kinds are needed: a kind that no subtree mentions is not constrained at all, so with
    domains alone every address would be permitted (RFC 5280 §4.2.1.10).

    Raises InvalidParameter when one kind is missing or there are more than MOST_NAMES, InvalidName
    for a malformed name.
    """
    subtrees = [_subtree(each) for each in certificate_names(permitted)]
    kinds = {type(each) for each in subtrees}
    if kinds != {x509.DNSName, x509.IPAddress}:
        raise InvalidParameter(
            "permit at least one domain and one network: "
            "a kind that is not mentioned is not constrained"
        )
    return x509.NameConstraints(permitted_subtrees=subtrees, excluded_subtrees=None)


def require_permitted(name: GeneralName, by: x509.NameConstraints) -> None:
    """Raise InvalidName unless a name lies in one of the permitted subtrees."""
    subtrees = [each for each in by.permitted_subtrees or () if type(each) is type(name)]
    if any(_is_inside(name, each) for each in subtrees):
        return
    permitted = ", ".join(str(each.value) for each in subtrees)
    raise InvalidName(
        f"{name.value}: this authority may certify only {permitted}; "
        "create one that may with LabCA.create(permitted=…)"
    )


def _subtree(name: str) -> GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return general_name(name)


def _is_inside(name: GeneralName, subtree: x509.GeneralName) -> bool:
    if isinstance(name, x509.IPAddress):
        return name.value in subtree.value
    # The dot matters: "nottest" is not inside "test".
    return name.value == subtree.value or name.value.endswith(f".{subtree.value}")
