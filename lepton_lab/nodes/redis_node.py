"""Values on a Redis server, or in one slot of a Redis Cluster."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import redis
from redis.cluster import RedisCluster
from redis.connection import ConnectionPool
from redis.exceptions import RedisClusterException

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue
from lepton_lab.nodes import redis_wire
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.values import as_value, as_view, bytes_of, reason_of, room_in, too_long

Client: TypeAlias = "redis.Redis | RedisCluster"
T = TypeVar("T")

DEFAULT_PREFIX = "lep:"
_AT_ONCE = 16  # values in one MGET: large ones must not pile up in the server's answer
_MANY = 500  # keys in one SCAN or UNLINK
_HASH_TAG = re.compile(r"[^{]*\{[^}]+\}")
_MOVED = frozenset({"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"})
_NONSENSE = "the server's answer is not one to this question"
_WHY = {
    "NOAUTH": "the server wants a user and a password",
    "WRONGPASS": "the server refused the user or the password",
    "NOPERM": "the server's access list does not permit this",
    "OOM": "the server's memory is full",
    "MISCONF": "the server cannot write to its disk",
    "READONLY": "the server is a read-only replica",
    "LOADING": "the server is still loading its data",
    "CLUSTERDOWN": "the cluster has no server for this key",
    "WRONGTYPE": "the key holds something else than a value",
}


class RedisNode(Node):
    """The keys of a Redis server that begin with a prefix.

    client: from redis-py, `redis.Redis` or `RedisCluster`, which brings address, password, TLS,
    time-outs and retries; for values as they are, it must not decode responses. With redis-py's own
    defaults a server that hangs is asked again and again for a minute; the clients of `open_nodes`
    and `RedisServers` ask once, for 5 seconds. prefix: on a cluster it must carry a hash tag
    ("lep:{a}:"), so that all keys of the node lie in one slot. name: by default the address.

    The prefix divides names, it does not hide them: whoever may SCAN sees the names of all keys on
    the server, whatever patterns the access list has. An acknowledged write is as durable as the
    server's settings make it.

    Raises InvalidParameter for a client or prefix that cannot work; connects at the first use.
    """

    single_writer = False

    def __init__(
        self, client: Client, prefix: str = DEFAULT_PREFIX, name: str | None = None
    ) -> None:
        if not isinstance(client, redis.Redis | RedisCluster):
            raise InvalidParameter(
                f"a client is a redis.Redis or RedisCluster, not {type(client).__name__}"
            )
        if client.get_encoder().decode_responses:
            raise InvalidParameter("values are bytes: the client must not have decode_responses")
        if isinstance(client, RedisCluster) and not _HASH_TAG.match(prefix):
            raise InvalidParameter("on a cluster the prefix carries a hash tag, as in 'lep:{a}:'")
        self._client: Any = client  # redis-py declares every answer as "now or awaitable"
        self._prefix, self._cluster = bytes_of(prefix), isinstance(client, RedisCluster)
        self._ask_cluster_first = False
        self._held: redis_wire.ConnectionLease | None = None
        self.owner: object = None  # what must live as long as this node does
        self.name = name if name is not None else _address(client)

    def __getitem__(self, key: str) -> bytes:
        full = self._full(key)
        with self._errors():
            value = self._value(self._client.get(full))
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: BytesLike) -> None:
        full, data = self._full(key), as_view(value)
        with self._errors():
            self._directly(
                lambda connection: redis_wire.set_value(connection, full, data),
                lambda: self._client.set(full, bytes(data)),
            )

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """As in Node, from the connection's socket to the buffer."""
        full, room = self._full(key), room_in(buffer)

        def ordinary() -> int | None:
            value = self._value(self._client.get(full))
            if value is None:
                return None
            if len(value) > len(room):
                raise redis_wire.ReplyTooLong(len(value))
            room[: len(value)] = value
            return len(value)

        try:
            with self._errors():
                length = self._directly(
                    lambda connection: redis_wire.get_into(connection, full, room), ordinary
                )
        except redis_wire.ReplyTooLong as error:
            raise OversizedValue(self.name, too_long(error.length, len(room))) from None
        if length is None:
            raise KeyError(key)
        return length

    def get_bounded(self, keys: Iterable[str], limit: int) -> list[bytes | None]:
        """As in Node, all asked for at once."""
        wanted = list(keys)
        full = list(map(self._full, wanted))
        try:
            with self._errors():
                return self._directly(
                    lambda connection: redis_wire.get_each(connection, full, limit),
                    lambda: super(RedisNode, self).get_bounded(wanted, limit),
                )
        except redis_wire.ReplyTooLong:
            return super().get_bounded(wanted, limit)

    def __delitem__(self, key: str) -> None:
        full = self._full(key)
        with self._errors():
            found = self._client.unlink(full)
        if not found:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        full = self._full(key)  # type: ignore[arg-type]  # refuses what is no str
        with self._errors():
            return bool(self._client.exists(full))

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """As in Node, by SCAN: the whole server is walked through, a piece at a time, without
        stopping it.
        """
        wanted, seen = self._full(prefix), set()
        with self._errors():
            owner = (
                {"target_nodes": self._client.get_node_from_key(self._prefix)}
                if self._cluster
                else {}
            )
            found = self._client.scan_iter(match=_literally(wanted) + b"*", count=_MANY, **owner)
        while True:
            with self._errors():
                key = self._value(next(found, None))
            if key is None:
                return
            if key.startswith(wanted) and key not in seen:  # SCAN may name a key twice
                seen.add(key)
                name = _decoded(key[len(self._prefix) :])
                if name is not None:
                    yield name

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """As in Node, by SET … NX.

        A client that retries may answer False for a write of its own that had arrived.
        """
        full, data = self._full(key), as_value(value)
        with self._errors():
            return bool(self._client.set(full, data, nx=True))

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """As in Node, by MGET, 16 keys at a time."""
        values: list[bytes | None] = []
        for some in _batches(map(self._full, keys), _AT_ONCE):
            with self._errors():
                answers = [self._value(answer) for answer in self._client.mget(some)]
                if len(answers) != len(some):
                    raise redis_wire.UnexpectedReply
            values += answers
        return values

    def delete_many(self, keys: Iterable[str]) -> None:
        """As in Node, by UNLINK, 500 keys at a time."""
        for some in _batches(map(self._full, keys), _MANY):
            with self._errors():
                self._client.unlink(*some)

    @contextmanager
    def session(self) -> Iterator[Node]:
        """As in Node: large values, and small ones asked for together, go by one connection that
        stays.
        """
        one = copy(self)
        one._held = redis_wire.ConnectionLease()
        try:
            yield one
        finally:
            one._held.end()

    @contextmanager
    def _lease(self) -> Iterator[redis_wire.ConnectionLease]:
        if self._held is not None:
            yield self._held
            return
        lease = redis_wire.ConnectionLease()
        try:
            yield lease
        finally:
            lease.end()

    def close(self) -> None:
        """Close the client's connections; a later use opens new ones."""
        if self._cluster:  # whose own `close` leaves it useless
            self._client.disconnect_connection_pools()
        else:
            self._client.close()

    def _full(self, key: str) -> bytes:
        return self._prefix + bytes_of(key)

    def _value(self, answer: object) -> bytes | None:
        if answer is None or isinstance(answer, bytes):
            return answer
        raise redis_wire.UnexpectedReply

    def _pool(self) -> ConnectionPool:
        client = self._client
        if self._cluster:
            client = client.get_redis_connection(client.get_node_from_key(self._prefix))
        pool: ConnectionPool = client.connection_pool
        return pool

    def _directly(self, direct: Callable[[Any], T], ordinary: Callable[[], T]) -> T:
        """Run `direct` on a connection to the key's server; in a cluster that has moved, `ordinary`
        by its client.

        The cluster's client looks for the new primary whenever a call of its own fails. So after a
        failure the next call is made through it, and once that has worked the direct way leads to
        the right server again.
        """
        if self._ask_cluster_first:
            result = ordinary()
            self._ask_cluster_first = False
            return result
        try:
            with self._lease() as lease, lease.connection(self._pool) as connection:
                return direct(connection)
        except (redis.ResponseError, redis_wire.RedisErrorReply) as error:
            if self._cluster and _code_of(error) in _MOVED:
                return ordinary()
            raise
        except (redis.ConnectionError, redis.TimeoutError):
            self._ask_cluster_first = self._cluster
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Name the node and a reason in our words: a server's text may repeat what was sent, a
        password among it.
        """
        try:
            yield
        except redis_wire.ReplyTooLong:
            raise
        except (redis.RedisError, RedisClusterException, OSError) as error:
            raise NodeError(self.name, _why(error)) from None
        except (ValueError, TypeError, LookupError, AttributeError):
            # redis-py takes an answer apart without a look at its shape
            raise NodeError(self.name, _NONSENSE) from None


def _why(error: Exception) -> str:
    if isinstance(error, redis.TimeoutError):
        return "no answer within the time-out"
    if isinstance(
        error,
        redis.ResponseError
        | redis_wire.RedisErrorReply
        | redis.AuthenticationError
        | redis.BusyLoadingError,
    ):
        code = _code_of(error)
        return _WHY.get(code, f"the server answered {code}")
    if isinstance(error, redis_wire.UnexpectedReply | redis.exceptions.InvalidResponse):
        return _NONSENSE
    return _what_the_system_said(error)


def _what_the_system_said(error: BaseException) -> str:
    """The reason of the OSError beneath redis-py's error, whose own text names addresses and may
    quote a reply.
    """
    beneath: BaseException | None = error
    while beneath is not None:
        if isinstance(beneath, ssl.SSLCertVerificationError):
            return f"TLS: its certificate is not trusted ({beneath.verify_message.lower()})"
        if isinstance(beneath, ssl.SSLError):
            return f"TLS: {(beneath.reason or 'failed').replace('_', ' ').lower()}"
        if isinstance(beneath, OSError):
            return reason_of(beneath)
        beneath = beneath.__cause__ or beneath.__context__
    return (
        "the connection was closed"
        if isinstance(error, redis.ConnectionError)
        else "it cannot be reached"
    )


def _code_of(error: Exception) -> str:
    """The code of an error reply: redis-py sets some aside and leaves the others at the start of
    the text.
    """
    if isinstance(error, redis_wire.RedisErrorReply):
        return error.code
    known = getattr(error, "status_code", None) or (
        "WRONGPASS" if isinstance(error, redis.AuthenticationError) else ""
    )
    found = re.match(r"[A-Z]{1,20}(?= |$)", known or str(error))
    return found[0] if found else "ERR"


def _literally(text: bytes) -> bytes:
    """A glob pattern that matches this text and no other."""
    return re.sub(rb"[\\*?\[\]]", rb"\\\g<0>", text)


def _decoded(data: bytes) -> str | None:
    """A key as str, or None: no str of ours has this form, so it is somebody else's."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def _batches(keys: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    source = iter(keys)
    while some := list(islice(source, size)):
        yield some


def _address(client: Client) -> str:
    if isinstance(client, RedisCluster):
        return "redis-cluster"
    settings = client.connection_pool.connection_kwargs
    return str(
        settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
    )
