"""Values as files of any file system that fsspec knows: a bucket of S3, SFTP, memory, and many more."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, LabError, NodeError, OversizedValue
from lepton_lab.nodes.directory import key_of, path_of
from lepton_lab.nodes.node import Node, as_value, bytes_of, reason_of, room_in, too_long

_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class FsspecNode(Node):
    """The files below the root of an fsspec mapping, one a value.

    mapping: from `fsspec.get_mapper("s3://bucket/prefix", …)`. Its file system is used and not the mapping itself,
    which takes every failure to delete for a missing key and some characters in keys for patterns. Keys become paths
    as in `DirectoryNode`, whatever they hold, up to 1,000 bytes. name: by default the root with its protocol.

    Whether a value is there whole or not at all, and how durable, is the file system's affair: object stores write
    whole objects; a local folder gets them by renaming, and `DirectoryNode` is the better node for it. Nothing in
    fsspec promises that of two processes one creates a file, so the node is for one writing process.

    Raises InvalidParameter for what is no such mapping. Later, whatever the file system raises is a NodeError.
    """

    def __init__(self, mapping: MutableMapping[str, bytes], name: str | None = None) -> None:
        if not is_fsspec(mapping):
            raise InvalidParameter(f"a mapping of fsspec is needed, not {type(mapping).__name__}")
        held: Any = mapping  # fsspec ships no types
        self._fs, self._root = held.fs, str(held.root).rstrip("/")
        protocols = (
            [self._fs.protocol] if isinstance(self._fs.protocol, str) else list(self._fs.protocol)
        )
        self.name = name if name is not None else f"{protocols[0]}://{self._root}"
        self._is_local = "file" in protocols
        self._one_at_a_time = Lock()
        if self._is_local:
            with self._errors():
                self._fs.makedirs(self._root, exist_ok=True)

    def __getitem__(self, key: str) -> bytes:
        path = self._path(key)
        with self._errors(key):
            value = self._fs.cat_file(path)
        return bytes(value)

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """As in Node; of a value that is too long no more than one byte too many is read."""
        path, room = self._path(key), room_in(buffer)
        with self._errors(key):
            length = int(self._info(path)["size"])
            value = self._fs.cat_file(path, start=0, end=len(room) + 1) if length else b""
        if max(length, len(value)) > len(room):
            raise OversizedValue(self.name, too_long(max(length, len(value)), len(room)))
        room[: len(value)] = value
        return len(value)

    def __setitem__(self, key: str, value: BytesLike) -> None:
        self._place(self._path(key), as_value(value))

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """As in Node; of the threads of one process one wins."""
        path, data = self._path(key), as_value(value)
        with self._one_at_a_time:
            if key in self:
                return False
            self._place(path, data)
            return True

    def __delitem__(self, key: str) -> None:
        path = self._path(key)
        with self._errors(key):
            self._info(path)  # an object store deletes what is not there without a word
            self._fs.rm_file(path)

    def __contains__(self, key: object) -> bool:
        path = self._path(key)  # type: ignore[arg-type]  # refuses what is no str
        try:
            with self._errors(key):
                return bool(self._info(path)["type"] == "file")
        except KeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """As in Node. Only the folder that the prefix names is listed; files that no key can have made are no keys."""
        bytes_of(prefix)  # refuses what is no str
        folder, slash, _ = prefix.rpartition("/")
        try:
            # the folder of some key in it: its file is not there, and need not be
            start = path_of(f"{folder}/x").parent.as_posix() if slash else ""
        except InvalidParameter:  # longer than any key
            return
        try:
            with self._errors(prefix):
                self._fs.invalidate_cache()
                found = list(self._fs.find(f"{self._root}/{start}".rstrip("/")))
        except KeyError:
            return
        for path in sorted(found):
            key = key_of(path[len(self._root) :].lstrip("/"))
            if key is not None and key.startswith(prefix):
                yield key

    def _path(self, key: str) -> str:
        return f"{self._root}/{path_of(key).as_posix()}"

    def _info(self, path: str) -> dict[str, Any]:
        self._fs.invalidate_cache(path.rpartition("/")[0])  # others write here too
        found: dict[str, Any] = self._fs.info(path)
        return found

    def _place(self, path: str, data: bytes) -> None:
        with self._errors():
            try:
                self._write(path, data)
            except FileNotFoundError:
                if not self._fs.exists(self._root):
                    raise NodeError(self.name, "its folder is not there") from None
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._write(path, data)

    def _write(self, path: str, data: bytes) -> None:
        if not self._is_local:
            self._fs.pipe_file(path, data)
            return
        folder = path.rpartition("/")[0]
        beside = f"{folder}/.{secrets.token_hex(8)}"  # no key has such a file
        self._fs.pipe_file(beside, data)
        self._fs.mv(beside, path)

    @contextmanager
    def _errors(self, key: object = None) -> Iterator[None]:
        """Turn what a file system raises, each in its own words, into NodeError, and a missing file into a KeyError."""
        try:
            yield
        except _ABSENT:
            if key is None:
                raise NodeError(self.name, "its folder is not there") from None
            raise KeyError(key) from None
        except LabError:
            raise
        except OSError as error:
            raise NodeError(self.name, reason_of(error)) from error
        except Exception as error:  # boto's, paramiko's, aiohttp's: there is no common root
            raise NodeError(
                self.name, f"its file system failed ({type(error).__name__})"
            ) from error


def is_fsspec(mapping: object) -> bool:
    """Whether this is a mapping of fsspec, found out without importing it."""
    return any(
        (kind.__module__, kind.__name__) == ("fsspec.mapping", "FSMap")
        for kind in type(mapping).__mro__
    )
