"""A node that stores values on a Redis server, or in one hash slot of a Redis Cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from typing import Any, TypeVar

import redis
from redis.cluster import RedisCluster
from redis.connection import ConnectionPool
from redis.exceptions import RedisClusterException

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import (
    InvalidParameter,
    LabError,
    NodeError,
    OversizedValue,
    UnreadableValue,
)
from lepton_lab.nodes import redis_wire
from lepton_lab.nodes.listing import ListingBound
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.redis_clients import Client, client_address, client_settings, client_timeout
from lepton_lab.nodes.redis_errors import WRONG_REPLY, error_code, redis_reason
from lepton_lab.nodes.redis_exchange import RedisErrorReply, ReplyTooLong, UnexpectedReply
from lepton_lab.nodes.redis_limits import HANDSHAKE_BYTES, CallLimits, end_limits, start_limits
from lepton_lab.nodes.values import (
    LARGEST_VALUE,
    as_view,
    bytes_of,
    in_batches,
    key_from,
    printable,
    room_in,
    too_long,
)

T = TypeVar("T")

DEFAULT_PREFIX = "lep:"
_VALUES_PER_REQUEST = 16  # large values must not pile up in the server's replies
_KEYS_PER_REQUEST = 500
_KEYS_PER_SCAN = 1000
_MOST_KEYS = 1_000_000  # of one listing, whose keys are remembered until its end
_MOST_TIMEOUTS = 3  # how long all requests of one call may take together
_HASH_TAG = re.compile(r"[^{]*\{[^}]+\}")
_REDIRECTIONS = frozenset({"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"})


class RedisNode(Node):
    """A node over the keys of a Redis server that begin with a prefix; it connects at the first
    use.

    client: a `redis.Redis` or `RedisCluster`, which brings address, password, TLS and time-outs; it
    must not decode responses. prefix: on a cluster it must contain a hash tag ("lep:{a}:"), so that
    all keys of the node lie in one slot. name: by default the address.

    Every command ends within the client's `socket_timeout`, counted once for all of its bytes; only
    while a value moves faster than 64 KiB/s may it take longer. No reply is read further than its
    answer can be long. The connections of `open_nodes` and `RedisServers` (one attempt, 5 seconds)
    keep these limits also while they are opened; those of another client are opened as redis-py
    does it, with its retries.

    The prefix separates names but does not hide them: a user who may SCAN sees the names of all
    keys on the server, whatever key patterns the access list has. An acknowledged write is as
    durable as the server's settings make it. A value has at most 64 MiB.

    Raises InvalidParameter for a client or prefix that cannot work.
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
        self._cluster = isinstance(client, RedisCluster)
        if self._cluster and not _HASH_TAG.match(prefix):
            raise InvalidParameter("on a cluster the prefix carries a hash tag, as in 'lep:{a}:'")
        self._client: Any = client  # redis-py declares every answer as "now or awaitable"
        self._prefix = bytes_of(prefix)
        self._settings = client_settings(client)
        self._timeout = client_timeout(client)
        self._refresh_first = False
        self._held: redis_wire.ConnectionLease | None = None
        self.owner: object = None  # whatever must live as long as this node does
        self.name = name if name is not None else printable(client_address(client))

    @property
    def identity(self) -> Hashable | None:
        """The server's address and database, or the cluster, and the prefix."""
        if self._cluster:
            seeds = frozenset(self._client.nodes_manager.startup_nodes)
            return ("redis-cluster", seeds, self._prefix)
        path = self._settings.get("path")
        host = self._settings.get("host", "localhost")
        address = path or (host, self._settings.get("port", 6379))
        return ("redis", address, self._settings.get("db") or 0, self._prefix)

    # --- one key --------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> bytes:
        value = self.get_many([key])[0]
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: BytesLike) -> None:
        full = self._full(key)
        data = self._checked(value)
        self._call(
            lambda connection, deadline: redis_wire.set_value(connection, deadline, full, data),
            lambda: self._client.set(full, bytes(data)),
        )

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """Read a value from the connection's socket into the buffer.

        Raises KeyError, OversizedValue, NodeError.
        """
        full = self._full(key)
        room = room_in(buffer)

        def by_redis_py() -> int | None:
            value = _as_bytes(self._client.get(full))
            if value is None:
                return None
            if len(value) > len(room):
                raise ReplyTooLong(len(value))
            room[: len(value)] = value
            return len(value)

        try:
            length = self._call(
                lambda connection, deadline: redis_wire.get_into(connection, deadline, full, room),
                by_redis_py,
                len(room),
            )
        except ReplyTooLong as error:
            raise OversizedValue(self.name, too_long(error.length, len(room))) from None
        if length is None:
            raise KeyError(key)
        return length

    def __delitem__(self, key: str) -> None:
        if not self._unlink([self._full(key)]):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self._exists(self._full(key))

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Store `value` unless the key exists, by SET … NX. Raises NodeError.

        A client of a cluster that has just moved repeats the command, and then may answer False for
        its own first attempt.
        """
        full = self._full(key)
        data = self._checked(value)
        return self._call(
            lambda connection, deadline: redis_wire.set_if_absent(connection, deadline, full, data),
            lambda: bool(self._client.set(full, bytes(data), nx=True)),
        )

    # --- many keys ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys that begin with `prefix`, by SCAN, which does not stop the server.

        SCAN walks through all keys of the server. The node fails if that takes more than three
        time-outs of waiting, if a cursor repeats, which no honest walk does, or after a million
        keys.
        """
        wanted = self._full(prefix)
        pattern = redis_wire.literally(wanted) + b"*"
        if self._cluster:
            # SCAN names no key, so a server that has lost the slot would not redirect it.
            self._exists(wanted)
        seen: set[bytes] = set()
        bound = ListingBound(self.name, _MOST_KEYS)
        cursors = set()
        cursor = b"0"
        waited = 0.0
        while cursor not in cursors:
            cursors.add(cursor)
            started = time.monotonic()
            left = self._timeout * _MOST_TIMEOUTS - waited
            cursor, keys = self._scan(cursor, pattern, left)
            waited += time.monotonic() - started
            for key in keys:
                # SCAN may name a key twice, and a hostile server any key.
                if not key.startswith(wanted) or key in seen:
                    continue
                seen.add(key)
                bound.count(key)
                name = key_from(key[len(self._prefix) :])
                if name is not None:
                    yield name
            if cursor.strip(b"0") == b"":
                return
        raise NodeError(self.name, WRONG_REPLY)

    def get_bounded(self, keys: Iterable[str], limit: int) -> list[bytes | None]:
        """Return the values of `keys`, at most `limit` bytes each, all asked for in one request.

        A longer value is replaced by limit + 1 zero bytes. Raises NodeError.
        """
        wanted = list(keys)
        full = [self._full(key) for key in wanted]
        try:
            return self._call(
                lambda connection, deadline: redis_wire.get_each(connection, deadline, full, limit),
                lambda: self._get_singly(wanted, limit),
                (limit + 1) * (len(wanted) + 1),
            )
        except (ReplyTooLong, UnreadableValue):
            # One of them is no such value, and what follows it was not read: ask for each alone.
            return self._get_singly(wanted, limit)

    def _get_singly(self, keys: list[str], limit: int) -> list[bytes | None]:
        """Do what `get_bounded` does with one request per key."""
        end = time.monotonic() + self._timeout * _MOST_TIMEOUTS
        values = []
        for key in keys:
            # Each request has a deadline of its own; a server must not use up all of them.
            if time.monotonic() > end:
                raise NodeError(self.name, redis_reason(redis.TimeoutError()))
            values += super().get_bounded([key], limit)
        return values

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """Return the values of `keys` in order, None for missing keys; 16 keys per request.

        Raises OversizedValue if 16 values have more than 64 MiB together, NodeError.
        """
        values: list[bytes | None] = []
        for batch in in_batches(map(self._full, keys), _VALUES_PER_REQUEST):
            values += self._get_batch(batch)
        return values

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete those of `keys` that exist, by UNLINK; 500 keys per request. Raises NodeError."""
        for batch in in_batches(map(self._full, keys), _KEYS_PER_REQUEST):
            self._unlink(batch)

    # --- connections ----------------------------------------------------------------------------

    @contextmanager
    def session(self) -> Iterator[Node]:
        """Give a node that keeps one connection for the whole block."""
        one = copy(self)
        with redis_wire.ConnectionLease() as lease:
            one._held = lease
            yield one

    def _lease(self) -> AbstractContextManager[redis_wire.ConnectionLease]:
        """Return the session's lease, which stays, or a new one that ends with the block."""
        return redis_wire.ConnectionLease() if self._held is None else nullcontext(self._held)

    def close(self) -> None:
        """Close the client's connections; a later use opens new ones."""
        if self._cluster:
            # A RedisCluster that was closed cannot be used again.
            self._client.disconnect_connection_pools()
        else:
            self._client.close()

    def _pool(self) -> ConnectionPool:
        """Return the pool of the server that has this node's keys."""
        client = self._client
        if self._cluster:
            client = client.get_redis_connection(client.get_node_from_key(self._prefix))
        pool: ConnectionPool = client.connection_pool
        return pool

    # --- commands -------------------------------------------------------------------------------

    def _full(self, key: object) -> bytes:
        return self._prefix + bytes_of(key)

    def _checked(self, value: BytesLike) -> memoryview:
        """Return a value as a view. Raises OversizedValue for one that no server here accepts."""
        data = as_view(value)
        if len(data) > LARGEST_VALUE:
            raise OversizedValue(self.name, too_long(len(data), LARGEST_VALUE))
        return data

    def _get_batch(self, full: list[bytes]) -> list[bytes | None]:
        def by_redis_py() -> list[bytes | None]:
            return [_as_bytes(self._client.get(key)) for key in full]

        try:
            return self._call(
                lambda connection, deadline: redis_wire.get_values(
                    connection, deadline, full, LARGEST_VALUE
                ),
                by_redis_py,
                LARGEST_VALUE,
            )
        except ReplyTooLong as error:
            raise OversizedValue(self.name, too_long(error.length, LARGEST_VALUE)) from None

    def _exists(self, full: bytes) -> bool:
        return self._call(
            lambda connection, deadline: redis_wire.exists(connection, deadline, full),
            lambda: bool(self._client.exists(full)),
        )

    def _unlink(self, full: list[bytes]) -> int:
        return self._call(
            lambda connection, deadline: redis_wire.unlink(connection, deadline, full),
            lambda: int(self._client.unlink(*full)),
        )

    def _scan(self, cursor: bytes, pattern: bytes, seconds: float) -> tuple[bytes, list[bytes]]:
        """Make one step of SCAN. seconds: what is left for the whole listing."""
        timeout = min(self._timeout, seconds)

        def step(connection: Any, deadline: float) -> tuple[bytes, list[bytes]]:
            return redis_wire.scan(connection, deadline, cursor, pattern, _KEYS_PER_SCAN)

        try:
            return self._call(step, None, timeout=timeout)
        except ReplyTooLong:
            raise NodeError(self.name, WRONG_REPLY) from None

    def _call(
        self,
        direct: Callable[[Any, float], T],
        by_redis_py: Callable[[], T] | None,
        most_bytes: int = 0,
        *,
        timeout: float | None = None,
    ) -> T:
        """Run one command within one deadline.

        direct: the command on a connection, with its deadline. by_redis_py: the same through the
        cluster's client, which follows a key that has moved; its replies are limited to
        `most_bytes` and the usual handshakes. Raises NodeError; ReplyTooLong passes through.
        """
        seconds = self._timeout if timeout is None else timeout
        limits = CallLimits(time.monotonic() + seconds, most_bytes + HANDSHAKE_BYTES)
        outer = start_limits(limits)
        try:
            return self._attempt(direct, by_redis_py, limits.deadline)
        except (ReplyTooLong, LabError):
            raise
        except (redis.RedisError, RedisClusterException, OSError) as error:
            # A key that holds a list or a hash is one bad value; the server works.
            is_of_one_key = error_code(error) == "WRONGTYPE"
            kind = UnreadableValue if is_of_one_key else NodeError
            raise kind(self.name, redis_reason(error)) from None
        except Exception:
            # redis-py takes replies apart without looking at their shape first.
            raise NodeError(self.name, WRONG_REPLY) from None
        finally:
            end_limits(outer)

    def _attempt(
        self,
        direct: Callable[[Any, float], T],
        by_redis_py: Callable[[], T] | None,
        deadline: float,
    ) -> T:
        if self._refresh_first:
            # After a failure another server may have taken over: the client looks for it.
            self._client.nodes_manager.initialize()
            self._refresh_first = False
        try:
            with self._lease() as lease, lease.connection(self._pool) as connection:
                return direct(connection, deadline)
        except (redis.ResponseError, RedisErrorReply) as error:
            moved = self._cluster and error_code(error) in _REDIRECTIONS
            if not moved or by_redis_py is None:
                raise
            return by_redis_py()
        except (redis.ConnectionError, redis.TimeoutError):
            self._refresh_first = self._cluster
            raise


def _as_bytes(answer: object) -> bytes | None:
    """Return what redis-py gives for GET. Raises UnexpectedReply for anything but bytes or None."""
    if answer is None or isinstance(answer, bytes):
        return answer
    raise UnexpectedReply
