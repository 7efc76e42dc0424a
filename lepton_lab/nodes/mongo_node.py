"""A node that stores values as documents of a MongoDB collection.

A document is {_id: the key, v: the value as Binary}. In _id every byte of the key's UTF-8 except
letters, digits and _.-~/ is percent-encoded: every str has such a form, and keys with one prefix
stand together in the index.
"""

from __future__ import annotations

import re
import warnings
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, LabError, NodeError, UnreadableValue
from lepton_lab.nodes.listing import ListingBound
from lepton_lab.nodes.node import TIMEOUT, Node
from lepton_lab.nodes.parsed_url import NO, Url
from lepton_lab.nodes.values import as_value, bytes_of, reason_of

_VALUES_PER_QUERY = 16  # one answer must not hold many large values
_KEYS_PER_DELETE = 500
_MOST_KEYS = 1_000_000  # of one listing
_DUPLICATE_KEY = 11000  # the server's error code for an _id that exists
_AFTER = "\x7f"  # sorts after every character that an _id has
_REASONS = {
    13: "the server does not permit this",
    18: "the server refused the user or the password",
    8000: "the server refused the user or the password",
    11600: "the server is shutting down",
    14031: "the server's disk is full",
}

_DEFAULT_COLLECTION = "shards"
_TIMEOUT_OPTIONS = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")
_DURABLE_OPTIONS = {"w": "majority", "journal": "true"}
_WEAKENING_OPTIONS = {"tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames"}


class MongoNode(Node):
    """A node over one MongoDB collection; it connects when it is first used.

    collection: from pymongo, or a function that returns one when it is first needed. In the second
    case `close` closes the collection's client, and a later use calls the function again. pymongo
    waits up to 30 seconds by default for a server that does not answer; the clients of `open_nodes`
    wait for 5, and have each write acknowledged by a majority of the replica set, in its journals.
    name: by default the names of database and collection.

    A value may be as long as the longest document allows: 16 MiB less a few bytes. Raises
    InvalidParameter if this is not a collection.
    """

    single_writer = False

    def __init__(self, collection: Any, name: str | None = None) -> None:
        self._errors = _pymongo_errors()
        self._connect: Callable[[], Any] | None = None
        self._held: Any = None
        self._lock = Lock()
        self._identity: Hashable | None = None
        if callable(getattr(collection, "update_one", None)):
            self._held = collection
        elif callable(collection):
            self._connect = collection
        else:
            kind = type(collection).__name__
            raise InvalidParameter(f"a collection of pymongo is needed, not {kind}")
        self.name = name if name is not None else self._collection.full_name

    @property
    def identity(self) -> Hashable | None:
        """The servers, database and collection of a node that `open_nodes` opened; otherwise the
        collection object.
        """
        if self._identity is not None:
            return self._identity
        return ("object", id(self._held if self._connect is None else self))

    @property
    def _collection(self) -> Any:
        with self._lock:
            if self._held is None and self._connect is not None:
                self._held = self._connect()
                weakref.finalize(self, self._held.database.client.close)
            return self._held

    def __getitem__(self, key: str) -> bytes:
        with self._node_errors():
            found = self._collection.find_one({"_id": _id_of(key)})
        if found is None:
            raise KeyError(key)
        return self._value_in(found)

    def __setitem__(self, key: str, value: BytesLike) -> None:
        wanted = {"_id": _id_of(key)}
        change = {"$set": {"v": as_value(value)}}
        with self._node_errors():
            try:
                self._collection.update_one(wanted, change, upsert=True)
            except self._errors as error:
                if _code_of(error) != _DUPLICATE_KEY:
                    raise
                # Another client created the document in the same instant, so now it can be changed.
                self._collection.update_one(wanted, change, upsert=True)

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Insert a document unless its _id exists; the index lets exactly one client do it."""
        document = {"_id": _id_of(key), "v": as_value(value)}
        with self._node_errors():
            try:
                self._collection.insert_one(document)
            except self._errors as error:
                if _code_of(error) != _DUPLICATE_KEY:
                    raise
                return False
        return True

    def __delitem__(self, key: str) -> None:
        with self._node_errors():
            deleted = self._collection.delete_one({"_id": _id_of(key)}).deleted_count
        if not deleted:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        with self._node_errors():
            return self._collection.find_one({"_id": _id_of(key)}, {"_id": 1}) is not None

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys that begin with `prefix`, by a range of the index.

        Raises NodeError.
        """
        first = _id_of(prefix)
        in_range = {"_id": {"$gte": first, "$lt": first + _AFTER}}
        with self._node_errors():
            documents = self._collection.find(in_range, {"_id": 1})
        bound = ListingBound(self.name, _MOST_KEYS)
        while True:
            # Every step may fetch the next batch from the server.
            with self._node_errors():
                document = next(documents, None)
            if document is None:
                return
            found = document.get("_id")
            # What no node wrote counts, too: a hostile server may send it without end.
            bound.count(found if isinstance(found, str) else "")
            key = _key_of(found)
            if key is not None and key.startswith(prefix):
                yield key

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """Return the values of `keys` in order, None for each missing key; 16 keys per query.

        Raises NodeError.
        """
        values: list[bytes | None] = []
        ids = map(_id_of, keys)
        while batch := list(islice(ids, _VALUES_PER_QUERY)):
            by_id: dict[object, bytes] = {}
            wanted = list(set(batch))
            with self._node_errors():
                documents = self._collection.find({"_id": {"$in": wanted}})
                # A server that sends more than was asked for is not listened to for ever.
                found = list(islice(documents, len(wanted) + 1))
            if len(found) > len(wanted):
                raise NodeError(self.name, "the server's answer is not one to this question")
            for document in found:
                by_id[document.get("_id")] = self._value_in(document)
            values += [by_id.get(each) for each in batch]
        return values

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete those of `keys` that exist; 500 keys per command. Raises NodeError."""
        ids = map(_id_of, keys)
        while batch := list(islice(ids, _KEYS_PER_DELETE)):
            with self._node_errors():
                self._collection.delete_many({"_id": {"$in": batch}})

    def close(self) -> None:
        """Close the client if this node made it."""
        with self._lock:
            if self._connect is not None and self._held is not None:
                self._held.database.client.close()
                self._held = None

    def _value_in(self, document: object) -> bytes:
        value = document.get("v") if isinstance(document, dict) else document
        if not isinstance(value, bytes):
            kind = type(value).__name__
            raise UnreadableValue(self.name, f"it holds a {kind} where bytes should be")
        return bytes(value)

    @contextmanager
    def _node_errors(self) -> Iterator[None]:
        """Turn pymongo's errors into a NodeError in our own words, because a server's text may
        repeat what was sent.
        """
        try:
            yield
        except self._errors as error:
            raise NodeError(self.name, _reason(error)) from None
        except LabError:
            raise
        except OSError as error:
            raise NodeError(self.name, reason_of(error)) from None
        except Exception as error:
            # pymongo takes replies apart without looking at their shape first.
            raise NodeError(self.name, f"pymongo failed ({type(error).__name__})") from None


def open_mongo_node(url: Url) -> MongoNode:
    """Return a node for a mongodb:// or mongodb+srv:// URL; it connects when it is first used.

    Raises InvalidParameter for a URL without host or database and for options that pymongo does not
    take, NodeError if pymongo is not installed.
    """
    try:
        import pymongo  # noqa: PLC0415  # an optional extra
        from pymongo.errors import PyMongoError  # noqa: PLC0415  # as above
    except ImportError:
        why = "MongoDB needs pymongo: pip install 'lepton-lab[mongodb]'"
        raise NodeError(url.shown, why) from None
    database = url.path.strip("/")
    if not url.hosts or not re.fullmatch(r"[\w-]{1,63}", database):
        raise url.refuse(
            "a MongoDB's URL names a host, and behind a slash a database of letters, digits, "
            "_ and -"
        )
    address = _mongo_address(url, database)
    name = url.options.get("collection", _DEFAULT_COLLECTION)

    def connect() -> Any:
        # pymongo only warns about an option that it does not know.
        with warnings.catch_warnings(action="error", category=UserWarning):
            client: Any = pymongo.MongoClient(address, connect=False)
        return client[database][name]

    try:
        connect().database.client.close()
    except (PyMongoError, ValueError, TypeError, UserWarning):
        raise url.refuse(
            "it has an option, or a value of one, that pymongo does not take"
        ) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise url.refuse(f"its certificates cannot be used ({why})") from None
    node = MongoNode(connect, url.shown)
    node._identity = ("mongodb", frozenset(url.hosts.split(",")), database, name)
    return node


def _mongo_address(url: Url, database: str) -> str:
    """Return the URL for pymongo, with this project's defaults added. Raises InvalidParameter."""
    options = {name: value for name, value in url.options.items() if name != "collection"}
    for name, value in options.items():
        if name.lower() in _WEAKENING_OPTIONS and value.lower() not in NO:
            raise url.refuse("names and certificates are always checked")
    given = {name.lower() for name in options}
    timeouts = dict.fromkeys(_TIMEOUT_OPTIONS, str(round(TIMEOUT * 1000)))
    for name, value in (timeouts | _DURABLE_OPTIONS).items():
        if name.lower() not in given:
            options[name] = value
    account = ""
    if url.user is not None:
        account = f"{quote(url.user, safe='')}:{quote(url.password or '', safe='')}@"
    return f"{url.scheme}://{account}{url.hosts}/{database}?{urlencode(options)}"


def _pymongo_errors() -> tuple[type[Exception], ...]:
    """Return the base classes of what pymongo raises.

    Raises InvalidParameter if it is not installed.
    """
    try:
        from bson.errors import BSONError  # noqa: PLC0415  # an optional extra
        from pymongo.errors import PyMongoError  # noqa: PLC0415  # as above
    except ImportError:
        raise InvalidParameter("MongoDB needs pymongo: pip install 'lepton-lab[mongodb]'") from None
    return PyMongoError, BSONError


def _id_of(key: object) -> str:
    """Return the _id of a key. Raises InvalidParameter if it is not a str."""
    return quote(bytes_of(key), safe="/")


def _key_of(found: object) -> str | None:
    """Return the key of an _id, or None for a document that was not written by a node."""
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


def _reason(error: Exception) -> str:
    code = _code_of(error)
    if code is not None:
        return _REASONS.get(code, f"the server answered with error {code}")
    kind = type(error).__name__
    if kind == "OperationFailure":  # from a server that sends no error code
        return "the server refused the request"
    if "Timeout" in kind:
        return "no answer within the time-out"
    if kind == "DocumentTooLarge":
        return "the value is longer than a document can be"
    return f"it cannot be reached ({kind})"
