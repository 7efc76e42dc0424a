"""What can be wrong with a capture. Every error names what failed and in which record."""

from __future__ import annotations

from lepton_lab.errors import DecryptionError, IntegrityError, InvalidSignature, LabError


class DissectionError(LabError):
    """Something in a capture is wrong.

    what: the part that failed ("server Finished"). why: the reason. record: the index of the record
    in which it was found, or None.

    A peer must not say why something failed. The dissector may, because it is given every secret
    and reports only to the person who gave them.
    """

    def __init__(self, what: str, why: str, record: int | None = None) -> None:
        self.what = what
        self.why = why
        self.record = record
        where = "" if record is None else f" (record {record})"
        super().__init__(f"{what}{where}: {why}")


class MalformedCapture(DissectionError):
    """The capture is garbled, truncated or out of order, or a piece or secret of it is missing."""


class RecordNotOpened(DissectionError, DecryptionError):
    """A record's tag is wrong: another secret was used to seal it, or a byte was altered."""


class WrongFinished(DissectionError, IntegrityError):
    """A Finished or a PSK binder is not the MAC of the transcript."""


class WrongSignature(DissectionError, InvalidSignature):
    """A CertificateVerify is not the certificate's signature of the transcript."""


class WrongSecret(DissectionError, IntegrityError):
    """A secret in the key log is not the one that the handshake derives."""
