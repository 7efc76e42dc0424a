"""A node that stores values as files of any file system that fsspec knows: S3, SFTP, memory, and
many more.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Hashable, Iterator, MutableMapping
from contextlib import contextmanager
from threading import Lock
from typing import Any
from urllib.parse import quote

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import (
    InvalidParameter,
    LabError,
    NodeError,
    OversizedValue,
    UnreadableValue,
)
from lepton_lab.nodes.key_paths import key_of, path_of
from lepton_lab.nodes.listing import ListingBound
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.parsed_url import Url
from lepton_lab.nodes.values import (
    LARGEST_VALUE,
    as_value,
    bytes_of,
    is_fsspec,
    printable,
    reason_of,
    room_in,
    too_long,
)

_MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class FsspecNode(Node):
    """A node over the root of an fsspec mapping, one file per value.

    mapping: from `fsspec.get_mapper("s3://bucket/prefix", …)`. Only its file system is used: the
    mapping itself reports every failure to delete as a missing key and reads some characters in
    keys as patterns. Keys become paths as in `DirectoryNode`, up to 1,000 bytes each. name: by
    default the protocol and the root.

    The file system decides whether a value is written as a whole, and how durable it is. Object
    stores write whole objects. In a local folder files are renamed into place, but `DirectoryNode`
    is the better node for one. fsspec cannot promise that only one of two processes creates a file,
    so this node is for one writing process.

    Raises InvalidParameter if this is not such a mapping. Afterwards whatever the file system
    raises is a NodeError.
    """

    def __init__(self, mapping: MutableMapping[str, bytes], name: str | None = None) -> None:
        if not is_fsspec(mapping):
            kind = type(mapping).__name__
            raise InvalidParameter(f"a mapping of fsspec is needed, not {kind}")
        held: Any = mapping  # fsspec ships no types
        self._fs = held.fs
        self._root = str(held.root).rstrip("/")
        protocol = self._fs.protocol
        protocols = [protocol] if isinstance(protocol, str) else list(protocol)
        self.name = name if name is not None else printable(f"{protocols[0]}://{self._root}")
        self._is_local = "file" in protocols
        self._one_at_a_time = Lock()
        if self._is_local:
            with self._node_errors():
                self._fs.makedirs(self._root, exist_ok=True)

    @property
    def identity(self) -> Hashable | None:
        """The root on this file system object, or the local folder; fsspec shares the objects."""
        if self._is_local and os.path.isdir(self._root):
            found = os.stat(self._root)
            return ("folder", found.st_dev, found.st_ino)
        return ("fsspec", id(self._fs), self._root)

    def __getitem__(self, key: str) -> bytes:
        return self._read(key, LARGEST_VALUE)

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """Read a value into a buffer; of one that is too long, at most one byte more than fits is
        read.

        Raises KeyError, OversizedValue, NodeError.
        """
        room = room_in(buffer)
        value = self._read(key, len(room))
        room[: len(value)] = value
        return len(value)

    def __setitem__(self, key: str, value: BytesLike) -> None:
        self._place(self._path(key), self._checked(value))

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Store `value` unless the key exists; of several threads of this process exactly one gets
        True.
        """
        path = self._path(key)
        data = self._checked(value)
        with self._one_at_a_time:
            if key in self:
                return False
            self._place(path, data)
            return True

    def __delitem__(self, key: str) -> None:
        path = self._path(key)
        with self._node_errors(key):
            # An object store does not report that the object to delete is missing.
            self._info(path)
            self._fs.rm_file(path)

    def __contains__(self, key: object) -> bool:
        path = self._path(key)
        try:
            with self._node_errors(key):
                return bool(self._info(path)["type"] == "file")
        except KeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys that begin with `prefix`; only the folder that the prefix names is
        listed.

        Files whose names no key can have are left out. Raises NodeError.
        """
        bytes_of(prefix)  # raises InvalidParameter if it is not a str
        folder, slash, _ = prefix.rpartition("/")
        start = ""
        if slash:
            try:
                # The folder of any key in it, whether that key exists or not.
                start = path_of(f"{folder}/x").parent.as_posix()
            except InvalidParameter:
                # The prefix is longer than any key.
                return
        try:
            with self._node_errors(prefix):
                self._fs.invalidate_cache()
                found = list(self._fs.find(f"{self._root}/{start}".rstrip("/")))
        except KeyError:
            return
        bound = ListingBound(self.name)
        for path in sorted(found):
            key = key_of(path[len(self._root) :].lstrip("/"))
            if key is not None and key.startswith(prefix):
                bound.count(key)
                yield key

    def _checked(self, value: BytesLike) -> bytes:
        """Return a value as bytes. Raises OversizedValue for one that could not be read again."""
        data = as_value(value)
        if len(data) > LARGEST_VALUE:
            raise OversizedValue(self.name, too_long(len(data), LARGEST_VALUE))
        return data

    def _read(self, key: str, most: int) -> bytes:
        """Return a value of at most `most` bytes. Raises as `read_into`."""
        path = self._path(key)
        with self._node_errors(key):
            info = self._info(path)
            if info.get("islink") or info.get("type") == "other":
                # A link leads out of the node's folder, and a pipe would be waited for.
                raise UnreadableValue(self.name, "a value is not a regular file")
            length = int(info["size"])
            value = self._fs.cat_file(path, start=0, end=most + 1) if length else b""
        if not isinstance(value, bytes | bytearray | memoryview):
            kind = type(value).__name__
            raise NodeError(self.name, f"its file system gave a {kind} where bytes should be")
        # The size that the file system reports and what it returns may differ.
        longest = max(length, len(value))
        if longest > most:
            raise OversizedValue(self.name, too_long(longest, most))
        return bytes(value)

    def _path(self, key: object) -> str:
        return f"{self._root}/{path_of(key).as_posix()}"

    def _info(self, path: str) -> dict[str, Any]:
        # Other processes write here too, so what fsspec remembers of this folder may be out of
        # date.
        self._fs.invalidate_cache(path.rpartition("/")[0])
        found: dict[str, Any] = self._fs.info(path)
        return found

    def _place(self, path: str, data: bytes) -> None:
        with self._node_errors():
            try:
                self._write(path, data)
            except FileNotFoundError:
                # Make the folders below the root, but never the root: if it is gone, a disk may be
                # unplugged.
                if not self._fs.exists(self._root):
                    raise NodeError(self.name, "its folder is not there") from None
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._write(path, data)

    def _write(self, path: str, data: bytes) -> None:
        if not self._is_local:
            self._fs.pipe_file(path, data)
            return
        # Written beside its place and renamed, so that a reader sees the old value or the new one.
        # No key has a path that begins with a dot.
        folder = path.rpartition("/")[0]
        beside = f"{folder}/.{secrets.token_hex(8)}"
        self._fs.pipe_file(beside, data)
        self._fs.mv(beside, path)

    @contextmanager
    def _node_errors(self, key: object = None) -> Iterator[None]:
        """Turn whatever a file system raises into a NodeError, and a missing file into a KeyError
        of `key`.
        """
        try:
            yield
        except _MISSING:
            if key is None:
                raise NodeError(self.name, "its folder is not there") from None
            raise KeyError(key) from None
        except LabError:
            raise
        except OSError as error:
            raise NodeError(self.name, reason_of(error)) from error
        except Exception as error:
            # boto's, paramiko's and aiohttp's errors have no common base class.
            why = f"its file system failed ({type(error).__name__})"
            raise NodeError(self.name, why) from error


def open_fsspec_node(url: Url) -> FsspecNode:
    """Return a node for an fsspec+…:// URL.

    Raises InvalidParameter for an unknown protocol or option, NodeError if a package that it needs
    is not installed.
    """
    try:
        import fsspec  # noqa: PLC0415  # an optional extra
    except ImportError:
        why = "it needs fsspec: pip install 'lepton-lab[fsspec]'"
        raise NodeError(url.shown, why) from None
    protocol = url.scheme.removeprefix("fsspec+")
    if not (url.hosts or url.path.strip("/")):
        raise url.refuse("behind the protocol comes the place")
    account = ""
    if url.user is not None:
        account = quote(url.user, safe="")
    if url.password is not None:
        account += ":" + quote(url.password, safe="")
    if account:
        account += "@"
    address = f"{protocol}://{account}{url.hosts}{url.path}"
    try:
        mapping = fsspec.get_mapper(address, **url.options)
    except ImportError:
        why = f"fsspec lacks the package that speaks {protocol}"
        raise NodeError(url.shown, why) from None
    except (ValueError, TypeError):
        raise url.refuse("fsspec has no such protocol, or it does not take an option") from None
    except OSError as error:
        raise NodeError(url.shown, reason_of(error)) from None
    return FsspecNode(mapping, url.shown)
