"""Values as files in a folder: the node that runs everywhere."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lepton_lab.buffers import BytesLike, read_into
from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue
from lepton_lab.files import sync_folder, write_atomically
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.values import as_key, as_view, bytes_of, reason_of, room_in, too_long

# How a key becomes a path. Its parts between slashes become folders, its last part a file, so that
# all keys of one prefix lie together:
#
#   a–z 0–9 _ -       as they are: file systems that fold upper and lower case together see no two
# keys as one   any other byte   % and two lower-case hexadecimal digits; so no part can be "..",
# and none is hidden   the last part     ends in =, so that the keys "a" and "a/b" can both be there
# an empty part     == as a folder   a part beyond 200 characters goes on in the folder below, and
# every piece but its last ends in +   con, nul, com1 …  their first letter as %xx: to Windows they
# are devices in every folder
_UNSAFE = re.compile(rb"[^a-z0-9_-]")
_ESCAPED = re.compile(rb"%([0-9a-f]{2})")
_DEVICE = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
_PIECE = 200  # most file systems allow 255, and a temporary file's name is longer
_LONGEST_KEY = 1000  # three bytes of path for each, and the system's limit is 4096
_ATTEMPTS = 20

T = TypeVar("T")


class DirectoryNode(Node):
    """One file a value, in a folder that only its owner can read.

    path: the folder, made if it is not there. name: by default the folder's own name. sync: with
    True (the default) a value is on the medium when the call returns, so that a power cut cannot
    undo what was acknowledged; False leaves that to the system, which is quicker and still survives
    the crash of this process. Either way a value is there whole or not at all.

    A key of more than 1,000 bytes raises InvalidParameter. Raises NodeError when the folder cannot
    be made, and afterwards whenever the file system refuses: full, not permitted, unplugged.
    """

    single_writer = False

    def __init__(
        self, path: str | os.PathLike[str], name: str | None = None, *, sync: bool = True
    ) -> None:
        self._root, self._sync = Path(path).absolute(), sync
        self.name = name if name is not None else self._root.name or str(self._root)
        with self._errors():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def path(self) -> Path:
        """The folder."""
        return self._root

    def __getitem__(self, key: str) -> bytes:
        with (
            self._reading(key) as descriptor,
            open(descriptor, "rb", buffering=0, closefd=False) as file,
        ):
            return file.read()

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """As in Node, straight from the file."""
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
        data = as_view(value)
        self._place(key, lambda path: write_atomically(path, data, sync=self._sync))

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """As in Node, between processes too: a file is written whole and then linked to its name,
        which one can do.

        Raises NodeError on a file system without hard links.
        """
        data = as_view(value)

        def claim(path: Path) -> bool:
            beside = path.with_name(f".{secrets.token_hex(8)}")
            write_atomically(beside, data, sync=self._sync)
            try:
                os.link(beside, path)
            except FileExistsError:
                return False
            finally:
                beside.unlink(missing_ok=True)
            if self._sync:
                sync_folder(path.parent)
            return True

        return self._place(key, claim)

    def __delitem__(self, key: str) -> None:
        """Remove the file, and the folders that are empty now.

        A power cut may bring it back: nothing waits for it.
        """
        path = self._root / path_of(key)
        with self._errors(key):
            path.unlink()
        self._remove_empty(path.parent)

    def __contains__(self, key: object) -> bool:
        path = self._root / path_of(key)
        try:
            with self._errors(key):
                path.stat()
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """As in Node.

        Only the folder that the prefix names is read; files that no key could have made are not
        keys.
        """
        if len(bytes_of(prefix)) > _LONGEST_KEY:
            return
        folder, slash, _ = prefix.rpartition("/")
        start = self._root.joinpath(*_folders_of(folder)) if slash else self._root
        for path in self._files_below(start):
            key = key_of(path.as_posix())
            if key is not None and key.startswith(prefix):
                yield key

    # --- files and folders ----------------------------------------------------------------------

    def _files_below(self, folder: Path) -> Iterator[Path]:
        """Every file below a folder by its path from the root, in order; what vanishes meanwhile is
        passed over.
        """
        try:
            with self._errors(folder), os.scandir(folder) as entries:
                found = sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                )
        except KeyError:
            return
        for name, is_folder in found:
            if is_folder:
                yield from self._files_below(folder / name)
            elif not name.startswith("."):  # those are still being written
                yield (folder / name).relative_to(self._root)

    def _place(self, key: str, write: Callable[[Path], T]) -> T:
        """Run `write` on a key's path, making its folders if need be; again, if somebody removes
        them meanwhile.
        """
        relative = path_of(key)
        with self._errors():
            for _ in range(_ATTEMPTS):
                try:
                    return write(self._root / relative)
                except FileNotFoundError:
                    self._make_folders(relative.parent)
            return write(self._root / relative)

    def _make_folders(self, relative: Path) -> None:
        """Make the folders below the root, never the root itself: where that has gone, a disk was
        taken out.
        """
        folder = self._root
        for part in relative.parts:
            above, folder = folder, folder / part
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except FileNotFoundError:  # removed again by a deletion: the caller comes back
                return
            if self._sync:
                sync_folder(above)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or somebody else removed it
                return
            folder = folder.parent

    @contextmanager
    def _reading(self, key: str) -> Iterator[int]:
        path = self._root / path_of(key)
        with self._errors(key):
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def _require_root(self) -> None:
        if not os.path.isdir(self._root):  # which answers False where pathlib's raises
            raise NodeError(self.name, "its folder is not there")

    @contextmanager
    def _errors(self, key: object = None) -> Iterator[None]:
        """Turn what the file system says into NodeError, and a file that is missing into the
        KeyError of its key.
        """
        try:
            yield
        except FileNotFoundError:
            self._require_root()
            if key is None:
                raise NodeError(self.name, "its folders vanish while they are written to") from None
            raise KeyError(key) from None
        except OSError as error:
            raise NodeError(self.name, reason_of(error)) from error


def path_of(key: object) -> Path:
    """Where a key's file lies below the root; see the table above. Raises InvalidParameter."""
    if len(bytes_of(key)) > _LONGEST_KEY:
        raise InvalidParameter(f"a directory node takes keys of at most {_LONGEST_KEY} bytes")
    folder, slash, last = as_key(key).rpartition("/")
    *outer, leaf = _pieces(_escaped(last))
    return Path(*(_folders_of(folder) if slash else []), *outer, leaf + "=")


def _folders_of(folder: str) -> list[str]:
    parts = [_escaped(part) or "==" for part in folder.split("/")]
    return [_no_device(piece) for part in parts for piece in _pieces(part)]


def _escaped(part: str) -> str:
    return _UNSAFE.sub(lambda found: b"%%%02x" % found[0][0], bytes_of(part)).decode()


def _no_device(piece: str) -> str:
    return f"%{ord(piece[0]):02x}{piece[1:]}" if _DEVICE.fullmatch(piece) else piece


def _pieces(part: str) -> list[str]:
    cuts = [part[at : at + _PIECE] for at in range(0, len(part), _PIECE)] or [""]
    return [piece + "+" for piece in cuts[:-1]] + cuts[-1:]


def key_of(path: str) -> str | None:
    """The key whose file this is, or None: then it is none of ours, and is left alone.

    Parts are divided by slashes.
    """
    written = "".join(
        part.removesuffix("+") if part.endswith("+") else part + "/" for part in path.split("/")
    )
    parts = [
        b"" if part == "==" else _unescaped(part) for part in written.removesuffix("=/").split("/")
    ]
    try:
        key = b"/".join(parts).decode("utf-8", "surrogatepass")
        return key if path_of(key).as_posix() == path else None
    except (UnicodeDecodeError, InvalidParameter):
        return None


def _unescaped(part: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), os.fsencode(part))
