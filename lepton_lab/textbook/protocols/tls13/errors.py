"""What a capture can be blamed for. Every error names what failed and in which record."""

from __future__ import annotations

from lepton_lab.errors import DecryptionError, IntegrityError, InvalidSignature, LabError


class DissectionError(LabError):
    """A capture that does not hold: `what` failed ("server Finished"), `why`, in which `record` (its index, or None).

    The dissector is given every secret and reports to whoever gave them: it may say why. A peer must not.
    """

    def __init__(self, what: str, why: str, record: int | None = None) -> None:
        self.what, self.why, self.record = what, why, record
        super().__init__(f"{what}{'' if record is None else f' (record {record})'}: {why}")


class MalformedCapture(DissectionError):
    """Garbled, truncated, out of order, or a piece or a secret of it is missing."""


class RecordNotOpened(DissectionError, DecryptionError):
    """A record whose tag is wrong: the secret is not the one it was sealed under, or a byte was altered."""


class WrongFinished(DissectionError, IntegrityError):
    """A Finished or a PSK binder that is not the MAC of the transcript."""


class WrongSignature(DissectionError, InvalidSignature):
    """A CertificateVerify that is not the certificate's signature of the transcript."""


class WrongSecret(DissectionError, IntegrityError):
    """A secret of the key log that is not the one that the handshake derives."""
