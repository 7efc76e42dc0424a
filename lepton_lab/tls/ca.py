"""A certificate authority for the lab: one key, short lives, and names that can never be anybody else's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lepton_lab.errors import CertificateError, InvalidKey, InvalidParameter
from lepton_lab.files import write_atomically
from lepton_lab.tls.names import (
    UNREADABLE,
    GeneralName,
    constraints,
    general_name,
    label,
    listed,
    names_of,
    require_permitted,
)

# Names and networks that no registry will ever hand to anyone (RFC 2606, 6761, 6762, 8375; .internal by ICANN, 2024).
# Should the authority's key leak, it can forge nothing outside them.
PERMITTED = (
    *("localhost", "test", "example", "invalid", "local", "internal", "home.arpa"),
    *("example.com", "example.net", "example.org", "127.0.0.0/8", "::1/128"),
)
LONGEST_LIFE = 3650  # days
Period = tuple[datetime, datetime]
_CLOCKS_DIFFER = timedelta(minutes=5)


class IdentityFiles(NamedTuple):
    """Where `Identity.save` put things: what OpenSSL, Redis and others are given by path."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True)
class Identity:
    """A certificate, the chain from it up to its authority, and the private key that it speaks for."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The host names and addresses it is for or, without any, its client's plain name."""
        return names_of(self.certificate)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone: the peer has the authority already (RFC 8446 §4.4.2)."""
        return self.certificate.public_bytes(Encoding.PEM)

    def save(self, folder: str | os.PathLike[str]) -> IdentityFiles:
        """Write certificate.pem, key.pem and authority.pem, each 0600, into `folder`, made 0700 if it is not there.

        The key is not encrypted, because servers that start alone must read it. Raises OSError when the folder refuses.
        """
        home = Path(folder)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = IdentityFiles(home / "certificate.pem", home / "key.pem", home / "authority.pem")
        write_atomically(files.certificate, self.certificate_pem)
        write_atomically(files.key, _key_pem(self.private_key))
        write_atomically(files.authority, self.chain[-1].public_bytes(Encoding.PEM))
        return files


class LabCA:
    """A self-signed ECDSA P-256 authority, whose certificates are trusted only where it is named (RFC 5280).

    Being certified by it says who a peer is, not what that peer may do. Its name constraints stand in the trust anchor
    itself: OpenSSL honours them there, other verifiers may not (to RFC 5280 §6.1 an anchor is no part of the path), so
    `issue` keeps to them as well. Make one with `create` or `load`.
    """

    def __init__(
        self, certificate: x509.Certificate, private_key: ec.EllipticCurvePrivateKey
    ) -> None:
        self.certificate, self._key = certificate, private_key
        self._constraints = certificate.extensions.get_extension_for_class(
            x509.NameConstraints
        ).value
        self._key_identifier = certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        ).value

    @classmethod
    def create(
        cls,
        name: str = "lepton_lab authority",
        *,
        permitted: Iterable[str] = PERMITTED,
        days: float = 90,
    ) -> LabCA:
        """A new authority.

        name: 1 to 64 printable characters, for people to read. permitted: the domains, with all that lies in them, and
        the networks (127.0.0.0/8) that it may certify, at least one of each. days: its life, up to 3650. Raises
        InvalidName, InvalidParameter.
        """
        if _checked(days) <= 0:
            raise InvalidParameter("an authority lives for more than 0 days")
        key, subject = ec.generate_private_key(ec.SECP256R1()), _subject(label(name))
        builder = (
            _builder(subject, subject, key.public_key(), _period(days, None))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(constraints(permitted), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LabCA:
        """The authority that `save` put there. Raises InvalidKey when the file holds none, OSError without a file."""
        data = Path(path).read_bytes()
        with suppress(*UNREADABLE):
            certificate, key = (
                x509.load_pem_x509_certificate(data),
                load_pem_private_key(data, None),
            )
            if (
                isinstance(key, ec.EllipticCurvePrivateKey)
                and key.public_key() == certificate.public_key()
            ):
                return cls(certificate, key)
        raise InvalidKey(
            "this file is not an authority with name constraints and its own private key, in PEM"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write certificate and private key, in PEM, to one file that only its owner can read (0600).

        Whoever reads that file can be any server of this lab. Raises OSError when the file cannot be written.
        """
        write_atomically(Path(path), self.certificate_pem + _key_pem(self._key))

    @property
    def certificate_pem(self) -> bytes:
        """What others need in order to trust this authority; nothing in it is secret."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        name: str,
        *,
        client: bool = False,
        server: bool | None = None,
        also: Iterable[str] = (),
        days: float = 7,
        starts: datetime | None = None,
    ) -> Identity:
        """A new key and a certificate for it: a server's or, with client=True, a client's; with both True, a node's.

        name, also: host names and addresses, each within what the authority may certify. A client may instead have a
        plain name without dots ('alice'): it stands in the subject, where no check of host names looks. server: by
        default whatever `client` is not. days: its life, counted from `starts` (an aware datetime, by default now); 0
        or less makes a certificate that ended that long ago, to see it refused. Raises InvalidName; InvalidParameter,
        also for a life beyond the authority's own; CertificateError when the authority itself has ended.
        """
        server = not client if server is None else server
        if not (client or server):
            raise InvalidParameter("a certificate is a client's, a server's, or both")
        plain, others = not server and _is_plain(name), listed(also)
        if plain and others:  # a certificate that names hosts is known by them alone
            raise InvalidParameter("a client's plain name stands alone")
        hosts = [] if plain else [self._permitted(each) for each in [name, *others]]
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(label(name) if plain else _host_label(hosts[0]))
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            self._key_identifier
        )
        builder = (
            _builder(
                subject,
                self.certificate.subject,
                key.public_key(),
                self._within_life(_period(days, starts)),
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_purposes(client, server)), critical=False)
            .add_extension(authority_key, critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Identity(certificate, (certificate, self.certificate), key)

    def _permitted(self, name: str) -> GeneralName:
        host = general_name(name)
        require_permitted(host, self._constraints)
        return host

    def _within_life(self, period: Period) -> Period:
        end = self.certificate.not_valid_after_utc
        if end < _now():
            raise CertificateError(
                f"this authority ended on {end:%Y-%m-%d %H:%M} UTC: create a new one"
            )
        if end < period[1]:
            raise InvalidParameter(
                f"this authority itself ends on {end:%Y-%m-%d %H:%M} UTC: ask for fewer days"
            )
        return period


def _now() -> datetime:
    return datetime.now(UTC)


def _checked(days: float) -> float:
    if (
        isinstance(days, bool)
        or not isinstance(days, int | float)
        or not -LONGEST_LIFE <= days <= LONGEST_LIFE
    ):
        raise InvalidParameter(f"days is a number, at most {LONGEST_LIFE}")
    return days


def _period(days: float, starts: datetime | None) -> Period:
    if starts is None and _checked(days) <= 0:
        end = _now() + timedelta(days=days) - timedelta(seconds=1)
        return end - timedelta(days=1), end
    begin = _now() if starts is None else starts
    if (
        not isinstance(begin, datetime)
        or begin.tzinfo is None
        or abs(begin - _now()) > timedelta(days=LONGEST_LIFE)
    ):
        raise InvalidParameter(
            f"starts is a datetime with a time zone, within {LONGEST_LIFE} days of now"
        )
    if _checked(days) <= 0:
        raise InvalidParameter("a certificate that starts lives for more than 0 days")
    return begin - (_CLOCKS_DIFFER if starts is None else timedelta()), begin + timedelta(days=days)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, period: Period
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=period[0],
        not_valid_after=period[1],
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _is_plain(name: str) -> bool:
    return isinstance(name, str) and "." not in name and ":" not in name


def _host_label(host: GeneralName) -> str:
    # Some verifiers take a common name that looks like a host name, as 127.0.0.1 does, and hold it to the constraints.
    if isinstance(host, x509.IPAddress):
        return f"address {host.value}"
    return host.value if len(host.value) <= 64 else host.value.partition(".")[0]


def _purposes(client: bool, server: bool) -> list[x509.ObjectIdentifier]:
    wanted = {ExtendedKeyUsageOID.SERVER_AUTH: server, ExtendedKeyUsageOID.CLIENT_AUTH: client}
    return [purpose for purpose, is_wanted in wanted.items() if is_wanted]


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
