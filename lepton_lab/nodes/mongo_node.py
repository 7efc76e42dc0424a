"""Values as documents of a MongoDB collection.

A document is {_id: the key, v: the value as Binary}. In an _id every byte of the key's UTF-8 but letters, digits and
_.-~/ is percent-encoded: so every str has one, and keys of one prefix lie together in the index.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes.node import Node, as_value, bytes_of

_AT_ONCE = 16  # values in one answer: large ones must not pile up
_MANY = 500  # keys in one question
_DUPLICATE = 11000  # the server's code for an _id that is taken
_AFTER = "\x7f"  # after every character that an _id has
_WHY = {
    13: "the server does not permit this",
    18: "the server refused the user or the password",
    8000: "the server refused the user or the password",
    11600: "the server is shutting down",
    14031: "the server's disk is full",
}


class MongoNode(Node):
    """The documents of one collection.

    collection: from pymongo, or a function that gives one when it is first needed; then `close` closes its client, and
    a later use asks for another. With pymongo's own defaults a server that is away is waited for 30 seconds; the
    clients of `open_nodes` wait for 5, and have a write acknowledged when most of a replica set hold it in their
    journals. A value may have 16 MiB less a few bytes, the longest document. name: by default database and collection.

    Raises InvalidParameter for what is no collection; connects at the first use.
    """

    single_writer = False

    def __init__(self, collection: Any, name: str | None = None) -> None:
        self._failures = _failures()
        self._connect: Callable[[], Any] | None = None
        self._held: Any = None
        self._lock = Lock()
        if callable(getattr(collection, "update_one", None)):
            self._held = collection
        elif callable(collection):
            self._connect = collection
        else:
            raise InvalidParameter(
                f"a collection of pymongo is needed, not {type(collection).__name__}"
            )
        self.name = name if name is not None else self._collection.full_name

    @property
    def _collection(self) -> Any:
        with self._lock:
            if self._held is None and self._connect is not None:
                self._held = self._connect()
                weakref.finalize(self, self._held.database.client.close)
            return self._held

    def __getitem__(self, key: str) -> bytes:
        with self._errors():
            found = self._collection.find_one({"_id": _id_of(key)})
        if found is None:
            raise KeyError(key)
        return self._value(found)

    def __setitem__(self, key: str, value: BytesLike) -> None:
        wanted, change = {"_id": _id_of(key)}, {"$set": {"v": as_value(value)}}
        with self._errors():
            try:
                self._collection.update_one(wanted, change, upsert=True)
            except self._failures as error:
                if (
                    _code_of(error) != _DUPLICATE
                ):  # somebody created it in the same instant: now it can be changed
                    raise
                self._collection.update_one(wanted, change, upsert=True)

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """As in Node: the index on _id lets one insert it."""
        document = {"_id": _id_of(key), "v": as_value(value)}
        with self._errors():
            try:
                self._collection.insert_one(document)
            except self._failures as error:
                if _code_of(error) != _DUPLICATE:
                    raise
                return False
        return True

    def __delitem__(self, key: str) -> None:
        with self._errors():
            deleted = self._collection.delete_one({"_id": _id_of(key)}).deleted_count
        if not deleted:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        with self._errors():
            return self._collection.find_one({"_id": _id_of(key)}, {"_id": 1}) is not None

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """As in Node, by a range of the index."""
        first = _id_of(prefix)
        with self._errors():
            found = self._collection.find(
                {"_id": {"$gte": first, "$lt": first + _AFTER}}, {"_id": 1}
            )
        while True:
            with self._errors():
                document = next(found, None)
            if document is None:
                return
            key = _key_of(document.get("_id"))
            if key is not None:
                yield key

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """As in Node, 16 keys at a time."""
        values: list[bytes | None] = []
        source = map(_id_of, keys)
        while some := list(islice(source, _AT_ONCE)):
            with self._errors():
                found = list(self._collection.find({"_id": {"$in": list(set(some))}}))
            by_id = {document.get("_id"): self._value(document) for document in found}
            values += [by_id.get(each) for each in some]
        return values

    def delete_many(self, keys: Iterable[str]) -> None:
        """As in Node, 500 keys at a time."""
        source = map(_id_of, keys)
        while some := list(islice(source, _MANY)):
            with self._errors():
                self._collection.delete_many({"_id": {"$in": some}})

    def close(self) -> None:
        """Close the client, if this node made it."""
        with self._lock:
            if self._connect is not None and self._held is not None:
                self._held.database.client.close()
                self._held = None

    def _value(self, document: dict[str, Any]) -> bytes:
        value = document.get("v")
        if not isinstance(value, bytes):
            raise NodeError(self.name, f"it holds a {type(value).__name__} where bytes should be")
        return bytes(value)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Name the node and a reason in our words: a server's text may repeat what was sent."""
        try:
            yield
        except self._failures as error:
            raise NodeError(self.name, _why(error)) from None


def _failures() -> tuple[type[Exception], ...]:
    """What pymongo raises; an optional extra, and whoever has a collection has it."""
    try:
        from bson.errors import BSONError  # noqa: PLC0415  # as the docstring says
        from pymongo.errors import PyMongoError  # noqa: PLC0415  # as above
    except ImportError:
        raise InvalidParameter("MongoDB needs pymongo: pip install 'lepton-lab[mongodb]'") from None
    return PyMongoError, BSONError


def _id_of(key: object) -> str:
    return quote(bytes_of(key), safe="/")  # type: ignore[arg-type]  # refuses what is no str


def _key_of(found: object) -> str | None:
    """The key of an _id, or None: then it is somebody else's document."""
    if not isinstance(found, str):
        return None
    try:
        key = unquote_to_bytes(found).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return key if _id_of(key) == found else None


def _code_of(error: Exception) -> int | None:
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else None


def _why(error: Exception) -> str:
    code = _code_of(error)
    if code is not None:
        return _WHY.get(code, f"the server answered with error {code}")
    kind = type(error).__name__
    if kind == "OperationFailure":  # a server that gives no number
        return "the server refused the request"
    if "Timeout" in kind:
        return "no answer within the time-out"
    if kind == "DocumentTooLarge":
        return "the value is longer than a document can be"
    return f"it cannot be reached ({kind})"
