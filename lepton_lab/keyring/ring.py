"""The key ring's verbs."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lepton_lab import aes, shamir
from lepton_lab.buffers import BytesLike, framed, view_of, whole_number
from lepton_lab.errors import DecryptionError, InvalidParameter, NotFound
from lepton_lab.keyring import export
from lepton_lab.keyring.acknowledged import Acknowledged, checked_subject
from lepton_lab.keyring.export import DataKey, Recipient
from lepton_lab.keyring.file import SCRYPT_N, PassphraseKey, PassphraseSlot
from lepton_lab.keyring.handle import RingDraft, RingHandle, shared_bytes
from lepton_lab.keyring.records import AuditEntry, KeyRecord, RingBody


class KeyRing:
    """Keys in one file, opened by a passphrase or by enough custodians.

    Made by `create`, `open` or `recover`. The file is read again before each use if it has changed,
    and every change is made under a lock, on what the file holds then, and written whole: processes
    and threads that share a ring lose none of each other's keys, a power cut leaves the old ring or
    the new one, and a key shredded through one handle is gone for all. Nothing is locked between
    changes; the lock is a file of its own beside the ring, `.<name>.lock`, which stays. Stretching
    the passphrase takes tenths of a second and 128 MiB, once, when a ring is opened.

    A method raises NotFound when the file is gone; DecryptionError when it was altered, or has
    another passphrase *and* another master key than this handle knows (open it again); StaleVersion
    when it was put back to an earlier state, even if others have written it since; LockTimeout when
    another process has kept the ring from being written for 30 seconds. To tell an earlier state,
    the file names its last 2,048 writings (16 KiB): a handle that was not used while others wrote
    more than these raises StaleVersion too, and is to be opened again. OSError from the disk passes
    through: a change that raised it was made or was not, and the next use reads which.

    A ring is a file of at most 256 MiB. InvalidParameter says when a change would pass that; then
    nothing was changed.

    What it does not protect: the memory of a process that has it open; a ring whose file is
    replaced by an older copy before it is opened (nothing in the file can tell). The file's size
    shows about how many keys there are.
    """

    def __init__(self, handle: RingHandle) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        generation = self._handle.content.slot.generation
        return f"KeyRing({str(self.path)!r}, generation {generation})"

    @property
    def path(self) -> Path:
        """The ring's file."""
        return self._handle.path

    @property
    def generation(self) -> int:
        """Which master key opens the file: 1, and one more after each `rotate`."""
        return self._handle.current().slot.generation

    # --- making and opening ----------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], passphrase: str, *, scrypt_n: int = SCRYPT_N
    ) -> Self:
        """Make a new, empty ring in a file that only its owner may read (mode 0600).

        passphrase: a non-empty str, taken in its NFC form. scrypt_n: what each guess costs, a power
        of two from 2¹⁴ (16 MiB) to 2¹⁹ (512 MiB). Raises InvalidParameter for others and when the
        file exists already; NotFound when its folder does not. RFC 7914.
        """
        return cls(RingHandle.create(path, passphrase, scrypt_n))

    @classmethod
    def open(cls, path: str | os.PathLike[str], passphrase: str) -> Self:
        """Open a ring.

        Raises DecryptionError, the same for a wrong passphrase and a damaged file (a file that a
        newer release wrote is named as such); NotFound when there is none; InvalidKey when others
        may read it; InvalidParameter for a passphrase that is not a non-empty str.
        """
        return cls(RingHandle.open(path, passphrase))

    @classmethod
    def recover(
        cls,
        path: str | os.PathLike[str],
        shares: Iterable[shamir.Share],
        new_passphrase: str,
        *,
        scrypt_n: int = SCRYPT_N,
    ) -> Self:
        """Open a ring with custodians' shares (`split`) and give it a new passphrase.

        The old passphrase opens it no more. The shares give the master key, which opens the file:
        without the file they open nothing. They stay valid.

        Raises NotEnoughShards, IntegrityError as `shamir.combine` does; DecryptionError for another
        ring's shares, for those of another generation (says which), and for a damaged file;
        NotFound, InvalidKey, InvalidParameter as `create` and `open` do.
        """
        return cls(RingHandle.recover(path, shamir.combine(shares), new_passphrase, scrypt_n))

    # --- data keys -------------------------------------------------------------------------------

    def new_data_key(self, context: BytesLike) -> DataKey:
        """Make a 256-bit data key, bound to `context`, which `unwrap` must be given again.

        context: at most 65,535 bytes. Store `wrapped` with the data; `key` is for use now; `id` is
        for `shred`. Raises InvalidParameter.
        """
        bound = bytes(view_of(context))
        key = aes.generate_key()
        record = KeyRecord.new(bound)
        with self._handle.changing() as draft:
            draft.body.records[record.id] = record
        return DataKey(record.id.hex(), key, export.wrap(record.secret, record.id, bound, key))

    def unwrap(self, wrapped: BytesLike, context: BytesLike) -> bytes:
        """The data key (32 bytes) in a wrapped form.

        Raises DecryptionError, the same for another context, an altered or malformed form, and one
        whose secret this ring does not hold: another ring's, or shredded.
        """
        return _unwrapped(self._handle.current().body, wrapped, bytes(view_of(context)))

    @staticmethod
    def data_key_id(wrapped: BytesLike) -> str:
        """The data key's id, read from a wrapped form. Raises DecryptionError when malformed."""
        return export.id_of(wrapped).hex()

    def __contains__(self, data_key_id: object) -> bool:
        """Whether the ring can still unwrap this data key."""
        if not isinstance(data_key_id, str):
            return False
        return _bytes_of(data_key_id) in self._handle.current().body.records

    def find(self, context_prefix: BytesLike) -> list[tuple[str, bytes]]:
        """(id, context) of every data key whose context starts so, in order of creation."""
        prefix = bytes(view_of(context_prefix))
        records = self._handle.current().body.records.values()
        return [
            (record.id.hex(), record.context)
            for record in records
            if record.context.startswith(prefix)
        ]

    def shred(self, *data_key_ids: str) -> None:
        """Remove what opens these data keys, all in one writing. Their contexts go with it.

        What may be claimed: *this ring can no longer read what they protected*. Backups or
        snapshots of the ring with their passphrase or shares still can, and so may exports by
        `wrap_for`, memory, and what the medium kept of the overwritten file (NIST SP 800-88). The
        entry in `audit` is the ring's word, not a proof.

        Raises NotFound, and shreds nothing, when the ring does not hold one of them;
        InvalidParameter for none.
        """
        _check_ids(data_key_ids)
        if not data_key_ids:
            raise InvalidParameter("name one data key or more, each by its id")
        with self._handle.changing() as draft:
            for data_key_id in dict.fromkeys(data_key_ids):
                found = _bytes_of(data_key_id)
                if found not in draft.body.records:
                    raise NotFound(f"the ring holds no data key {data_key_id}")
                _shred_in(draft, found)

    def derive(self, purpose: BytesLike, length: int = 32) -> bytes:
        """A key of `length` bytes (1 to 8160) for one purpose, always the same from this ring.

        It is for names and ids: `rotate` and a new passphrase leave it, and it cannot be shredded.
        It comes from a random root inside the file, by HKDF-SHA256 (RFC 5869) with
        info = framed("lepton_lab derive", purpose). Raises InvalidParameter.
        """
        size = whole_number(length, "the length of a derived key", 1, 255 * 32)
        info = framed(b"lepton_lab derive", bytes(view_of(purpose)))
        root = self._handle.current().body.root
        return HKDF(SHA256(), size, None, info).derive(root)

    # --- the newest acknowledged state of what the keys protect ----------------------------------

    def acknowledge(
        self,
        subject: BytesLike,
        version: int,
        digest: BytesLike,
        *,
        deleted: bool = False,
        version_of: Callable[[bytes], int | None],
        data_key_id: str | None = None,
    ) -> None:
        """Note a version as acknowledged, and shred every data key of an older one, in one writing.

        subject: what has versions, 1 to 4,096 bytes of the caller's choice. version: 0 to 2⁶⁴ − 1.
        digest: 32 bytes that tell this version from any other. deleted: the version says that the
        subject is gone. version_of(context) gives the version that a data key's context belongs to,
        or None when the key is not this subject's; it must not use the ring, which is locked
        meanwhile. data_key_id: the data key of this very version, when it has one.

        A version below the one noted before changes no note, and still shreds what is older than
        that one. Nothing is written when nothing would change. Raises IntegrityError, and changes
        nothing, when the ring has noted this version with another digest; NotFound when the data
        key of this version was shredded and no newer version was noted; InvalidParameter.
        """
        name = checked_subject(subject)
        state = Acknowledged.checked(version, digest, deleted)
        with self._handle.changing() as draft:
            known = draft.body.acknowledged.get(name)
            newest = state.or_newer(known)
            if newest == state and not _holds(draft.body, data_key_id):
                # Noted, it would be the newest version, and nobody could read it.
                raise NotFound("the data key of this version was shredded meanwhile")
            outdated = draft.body.older_than(newest.version, version_of)
            if newest == known and not outdated:
                draft.unchanged = True
                return
            draft.body.acknowledged.set(name, newest)
            for outdated_id in outdated:
                _shred_in(draft, outdated_id)

    def acknowledged(self, subject: BytesLike) -> Acknowledged | None:
        """The newest acknowledged version of a subject, its digest, and whether it was deleted.

        None when nothing was acknowledged, or after `forget`. Raises InvalidParameter.
        """
        return self._handle.current().body.acknowledged.get(checked_subject(subject))

    def acknowledged_subjects(self) -> list[bytes]:
        """Every subject whose newest acknowledged version is not a deletion, sorted."""
        return self._handle.current().body.acknowledged.subjects()

    def forget(self, subject: BytesLike, context_prefix: BytesLike) -> int:
        """Remove what was acknowledged of a subject, and shred its data keys, in one writing.

        context_prefix: how the contexts of the subject's data keys begin. They are chosen under the
        lock, so that a key which another writer makes meanwhile is either shredded or made
        afterwards. Returns how many were shredded; for them the same may be claimed as after
        `shred`. Nothing is written when nothing would change. Raises InvalidParameter.
        """
        name = checked_subject(subject)
        prefix = bytes(view_of(context_prefix))
        if not prefix:
            raise InvalidParameter("an empty prefix would shred every data key of the ring")
        with self._handle.changing() as draft:
            was_known = draft.body.acknowledged.remove(name)
            records = draft.body.records.values()
            held = [record.id for record in records if record.context.startswith(prefix)]
            if not was_known and not held:
                draft.unchanged = True
                return 0
            draft.sweep = True
            for key_id in held:
                _shred_in(draft, key_id)
        return len(held)

    # --- who opens the ring ----------------------------------------------------------------------

    def change_passphrase(self, new_passphrase: str, *, scrypt_n: int = SCRYPT_N) -> None:
        """Put the same master key under a new passphrase; shares stay valid.

        It does not revoke: an older copy of the file with the old passphrase gives the master key,
        and so this file too. Where somebody may have both, `rotate` as well. Raises
        InvalidParameter as `create` does.
        """
        key = PassphraseKey.new(new_passphrase, scrypt_n)
        with self._handle.changing() as draft:
            generation = draft.slot.generation
            draft.slot = PassphraseSlot.seal(key, draft.slot.ring_id, generation, draft.master)
            draft.passphrase_key = key
            draft.sweep = True
            draft.body.note("passphrase changed")

    def rotate(self) -> None:
        """Make a new master key, under the same passphrase.

        Data keys and what they protect stay as they are. It does not revoke either: older copies of
        the file open as before, with their passphrase or their shares. Shares from before do not
        open the new file: `split` again. Raises DecryptionError when the passphrase was changed
        through another handle (open the ring again).
        """
        with self._handle.changing() as draft:
            key = draft.passphrase_key
            if not key.fits(draft.slot):
                raise DecryptionError("the ring has another passphrase now: open it again")
            generation = draft.slot.generation + 1
            draft.master = secrets.token_bytes(32)
            draft.slot = PassphraseSlot.seal(key, draft.slot.ring_id, generation, draft.master)
            draft.sweep = True
            draft.body.note("rotated")

    def split(self, threshold: int, shares: int) -> list[shamir.Share]:
        """Share the master key among custodians.

        Any `threshold` of them can `recover` the ring from its file; 1 ≤ threshold ≤ shares ≤ 255.
        Shares carry the ring's id and generation: they open this ring's file and its backups until
        the next `rotate`, and from then on only those backups. A share cannot be taken back. Raises
        InvalidParameter.
        """
        with self._handle.changing() as draft:
            made = shamir.split(shared_bytes(draft.slot, draft.master), threshold, shares)
            draft.body.note("split", made[0].set_id)
        return made

    def wrap_for(self, public_key: Recipient, wrapped: BytesLike, context: BytesLike) -> bytes:
        """Export a data key to a recipient.

        The recipient opens it with `open_for`, the private key and the same context. public_key:
        RSA, then RSAES-OAEP (RFC 8017 §7.1); or `hpke.MLKEM768X25519PublicKey` of `cryptography`,
        then HPKE (RFC 9180; this KEM by the IETF draft draft-ietf-hpke-pq), which a quantum
        computer does not open. One data key is never exported by both: the RSA copy would forfeit
        what the other protects. The holder of an export can still read after `shred`. Nothing in it
        says who sent it.

        Raises InvalidKey for another kind of key, InvalidParameter when the data key was exported
        by the other scheme, DecryptionError as `unwrap` does.
        """
        scheme = export.scheme_for(public_key)
        bound = bytes(view_of(context))
        with self._handle.changing() as draft:
            key = _unwrapped(draft.body, wrapped, bound)
            record = draft.body.records[export.id_of(wrapped)]
            if record.exported not in (0, scheme):
                raise InvalidParameter(
                    "this data key was exported by the other scheme: never by both"
                )
            blob = export.seal_for(public_key, record.id, bound, key)
            draft.body.records[record.id] = record.exported_by(scheme)
            draft.body.note("exported", record.id)
        return blob

    def audit(self) -> list[AuditEntry]:
        """What was done with the ring, oldest first: (time, event, id), kept in the sealed file.

        Events: created, passphrase changed, rotated, split (id: the shares' set id), recovered,
        exported, shredded, the last 4,096 of them; and "new data key" for every data key that is
        still there. Reading is not recorded. Anyone who could open the ring could have written
        these entries: they are not a proof against them.
        """
        return self._handle.current().body.account()


def _unwrapped(body: RingBody, wrapped: BytesLike, context: bytes) -> bytes:
    record = body.records.get(export.id_of(wrapped))
    if record is None:
        raise DecryptionError
    return export.unwrap(record.secret, wrapped, context)


def _holds(body: RingBody, data_key_id: str | None) -> bool:
    return data_key_id is None or _bytes_of(data_key_id) in body.records


def _check_ids(data_key_ids: tuple[str, ...]) -> None:
    if not all(isinstance(data_key_id, str) for data_key_id in data_key_ids):
        raise InvalidParameter("a data key is named by its id, a str")


def _bytes_of(data_key_id: str) -> bytes:
    """The bytes of an id; b"", which no record has, for a str that is not an id."""
    if re.fullmatch("[0-9a-f]{32}", data_key_id) is None:
        return b""
    return bytes.fromhex(data_key_id)


def _shred_in(draft: RingDraft, data_key_id: bytes) -> None:
    """Remove a data key from a draft that holds it, and what a crash left beside the file."""
    del draft.body.records[data_key_id]
    draft.body.note("shredded", data_key_id)
    draft.sweep = True
