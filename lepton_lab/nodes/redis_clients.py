"""redis-py clients with the settings that nodes need: one attempt, a 5 second time-out, and strict
TLS 1.3.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import ConnectionPool
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from lepton_lab.nodes.node import TIMEOUT
from lepton_lab.nodes.redis_limits import (
    LimitedConnection,
    LimitedTlsSocket,
    LimitedUnixConnection,
    call_limits,
    seconds_left,
)

Client: TypeAlias = "redis.Redis | RedisCluster"

_NO_TIMEOUT = 60.0  # seconds, in place of a time-out of None
_LAYOUT_BYTES = 4 << 20  # of a cluster's slots and its list of commands
_SEND_BUFFER = 1 << 21  # bytes
# In version 3 of RESP every connection begins with an exchange (HELLO), which also reads what TLS
# 1.3 sends after its handshake. Otherwise redis-py would see session tickets waiting on an idle
# connection and take it for out of step.
_PROTOCOL = 3


@dataclass(frozen=True)
class TlsFiles:
    """PEM files for TLS: the CA to trust (by default the system's), and our certificate and key, if
    any.
    """

    authority: str | None = None
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return a client context: TLS 1.3 only, the name checked, no CA trusted but the one given.
        Raises OSError.

        redis-py's own context would trust the system's CAs as well, and write its secrets to
        SSLKEYLOGFILE.
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


class LargeBufferUnixConnection(LimitedUnixConnection):
    """A Unix-socket connection whose send buffer holds a whole value.

    The sender is then not woken for every chunk.
    """

    def _connect(self) -> socket.socket:
        sock = super()._connect()
        # The system grants as much of this as it allows.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        return sock


def tls_connection(context: ssl.SSLContext) -> type[LimitedConnection]:
    """Return a connection class whose instances all speak TLS under one context."""
    context.sslsocket_class = LimitedTlsSocket

    class TlsConnection(LimitedConnection):
        def _connect(self) -> socket.socket:
            plain = super()._connect()
            timeout = plain.gettimeout()
            try:
                # One deadline for the whole handshake: Python keeps it over all its messages.
                plain.settimeout(seconds_left(timeout))
                sock = context.wrap_socket(
                    plain, server_hostname=self.host, suppress_ragged_eofs=False
                )
            except BaseException:
                plain.close()
                raise
            sock.settimeout(timeout)
            return sock

    return TlsConnection


def server_client(tls: TlsFiles | None = None, **settings: Any) -> redis.Redis:
    """Return a client of one server, given by `host` and `port` or by a socket's `path`.

    settings: any others of redis-py. Raises TypeError or ValueError for a setting that redis-py
    does not know, OSError for certificates that cannot be read.
    """
    kind: type[Any] = LargeBufferUnixConnection if "path" in settings else LimitedConnection
    if tls is not None:
        kind = tls_connection(tls.context())
    retry = Retry(NoBackoff(), 0)
    pool = ConnectionPool(connection_class=kind, **_with_defaults(settings), retry=retry)
    # Makes no connection yet; it raises now for a setting that redis-py does not know.
    kind(**pool.connection_kwargs)
    return redis.Redis.from_pool(pool)


def cluster_client(
    seeds: list[tuple[str, int]], tls: TlsFiles | None = None, **settings: Any
) -> RedisCluster:
    """Return a client of a Redis Cluster, which asks the `seeds` (host, port) in turn for the other
    servers.

    Raises redis.RedisError or RedisClusterException if none of them answers, and what
    `server_client` raises.
    """
    kind = LimitedConnection if tls is None else tls_connection(tls.context())
    (host, port), *others = seeds
    address = f"[{host}]" if ":" in host else host  # IPv6 stands in brackets in a URL
    settings = _with_defaults(settings)
    # Each seed may take one time-out, and the one that answers is asked for two things.
    seconds = (settings["socket_timeout"] or _NO_TIMEOUT) * (len(seeds) + 1)
    with call_limits(seconds, _LAYOUT_BYTES):
        return RedisCluster(
            # RedisCluster takes a connection class only together with a URL.
            url=f"redis://{address}:{port}",
            startup_nodes=[ClusterNode(*seed) for seed in others],  # type: ignore[no-untyped-call]
            connection_class=kind,
            require_full_coverage=False,
            retry=Retry(NoBackoff(), 0),
            **settings,
        )


def _with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    timeout = settings.get("socket_timeout", TIMEOUT)
    defaults = {
        "protocol": _PROTOCOL,
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
    }
    return defaults | settings


def client_settings(client: Client) -> dict[str, Any]:
    """Return the settings of a client's connections, whether it was made here or elsewhere."""
    settings: dict[str, Any]
    if isinstance(client, RedisCluster):
        settings = client.get_connection_kwargs()  # type: ignore[no-untyped-call]  # as above
    else:
        settings = client.connection_pool.connection_kwargs
    return settings


def client_timeout(client: Client) -> float:
    """Return the seconds that one call may take: the client's socket time-out, or a minute."""
    timeout = client_settings(client).get("socket_timeout")
    return _NO_TIMEOUT if timeout is None else float(timeout)


def client_address(client: Client) -> str:
    """Return the host and port, or the socket's path, that a client connects to."""
    if isinstance(client, RedisCluster):
        return "redis-cluster"
    settings = client_settings(client)
    host = settings.get("host", "localhost")
    return str(settings.get("path") or f"{host}:{settings.get('port', 6379)}")
