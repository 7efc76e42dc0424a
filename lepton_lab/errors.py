"""Every error that the package raises on purpose. Catch `LabError` for all of them.

An error says what to do next where something can be done, and never why a decryption failed: a
reason would be an oracle.
"""


class LabError(Exception):
    """The root of every error raised on purpose."""


class InvalidParameter(LabError, ValueError):
    """An argument of the wrong kind or outside its range (a threshold of 0, text for bytes)."""


class DecryptionError(LabError):
    """Wrong key, wrong associated data, altered or truncated ciphertext: one message for all."""

    def __init__(self, message: str = "decryption failed") -> None:
        super().__init__(message)


class InvalidSignature(LabError):
    """The signature is not this key's signature of this message."""


class InvalidKey(LabError):
    """A key that anyone can see is unusable: wrong size, not a prime, weak, malformed."""


class MessageTooLarge(LabError):
    """The message is longer than the scheme takes.

    The limit is RSA-OAEP's, that of one AES-GCM call, or Paillier's plaintext range.
    """


class PlaintextOverflow(LabError):
    """Paillier: a sum or product could leave the range that it declared."""


class NotEnoughShards(LabError):
    """Too few good shards or nodes.

    `found` and `needed` count them; `failures` says for each failed node why.
    """

    def __init__(
        self,
        message: str,
        *,
        found: int = 0,
        needed: int = 0,
        failures: dict[str, str] | None = None,
    ) -> None:
        self.found = found
        self.needed = needed
        self.failures = dict(failures or {})
        text = f"{message}: {found} found, {needed} needed"
        if self.failures:
            why = "; ".join(f"{node}: {reason}" for node, reason in self.failures.items())
            text = f"{text} ({why})"
        super().__init__(text)


class IntegrityError(LabError):
    """A shard, share, manifest or log entry does not match its authenticator."""


class StaleVersion(LabError):
    """Something older was found than the receipt, or the key ring, knows of."""


class NodeError(LabError):
    """One node cannot be reached or refused; `node` names it."""

    def __init__(self, node: str, reason: str) -> None:
        self.node = node
        self.reason = reason
        super().__init__(f"{node}: {reason}")


class UnreadableValue(NodeError):
    """What lies under this one key cannot be read as a value; the node itself works.

    A damaged sector, or a folder, pipe or link where a file should be. It counts as one bad shard,
    not as a dead node.
    """


class OversizedValue(UnreadableValue):
    """The value under this key is longer than any that a writer puts there; the node works."""


class CertificateError(LabError):
    """A TLS peer is not trusted, has the wrong name or has expired; the message says which."""


class NotFound(LabError):
    """There is no such object or file: unknown, deleted or shredded."""


class InvalidName(LabError):
    """An unusable name.

    An object's name is 1 to 1024 bytes of UTF-8 without NUL; a certificate's is one its CA allows.
    """


class WriteConflict(LabError):
    """Another writer took this version of the object; read again and retry."""


class LockTimeout(LabError):
    """Another process has held a file's lock for too long; the message names it."""
