"""One redis-server process: what it is told, how it starts, and what can befall it."""

from __future__ import annotations

import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

from lepton_lab.errors import NodeError
from lepton_lab.files import write_atomically
from lepton_lab.nodes import redis_clients as clients
from lepton_lab.nodes.servers.access import REPLICA, USER, Access
from lepton_lab.nodes.servers.binaries import Binary
from lepton_lab.nodes.servers.lifetime import Keeper

_LARGEST_VALUE = 64 << 20  # bytes
_PATIENCE = 60.0  # seconds until it must answer: a server with a full folder reads that first
_PAUSE = 0.01
_FIRST_PORT, _PORTS = (
    10_240,
    12_528,
)  # with the bus 10,000 above, all below the ports that systems give to clients
_ATTEMPTS = 5
_IN_USE = "Address already in use"
_PREAMBLE = re.compile(r"^\d+:[A-Z] .*?\d\d:\d\d:\d\d\.\d+ ")  # process, role and time


@dataclass(frozen=True)
class Setup:
    """What is the same for all servers that are started together; the names are those of `RedisServers.start`."""

    binary: Binary
    access: Access
    on_ports: bool
    timeout: float
    sync: bool | None
    max_memory: int
    fail_over: float | None = None  # seconds; None outside a cluster


class Server:
    """A redis-server with a folder of its own for settings and log, and one for its data."""

    def __init__(self, index: int, setup: Setup, keeper: Keeper, data: Path) -> None:
        self.name, self._setup, self._keeper, self._data = f"redis-{index}", setup, keeper, data
        self._folder = keeper.folder / str(index)
        self._folder.mkdir(mode=0o700)
        self._socket = keeper.folder / f"{index}.socket"
        self.port = _free_port() if setup.on_ports else None
        self._process: subprocess.Popen[bytes] | None = None

    # --- from outside --------------------------------------------------------------------------------------------

    def client(self, user: str = USER, timeout: float | None = None) -> redis.Redis:
        """A client of this server; by default the lab's user, and as patient as all its nodes."""
        where = (
            {"path": str(self._socket)}
            if self.port is None
            else {"host": "127.0.0.1", "port": self.port}
        )
        return clients.single(
            self._setup.access.tls,
            username=user,
            password=self._setup.access.passwords[user],
            socket_timeout=self._setup.timeout if timeout is None else timeout,
            **where,
        )

    @property
    def url(self) -> str:
        """For `open_nodes`; it carries the password."""
        access = self._setup.access
        account = f"{USER}:{access.passwords[USER]}@"
        if self.port is None:
            return f"unix://{account}{quote(str(self._socket))}"
        return f"{'redis' if access.tls is None else 'rediss'}://{account}127.0.0.1:{self.port}{access.query}"

    # --- life and death ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process; `wait` until it answers. Raises OSError when the program cannot be run."""
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = self._setup.access.users(cluster=self._setup.fail_over is not None)
        write_atomically(self._folder / "users.acl", users.encode(), sync=False)
        write_atomically(self._folder / "redis.conf", self._configuration().encode(), sync=False)
        program = [self._setup.binary.path, str(self._folder / "redis.conf")]
        self._process = self._keeper.start(program, self._log)

    def wait(self) -> None:
        """Wait until it answers; where another process took its port meanwhile, start it on another.

        Raises NodeError with the end of its log when it ends instead, or does not answer within a minute.
        """
        attempts, deadline = _ATTEMPTS, time.monotonic() + _PATIENCE
        while not self._answers():
            if not self.alive:
                attempts -= 1
                if (
                    self.port is None
                    or not attempts
                    or _IN_USE not in self._log.read_text(errors="replace")
                ):
                    raise NodeError(
                        self.name, f"its redis-server did not start: {self._last_words()}"
                    )
                self.port = _free_port()
                self.start()
            if time.monotonic() > deadline:
                raise NodeError(
                    self.name, f"its redis-server does not answer: {self._last_words()}"
                )
            time.sleep(_PAUSE)

    @property
    def alive(self) -> bool:
        """Whether the process is there, hanging or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of its process, or of its last one; 0 before the first."""
        return 0 if self._process is None else self._process.pid

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Any other signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def forget(self) -> None:
        """Remove what it stored; in a cluster it keeps its place."""
        shutil.rmtree(self._data)

    # --- what it is told -----------------------------------------------------------------------------------------

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _configuration(self) -> str:
        """Every write is in the append-only file before it is answered, so a server that is killed forgets nothing.

        (`appendfsync everysec` does not promise that: while an fsync is under way it answers first, and writes up to
        two seconds later.) Without such a file it forgets everything. Nothing is ever evicted: a full server refuses.
        Ciphertext does not compress.
        """
        lines = [
            f"dir {_quoted(self._data)}",
            f"aclfile {_quoted(self._folder / 'users.acl')}",
            "daemonize no",
            'save ""',
            f"appendonly {'no' if self._setup.sync is None else 'yes'}",
            f"appendfsync {'always' if self._setup.sync else 'no'}",
            "rdbcompression no",
            f"maxmemory {self._setup.max_memory}",
            "maxmemory-policy noeviction",
            f"proto-max-bulk-len {_LARGEST_VALUE}",
            "bind 127.0.0.1",
            *self._listening(),
            *(self._membership() if self._setup.fail_over is not None else []),
        ]
        return "".join(line + "\n" for line in lines)

    def _listening(self) -> list[str]:
        files = self._setup.access.server
        if self.port is None:
            return ["port 0", f"unixsocket {_quoted(self._socket)}", "unixsocketperm 700"]
        if files is None:
            return [f"port {self.port}"]
        return [
            "port 0",
            f"tls-port {self.port}",
            f"tls-cert-file {_quoted(files.certificate)}",
            f"tls-key-file {_quoted(files.key)}",
            f"tls-ca-cert-file {_quoted(files.authority)}",
            "tls-auth-clients yes",
            'tls-protocols "TLSv1.3"',
        ]

    def _membership(self) -> list[str]:
        """In a cluster. Without full coverage the rest goes on when one primary is lost.

        One setting of the authority serves clients, replicas and the cluster's bus, and the bus knows no users: whoever
        has a certificate of this authority can speak on it. Its port, 10,000 above the server's, belongs behind a
        firewall; here both listen on 127.0.0.1 only.
        """
        access = self._setup.access
        return [
            "cluster-enabled yes",
            f"cluster-config-file {_quoted(self._folder / 'nodes.conf')}",
            f"cluster-node-timeout {round((self._setup.fail_over or 0) * 1000)}",
            "cluster-require-full-coverage no",
            "cluster-replica-validity-factor 0",
            "cluster-announce-ip 127.0.0.1",
            f"masteruser {REPLICA}",
            f"masterauth {access.passwords[REPLICA]}",
            "repl-diskless-sync yes",
            "repl-diskless-sync-delay 0",
            *(["tls-replication yes", "tls-cluster yes"] if access.server else []),
        ]

    def _answers(self) -> bool:
        client = self.client(timeout=1.0)
        try:
            return bool(client.ping())
        except redis.RedisError:  # not yet there, or reading its data
            return False
        finally:
            client.close()

    def _last_words(self) -> str:
        """The end of the log, without what differs from machine to machine."""
        text = self._log.read_text(errors="replace").replace(str(self._keeper.folder), "…")
        lines = [
            _PREAMBLE.sub("", line).lstrip("#*.- ") for line in text.splitlines() if line.strip()
        ]
        return " / ".join(lines[-3:]) or "it said nothing"


def _free_port() -> int:
    for _ in range(1000):
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        if _is_free(port) and _is_free(port + 10_000):
            return port
    raise NodeError("redis-server", "no free port was found on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
