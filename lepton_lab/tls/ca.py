"""A certificate authority for the lab: one key, short lives, only names that no site owns."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
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
    LONGEST_COMMON_NAME,
    UNREADABLE,
    GeneralName,
    certificate_names,
    client_label,
    constraints,
    general_name,
    name_list,
    names_of,
    require_permitted,
)

# Domains and networks that no registry will ever give to anyone (RFC 2606, 6761, 6762, 8375; ICANN
# reserved .internal in 2024). A leaked authority key can forge nothing outside them.
PERMITTED = (
    "localhost",
    "test",
    "example",
    "invalid",
    "local",
    "internal",
    "home.arpa",
    "example.com",
    "example.net",
    "example.org",
    "127.0.0.0/8",
    "::1/128",
)
LONGEST_LIFE = 3650  # days
LifePeriod = tuple[datetime, datetime]  # not valid before, not valid after
# A certificate is valid from a little before it was made, because clocks of machines differ.
_CLOCKS_DIFFER = timedelta(minutes=5)
LONGEST_PEM = 2**16  # bytes of a file with an authority in it
# Base64 holds no hyphen, so every byte of a file is looked at once.
_PRIVATE_KEY_BLOCK = re.compile(
    rb"-----BEGIN (?:EC )?PRIVATE KEY-----[^-]*-----END (?:EC )?PRIVATE KEY-----"
)


class IdentityFiles(NamedTuple):
    """The paths that `Identity.save` wrote, for programs that want paths, as Redis does."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True)
class Identity:
    """A certificate, its private key, and the chain from the certificate up to its authority."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The certificate's host names and addresses or, without any, the client's plain name."""
        return names_of(self.certificate)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone, in PEM. The peer already has the authority's (RFC 8446 §4.4.2)."""
        return self.certificate.public_bytes(Encoding.PEM)

    def save(self, folder: str | os.PathLike[str]) -> IdentityFiles:
        """Write certificate.pem, key.pem and authority.pem into `folder`, each with mode 0600.

        The folder is made with mode 0700 if it does not exist. The key is not encrypted, because
        servers that start unattended must read it. Raises OSError when the folder refuses,
        InvalidParameter for a path that cannot be one.
        """
        home = checked_path(folder)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = IdentityFiles(home / "certificate.pem", home / "key.pem", home / "authority.pem")
        write_atomically(files.certificate, self.certificate_pem)
        write_atomically(files.key, _key_pem(self.private_key))
        write_atomically(files.authority, self.chain[-1].public_bytes(Encoding.PEM))
        return files


class LabCA:
    """A self-signed ECDSA P-256 authority, trusted only where it is named (RFC 5280).

    Make one with `create` or `load`. A certificate from it says who a peer is, not what that peer
    may do.

    The authority's name constraints stand in its own certificate, the trust anchor. OpenSSL
    honours them there, but other verifiers may not, because RFC 5280 §6.1 does not count the
    anchor as part of the path. So `issue` enforces them as well.
    """

    def __init__(
        self, certificate: x509.Certificate, private_key: ec.EllipticCurvePrivateKey
    ) -> None:
        extensions = certificate.extensions
        self.certificate = certificate
        self._key = private_key
        self._constraints = extensions.get_extension_for_class(x509.NameConstraints).value
        self._key_identifier = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value

    @classmethod
    def create(
        cls,
        name: str = "lepton_lab authority",
        *,
        permitted: Iterable[str] = PERMITTED,
        days: float = 90,
    ) -> LabCA:
        """Create an authority with a new key.

        name: 1 to 64 printable characters, for people to read. permitted: the domains, with their
        subdomains, and the networks ("127.0.0.0/8") that it may certify; at least one of each, at
        most 100.
        days: its life, up to 3650. Raises InvalidName, InvalidParameter.
        """
        if _checked_days(days) <= 0:
            raise InvalidParameter("an authority lives for more than 0 days")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(client_label(name))
        builder = _builder(subject, subject, key.public_key(), _life_period(days, None))
        # path_length=0: the authority certifies peers, never another authority.
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(is_authority=True), critical=True)
            .add_extension(constraints(permitted), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LabCA:
        """Read an authority that `save` wrote, or a certificate and its key in any order, in PEM.

        On systems with file modes, the file must be readable by its owner alone. Other blocks in
        the file (parameters, other certificates) are skipped.

        Raises InvalidKey when other users can read the file, or it does not hold an authority;
        InvalidParameter for a path that cannot be one; OSError when the file cannot be read.
        """
        data = _private_bytes(checked_path(path))
        for certificate, key in product(_certificates_in(data), _private_keys_in(data)):
            with suppress(*UNREADABLE):
                if key.public_key() == certificate.public_key():
                    return cls(certificate, key)
        raise InvalidKey(
            "this file is not an authority with name constraints and its own private key, in PEM"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write certificate and private key to one PEM file that only its owner can read (0600).

        Anyone who reads that file can pose as any server of this lab. Raises OSError when the file
        cannot be written, InvalidParameter for a path that cannot be one.
        """
        write_atomically(checked_path(path), self.certificate_pem + _key_pem(self._key))

    @property
    def certificate_pem(self) -> bytes:
        """The authority's certificate in PEM: what others need to trust it. It is not secret."""
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
        """Issue a certificate for a new key: for a server or, with client=True, for a client.

        With client=True and server=True it is for both, as a node needs that connects to others.
        By default `server` is the opposite of `client`.

        name, also: host names and addresses, at most 100, each within what the authority may
        certify. A client may instead have a plain name without dots ('alice'), which stands in the
        subject, where no check of host names looks.

        days: the certificate's life, counted from `starts` (an aware datetime, by default now). 0
        or less makes a certificate that ended that many days ago, to see it refused.

        Raises InvalidName; InvalidParameter, also for a life beyond the authority's own;
        CertificateError when the authority itself has expired.
        """
        is_server = not client if server is None else server
        if not (client or is_server):
            raise InvalidParameter("a certificate is a client's, a server's, or both")
        names = certificate_names([name, *name_list(also)])
        is_plain = not is_server and _is_plain_name(name)
        # The names of a certificate with host names are those alone, so a plain name beside them
        # would be ignored without a word.
        if is_plain and len(names) > 1:
            raise InvalidParameter("a client's plain name stands alone: leave out `also`")
        hosts = [] if is_plain else [self._permitted(each) for each in names]
        period = self._within_own_life(_life_period(days, starts))

        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(client_label(name) if is_plain else _host_label(hosts[0]))
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            self._key_identifier
        )
        builder = _builder(subject, self.certificate.subject, key.public_key(), period)
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_purposes(client, is_server)), critical=False)
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

    def _within_own_life(self, period: LifePeriod) -> LifePeriod:
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


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Return a path as a Path. Raises InvalidParameter for what cannot be one."""
    if not isinstance(path, str | os.PathLike):
        raise InvalidParameter(f"a path is a str or a Path, not {type(path).__name__}")
    if "\0" in os.fsdecode(path):
        raise InvalidParameter("a path has no NUL character in it")
    return Path(os.fsdecode(path))


def _private_bytes(path: Path) -> bytes:
    """Read a file that holds a private key. Raises InvalidKey when others can read it, OSError."""
    # A FIFO in the file's place must not block us, hence O_NONBLOCK. Windows has neither, but would
    # translate line ends without O_BINARY.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LONGEST_PEM:
            raise InvalidKey(f"{path} is not a file of at most {LONGEST_PEM} bytes")
        # Windows has access lists in place of modes; st_mode says nothing there.
        if os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidKey(
                f"other users can read or change {path}, which holds a private key: chmod 600 it"
            )
        return file.read(LONGEST_PEM)


def _certificates_in(data: bytes) -> list[x509.Certificate]:
    with suppress(*UNREADABLE):
        return x509.load_pem_x509_certificates(data)
    return []


def _private_keys_in(data: bytes) -> list[ec.EllipticCurvePrivateKey]:
    """The EC private keys in a PEM file; blocks of other kinds and broken ones are skipped."""
    keys = []
    for block in _PRIVATE_KEY_BLOCK.findall(data):
        with suppress(*UNREADABLE):
            key = load_pem_private_key(block, None)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                keys.append(key)
    return keys


def _now() -> datetime:
    return datetime.now(UTC)


def _checked_days(days: float) -> float:
    is_number = isinstance(days, int | float) and not isinstance(days, bool)
    # NaN fails the comparison too.
    if not is_number or not -LONGEST_LIFE <= days <= LONGEST_LIFE:
        raise InvalidParameter(f"days is a number, at most {LONGEST_LIFE}")
    return days


def _life_period(days: float, starts: datetime | None) -> LifePeriod:
    """The two ends of a certificate's life. Raises InvalidParameter."""
    _checked_days(days)
    if starts is None and days <= 0:
        # One second earlier, because certificates count in whole seconds and days may be 0.
        end = _now() + timedelta(days=days) - timedelta(seconds=1)
        return end - timedelta(days=1), end
    if starts is None:
        begin = _now()
        return begin - _CLOCKS_DIFFER, begin + timedelta(days=days)
    is_aware = isinstance(starts, datetime) and starts.tzinfo is not None
    if not is_aware or abs(starts - _now()) > timedelta(days=LONGEST_LIFE):
        raise InvalidParameter(
            f"starts is a datetime with a time zone, within {LONGEST_LIFE} days of now"
        )
    if days <= 0:
        raise InvalidParameter("a certificate with a start lives for more than 0 days")
    return starts, starts + timedelta(days=days)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, period: LifePeriod
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=period[0],
        not_valid_after=period[1],
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return builder.add_extension(identifier, critical=False)


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _is_plain_name(name: str) -> bool:
    return isinstance(name, str) and "." not in name and ":" not in name


def _host_label(host: GeneralName) -> str:
    """A common name for a host, for people to read; verifiers look at the alternative names."""
    if isinstance(host, x509.IPAddress):
        # Some verifiers take a common name that looks like a host name, as 127.0.0.1 does, and
        # apply the DNS constraints to it. The word in front prevents that.
        return f"address {host.value}"
    if len(host.value) > LONGEST_COMMON_NAME:
        return host.value.partition(".")[0]
    return host.value


def _purposes(client: bool, server: bool) -> list[x509.ObjectIdentifier]:
    wanted = {ExtendedKeyUsageOID.SERVER_AUTH: server, ExtendedKeyUsageOID.CLIENT_AUTH: client}
    return [purpose for purpose, is_wanted in wanted.items() if is_wanted]


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
