"""Paillier: sums and weighted sums of numbers that stay encrypted.

The results are exact, and keys and ciphertexts interoperate with phe both ways. `generate_keypair`
makes the keys, `PublicKey.encrypt` encrypts single numbers, and `PublicKey.encrypt_vector`
encrypts whole arrays, many values to a ciphertext, as a `Layout` says. The modules `public` and
`private` tell what the secrecy rests on. `lepton_lab.elections` is an application: ballots that
prove themselves, and totals that no single custodian can open.
"""

from lepton_lab.paillier.linear import dot, matvec
from lepton_lab.paillier.private import PrivateKey, generate_keypair
from lepton_lab.paillier.public import EncryptedNumber, PublicKey
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
