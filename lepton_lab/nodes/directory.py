"""A node that stores values as files in a folder. It runs everywhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lepton_lab.buffers import BytesLike, read_into
from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue, UnreadableValue
from lepton_lab.files import sync_folder
from lepton_lab.nodes.folders import OpenFolder
from lepton_lab.nodes.key_paths import LONGEST_KEY, folders_of, key_of, names_of
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.values import (
    LARGEST_VALUE,
    as_view,
    bytes_of,
    printable,
    reason_of,
    room_in,
    too_long,
)

MARKER = ".lepton-node"
_MARKER_TEXT = (
    b"This folder is a node of lepton_lab. Without this file it counts as a disk that is not\n"
    b"mounted, and nothing is written to it.\n"
)
_ATTEMPTS = 20
_DEEPEST = 2 * LONGEST_KEY  # no key has as many folders
# One entry is damaged, or not a regular file, or stands behind something that is not a folder.
_UNREADABLE = frozenset(
    {errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EMLINK}
)
_UNMOUNTED = (
    f"its folder has no {MARKER}: is its disk mounted? If it is a new disk, make an empty file "
    "of that name in it"
)

T = TypeVar("T")


class DirectoryNode(Node):
    """A node over a folder that only its owner can read, one file per value.

    path: the folder. name: by default the whole path. sync: with True (the default) a value is on
    the medium when the call returns, so that a power cut cannot undo what was acknowledged; with
    False the system writes it later, which is faster and still survives the end of this process.
    Either way a value is there as a whole or not at all.

    create: with True (the default) the folder is made if it does not exist, and marked as a node's
    by a file `.lepton-node`. With False neither is done. A folder without its marker is taken for
    the mount point of a disk that is not mounted: every call raises NodeError, and nothing is
    written. A folder that already holds files, as earlier versions left it, is marked either way.

    Nothing in the folder is followed, opened or waited for unless it is a regular file. A link,
    pipe, socket, device or folder in a value's place, or a sector that cannot be read, raises
    UnreadableValue for this one key; writing replaces such an entry, and deleting removes it. The
    same holds for anything but a folder in the place of a value's folder.

    A key of more than 1,000 bytes and a path with NUL raise InvalidParameter. Raises NodeError if
    the folder cannot be made, and afterwards whenever the file system refuses: full, not permitted,
    unplugged.
    """

    single_writer = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        sync: bool = True,
        create: bool = True,
    ) -> None:
        if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
            raise InvalidParameter("a directory node needs a path, as str or Path and without NUL")
        self._root = Path(path).absolute()
        self._path = str(self._root)
        self._sync = sync
        self._is_marked = True
        self.name = name if name is not None else printable(self._path)
        self._prepare(create)

    @property
    def path(self) -> Path:
        """The folder."""
        return self._root

    @property
    def identity(self) -> Hashable | None:
        """Device and inode of the folder; while it is not there, its path without links."""
        try:
            found = os.stat(self._root)
        except OSError:
            return ("folder", os.path.realpath(self._root))
        return ("folder", found.st_dev, found.st_ino)

    # --- values ---------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> bytes:
        with (
            self._reading(key) as descriptor,
            open(descriptor, "rb", buffering=0, closefd=False) as file,
        ):
            length = os.fstat(descriptor).st_size
            if length > LARGEST_VALUE:
                raise OversizedValue(self.name, too_long(length, LARGEST_VALUE))
            value = bytearray(length)
            count = read_into(file, memoryview(value))
            return bytes(value[:count])

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """Read a value from its file into the buffer.

        Raises KeyError, UnreadableValue, NodeError.
        """
        room = room_in(buffer)
        with (
            self._reading(key) as descriptor,
            open(descriptor, "rb", buffering=0, closefd=False) as file,
        ):
            length = os.fstat(descriptor).st_size
            if length > len(room):
                raise OversizedValue(self.name, too_long(length, len(room)))
            return read_into(file, room[:length])

    def __setitem__(self, key: str, value: BytesLike) -> None:
        data = self._checked(value)
        self._place(key, lambda folder, name: folder.write_file(name, data, sync=self._sync))

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Store `value` unless the key exists; of several processes exactly one gets True.

        Raises NodeError, also on a file system without hard links.
        """
        data = self._checked(value)
        return self._place(key, lambda folder, name: folder.add_file(name, data, sync=self._sync))

    def __delitem__(self, key: str) -> None:
        """Remove the file, and the folders that are then empty.

        Nothing waits for the medium, so a power cut may bring the value back.
        """
        *folders, name = names_of(key)
        with self._errors(key), self._open_root() as root:
            try:
                with root.below(folders) as folder:
                    folder.remove(name)
            except OSError:
                # Behind something that is not a folder there is no value. It is in the way of the
                # next one, so it goes; what a link points to stays.
                if not _remove_obstacle(root, folders):
                    raise
                raise KeyError(key) from None
            _remove_empty(root, folders)

    def __contains__(self, key: object) -> bool:
        """Tell whether there is an entry for the key, readable or not."""
        *folders, name = names_of(key)
        try:
            with (
                self._errors(key),
                self._open_root() as root,
                root.below(folders) as folder,
            ):
                return folder.exists(name)
        except KeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys that begin with `prefix`, reading only the folder that it names.

        Files whose names no key has are left out. Raises NodeError.
        """
        if len(bytes_of(prefix)) > LONGEST_KEY:
            return
        folder, slash, _ = prefix.rpartition("/")
        start = folders_of(folder) if slash else []
        for path in self._paths_below(start):
            key = key_of(path)
            if key is not None and key.startswith(prefix):
                yield key

    # --- files and folders ----------------------------------------------------------------------

    def _prepare(self, create: bool) -> None:
        """Make the folder if it is to be made, and mark it. Raises NodeError."""
        with self._errors():
            if create:
                self._make_root()
            try:
                root = OpenFolder.open(self._path)
            except FileNotFoundError:
                # Every call will say so; the folder may come back while this object is in use.
                return
            with root:
                if root.exists(MARKER):
                    return
                has_files = any(_may_be_a_nodes(entry) for entry, _ in root.entries())
                if not create and not has_files:
                    return
                try:
                    # As a claim is made, so that a file system on which no claim can be is refused
                    # now.
                    root.add_file(MARKER, memoryview(_MARKER_TEXT), sync=self._sync)
                except OSError:
                    # A folder of an earlier version that cannot be written to can still be read.
                    if not has_files:
                        raise
                    self._is_marked = False

    def _make_root(self) -> None:
        """Make the folder and those above it, and put their entries on the medium."""
        missing = [path for path in (self._root, *self._root.parents) if not path.exists()]
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._sync:
            for path in missing:
                sync_folder(path.parent)

    def _open_root(self) -> OpenFolder:
        """Open the folder. Raises NodeError if it is gone or has lost its marker."""
        try:
            root = OpenFolder.open(self._path)
        except FileNotFoundError:
            raise NodeError(self.name, "its folder is not there") from None
        except OSError as error:
            raise NodeError(self.name, reason_of(error)) from error
        try:
            if self._is_marked and not root.exists(MARKER):
                raise NodeError(self.name, _UNMOUNTED)
        except BaseException:
            root.close()
            raise
        return root

    def _paths_below(self, start: list[str]) -> Iterator[str]:
        """Yield every entry below a folder by its path from the root, folder by folder in order.

        What other processes remove in the meantime is passed over. A folder whose name only a value
        can have is an entry, too, so that it can be deleted.
        """
        waiting = [start]
        while waiting:
            names = waiting.pop()
            deeper = []
            for name, is_folder in self._entries_of(names):
                # Names with a dot are those of files that are still being written.
                if name.startswith("."):
                    continue
                path = "/".join([*names, name])
                if not is_folder or key_of(path) is not None:
                    yield path
                elif len(names) < _DEEPEST:
                    deeper.append([*names, name])
            waiting += reversed(deeper)

    def _entries_of(self, names: list[str]) -> list[tuple[str, bool]]:
        try:
            with self._errors(names), self._open_root() as root, root.below(names) as folder:
                return folder.entries()
        except (KeyError, UnreadableValue):
            # It was removed, or something else has taken its place: then no value is in it.
            return []

    def _checked(self, value: BytesLike) -> memoryview:
        """Return a value as a view. Raises OversizedValue for one that could not be read again."""
        data = as_view(value)
        if len(data) > LARGEST_VALUE:
            raise OversizedValue(self.name, too_long(len(data), LARGEST_VALUE))
        return data

    def _place(self, key: str, write: Callable[[OpenFolder, str], T]) -> T:
        """Run `write` on the folder and name of a key's file.

        The folders below the root are made if need be, and again if another process removes them in
        the meantime. The root is never made: if it is gone, a disk was taken out.
        """
        *folders, name = names_of(key)
        with self._errors(), self._open_root() as root:
            for _ in range(_ATTEMPTS):
                try:
                    with root.make_below(folders, sync=self._sync) as folder:
                        return write(folder, name)
                except FileNotFoundError:
                    continue
        raise NodeError(self.name, "its folders vanish while they are written to")

    @contextmanager
    def _reading(self, key: str) -> Iterator[int]:
        """Give a descriptor of a key's file."""
        *folders, name = names_of(key)
        with self._errors(key):
            with self._open_root() as root, root.below(folders) as folder:
                descriptor = folder.open_file(name)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    @contextmanager
    def _errors(self, key: object = None) -> Iterator[None]:
        """Turn an OSError into a NodeError or, with a key, into UnreadableValue or its KeyError."""
        try:
            yield
        except FileNotFoundError:
            if key is None:
                raise NodeError(self.name, "its folders vanish while they are written to") from None
            raise KeyError(key) from None
        except OSError as error:
            # Of the root itself, _open_root has already raised NodeError.
            is_of_one_key = key is not None and error.errno in _UNREADABLE
            kind = UnreadableValue if is_of_one_key else NodeError
            raise kind(self.name, reason_of(error)) from error


def _may_be_a_nodes(name: str) -> bool:
    """Tell whether an entry may come from a node; an empty disk has only others."""
    return not name.startswith(".") and name != "lost+found"


def _remove_obstacle(root: OpenFolder, names: list[str]) -> bool:
    """Remove the first entry that is not a folder among those that lead somewhere.

    Returns False if there is none, or if it cannot be removed.
    """
    for count in range(len(names)):
        try:
            with root.below(names[:count]) as folder:
                if folder.unlink_unless_folder(names[count]):
                    return True
        except OSError:
            return False
    return False


def _remove_empty(root: OpenFolder, names: list[str]) -> None:
    """Remove the folders that lead somewhere, from the innermost, until one is not empty."""
    for count in range(len(names), 0, -1):
        try:
            with root.below(names[: count - 1]) as folder:
                folder.remove_folder(names[count - 1])
        except OSError:
            # Not empty, or another process removed it.
            return
