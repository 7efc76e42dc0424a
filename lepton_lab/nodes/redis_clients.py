"""redis-py clients as the nodes want them: they ask once, wait 5 seconds, and trust only whom they were told to."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import Connection, ConnectionPool, UnixDomainSocketConnection
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

TIMEOUT = 5.0  # seconds
_BUFFER = 1 << 21  # bytes
# In version 3 of RESP every connection begins with an exchange (HELLO), which takes in what TLS 1.3 sends after its
# handshake; a silent connection with session tickets waiting would look to redis-py like one that is out of step.
_PROTOCOL = 3


@dataclass(frozen=True)
class Tls:
    """Files in PEM: whom to trust (by default the system's authorities), and who we are, for mutual authentication."""

    authority: str | None = None
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """TLS 1.3 only, the name checked, and no authority trusted but the one named. Raises OSError.

        redis-py's own context would trust the system's authorities besides, and write its secrets to SSLKEYLOGFILE.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if self.authority is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(self.authority)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


class PrivateConnection(UnixDomainSocketConnection):
    """By a socket of this machine, into whose buffer a whole value fits: the sender need not wake for every piece."""

    def _connect(self) -> socket.socket:
        plug: socket.socket = super()._connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        plug.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER
        )  # the system gives as much of it as it allows
        return plug


def tls_connection(context: ssl.SSLContext) -> type[Connection]:
    """A class of connections that all speak TLS under one context."""

    class TlsConnection(Connection):
        def _connect(self) -> ssl.SSLSocket:
            plain = super()._connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            try:
                return context.wrap_socket(
                    plain, server_hostname=self.host, suppress_ragged_eofs=False
                )
            except BaseException:
                plain.close()
                raise

    return TlsConnection


def single(tls: Tls | None = None, **settings: Any) -> redis.Redis:
    """A client of one server, by `host` and `port` or by a socket's `path`, and redis-py's other settings.

    Raises TypeError or ValueError for a setting that redis-py does not know, OSError for certificates it cannot read.
    """
    kind: type[Any] = PrivateConnection if "path" in settings else Connection
    if tls is not None:
        kind = tls_connection(tls.context())
    pool = ConnectionPool(
        connection_class=kind, **_with_defaults(settings), retry=Retry(NoBackoff(), 0)
    )
    kind(**pool.connection_kwargs)  # it connects to nobody yet, but an unknown setting is known now
    return redis.Redis.from_pool(pool)


def cluster(seeds: list[tuple[str, int]], tls: Tls | None = None, **settings: Any) -> RedisCluster:
    """A client of a Redis Cluster, of which any of the `seeds` (host, port) tells the rest.

    Raises redis.RedisError or RedisClusterException when none of them does, and what `single` raises.
    """
    kind = Connection if tls is None else tls_connection(tls.context())
    (host, port), *others = seeds
    return RedisCluster(
        # Only with a URL does it take the connections' class; addresses of IPv6 have brackets in one.
        url=f"redis://{f'[{host}]' if ':' in host else host}:{port}",
        startup_nodes=[ClusterNode(*seed) for seed in others],  # type: ignore[no-untyped-call]  # as above
        connection_class=kind,
        require_full_coverage=False,
        retry=Retry(NoBackoff(), 0),
        **_with_defaults(settings),
    )


def _with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    patience = settings.get("socket_timeout", TIMEOUT)
    defaults = {
        "protocol": _PROTOCOL,
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
    }
    return defaults | settings
