"""The article's `rsa_key.encrypt(…, 32)[0]`: raw RSA under a friendly name.

The weak form: PyCrypto's `key.encrypt(plaintext, K)` computed m^e mod n, ignored K (the 32 is
neither a size nor a padding), and returned a tuple, hence the [0]. PyCryptodome keeps the name only
to raise NotImplementedError, which names OAEP. Without randomness the same plaintext always gives
the same ciphertext, so

- *guesses are confirmed*: encrypt each candidate with the public key and compare. A vote, a PIN, a
  name: all readable;
- *short secrets are met in the middle* (Boneh, Joux, Nguyen 2000): if m = a·b with a, b <= 2^t,
  then c·a^-e = b^e. A table of 2^t powers meets 2^t quotients: work of 2^t reads 2t bits, for which
  trying all would take 2^(2t). Of the 40-bit numbers about one in five splits so with t = 20.

The defence: `lepton_lab.rsa.encrypt` gives another ciphertext every time. For more data than fits
under a key, encrypt a fresh AES key with RSA and the data with AES (hybrid encryption).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.rsa import I2OSP, OS2IP, RSAEP, PublicKey
from lepton_lab.textbook.trace import Recorder, Trace


def encrypt(public: PublicKey, plaintext: bytes, K: int) -> tuple[bytes]:  # noqa: N803
    """PyCrypto's old method: m^e mod n as bytes in a tuple of one; K was ignored there too."""
    return (I2OSP(RSAEP(public, OS2IP(plaintext)).result, public.k),)


def confirm(public: PublicKey, ciphertext: bytes, guesses: Iterable[bytes]) -> Trace[bytes]:
    """Find the plaintext among the `guesses`. Raises AttackFailed when none encrypts to this."""
    seen = Recorder()
    tried = 0
    for guess in guesses:
        tried += 1
        if encrypt(public, guess, 32)[0] == ciphertext:
            seen("tried", tried, "encryptions with the public key")
            return seen.trace(guess)
    raise AttackFailed(
        f"none of {tried} guesses encrypts to this: another plaintext, or encryption is randomised"
    )


def meet_in_the_middle(public: PublicKey, ciphertext: bytes, half_bits: int = 16) -> Trace[int]:
    """Find the number m = a·b under a raw ciphertext, when a and b are both at most 2^half_bits.

    It takes 2 · 2^half_bits exponentiations. Raises AttackFailed when m is not such a product.
    """
    n = public.n
    c = OS2IP(ciphertext)
    top = 1 << half_bits
    seen = Recorder()
    powers = {pow(b, public.e, n): b for b in range(1, top + 1)}
    for a in range(1, top + 1):
        # a number that shares a prime with n has no inverse (and would factor n)
        if math.gcd(a, n) != 1:
            continue
        # c = (a·b)^e exactly when c / a^e is in the table
        b = powers.get(c * pow(a, -public.e, n) % n)
        if b is not None:
            seen("a, b", (a, b), "c · a^-e = b^e mod n")
            return seen.trace(seen("m", a * b))
    raise AttackFailed(
        f"the number under c is not a product of two numbers up to 2^{half_bits}, or it is padded"
    )
