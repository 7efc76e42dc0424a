"""Each attack on a weak use of RSA wins against the weak form and loses against `lepton_lab.rsa`."""

from __future__ import annotations

import hashlib
import math
import random
import secrets
from collections.abc import Callable
from functools import cache

import gmpy2
import pytest
from Crypto.PublicKey import RSA as PYCRYPTODOME_RSA
from cryptography.exceptions import InvalidSignature as Mismatch
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from lepton_lab import rsa
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, InvalidSignature
from lepton_lab.textbook.attacks import (
    AttackFailed,
    article_rsa,
    batch_gcd,
    bleichenbacher,
    common_modulus,
    crt_fault,
    e3_forgery,
    fermat,
    malleability,
    small_exponent,
    wiener,
)
from lepton_lab.textbook.primitives import numtheory, pkcs1v15
from lepton_lab.textbook.primitives import rsa as tb_rsa


def deterministic(seed: bytes) -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run."""
    calls = iter(range(10**9))
    return lambda count: hashlib.shake_256(seed + next(calls).to_bytes(8, "big")).digest(count)


@cache
def weak_key(bits: int = 1024, e: int = 3, which: int = 0) -> tb_rsa.PrivateKey:
    return tb_rsa.generate_key(bits, deterministic(b"weak %d" % which), e).result


@cache
def safe_key() -> RSAPrivateKey:
    return rsa.generate_private_key(2048)


def safe_public() -> tb_rsa.PublicKey:
    numbers = safe_key().public_key().public_numbers()
    return tb_rsa.PublicKey(numbers.n, numbers.e)


def safe_ciphertext(message: bytes = b"a data key") -> int:
    return tb_rsa.OS2IP(rsa.encrypt(safe_key().public_key(), message))


def oaep(public: tb_rsa.PublicKey, message: bytes) -> int:
    """OAEP under any textbook key: what padding alone changes."""
    return tb_rsa.OS2IP(
        tb_rsa.RSAES_OAEP_ENCRYPT(public, message, seed=secrets.token_bytes(32)).result
    )


MESSAGE = b"meet me at the old harbour"
NUMBER = int.from_bytes(MESSAGE, "big")


# a small exponent ----------------------------------------------------------------------------------------------------


def test_a_small_message_is_a_cube_root_away() -> None:
    public = weak_key().public
    trace = small_exponent.root(public, tb_rsa.RSAEP(public, NUMBER).result)
    assert trace.result.to_bytes(len(MESSAGE), "big") == MESSAGE


def test_a_message_to_three_receivers_is_read_without_any_key() -> None:
    message = int.from_bytes(
        b"x" * 127, "big"
    )  # as long as the moduli, so that no cube root alone does it
    receivers = [weak_key(which=i).public for i in range(3)]
    sent = [(public, tb_rsa.RSAEP(public, message).result) for public in receivers]
    assert small_exponent.broadcast(sent).result == message
    with pytest.raises(AttackFailed, match="not an e-th power"):
        small_exponent.root(*sent[0])
    for too_few in (sent[:2], sent[:0]):
        with pytest.raises(AttackFailed, match="receivers"):
            small_exponent.broadcast(too_few)


def test_padding_leaves_no_root_to_take() -> None:
    sent = [(weak_key(which=i).public, oaep(weak_key(which=i).public, MESSAGE)) for i in range(3)]
    with pytest.raises(AttackFailed, match="reduced"):
        small_exponent.root(*sent[0])
    with pytest.raises(AttackFailed, match="different numbers"):
        small_exponent.broadcast(sent)


def test_the_helper_pads_and_refuses_small_exponents() -> None:
    with pytest.raises(AttackFailed):
        small_exponent.root(safe_public(), safe_ciphertext())
    with pytest.raises(AttackFailed, match="65537"):
        small_exponent.broadcast([(safe_public(), safe_ciphertext())] * 3)
    with pytest.raises(InvalidKey, match="65537"):
        rsa.encrypt(RSAPublicNumbers(3, weak_key(2048).n).public_key(), MESSAGE)


# one modulus for two -------------------------------------------------------------------------------------------------


def two_keys_of_one_modulus() -> tuple[tb_rsa.PrivateKey, tb_rsa.PrivateKey]:
    key = weak_key(e=65537)
    return key, tb_rsa.key_from_primes(key.p, key.q, 257).result


def test_two_keys_of_one_modulus_give_the_message() -> None:
    one, two = (key.public for key in two_keys_of_one_modulus())
    ciphertexts = [tb_rsa.RSAEP(public, NUMBER).result for public in (one, two)]
    assert common_modulus.message(one, ciphertexts[0], two, ciphertexts[1]).result == NUMBER


def test_one_owner_factors_the_modulus() -> None:
    owner, victim = two_keys_of_one_modulus()
    assert set(common_modulus.factor(owner.public, owner.d).result) == {victim.p, victim.q}
    for not_d in (owner.d + 2, 3, 0, 1):
        with pytest.raises(AttackFailed, match="not the inverse"):
            common_modulus.factor(owner.public, not_d)


def test_padding_and_separate_moduli_defeat_it() -> None:
    one, two = (key.public for key in two_keys_of_one_modulus())
    with pytest.raises(AttackFailed, match="different numbers"):
        common_modulus.message(one, oaep(one, MESSAGE), two, oaep(two, MESSAGE))
    with pytest.raises(AttackFailed, match="moduli differ"):
        common_modulus.message(one, 1, weak_key(which=1).public, 1)
    with pytest.raises(
        AttackFailed, match="factor 65537"
    ):  # the helper: one exponent for everybody
        common_modulus.message(safe_public(), safe_ciphertext(), safe_public(), safe_ciphertext())
    other = rsa.generate_private_key(2048).public_key().public_numbers()
    with pytest.raises(AttackFailed, match="moduli differ"):
        common_modulus.message(
            safe_public(), safe_ciphertext(), tb_rsa.PublicKey(other.n, other.e), 1
        )
    with pytest.raises(InvalidParameter, match="a prime of n"):
        common_modulus.message(two, two_keys_of_one_modulus()[0].p, one, 0)


# malleability --------------------------------------------------------------------------------------------------------


def test_a_service_that_refuses_only_c_decrypts_c() -> None:
    key = weak_key(e=65537)
    c = tb_rsa.RSAEP(key.public, NUMBER).result
    assert malleability.decrypt(key.public, c, malleability.service(key, c)).result == NUMBER
    doubled = malleability.scale(key.public, c, 2)
    assert tb_rsa.RSADP(key, doubled).result == 2 * NUMBER


def test_the_helper_decrypts_no_product() -> None:
    k = safe_public().k

    def oracle(c: int) -> int:
        return tb_rsa.OS2IP(rsa.decrypt(safe_key(), tb_rsa.I2OSP(c, k)))

    with pytest.raises(AttackFailed, match="padding"):
        malleability.decrypt(safe_public(), safe_ciphertext(), oracle)
    with pytest.raises(AttackFailed, match="not m · s"):
        malleability.decrypt(safe_public(), safe_ciphertext(), lambda c: 42)


# keys that are weak --------------------------------------------------------------------------------------------------


def test_a_small_private_exponent_is_a_convergent() -> None:
    p, q = weak_key(e=65537).p, weak_key(e=65537).q
    limit = numtheory.integer_root(p * q, 4) // 3
    d = next(
        d for d in range(limit | 1, 0, -2) if d < limit and math.gcd(d, (p - 1) * (q - 1)) == 1
    )
    weak = wiener.key_with_small_d(p, q, d)
    assert tb_rsa.RSADP(weak, tb_rsa.RSAEP(weak.public, NUMBER).result, crt=False).result == NUMBER
    found = wiener.private_key(weak.public)
    assert (found.result.d, {found.result.p, found.result.q}) == (d, {p, q})


def test_the_helpers_private_exponent_is_not_small() -> None:
    with pytest.raises(AttackFailed, match="not small"):
        wiener.private_key(safe_public())


def test_close_primes_are_found_at_once() -> None:
    p = weak_key(2048).p
    q = int(gmpy2.next_prime(p + 2**400))
    trace = fermat.factor(p * q)
    assert trace.result == (p, q)
    assert fermat.factor(59 * 101).result == (59, 101)  # Fermat's own way, by hand
    for gap in (2**514, 2**515 + 2**514, 2**516):  # 2, 18 and 32 steps
        q = int(gmpy2.next_prime(p + gap))
        assert fermat.factor(p * q, limit=40).result == (p, q)
    assert fermat.factor(49).result == (7, 7)


def test_the_helpers_primes_are_not_close() -> None:
    with pytest.raises(AttackFailed, match="1000 steps"):
        fermat.factor(safe_public().n, limit=1000)
    with pytest.raises(InvalidParameter):
        fermat.factor(2)


@cache
def fleet(count: int = 2000, bits: int = 512) -> tuple[int, ...]:
    """Moduli of a fleet of devices: a few of them drew their first prime before there was randomness."""
    rng = random.Random(2012)

    def prime() -> int:
        return int(gmpy2.next_prime(rng.getrandbits(bits // 2) | 3 << bits // 2 - 2))

    early = [prime(), prime()]
    return tuple((early[i // 400 % 2] if i % 200 == 7 else prime()) * prime() for i in range(count))


def test_shared_primes_fall_out_of_two_thousand_moduli() -> None:
    trace = batch_gcd.shared_primes(fleet())
    assert sorted(trace.result) == [i for i in range(2000) if i % 200 == 7]
    assert all(p * q == fleet()[i] and gmpy2.is_prime(p) for i, (p, q) in trace.result.items())


def test_the_helpers_primes_are_shared_with_nobody() -> None:
    keys = [rsa.generate_private_key(2048).public_key().public_numbers().n for _ in range(3)]
    with pytest.raises(AttackFailed, match="no two of the 3"):
        batch_gcd.shared_primes(keys)
    found = batch_gcd.shared_primes(
        [*fleet()[:501], *keys]
    ).result  # among weak ones, too, they stand
    assert sorted(found) == [7, 207]
    for nothing in ((), (15,), (15, 77)):
        with pytest.raises(AttackFailed):
            batch_gcd.shared_primes(nothing)
    with pytest.raises(InvalidParameter):
        batch_gcd.shared_primes([15, 0])


@pytest.mark.parametrize("count", [2, 3, 5, 8, 9])
def test_batch_gcd_agrees_with_all_pairs(count: int) -> None:
    rng = random.Random(count)
    primes = [101, 103, 107, 109, 113, 127, 131, 137, 139, 149]
    for _ in range(20):
        moduli = [math.prod(rng.sample(primes, 2)) for _ in range(count)]
        shared = {
            i
            for i, n in enumerate(moduli)
            if 1 < math.gcd(n, math.prod(moduli[:i] + moduli[i + 1 :])) < n
        }
        try:
            assert set(batch_gcd.shared_primes(moduli).result) == shared
        except AttackFailed:
            assert not shared


# PKCS #1 v1.5 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_bleichenbachers_oracle_decrypts(strict: bool) -> None:
    key = weak_key(257, 65537)
    PS = bytes(range(1, key.public.k - 3 - 7 + 1))
    ciphertext = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(key.public, b"secret!", PS=PS).result
    trace = bleichenbacher.decrypt(
        key.public, ciphertext, bleichenbacher.receiver(key, strict=strict)
    )
    assert trace.result == b"secret!"
    assert trace["EM"] == b"\0\2" + PS + b"\0secret!"


@pytest.mark.parametrize("which", range(4))
def test_bleichenbachers_oracle_decrypts_under_any_key(which: int) -> None:
    key = weak_key(250 + 8 * which, 65537, which)
    PS = bytes(7 * i % 255 + 1 for i in range(key.public.k - 3 - 3))
    ciphertext = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(key.public, b"PIN", PS=PS).result
    assert (
        bleichenbacher.decrypt(key.public, ciphertext, bleichenbacher.receiver(key)).result
        == b"PIN"
    )


def test_the_helper_is_no_padding_oracle() -> None:
    def oracle(ciphertext: bytes) -> bool:
        try:
            rsa.decrypt(safe_key(), ciphertext)
        except DecryptionError:
            return False
        return True

    ciphertext = rsa.encrypt(safe_key().public_key(), b"a data key")
    with pytest.raises(AttackFailed, match="gave up after 300 queries"):
        bleichenbacher.decrypt(safe_public(), ciphertext, oracle, limit=300)


def test_an_oracle_that_always_says_the_same_gives_nothing() -> None:
    key = weak_key(257, 65537)
    ciphertext = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(key.public, b"PIN", PS=b"\1" * 27).result
    with pytest.raises(AttackFailed, match="does not accept a good ciphertext"):
        bleichenbacher.decrypt(key.public, ciphertext, lambda c: False)
    with pytest.raises(AttackFailed, match=r"contradict|gave up"):
        bleichenbacher.decrypt(key.public, ciphertext, lambda c: True, limit=5000)


@pytest.mark.parametrize("bits", [2048, 3072])
def test_a_sloppy_verifier_takes_a_cube_root_for_a_signature(bits: int) -> None:
    public = (
        weak_key(2048).public if bits == 2048 else tb_rsa.PublicKey(weak_key(2048).n << 1024 | 1, 3)
    )
    forged = e3_forgery.forge(public, b"I owe mallory 100").result
    e3_forgery.sloppy_verify(public, b"I owe mallory 100", forged)
    with pytest.raises(InvalidSignature):
        e3_forgery.sloppy_verify(public, b"I owe mallory 200", forged)
    with pytest.raises(InvalidSignature):  # the whole encoding compared, as the standard says
        pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(public, b"I owe mallory 100", forged)


def test_a_sloppy_verifier_takes_the_right_signature_as_well() -> None:
    key = weak_key(2048)
    e3_forgery.sloppy_verify(key.public, b"m", pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(key, b"m").result)


def test_the_helper_and_cryptography_refuse_the_forgery() -> None:
    public = weak_key(2048).public
    forged = e3_forgery.forge(public, b"I owe mallory 100").result
    with pytest.raises(Mismatch):
        RSAPublicNumbers(3, public.n).public_key().verify(
            forged, b"I owe mallory 100", PKCS1v15(), SHA256()
        )
    with pytest.raises(InvalidKey):  # the helper takes no key with e = 3
        rsa.verify(RSAPublicNumbers(3, public.n).public_key(), b"I owe mallory 100", forged)
    with pytest.raises(AttackFailed, match="e is too large"):
        e3_forgery.forge(safe_public(), b"I owe mallory 100")
    with pytest.raises(InvalidSignature):
        rsa.verify(safe_key().public_key(), b"I owe mallory 100", forged)


@pytest.mark.parametrize(("bits", "e"), [(480, 3), (512, 3), (1024, 3), (2048, 17)])
def test_the_forgery_needs_room(bits: int, e: int) -> None:
    with pytest.raises(AttackFailed, match="room"):
        e3_forgery.forge(tb_rsa.PublicKey(2**bits - 1, e), b"m")


@pytest.mark.parametrize("bit", [0, 17, 300])
def test_one_faulty_signature_factors_the_key(bit: int) -> None:
    key = weak_key(e=65537)
    S = crt_fault.faulty_sign(key, MESSAGE, bit)
    assert set(crt_fault.factor(key.public, MESSAGE, S).result) == {key.p, key.q}


def test_no_fault_or_a_salt_leaks_nothing() -> None:
    key = weak_key(e=65537)
    right = pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(key, MESSAGE).result
    with pytest.raises(AttackFailed, match="right"):
        crt_fault.factor(key.public, MESSAGE, right)
    # the same fault under PSS: the salt is unknown, so there is no m to compare with
    EM = tb_rsa.EMSA_PSS_ENCODE(
        MESSAGE, key.n.bit_length() - 1, salt=secrets.token_bytes(32)
    ).result
    dP, dQ, qInv = key.crt
    m = tb_rsa.OS2IP(EM)
    s_1, s_2 = pow(m, dP, key.p) ^ 1, pow(m, dQ, key.q)
    faulty = s_2 + key.q * ((s_1 - s_2) * qInv % key.p)
    assert (
        math.gcd(pow(faulty, key.e, key.n) - m, key.n) == key.q
    )  # it would leak to whoever knew m
    with pytest.raises(AttackFailed, match="salt"):
        crt_fault.factor(key.public, MESSAGE, tb_rsa.I2OSP(faulty, 128))
    with pytest.raises(AttackFailed, match="salt"):
        crt_fault.factor(safe_public(), MESSAGE, rsa.sign(safe_key(), MESSAGE))


# the article's encrypt(…, 32)[0] -------------------------------------------------------------------------------------


def test_the_articles_encryption_is_raw_and_the_32_does_nothing() -> None:
    public = weak_key(e=65537).public
    assert article_rsa.encrypt(public, b"yes", 32) == article_rsa.encrypt(public, b"yes", 0)
    assert tb_rsa.OS2IP(article_rsa.encrypt(public, b"yes", 32)[0]) == pow(
        int.from_bytes(b"yes", "big"), 65537, public.n
    )


def test_pycryptodome_keeps_the_name_only_to_refuse() -> None:
    key = weak_key(e=65537)
    theirs = PYCRYPTODOME_RSA.construct((key.n, key.e, key.d))
    with pytest.raises(NotImplementedError, match=r"(?i)oaep"):
        theirs.encrypt(b"Hello, World!", 32)
    with pytest.raises(NotImplementedError):
        theirs.decrypt(b"")


def test_a_raw_ciphertext_confirms_the_right_guess() -> None:
    public = weak_key(e=65537).public
    ballots = [b"Ada Lovelace", b"Alan Turing", b"Grace Hopper"]
    trace = article_rsa.confirm(public, article_rsa.encrypt(public, ballots[2], 32)[0], ballots)
    assert (trace.result, trace["tried"]) == (ballots[2], 3)
    with pytest.raises(AttackFailed, match="none of 2 guesses"):
        article_rsa.confirm(public, article_rsa.encrypt(public, ballots[2], 32)[0], ballots[:2])


def test_a_short_secret_is_met_in_the_middle() -> None:
    public, pin = weak_key(e=65537).public, 7_907 * 8_101  # 26 bits, in 2 · 2^13 exponentiations
    c = article_rsa.encrypt(public, tb_rsa.I2OSP(pin, 4), 32)[0]
    trace = article_rsa.meet_in_the_middle(public, c, half_bits=13)
    assert trace.result == pin
    with pytest.raises(AttackFailed, match="not a product"):
        article_rsa.meet_in_the_middle(public, c, half_bits=8)
    tiny = tb_rsa.key_from_primes(
        61, 53, 17
    ).result.public  # numbers that share a prime with n do no harm
    assert (
        article_rsa.meet_in_the_middle(tiny, article_rsa.encrypt(tiny, b"\x06", 32)[0], 7).result
        % 3233
        == 6
    )


def test_the_helper_confirms_no_guess() -> None:
    votes = [b"yes", b"no"]
    ciphertext = rsa.encrypt(safe_key().public_key(), b"yes")
    with pytest.raises(AttackFailed, match="randomised"):
        article_rsa.confirm(safe_public(), ciphertext, votes)
    with pytest.raises(AttackFailed, match="padded"):
        article_rsa.meet_in_the_middle(safe_public(), ciphertext, half_bits=8)
