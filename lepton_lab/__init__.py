"""lepton_lab: encryption, sharded storage, secure transport and computing on ciphertexts, right and explained.

The safe helpers stand at this root, one idea a module: `aes`, `rsa`, `paillier`, `shamir`, `erasure`, `keyring`,
`nodes`, `sharding`, `tls`. Importing the package imports none of them; `from lepton_lab import aes` does.
"""

__version__ = "0.1.0"
