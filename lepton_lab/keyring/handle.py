"""One handle on a ring's file: it reads the file again when it changed, and writes under a lock.

What makes an old file noticed: every writing names itself (`SealedFile.writing_id`) and keeps the
names of the writings before it (`RingBody.history`). A file that a handle reads must have the
handle's last known writing among its predecessors, at the distance that the sequence numbers say.
A copy from a backup has not, even after others went on writing it.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, StaleVersion
from lepton_lab.files import write_atomically, write_lock
from lepton_lab.keyring.file import (
    HEADER_SIZE,
    PassphraseKey,
    PassphraseSlot,
    SealedFile,
    open_for_reading,
    read_rest,
)
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
        _handles.add(self)

    def renew_lock(self) -> None:
        """In a forked child: no thread of the parent's, which are not here, holds the handle."""
        self._lock = threading.RLock()

    @classmethod
    def create(cls, path: str | os.PathLike[str], passphrase: str, scrypt_n: int) -> Self:
        """Make a new, empty ring. Raises as `KeyRing.create` does."""
        place = real_path(path)
        key = PassphraseKey.new(passphrase, scrypt_n)
        master = secrets.token_bytes(32)
        body = RingBody.new()
        body.note("created")
        with write_lock(place):
            if place.exists():
                raise InvalidParameter(f"{place} exists already: open it, or name another file")
            slot = PassphraseSlot.seal(key, secrets.token_bytes(16), 1, master)
            content = write_ring(place, slot, master, body)
            if others_may_reach(place):
                # A file system without modes (exFAT, FAT, some network shares) has just ignored
                # 0600. `open` would refuse the ring, so it is not made.
                place.unlink()
                raise InvalidKey(
                    f"others may reach {place}, because its file system keeps no permissions: "
                    "make the ring on another one, or in a folder that only you can enter"
                )
        return cls(place, key, content)

    @classmethod
    def open(cls, path: str | os.PathLike[str], passphrase: str) -> Self:
        """Open a ring by its passphrase. Raises as `KeyRing.open` does."""
        place = real_path(path)
        with open_for_reading(place) as file:
            sealed = read_rest(file)
        key = PassphraseKey.of(passphrase, sealed.slot.salt, sealed.slot.log2_n)
        content = RingContent.opened(sealed, sealed.slot.open(key))
        _refuse_exposed(place)
        return cls(place, key, content)

    @classmethod
    def recover(
        cls, path: str | os.PathLike[str], shared: bytes, passphrase: str, scrypt_n: int
    ) -> Self:
        """Open a ring by what its custodians shared, and give it a new passphrase.

        Raises as `KeyRing.recover` does.
        """
        place = real_path(path)
        key = PassphraseKey.new(passphrase, scrypt_n)
        with write_lock(place):
            with open_for_reading(place) as file:
                sealed = read_rest(file)
            slot = sealed.slot
            master = _master_among(shared, slot)
            body = RingContent.opened(sealed, master).body
            _refuse_exposed(place)
            body.note("recovered")
            new_slot = PassphraseSlot.seal(key, slot.ring_id, slot.generation, master)
            content = write_ring(place, new_slot, master, body, predecessor=sealed)
        return cls(place, key, content)

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
        # The thread lock first: the threads of one handle then need not poll for the file's.
        with self._lock, write_lock(self.path):
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


_handles: weakref.WeakSet[RingHandle] = weakref.WeakSet()


def _renew_locks() -> None:
    for handle in list(_handles):
        handle.renew_lock()


if os.name != "nt":
    os.register_at_fork(after_in_child=_renew_locks)


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


def others_may_reach(path: Path) -> bool:
    """Whether the file's mode lets others at it, and every folder lets them get there."""
    # The access lists of Windows do not show in the mode.
    if os.name == "nt" or not path.stat().st_mode & 0o077:
        return False
    return all(folder.stat().st_mode & 0o011 for folder in path.parents)


def _refuse_exposed(path: Path) -> None:
    if others_may_reach(path):
        mode = path.stat().st_mode & 0o777
        raise InvalidKey(
            f"others may reach {path} (mode {mode:04o}); for its owner alone: chmod 600 {path}"
        )


def shared_bytes(slot: PassphraseSlot, master: bytes) -> bytes:
    """What custodians share: ring id(16) ‖ generation(4) ‖ master key(32)."""
    return slot.ring_id + slot.generation.to_bytes(4, "big") + master


def _master_among(shared: bytes, slot: PassphraseSlot) -> bytes:
    """The master key that custodians put together, if it is this file's.

    Ring id and generation are not secret, so the message may name them.
    """
    ring_id = shared[:16]
    generation = int.from_bytes(shared[16:20], "big")
    master = shared[20:]
    if len(master) != 32 or ring_id != slot.ring_id:
        raise DecryptionError("these shares are not this key ring's")
    if generation != slot.generation:
        raise DecryptionError(
            f"these shares are of generation {generation}, the key ring of {slot.generation}: "
            "shares open the files of their own generation, its backups among them"
        )
    return master


def _remove_leftovers(path: Path) -> None:
    """Remove what a crash left of earlier writings: each is a whole ring.

    Called under the lock, so that no writing is under way.
    """
    # The names that `files.write_atomically` gives.
    leftover = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{16}")
    for entry in os.scandir(path.parent):
        if leftover.fullmatch(entry.name):
            Path(entry.path).unlink(missing_ok=True)
