"""X.509 in TLS: what a certificate says, and whether its key signed the transcript.

RFC 8446 §4.4.2 (Certificate) and §4.4.3 (CertificateVerify).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.utils import CryptographyDeprecationWarning

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes
from lepton_lab.textbook.protocols.tls13.code_points import SIGNATURE_SCHEMES, named
from lepton_lab.textbook.protocols.tls13.dissection_errors import MalformedCapture, WrongSignature
from lepton_lab.textbook.trace import Recorder, Trace

HashlessKey = (
    type[ed25519.Ed25519PublicKey]
    | type[ed448.Ed448PublicKey]
    | type[mldsa.MLDSA44PublicKey]
    | type[mldsa.MLDSA65PublicKey]
    | type[mldsa.MLDSA87PublicKey]
)
# Schemes that sign the content itself; which hash they use is part of the scheme.
_WITHOUT_HASH: dict[str, HashlessKey] = {
    "ed25519": ed25519.Ed25519PublicKey,
    "ed448": ed448.Ed448PublicKey,
    "mldsa44": mldsa.MLDSA44PublicKey,
    "mldsa65": mldsa.MLDSA65PublicKey,
    "mldsa87": mldsa.MLDSA87PublicKey,
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# What `cryptography` raises for bytes that are not a certificate, or not one that it can read.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True)
class CertificateSummary:
    """What a certificate says; `der` is the whole certificate."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    public_key: str
    not_before: datetime
    not_after: datetime
    der: bytes = field(repr=False)

    def __str__(self) -> str:
        subject = self.subject or "no subject"
        names = f" for {', '.join(self.names)}" if self.names else ""
        life = f"{self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d}"
        issuer = f"issued by {self.issuer or 'nobody'}"
        return f"{subject}{names}; {self.public_key}; {life}; {issuer}"


def summary_of(der: bytes) -> CertificateSummary:
    """Summarise the certificate in `der`, without judging it.

    Raises MalformedCapture when it cannot be read.
    """
    try:
        with _without_warnings():
            certificate = x509.load_der_x509_certificate(der)
            return CertificateSummary(
                certificate.subject.rfc4514_string(),
                certificate.issuer.rfc4514_string(),
                _alternative_names(certificate),
                _describe_key(certificate.public_key()),
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
                der,
            )
    except _UNREADABLE:
        raise MalformedCapture(
            "certificate", "it is not an X.509 certificate that can be read"
        ) from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence warnings of `cryptography` about old and odd certificates: we only look at them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    kind = x509.SubjectAlternativeName
    try:
        names = certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(getattr(name, "value", name)) for name in names)


def _describe_key(key: CertificatePublicKeyTypes) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    for name, kind in _WITHOUT_HASH.items():
        if isinstance(key, kind):
            return name
    return type(key).__name__


def certificate_verify_content(sender: str, transcript_hash: bytes) -> Trace[bytes]:
    """Compute what a CertificateVerify signs: 64 spaces ‖ a context string ‖ 0 ‖ Transcript-Hash.

    The spaces separate it from everything that earlier versions of TLS signed; the context string
    separates the server's signatures from the client's (§4.4.3).

    sender: "server" or "client". Raises InvalidParameter.
    """
    if sender not in ("server", "client"):
        raise InvalidParameter(f'sender is "server" or "client", not {sender!r}')
    seen = Recorder()
    spaces = seen("64 spaces", b" " * 64)
    context = seen("context string", f"TLS 1.3, {sender} CertificateVerify".encode())
    hashed = seen("Transcript-Hash", as_bytes("transcript_hash", transcript_hash))
    return seen.trace(seen("content covered by the signature", spaces + context + b"\0" + hashed))


def check_signature(
    sender: str, der: bytes, scheme: int, signature: bytes, transcript_hash: bytes
) -> Trace[str]:
    """Verify that the key in the certificate `der` signed the transcript; the result is the scheme.

    Raises WrongSignature, also when the scheme does not fit the key.
    """
    seen = Recorder()
    scheme_name = named(scheme, SIGNATURE_SCHEMES)
    content = seen.include("", certificate_verify_content(sender, transcript_hash))
    seen("algorithm", scheme_name)
    seen("signature", signature)
    what = f"{sender} CertificateVerify"
    try:
        with _without_warnings():
            key = x509.load_der_x509_certificate(der).public_key()
            _verify(key, scheme_name, signature, content)
    except _SchemeDoesNotFit:
        raise WrongSignature(what, f"{scheme_name} does not fit the certificate's key") from None
    except (InvalidSignature, *_UNREADABLE):
        why = "it is not the certificate's signature of the transcript"
        raise WrongSignature(what, why) from None
    return seen.trace(scheme_name)


class _SchemeDoesNotFit(Exception):
    """A scheme that is not for this key, or not for TLS 1.3's CertificateVerify."""


def _verify(key: CertificatePublicKeyTypes, scheme: str, signature: bytes, content: bytes) -> None:
    """Raises InvalidSignature, _SchemeDoesNotFit."""
    family, _, hash_name = scheme.rpartition("_")
    digest = _HASHES.get(hash_name)
    if scheme in _WITHOUT_HASH and isinstance(key, _WITHOUT_HASH[scheme]):
        key.verify(signature, content)
        return
    if digest and isinstance(key, rsa.RSAPublicKey) and family in ("rsa_pss_rsae", "rsa_pss_pss"):
        # The salt is as long as the hash (§4.2.3). PKCS #1 v1.5 is not allowed here.
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        key.verify(signature, content, pss, digest)
        return
    if (
        digest
        and isinstance(key, ec.EllipticCurvePublicKey)
        and _curve_of(family) == key.curve.name
    ):
        key.verify(signature, content, ec.ECDSA(digest))
        return
    raise _SchemeDoesNotFit


def _curve_of(family: str) -> str:
    """The curve in "ecdsa_secp256r1" or "ecdsa_brainpoolP256r1tls13": the scheme fixes it."""
    return family.removeprefix("ecdsa_").removesuffix("tls13")
