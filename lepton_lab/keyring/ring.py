"""The key ring's verbs."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lepton_lab import aes, shamir
from lepton_lab.buffers import BytesLike, framed, view_of
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, NotFound, StaleVersion
from lepton_lab.files import write_atomically
from lepton_lab.keyring import export as wrapping
from lepton_lab.keyring.export import DataKey, Recipient
from lepton_lab.keyring.file import (
    HEADER_SIZE,
    SCRYPT_N,
    PassphraseKey,
    SealedFile,
    Slot,
    open_for_reading,
    read_rest,
)
from lepton_lab.keyring.lock import exclusive
from lepton_lab.keyring.records import AuditEntry, Body, Record

# What custodians share, inside `shamir.split`: ring id(16) ‖ generation(4) ‖ master key(32).
_SHARED_SIZE = 52


@dataclass(frozen=True)
class _Content:
    """The ring as one reading or writing of the file left it."""

    slot: Slot
    sequence: int
    header: bytes
    master: bytes = field(repr=False)
    body: Body = field(repr=False)


@dataclass
class _Draft:
    """The ring while it is being changed."""

    slot: Slot
    master: bytes = field(repr=False)
    body: Body = field(repr=False)
    passphrase_key: PassphraseKey


class KeyRing:
    """Keys in one file, opened by a passphrase or by enough custodians. Made by `create`, `open` or `recover`.

    The file is read again before each use if it has changed, and every change is made under a lock, on what the file
    holds then, and written whole: processes and threads that share a ring lose none of each other's keys, a power cut
    leaves the old ring or the new one, and a key shredded through one handle is gone for all. Nothing is locked between
    changes. Stretching the passphrase takes tenths of a second and 128 MiB, once, when a ring is opened.

    A method that finds the file gone raises NotFound; altered, or under another passphrase *and* another master key
    than this handle knows, DecryptionError (open it again); put back to an earlier state, StaleVersion. OSError from
    the disk passes through: a change that raised it was made or was not, and the next use reads which.

    What it does not protect: the memory of a process that has it open; a ring whose file is replaced by an older copy
    before it is opened (nothing in the file can tell). The file's size shows about how many keys there are.
    """

    def __init__(self, path: Path, passphrase_key: PassphraseKey, content: _Content) -> None:
        self._path, self._passphrase_key, self._content = path, passphrase_key, content
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"KeyRing({str(self._path)!r}, generation {self._content.slot.generation})"

    @property
    def path(self) -> Path:
        """The ring's file."""
        return self._path

    @property
    def generation(self) -> int:
        """Which master key opens the file: 1, and one more after each `rotate`."""
        return self._current().slot.generation

    # --- making and opening --------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], passphrase: str, *, scrypt_n: int = SCRYPT_N
    ) -> Self:
        """A new, empty ring in a file that only its owner may read (mode 0600).

        passphrase: a non-empty str, taken in its NFC form. scrypt_n: what each guess costs, a power of two from 2¹⁴
        (16 MiB) to 2¹⁹ (512 MiB). Raises InvalidParameter for others and when the file exists already; NotFound when
        its folder does not. RFC 7914.
        """
        place = _place(path)
        key = PassphraseKey.new(passphrase, scrypt_n)
        master, body = secrets.token_bytes(32), Body.new()
        body.note("created")
        with exclusive(place):
            if place.exists():
                raise InvalidParameter(f"{place} exists already: open it, or name another file")
            slot = Slot.seal(key, secrets.token_bytes(16), 1, master)
            return cls(place, key, _write(place, slot, 1, master, body))

    @classmethod
    def open(cls, path: str | os.PathLike[str], passphrase: str) -> Self:
        """Open a ring.

        Raises DecryptionError, the same for a wrong passphrase and a damaged file (one that a newer release wrote is
        named as such); NotFound when there is none; InvalidKey when others may read it; InvalidParameter for a
        passphrase that is no non-empty str.
        """
        place = _place(path)
        with open_for_reading(place) as file:
            sealed = read_rest(file)
        key = PassphraseKey.of(passphrase, sealed.slot.salt, sealed.slot.log2_n)
        content = _opened(sealed, sealed.slot.open(key))
        _refuse_exposed(place)
        return cls(place, key, content)

    @classmethod
    def recover(
        cls,
        path: str | os.PathLike[str],
        shares: Iterable[shamir.Share],
        new_passphrase: str,
        *,
        scrypt_n: int = SCRYPT_N,
    ) -> Self:
        """Open a ring with custodians' shares (`split`) and give it a new passphrase; the old one opens it no more.

        The shares give the master key, which opens the file: without the file they open nothing. They stay valid.
        Raises NotEnoughShards, IntegrityError as `shamir.combine` does; DecryptionError for another ring's shares, for
        those of another generation (says which), and for a damaged file; NotFound, InvalidKey, InvalidParameter as
        `create` and `open` do.
        """
        place, shared = _place(path), shamir.combine(shares)
        key = PassphraseKey.new(new_passphrase, scrypt_n)
        with exclusive(place):
            with open_for_reading(place) as file:
                sealed = read_rest(file)
            master = _master_among(shared, sealed.slot)
            content = _opened(sealed, master)
            _refuse_exposed(place)
            slot, body = (
                Slot.seal(key, sealed.slot.ring_id, sealed.slot.generation, master),
                content.body,
            )
            body.note("recovered")
            return cls(place, key, _write(place, slot, content.sequence + 1, master, body))

    # --- data keys -----------------------------------------------------------------------------------------------

    def new_data_key(self, context: BytesLike) -> DataKey:
        """A fresh 256-bit data key, bound to `context` (at most 65,535 bytes), which `unwrap` must be given again.

        Store `wrapped` with the data; `key` is for use now; `id` is for `shred`. Raises InvalidParameter.
        """
        bound, key = bytes(view_of(context)), aes.generate_key()
        with self._changing() as draft:
            record = Record.new(bound)
            draft.body.records[record.id] = record
        return DataKey(record.id.hex(), key, wrapping.wrap(record.secret, record.id, bound, key))

    def unwrap(self, wrapped: BytesLike, context: BytesLike) -> bytes:
        """The data key (32 bytes) in a wrapped form.

        Raises DecryptionError, the same for another context, an altered or malformed form, and one whose secret this
        ring does not hold: another ring's, or shredded.
        """
        return self._unwrapped(self._current().body, wrapped, bytes(view_of(context)))

    @staticmethod
    def data_key_id(wrapped: BytesLike) -> str:
        """The data key's id, read from a wrapped form. Raises DecryptionError when it is malformed."""
        return wrapping.id_of(wrapped).hex()

    def __contains__(self, data_key_id: object) -> bool:
        """Whether the ring can still unwrap this data key."""
        return (
            isinstance(data_key_id, str) and _bytes_of(data_key_id) in self._current().body.records
        )

    def find(self, context_prefix: BytesLike) -> list[tuple[str, bytes]]:
        """(id, context) of every data key whose context starts so, in order of creation."""
        prefix, records = bytes(view_of(context_prefix)), self._current().body.records.values()
        return [
            (record.id.hex(), record.context)
            for record in records
            if record.context.startswith(prefix)
        ]

    def shred(self, *data_key_ids: str) -> None:
        """Remove what opens these data keys, all in one writing. Their contexts go with it.

        What may be claimed: *this ring can no longer read what they protected*. Backups or snapshots of the ring with
        their passphrase or shares still can, and so may exports by `wrap_for`, memory, and what the medium kept of the
        overwritten file (NIST SP 800-88). The line in `audit` is the ring's word, not a proof.

        Raises NotFound, and shreds nothing, when the ring does not hold one of them; InvalidParameter for none.
        """
        if not data_key_ids or not all(
            isinstance(data_key_id, str) for data_key_id in data_key_ids
        ):
            raise InvalidParameter("name one data key or more, each by its id")
        with self._changing(sweep=True) as draft:
            for data_key_id in dict.fromkeys(data_key_ids):
                record = draft.body.records.pop(_bytes_of(data_key_id), None)
                if record is None:
                    raise NotFound(f"the ring holds no data key {data_key_id}")
                draft.body.note("shredded", record.id)

    def derive(self, purpose: BytesLike, length: int = 32) -> bytes:
        """A key of `length` bytes (1 to 8160) for one purpose, always the same from this ring: for names and ids.

        It comes from a random root inside the file, by HKDF-SHA256 (RFC 5869) with info = framed("lepton_lab derive",
        purpose). `rotate` and a new passphrase leave it, and it cannot be shredded. Raises InvalidParameter.
        """
        if type(length) is not int or not 1 <= length <= 255 * 32:
            raise InvalidParameter("HKDF-SHA256 gives 1 to 8160 bytes")
        info = framed(b"lepton_lab derive", bytes(view_of(purpose)))
        return HKDF(SHA256(), length, None, info).derive(self._content.body.root)

    # --- who opens the ring --------------------------------------------------------------------------------------

    def change_passphrase(self, new_passphrase: str, *, scrypt_n: int = SCRYPT_N) -> None:
        """Put the same master key under a new passphrase; shares stay valid.

        It does not revoke: an older copy of the file with the old passphrase gives the master key, and so this file
        too. Where somebody may have both, `rotate` as well. Raises InvalidParameter as `create` does.
        """
        key = PassphraseKey.new(new_passphrase, scrypt_n)
        with self._changing(sweep=True) as draft:
            draft.slot = Slot.seal(key, draft.slot.ring_id, draft.slot.generation, draft.master)
            draft.passphrase_key = key
            draft.body.note("passphrase changed")

    def rotate(self) -> None:
        """Make a new master key, under the same passphrase. Data keys and what they protect stay as they are.

        It does not revoke either: older copies of the file open as before, with their passphrase or their shares.
        Shares from before do not open the new file: `split` again. Raises DecryptionError when the passphrase was
        changed through another handle (open the ring again).
        """
        with self._changing(sweep=True) as draft:
            if not draft.passphrase_key.fits(draft.slot):
                raise DecryptionError("the ring has another passphrase now: open it again")
            draft.master = secrets.token_bytes(32)
            draft.slot = Slot.seal(
                draft.passphrase_key, draft.slot.ring_id, draft.slot.generation + 1, draft.master
            )
            draft.body.note("rotated")

    def split(self, threshold: int, shares: int) -> list[shamir.Share]:
        """Share the master key among custodians, any `threshold` of whom can `recover` the ring from its file.

        1 ≤ threshold ≤ shares ≤ 255. Shares carry the ring's id and generation: they open this ring's file and its
        backups until the next `rotate`, and from then on only those backups. There is no taking a share back. Raises
        InvalidParameter.
        """
        with self._changing() as draft:
            shared = draft.slot.ring_id + draft.slot.generation.to_bytes(4, "big") + draft.master
            made = shamir.split(shared, threshold, shares)
            draft.body.note("split", made[0].set_id)
        return made

    def wrap_for(self, public_key: Recipient, wrapped: BytesLike, context: BytesLike) -> bytes:
        """Export a data key to a recipient, who opens it with `open_for`, the private key and the same context.

        public_key: RSA, then RSAES-OAEP (RFC 8017 §7.1); or `hpke.MLKEM768X25519PublicKey` of `cryptography`, then HPKE
        (RFC 9180; this KEM by the IETF draft draft-ietf-hpke-pq), which a quantum computer does not open. One data key
        is never exported by both: the RSA copy would forfeit what the other protects. Whoever has an export reads on
        after `shred`. Nothing in it says who sent it.

        Raises InvalidKey for another kind of key, InvalidParameter when the data key was exported by the other scheme,
        DecryptionError as `unwrap` does.
        """
        scheme, bound = wrapping.scheme_for(public_key), bytes(view_of(context))
        with self._changing() as draft:
            key = self._unwrapped(draft.body, wrapped, bound)
            record = draft.body.records[wrapping.id_of(wrapped)]
            if record.exported not in (0, scheme):
                raise InvalidParameter(
                    "this data key was exported by the other scheme: never by both"
                )
            blob = wrapping.seal_for(public_key, record.id, bound, key)
            draft.body.records[record.id] = record.exported_by(scheme)
            draft.body.note("exported", record.id)
        return blob

    def audit(self) -> list[AuditEntry]:
        """What was done with the ring, oldest first: (time, event, id), kept inside the sealed file.

        Events: created, passphrase changed, rotated, split (id: the shares' set id), recovered, exported, shredded, the
        last 4096 of them; and "new data key" for every data key that is still there. Reading is not recorded. It is the
        word of whoever could open the ring, not a proof against them.
        """
        return self._current().body.account()

    # --- reading and changing the file ---------------------------------------------------------------------------

    @staticmethod
    def _unwrapped(body: Body, wrapped: BytesLike, context: bytes) -> bytes:
        record = body.records.get(wrapping.id_of(wrapped))
        if record is None:
            raise DecryptionError
        return wrapping.unwrap(record.secret, wrapped, context)

    def _current(self) -> _Content:
        """What the file holds now, read again if it has changed."""
        with self._lock:
            with open_for_reading(self._path) as file:
                head = file.read(HEADER_SIZE)
                if head != self._content.header:
                    self._content = self._follow(read_rest(file, head))
            return self._content

    def _follow(self, sealed: SealedFile) -> _Content:
        """Open a file that another handle wrote, with what this one knows: its master key, or its passphrase key."""
        known, slot, key = self._content, sealed.slot, self._passphrase_key
        master = known.master
        if slot.generation != known.slot.generation:
            if not key.fits(slot):
                raise DecryptionError(
                    "the ring has another passphrase and master key now: open it again"
                )
            master = slot.open(key)
        content = _opened(sealed, master)
        if content.sequence <= known.sequence:
            raise StaleVersion(
                f"{self._path} was put back to an earlier state: open it again if that is meant"
            )
        return content

    @contextmanager
    def _changing(self, *, sweep: bool = False) -> Iterator[_Draft]:
        """A draft of the ring, written when the block ends well; nothing has changed when it raises."""
        with self._lock, exclusive(self._path):
            content = self._current()
            draft = _Draft(content.slot, content.master, content.body.copy(), self._passphrase_key)
            yield draft
            if sweep:
                _sweep(self._path)
            self._content = _write(
                self._path, draft.slot, content.sequence + 1, draft.master, draft.body
            )
            self._passphrase_key = draft.passphrase_key


def _place(path: str | os.PathLike[str]) -> Path:
    """Where the file really lies: a rename over a symbolic link would replace the link and leave the old ring."""
    try:
        return Path(os.path.realpath(path))
    except (TypeError, ValueError):
        raise InvalidParameter("a key ring's path is the path of one file") from None


def _bytes_of(data_key_id: str) -> bytes:
    """The id's bytes, or none for what is no id: no record has those."""
    return bytes.fromhex(data_key_id) if re.fullmatch("[0-9a-f]{32}", data_key_id) else b""


def _opened(sealed: SealedFile, master: bytes) -> _Content:
    return _Content(sealed.slot, sealed.sequence, sealed.header, master, sealed.open(master))


def _write(path: Path, slot: Slot, sequence: int, master: bytes, body: Body) -> _Content:
    sealed = SealedFile.seal(slot, sequence, master, body)
    write_atomically(path, sealed.data)
    return _Content(slot, sequence, sealed.header, master, body)


def _master_among(shared: bytes, slot: Slot) -> bytes:
    """The master key that custodians put together, if it is this file's. Ring id and generation are no secrets."""
    ring_id, generation, master = shared[:16], int.from_bytes(shared[16:20], "big"), shared[20:]
    if len(shared) != _SHARED_SIZE or ring_id != slot.ring_id:
        raise DecryptionError("these shares are not this key ring's")
    if generation != slot.generation:
        raise DecryptionError(
            f"these shares are of generation {generation}, the key ring of {slot.generation}: "
            "shares open the files of their own generation, its backups among them"
        )
    return master


def _refuse_exposed(path: Path) -> None:
    """Raise InvalidKey when others may reach the file: its own mode lets them and no folder above is private."""
    if os.name == "nt":  # its access lists are not in the mode
        return
    mode = path.stat().st_mode & 0o777
    if mode & 0o077 and all(folder.stat().st_mode & 0o011 for folder in path.parents):
        raise InvalidKey(
            f"others may reach {path} (mode {mode:04o}); for its owner alone: chmod 600 {path}"
        )


def _sweep(path: Path) -> None:
    """Remove what a crash left of earlier writings: each is a whole ring. Called under the lock: nobody is writing."""
    left = re.compile(
        re.escape(f".{path.name}.") + "[0-9a-f]{16}"
    )  # as `files.write_atomically` names them
    for entry in os.scandir(path.parent):
        if left.fullmatch(entry.name):
            Path(entry.path).unlink(missing_ok=True)
