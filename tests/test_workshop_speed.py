"""The ciphers that notebooks race are what they say they are; their speed is nobody's claim."""

from __future__ import annotations

import hmac

from lepton_lab.workshop.speed import ciphers, rates


def test_every_cipher_hides_and_never_repeats_itself() -> None:
    overheads = {"AES-GCM (lepton_lab)": 28, "ChaCha20-Poly1305": 28, "AES-CBC + HMAC-SHA256": 16 + 16 + 32}
    works = ciphers()
    assert set(works) == set(overheads)
    for name, seal in works.items():
        message = b"sixteen octets.." * 4
        one, two = seal(message), seal(message)
        assert one != two
        assert message[:16] not in one
        assert len(one) == len(message) + overheads[name]


def test_cbc_is_authenticated_after_it_was_encrypted() -> None:
    sealed = ciphers()["AES-CBC + HMAC-SHA256"](b"message")
    assert len(sealed[:-32]) % 16 == 0
    assert len(sealed[-32:]) == len(hmac.digest(b"key", b"", "sha256"))


def test_rates_are_found_for_every_size() -> None:
    asked: list[int] = []
    found = rates({"nothing": lambda message: asked.append(len(message)) or b""}, [16, 64], rounds=2)
    assert set(asked) == {16, 64}
    assert len(found["nothing"]) == 2
    assert all(rate > 0 for rate in found["nothing"])
