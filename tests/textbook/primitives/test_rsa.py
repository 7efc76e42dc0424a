"""Tests lepton_lab.textbook.primitives.rsa: published OAEP and PSS vectors, peers, the helper."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from Crypto.Cipher import PKCS1_OAEP
from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pss
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import rsa
from lepton_lab.errors import (
    DecryptionError,
    InvalidKey,
    InvalidParameter,
    InvalidSignature,
    MessageTooLarge,
)
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.rsa_laboratories import PKCS, RSA_LABS, groups, labelled
from tests.support.textbook_keys import (
    deterministic,
    from_cryptography,
    helper_rsa_key,
    weak_rsa_key,
)
from tests.support.vectors import wycheproof


def key(bits: int = 1024) -> tb_rsa.PrivateKey:
    return weak_rsa_key(bits, 65537)


def other_key() -> tb_rsa.PrivateKey:
    return weak_rsa_key(1024, 65537, which=1)


def to_pycryptodome(private: tb_rsa.PrivateKey) -> RSA.RsaKey:
    return RSA.construct((private.n, private.e, private.d, private.p, private.q))


# published vectors ------------------------------------------------------------------------------


def test_all_oaep_vectors_encrypt_and_decrypt() -> None:
    checked = 0
    for private, cases in groups(PKCS / "oaep-vect.txt", "Encryption"):
        for case in cases:
            message = case["Message"]
            seed = case["Seed"]
            ciphertext = case["Encryption"]
            trace = tb_rsa.RSAES_OAEP_ENCRYPT(private.public, message, seed=seed, hash_name="sha1")
            assert trace.result == trace["C"] == ciphertext
            opened = tb_rsa.RSAES_OAEP_DECRYPT(private, ciphertext, hash_name="sha1")
            assert opened.result == message
            checked += 1
    assert checked == 60


def test_all_pss_vectors_sign_and_verify() -> None:
    checked = 0
    for private, cases in groups(PKCS / "pss-vect.txt", "Signature"):
        for case in cases:
            message = case["Message to be signed"]
            salt = case["Salt"]
            signature = case["Signature"]
            trace = tb_rsa.RSASSA_PSS_SIGN(private, message, salt=salt, hash_name="sha1")
            assert trace.result == trace["S"] == signature
            verified = tb_rsa.RSASSA_PSS_VERIFY(
                private.public, message, signature, sLen=20, hash_name="sha1"
            )
            assert (verified.result, verified["salt"]) == ("consistent", salt)
            checked += 1
    assert checked == 60


def test_the_intermediate_values_of_oaep_and_of_crt_decryption() -> None:
    values = dict(labelled(PKCS / "oaep-int.txt"))
    numbers = {name: int.from_bytes(value, "big") for name, value in values.items()}
    private = tb_rsa.PrivateKey(
        numbers["Modulus"], 17, numbers["Private exponent"], numbers["Prime 1"], numbers["Prime 2"]
    )
    assert private.crt == (
        numbers["Prime exponent 1"],
        numbers["Prime exponent 2"],
        numbers["Coefficient"],
    )
    message = values["Message to be encrypted"]
    seed = values["seed"]
    trace = tb_rsa.RSAES_OAEP_ENCRYPT(private.public, message, seed=seed, hash_name="sha1")
    assert trace["lHash"] == values["pHash = Hash(encoding parameters)"]
    assert trace["DB"] == values["DB = pHash || Padding || M"]
    assert trace["dbMask"] == values["dbMask = MGF(seed, length(DB))"]
    assert trace["maskedDB"] == values["maskedDB = DB xor dbMask"]
    assert trace["seedMask"] == values["seedMask = MGF(maskedDB, length(seed))"]
    assert trace["maskedSeed"] == values["maskedSeed = seed xor seedMask"]
    assert trace["EM"] == b"\0" + values["EM = maskedSeed || maskedDB"]
    assert trace.result == values["Ciphertext, the RSA encryption of EM"]
    trace = tb_rsa.RSAES_OAEP_DECRYPT(private, values["c, the ciphertext"], hash_name="sha1")
    assert trace["m_1"] == numbers["m1 = c^dP mod p = (c mod p)^dP mod p"]
    assert trace["m_2"] == numbers["m2 = = c^dQ mod q = (c mod q)^dQ mod q"]
    assert trace["h"] == numbers["h = (m1-m2)*qInv mod p"]
    assert trace["m"] == numbers["m = m2 + q*h (= EM)"]
    assert trace["seed"] == seed
    assert trace.result == message


def test_the_intermediate_values_of_pss() -> None:
    values = dict(labelled(PKCS / "pss-int.txt"))
    names = ("Modulus", "Public exponent", "Exponent", "Prime 1", "Prime 2")
    private = tb_rsa.PrivateKey(*(int.from_bytes(values[name], "big") for name in names))
    message = values["Message to be signed"]
    trace = tb_rsa.RSASSA_PSS_SIGN(private, message, salt=values["salt"], hash_name="sha1")
    assert trace["mHash"] == values["Message hash"]
    assert trace["M'"] == values["inBlock = 00 00 00 00 00 00 00 00 || messageHash || salt"]
    assert trace["H"] == values["hash = Hash(inBlock)"]
    assert trace["DB"] == values["DB = 00...00 01 || salt"]
    assert trace["dbMask"] == values["dbMask = MGF(hash, outputLen - digestLen - 1)"]
    assert trace["maskedDB"] == values["maskedDB = dbMask  xor DB"]
    assert trace["EM"] == values["EM = maskedDB || hash || bc"]
    assert trace.result == values["Signature, the RSA decryption of EM"]


def test_the_sha_256_oaep_vectors_of_cryptography_decrypt() -> None:
    path = RSA_LABS / "oaep-custom" / "oaep-sha256-sha256.txt"
    private, cases = next(groups(path, "Encryption"))
    assert len(cases) > 5
    for case in cases[:20]:
        assert tb_rsa.RSAES_OAEP_DECRYPT(private, case["Encryption"]).result == case["Message"]


def test_wycheproofs_oaep_cases_are_taken_or_refused_as_it_says() -> None:
    cases = wycheproof("Cipher", "rsa_oaep_2048_sha256_mgf1sha256")
    (pem,) = {case["privateKeyPem"] for case in cases}
    private = from_cryptography(rsa.from_pem(pem.encode()))  # type: ignore[arg-type]
    for case in cases:
        ciphertext = bytes.fromhex(case["ct"])
        label = bytes.fromhex(case["label"])
        if case["result"] == "invalid":
            with pytest.raises(DecryptionError):
                tb_rsa.RSAES_OAEP_DECRYPT(private, ciphertext, label)
        else:
            opened = tb_rsa.RSAES_OAEP_DECRYPT(private, ciphertext, label)
            assert opened.result == bytes.fromhex(case["msg"])
    assert {case["result"] for case in cases} >= {"valid", "invalid"}


# peers and the helper ---------------------------------------------------------------------------


@given(st.binary(max_size=62), st.binary(max_size=20))
@settings(max_examples=15)
def test_oaep_is_understood_both_ways_by_pycryptodome(message: bytes, label: bytes) -> None:
    private = key()
    peer = PKCS1_OAEP.new(to_pycryptodome(private), SHA256, label=label)
    seed = secrets.token_bytes(32)
    sealed = tb_rsa.RSAES_OAEP_ENCRYPT(private.public, message, label, seed=seed)
    assert peer.decrypt(sealed.result) == message
    assert tb_rsa.RSAES_OAEP_DECRYPT(private, peer.encrypt(message), label).result == message


# with 1025 bits EM is a byte shorter than the modulus
@pytest.mark.parametrize("bits", [1023, 1024, 1025, 1031])
def test_pss_is_understood_both_ways_by_pycryptodome(bits: int) -> None:
    private = key(bits)
    message = b"signed by one, verified by the other"
    peer = pss.new(to_pycryptodome(private), salt_bytes=32)
    signature = tb_rsa.RSASSA_PSS_SIGN(private, message, salt=bytes(range(32))).result
    peer.verify(SHA256.new(message), signature)
    theirs = peer.sign(SHA256.new(message))
    assert tb_rsa.RSASSA_PSS_VERIFY(private.public, message, theirs).result == "consistent"


def test_the_helper_and_the_textbook_decrypt_each_other() -> None:
    private = from_cryptography(helper_rsa_key())
    sealed = rsa.encrypt(helper_rsa_key().public_key(), b"a data key", b"label")
    opened = tb_rsa.RSAES_OAEP_DECRYPT(private, sealed, b"label")
    assert opened.result == b"a data key"
    seed = opened["seed"]
    again = tb_rsa.RSAES_OAEP_ENCRYPT(private.public, b"a data key", b"label", seed=seed)
    assert again.result == sealed  # the textbook replays the helper's seed, byte for byte


def test_the_helper_and_the_textbook_verify_each_other() -> None:
    private = from_cryptography(helper_rsa_key())
    signature = rsa.sign(helper_rsa_key(), b"message")
    verified = tb_rsa.RSASSA_PSS_VERIFY(private.public, b"message", signature)
    assert tb_rsa.RSASSA_PSS_SIGN(private, b"message", salt=verified["salt"]).result == signature
    by_textbook = tb_rsa.RSASSA_PSS_SIGN(private, b"message", salt=bytes(32)).result
    rsa.verify(helper_rsa_key().public_key(), b"message", by_textbook)


# keys and the raw operations --------------------------------------------------------------------


@pytest.mark.parametrize("bits", [16, 17, 64, 257, 512, 1024, 1025])
def test_a_generated_key_has_its_size_and_works_for_every_kind_of_number(bits: int) -> None:
    e = 65537 if bits > 17 else 3
    private = tb_rsa.generate_key(bits, deterministic(b"size"), e).result
    assert private.n.bit_length() == bits
    assert private.n == private.p * private.q
    # the proof's interesting cases: 0, 1, n - 1, and numbers that share a prime with n
    for m in (0, 1, 2, private.n - 1, private.p, private.q, 3 * private.p):
        c = tb_rsa.RSAEP(private.public, m).result
        assert tb_rsa.RSADP(private, c).result == tb_rsa.RSADP(private, c, crt=False).result == m
        assert tb_rsa.RSAVP1(private.public, tb_rsa.RSASP1(private, m).result).result == m


def test_key_generation_replays_and_shows_every_candidate() -> None:
    first = tb_rsa.generate_key(128, deterministic(b"replay"))
    second = tb_rsa.generate_key(128, deterministic(b"replay"))
    assert first == second
    assert len(first.named("prime")) == 2
    assert all(step.note for step in first.named("candidate"))
    assert first["n"] == first.result.n
    assert first.result.e * first["d"] % first["λ(n)"] == 1
    assert first["d"] < first["λ(n)"]


def test_broken_randomness_ends_instead_of_looping() -> None:
    for constant in (bytes, lambda count: b"\xff" * count):
        with pytest.raises(InvalidParameter, match="random bytes"):
            tb_rsa.generate_key(64, constant)
    with pytest.raises(InvalidParameter):
        tb_rsa.generate_key(64, lambda count: b"")
    with pytest.raises(InvalidParameter):
        tb_rsa.generate_key(64, lambda count: "x" * count)  # type: ignore[arg-type,return-value]


def test_the_smallest_textbook_key() -> None:
    trace = tb_rsa.key_from_primes(61, 53, 17)
    assert (trace["n"], trace["λ(n)"], trace["d"]) == (3233, 780, 413)
    assert tb_rsa.RSAEP(trace.result.public, 65).result == 2790
    assert tb_rsa.RSADP(trace.result, 2790).result == 65


@pytest.mark.parametrize(
    ("p", "q", "e", "reason"),
    [
        (15, 53, 17, "not prime"),
        (61, 1, 17, "least 2"),
        (61, 61, 17, "equal"),
        (61, 53, 4, "shares a factor"),
        (61, 53, 3, "shares a factor"),
        (61, 53, 1, "least 3"),
    ],
)
def test_unusable_primes_and_exponents_are_refused(p: int, q: int, e: int, reason: str) -> None:
    with pytest.raises((InvalidKey, InvalidParameter), match=reason):
        tb_rsa.key_from_primes(p, q, e)


def test_keys_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InvalidKey, match="is not n"):
        replace(key(), p=key().p + 2)
    for bad in ((0, 3), (15, 0), ("15", 3), (15, None)):
        with pytest.raises(InvalidParameter):
            tb_rsa.PublicKey(*bad)  # type: ignore[arg-type]


def test_a_private_key_shows_no_secret() -> None:
    shown = repr(key())
    for secret in (key().d, key().p, key().q, *key().crt):
        assert str(secret) not in shown


def test_numbers_out_of_range_are_refused() -> None:
    n = key().n
    for operation in (
        lambda x: tb_rsa.RSAEP(key().public, x),
        lambda x: tb_rsa.RSADP(key(), x),
        lambda x: tb_rsa.RSASP1(key(), x),
        lambda x: tb_rsa.RSAVP1(key().public, x),
    ):
        for x in (-1, n, n + 1, b"1", None):
            with pytest.raises(InvalidParameter):
                operation(x)
    with pytest.raises(InvalidParameter, match="integer too large"):
        tb_rsa.I2OSP(256, 1)
    with pytest.raises(InvalidParameter):
        tb_rsa.I2OSP(-1, 1)
    with pytest.raises(InvalidParameter):
        tb_rsa.OS2IP("12")  # type: ignore[arg-type]


# what must be refused ---------------------------------------------------------------------------


def encrypted(encoded: bytes) -> bytes:
    """An encoded message under the key, whatever is wrong with it."""
    number = int.from_bytes(encoded, "big") % key().n
    return tb_rsa.I2OSP(pow(number, key().e, key().n), 128)


def test_oaep_refuses_every_wrong_thing_with_one_message() -> None:
    private = key()
    sealed = tb_rsa.RSAES_OAEP_ENCRYPT(private.public, b"secret", b"label", seed=bytes(32)).result
    flipped = sealed[:1] + bytes([sealed[1] ^ 1]) + sealed[2:]
    attempts = [
        (sealed, b"Label", private),
        (flipped, b"label", private),
        (sealed[:-1], b"label", private),
        (b"", b"label", private),
        (b"\0" + sealed, b"label", private),
        (bytes(128), b"label", private),
        (b"\xff" * 128, b"label", private),
        (sealed, b"label", other_key()),
        (b"\1", b"", tb_rsa.key_from_primes(61, 53, 17).result),
        # encoded messages that are wrong in one place each
        (encrypted(b"\1" + bytes(127)), b"", private),
        (encrypted(bytes(128)), b"", private),
    ]
    for ciphertext, label, which in attempts:
        with pytest.raises(DecryptionError, match=r"^decryption failed$"):
            tb_rsa.RSAES_OAEP_DECRYPT(which, ciphertext, label)


def test_oaep_takes_what_fits_and_no_more() -> None:
    private = key()
    limit = 128 - 2 * 32 - 2
    for length in (0, 1, limit):
        sealed = tb_rsa.RSAES_OAEP_ENCRYPT(private.public, bytes(length), seed=bytes(32)).result
        assert tb_rsa.RSAES_OAEP_DECRYPT(private, sealed).result == bytes(length)
    with pytest.raises(MessageTooLarge, match=f"{limit} bytes"):
        tb_rsa.RSAES_OAEP_ENCRYPT(private.public, bytes(limit + 1), seed=bytes(32))
    with pytest.raises(MessageTooLarge):
        tb_rsa.RSAES_OAEP_ENCRYPT(tb_rsa.PublicKey(3233, 17), b"", seed=bytes(32))


def test_oaep_takes_bytes_of_the_right_sizes() -> None:
    public = key().public
    for call in (
        lambda: tb_rsa.RSAES_OAEP_ENCRYPT(public, b"", seed=bytes(31)),
        lambda: tb_rsa.RSAES_OAEP_ENCRYPT(public, b"", seed=bytes(32), hash_name="md5"),
        lambda: tb_rsa.RSAES_OAEP_ENCRYPT(public, "text", seed=bytes(32)),  # type: ignore[arg-type]
        lambda: tb_rsa.RSAES_OAEP_ENCRYPT(public, b"", "label", seed=bytes(32)),  # type: ignore[arg-type]
        lambda: tb_rsa.MGF1("seed", 3),  # type: ignore[arg-type]
        lambda: tb_rsa.MGF1(b"seed", -1),
    ):
        with pytest.raises(InvalidParameter):
            call()


def test_a_signature_is_refused_when_anything_is_changed() -> None:
    private = key()
    message = b"I owe you 10"
    signature = tb_rsa.RSASSA_PSS_SIGN(private, message, salt=bytes(32)).result
    tb_rsa.RSASSA_PSS_VERIFY(private.public, message, signature)
    changed = [signature[:i] + bytes([signature[i] ^ 1]) + signature[i + 1 :] for i in (1, 40, 127)]
    for S in [*changed, b"", signature[:-1], b"\0" + signature, b"\xff" * 128, bytes(128)]:
        with pytest.raises(InvalidSignature):
            tb_rsa.RSASSA_PSS_VERIFY(private.public, message, S)
    with pytest.raises(InvalidSignature):
        tb_rsa.RSASSA_PSS_VERIFY(private.public, message + b"0", signature)
    with pytest.raises(InvalidSignature):
        tb_rsa.RSASSA_PSS_VERIFY(other_key().public, message, signature)


def test_pss_encodings_that_are_wrong_in_one_place_are_refused() -> None:
    emBits = 1023
    EM = tb_rsa.EMSA_PSS_ENCODE(b"m", emBits, salt=bytes(32)).result
    tb_rsa.EMSA_PSS_VERIFY(b"m", EM, emBits)
    for wrong in (
        EM[:-1] + b"\xbd",
        bytes([EM[0] | 0x80]) + EM[1:],
        EM[:-1],
        EM + b"\xbc",
        b"",
        EM[:20] + bytes([EM[20] ^ 4]) + EM[21:],
    ):
        with pytest.raises(InvalidSignature):
            tb_rsa.EMSA_PSS_VERIFY(b"m", wrong, emBits)
    for sLen in (0, 31, 33, 200):
        with pytest.raises(InvalidSignature):
            tb_rsa.EMSA_PSS_VERIFY(b"m", EM, emBits, sLen=sLen)
    with pytest.raises(MessageTooLarge):
        tb_rsa.EMSA_PSS_ENCODE(b"m", emBits, salt=bytes(95))
