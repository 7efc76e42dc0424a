"""One handle on a ring's file: it reads the file again when it changed, and writes under a lock.

What makes an old file noticed: every writing names itself (`SealedFile.writing_id`) and keeps the
names of the writings before it (`RingBody.history`). A file that a handle reads must have the
handle's last known writing among its predecessors, at the distance that the sequence numbers say.
A copy from a backup has not, even after others went on writing it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, StaleVersion
from lepton_lab.files import write_atomically
from lepton_lab.keyring.file import (
    HEADER_SIZE,
    PassphraseKey,
    PassphraseSlot,
    SealedFile,
    open_for_reading,
    read_rest,
)
from lepton_lab.keyring.lock import exclusive
from lepton_lab.keyring.records import HISTORY_LIMIT, RingBody


@dataclass(frozen=True)
class RingContent:
    """The ring as one reading or writing of the file left it. `sealed` holds the header alone."""

    sealed: SealedFile
    master: bytes = field(repr=False)
    body: RingBody = field(repr=False)

    @classmethod
    def opened(cls, sealed: SealedFile, master: bytes) -> Self:
        """Open a file with its master key. Raises DecryptionError."""
        return cls(sealed.without_body(), master, sealed.open(master))

    @property
    def slot(self) -> PassphraseSlot:
        """What the passphrase opens."""
        return self.sealed.slot


@dataclass
class RingDraft:
    """The ring while it is being changed.

    `sweep`: also remove what a crash left beside the file. `unchanged`: nothing has to be written.
    """

    slot: PassphraseSlot
    master: bytes = field(repr=False)
    body: RingBody = field(repr=False)
    passphrase_key: PassphraseKey
    sweep: bool = False
    unchanged: bool = False


class RingHandle:
    """A ring's file and what this handle last saw in it. Threads may share a handle."""

    def __init__(self, path: Path, passphrase_key: PassphraseKey, content: RingContent) -> None:
        self.path = path
        self.passphrase_key = passphrase_key
        self.content = content
        self._lock = threading.RLock()

    def current(self) -> RingContent:
        """What the file holds now, read again if it has changed.

        Raises NotFound, DecryptionError and StaleVersion as `KeyRing` says.
        """
        with self._lock:
            with open_for_reading(self.path) as file:
                head = file.read(HEADER_SIZE)
                if head != self.content.sealed.header:
                    self.content = self._follow(read_rest(file, head))
            return self.content

    @contextmanager
    def changing(self) -> Iterator[RingDraft]:
        """Give a draft of the ring, and write it when the block ends without an exception."""
        with self._lock, exclusive(self.path):
            known = self.current()
            draft = RingDraft(known.slot, known.master, known.body.copy(), self.passphrase_key)
            yield draft
            if draft.unchanged:
                return
            if draft.sweep:
                _remove_leftovers(self.path)
            self.content = write_ring(
                self.path, draft.slot, draft.master, draft.body, predecessor=known.sealed
            )
            self.passphrase_key = draft.passphrase_key

    def _follow(self, sealed: SealedFile) -> RingContent:
        """Open a file that another handle wrote, with the master key or passphrase known here."""
        known = self.content
        slot = sealed.slot
        master = known.master
        if slot.generation != known.slot.generation:
            if not self.passphrase_key.fits(slot):
                raise DecryptionError(
                    "the ring has another passphrase and master key now: open it again"
                )
            master = slot.open(self.passphrase_key)
        content = RingContent.opened(sealed, master)
        self._refuse_another_past(content)
        return content

    def _refuse_another_past(self, content: RingContent) -> None:
        """Raise StaleVersion unless the file comes from the writing that this handle knows."""
        known = self.content.sealed
        found = content.sealed
        distance = found.sequence - known.sequence
        if distance <= 0:
            raise StaleVersion(
                f"{self.path} was put back to an earlier state: open it again if that is meant"
            )
        if known.body_format == found.body_format == 0:
            # The first release kept no predecessors. Only the sequence tells.
            return
        if distance > HISTORY_LIMIT:
            raise StaleVersion(
                f"{self.path} was written {distance} times since this handle read it, and names "
                f"only its last {HISTORY_LIMIT} writings: open it again"
            )
        if content.body.writing_before(distance) != known.writing_id:
            raise StaleVersion(
                f"{self.path} was put back to an earlier state and written since: open it again "
                "if that is meant"
            )


def write_ring(
    path: Path,
    slot: PassphraseSlot,
    master: bytes,
    body: RingBody,
    predecessor: SealedFile | None = None,
) -> RingContent:
    """Seal and write a ring as the successor of one writing, or as the first.

    Called under the lock. Raises InvalidParameter when the file would be too large, OSError as the
    disk does.
    """
    sequence = 1
    if predecessor is not None:
        sequence = predecessor.sequence + 1
        body.follow(predecessor.writing_id)
    sealed = SealedFile.seal(slot, sequence, master, body)
    write_atomically(path, sealed.data)
    return RingContent(sealed.without_body(), master, body)


def real_path(path: str | os.PathLike[str]) -> Path:
    """Where the file really lies, without symbolic links; InvalidParameter for what is not a path.

    A rename over a symbolic link would replace the link and leave the old ring behind it.
    """
    try:
        return Path(os.path.realpath(path))
    except (TypeError, ValueError):
        raise InvalidParameter("a key ring's path is the path of one file") from None


def refuse_exposed(path: Path) -> None:
    """Raise InvalidKey when others may reach the file: its mode and every folder let them."""
    if os.name == "nt":  # the access lists of Windows do not show in the mode
        return
    mode = path.stat().st_mode & 0o777
    others_get_there = all(folder.stat().st_mode & 0o011 for folder in path.parents)
    if mode & 0o077 and others_get_there:
        raise InvalidKey(
            f"others may reach {path} (mode {mode:04o}); for its owner alone: chmod 600 {path}"
        )


def _remove_leftovers(path: Path) -> None:
    """Remove what a crash left of earlier writings: each is a whole ring.

    Called under the lock, so that no writing is under way.
    """
    # The names that `files.write_atomically` gives.
    leftover = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{16}")
    for entry in os.scandir(path.parent):
        if leftover.fullmatch(entry.name):
            Path(entry.path).unlink(missing_ok=True)
