"""Which of the manifests that nodes show are to be believed, and which nodes showed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lepton_lab.errors import DecryptionError, IntegrityError
from lepton_lab.keyring import KeyRing
from lepton_lab.sharding.manifest import (
    Manifest,
    ManifestBody,
    ObjectKeys,
    SealedManifest,
    context,
)
from lepton_lab.sharding.workers import Worker


class Verifier:
    """Verifies the records of one object that nodes return during one operation.

    refused: why a node's manifest was refused, by the node's name. unknown_version: the highest
    version of a manifest whose data key is not in the ring; the number is not verified.
    """

    def __init__(self, name: bytes, object_id: bytes, ring: KeyRing) -> None:
        self.refused: dict[str, str] = {}
        self.unknown_version = 0
        self._name = name
        self._object_id = object_id
        self._ring = ring
        # Which manifests each node showed, and the index of the shards beside each of them.
        self._shown: dict[Worker, dict[ManifestBody, int]] = {}
        # The keys derived for each manifest: most nodes show the same one.
        self._keys: dict[tuple[bytes, ManifestBody], ObjectKeys] = {}

    def shown_by(self, worker: Worker) -> Mapping[ManifestBody, int]:
        """Return the manifests that a node showed, each with the index of the shards beside it."""
        return self._shown.get(worker, {})

    def forget_shown(self) -> None:
        """Forget who showed what, before the nodes are asked again."""
        self._shown.clear()

    def best_of(self, answers: Mapping[Worker, Sequence[bytes | None]]) -> Manifest | None:
        """Verify the records that nodes returned; return the newest of those to be believed."""
        best: Manifest | None = None
        for worker, records in answers.items():
            for record in records:
                if record is None:
                    continue
                try:
                    verified = self.verified(record)
                except (IntegrityError, DecryptionError) as error:
                    self.refused[worker.name] = str(error)
                    continue
                if verified is not None:
                    manifest, index = verified
                    self._shown.setdefault(worker, {})[manifest.body] = index
                    best = newer(best, manifest)
        return best

    def verified(self, record: bytes) -> tuple[Manifest, int] | None:
        """Return the manifest and the index of its node; None if its data key has left the ring.

        Raises IntegrityError or DecryptionError if the record is not to be believed.
        """
        sealed = SealedManifest.parse(record)
        if sealed.body.object_id != self._object_id:
            raise IntegrityError("a manifest of another object")
        if self._ring.data_key_id(sealed.wrapped) not in self._ring:
            # Shredded or replaced. Nothing in the record can be verified, its version included.
            self.unknown_version = max(self.unknown_version, sealed.body.version)
            return None
        return sealed.verify_by(self._derived(sealed)), sealed.index

    def _derived(self, sealed: SealedManifest) -> ObjectKeys:
        """Return the keys that the record should be under, derived once for each manifest."""
        known = sealed.wrapped, sealed.body
        if known not in self._keys:
            bound_to = context(self._name, sealed.body.version, sealed.body.put_id)
            data_key = self._ring.unwrap(sealed.wrapped, bound_to)
            self._keys[known] = ObjectKeys.derive(data_key, self._name, sealed.body)
        return self._keys[known]


def newer(one: Manifest | None, other: Manifest | None) -> Manifest | None:
    """Return the manifest with the higher version; on a tie, the first argument."""
    if one is None or other is None:
        return one or other
    return other if other.body.version > one.body.version else one
