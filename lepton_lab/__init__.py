"""Encryption, sharded storage, secure transport and computing on ciphertexts, explained and tested.

The safe helpers stand at this root, one idea per module: `aes`, `rsa`, `paillier`, `shamir`,
`erasure`, `keyring`, `nodes`, `sharding`, `elections`, `tls`. Importing the package imports none of
them; `from lepton_lab import aes` does.
"""

__version__ = "0.1.0"
