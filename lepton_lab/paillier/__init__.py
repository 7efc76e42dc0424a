"""Paillier: sums and weighted sums of numbers that stay encrypted; exact, and interoperable with phe both ways.

`generate_keypair` makes the keys, `PublicKey.encrypt` single numbers, `PublicKey.encrypt_vector` whole arrays many to a
ciphertext, as a `Layout` says. `keys` tells what the secrecy rests on. For elections, `ballot` proves that a ciphertext
holds 0 or 1, and `custody` opens a total without putting the private key together.
"""

from lepton_lab.paillier.keys import PrivateKey, PublicKey, generate_keypair
from lepton_lab.paillier.linear import dot, matvec
from lepton_lab.paillier.numbers import EncryptedNumber
from lepton_lab.paillier.vectors import Layout, PackedVector

__all__ = [
    "EncryptedNumber",
    "Layout",
    "PackedVector",
    "PrivateKey",
    "PublicKey",
    "dot",
    "generate_keypair",
    "matvec",
]
