"""Every error that the package raises on purpose. Catch `LabError` for all of them.

An error says what to do next where something can be done, and never why a decryption failed: a reason is an oracle.
"""


class LabError(Exception):
    """The root of every error raised on purpose."""


class InvalidParameter(LabError, ValueError):
    """An argument of the wrong kind or outside its range (a threshold of 0, more shards than the field has points)."""


class DecryptionError(LabError):
    """Wrong key, wrong associated data, altered or truncated ciphertext: one error and one message for all of them."""

    def __init__(self, message: str = "decryption failed") -> None:
        super().__init__(message)


class InvalidSignature(LabError):
    """The signature is not this key's signature of this message."""


class InvalidKey(LabError):
    """A key that anyone can see is unusable: wrong size, not a prime, weak, malformed."""


class MessageTooLarge(LabError):
    """The message is longer than the scheme takes: RSA-OAEP's limit, one AES-GCM call, Paillier's plaintext range."""


class PlaintextOverflow(LabError):
    """Paillier: a sum or product could leave the range that it declared."""


class NotEnoughShards(LabError):
    """Too few good shards or nodes: says how many were found, how many are needed, which nodes failed and why."""

    def __init__(
        self,
        message: str,
        *,
        found: int = 0,
        needed: int = 0,
        failures: dict[str, str] | None = None,
    ) -> None:
        self.found, self.needed, self.failures = found, needed, dict(failures or {})
        why = "; ".join(f"{node}: {reason}" for node, reason in self.failures.items())
        super().__init__(
            f"{message}: {found} found, {needed} needed" + (f" ({why})" if why else "")
        )


class IntegrityError(LabError):
    """A shard, share, manifest or log entry does not match its authenticator."""


class StaleVersion(LabError):
    """A node, or all of them, answered with an older version than the receipt (or the key ring) names."""


class NodeError(LabError):
    """One node cannot be reached or refused; `node` names it."""

    def __init__(self, node: str, reason: str) -> None:
        self.node, self.reason = node, reason
        super().__init__(f"{node}: {reason}")


class UnreadableValue(NodeError):
    """What lies under this one key cannot be read as a value; the node itself works.

    A damaged sector, or a folder, pipe or link where a file should be. It counts as one bad shard, not as a dead node.
    """


class OversizedValue(UnreadableValue):
    """The value under this key is longer than any that can have been written there; the node itself works."""


class CertificateError(LabError):
    """A TLS peer is not trusted, has the wrong name or has expired; the message says which."""


class NotFound(LabError):
    """No such object: unknown, deleted or shredded."""


class InvalidName(LabError):
    """A name that cannot be: an object's is 1 to 1024 bytes of UTF-8 without NUL, a certificate's its CA allows."""


class WriteConflict(LabError):
    """Another writer took this version of the object; read again and retry."""
