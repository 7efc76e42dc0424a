"""The cipher suites of TLS 1.3: each is an AEAD and a hash, and nothing else (RFC 8446 §B.4)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from lepton_lab.errors import InvalidParameter

AEAD = AESGCM | AESCCM | ChaCha20Poly1305


@dataclass(frozen=True)
class CipherSuite:
    """TLS_AEAD_HASH. Lengths are in bytes; `hash` is the name that hashlib uses."""

    name: str
    code: int
    aead: str
    key_length: int
    hash: str
    hash_length: int
    tag_length: int = 16
    iv_length: int = 12

    def cipher(self, write_key: bytes) -> AEAD:
        """Return the AEAD under a key of `key_length` bytes."""
        if self.aead == "ChaCha20-Poly1305":
            return ChaCha20Poly1305(write_key)
        if self.aead == "AES-GCM":
            return AESGCM(write_key)
        return AESCCM(write_key, self.tag_length)


SUITES = {
    suite.code: suite
    for suite in (
        CipherSuite("TLS_AES_128_GCM_SHA256", 0x1301, "AES-GCM", 16, "sha256", 32),
        CipherSuite("TLS_AES_256_GCM_SHA384", 0x1302, "AES-GCM", 32, "sha384", 48),
        CipherSuite("TLS_CHACHA20_POLY1305_SHA256", 0x1303, "ChaCha20-Poly1305", 32, "sha256", 32),
        CipherSuite("TLS_AES_128_CCM_SHA256", 0x1304, "AES-CCM", 16, "sha256", 32),
        CipherSuite("TLS_AES_128_CCM_8_SHA256", 0x1305, "AES-CCM", 16, "sha256", 32, tag_length=8),
    )
}
SUITE_NAMES = {suite.code: suite.name for suite in SUITES.values()}


def suite_named(name: str) -> CipherSuite:
    """Return the suite of that name. Raises InvalidParameter for any other."""
    for suite in SUITES.values():
        if suite.name == name:
            return suite
    known = ", ".join(SUITE_NAMES.values())
    raise InvalidParameter(f"TLS 1.3 has no suite called {name!r}; choose one of {known}")
