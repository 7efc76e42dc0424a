"""One redis-server process: its configuration, its start, and its end."""

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
from lepton_lab.nodes import redis_clients
from lepton_lab.nodes.servers.access import REPLICA, USER, ServerAccess
from lepton_lab.nodes.servers.binaries import RedisBinary
from lepton_lab.nodes.servers.lifetime import ServerLifetime
from lepton_lab.nodes.values import LARGEST_VALUE

_START_TIMEOUT = 60.0  # seconds; a server with a full folder reads that before it answers
_PAUSE = 0.01  # seconds
# The cluster bus listens 10,000 above the server's port. Both stay below the ports that systems
# give to clients.
_FIRST_PORT = 10_240
_PORTS = 12_528
_BUS_OFFSET = 10_000
_START_ATTEMPTS = 5
_IN_USE = "Address already in use"
_LOG_PREAMBLE = re.compile(r"^\d+:[A-Z] .*?\d\d:\d\d:\d\d\.\d+ ")  # process, role and time


@dataclass(frozen=True)
class ServerSettings:
    """The settings shared by all servers of one start; `RedisServers.start` explains those with the
    same names.

    on_ports: True for a TCP port per server, False for a Unix socket. fail_over: seconds; None
    outside a cluster.
    """

    binary: RedisBinary
    access: ServerAccess
    on_ports: bool
    timeout: float
    sync: bool | None
    max_memory: int
    fail_over: float | None = None


class ServerProcess:
    """A redis-server with one folder for its settings and log, and one for its data."""

    def __init__(
        self, index: int, settings: ServerSettings, lifetime: ServerLifetime, data: Path
    ) -> None:
        self.name = f"redis-{index}"
        self.settings = settings
        self._lifetime = lifetime
        self._data = data
        self._folder = lifetime.folder / str(index)
        self._folder.mkdir(mode=0o700)
        self.socket = lifetime.folder / f"{index}.socket"
        self.port = _free_port() if settings.on_ports else None
        self._process: subprocess.Popen[bytes] | None = None

    # --- how clients reach it -------------------------------------------------------------------

    def client(self, user: str = USER, timeout: float | None = None) -> redis.Redis:
        """Return a client of this server, by default for the lab's user and with the nodes'
        time-out in seconds.
        """
        address: dict[str, str | int]
        if self.port is None:
            address = {"path": str(self.socket)}
        else:
            address = {"host": "127.0.0.1", "port": self.port}
        return redis_clients.server_client(
            self.settings.access.tls,
            username=user,
            password=self.settings.access.passwords[user],
            socket_timeout=self.settings.timeout if timeout is None else timeout,
            **address,
        )

    @property
    def url(self) -> str:
        """The URL for `open_nodes`; it contains the password."""
        access = self.settings.access
        account = f"{USER}:{access.passwords[USER]}@"
        if self.port is None:
            return f"unix://{account}{quote(str(self.socket))}"
        scheme = "redis" if access.tls is None else "rediss"
        return f"{scheme}://{account}127.0.0.1:{self.port}{access.query}"

    # --- start and end --------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process without waiting for it; see `wait`.

        Raises OSError if the program cannot be run.
        """
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = self.settings.access.users(cluster=self.settings.fail_over is not None)
        configuration = self._folder / "redis.conf"
        write_atomically(self._folder / "users.acl", users.encode(), sync=False)
        write_atomically(configuration, self._configuration().encode(), sync=False)
        program = [self.settings.binary.path, str(configuration)]
        self._process = self._lifetime.start(program, self._log)

    def wait(self) -> None:
        """Wait until the server answers.

        If another process took its port in the meantime, it is started again on another port.
        Raises NodeError with the end of its log if the process ends, or does not answer within a
        minute.
        """
        attempts = _START_ATTEMPTS
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._answers():
            if not self.alive:
                attempts -= 1
                lost_its_port = self.port is not None and _IN_USE in self._read_log()
                if not lost_its_port or not attempts:
                    why = f"its redis-server did not start: {self._end_of_log()}"
                    raise NodeError(self.name, why)
                self.port = _free_port()
                self.start()
            if time.monotonic() > deadline:
                why = f"its redis-server does not answer: {self._end_of_log()}"
                raise NodeError(self.name, why)
            time.sleep(_PAUSE)

    @property
    def alive(self) -> bool:
        """Whether the process exists, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its current or last process; 0 before the first start."""
        return 0 if self._process is None else self._process.pid

    def kill(self) -> None:
        """End the process by SIGKILL and wait until it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, signal_number: signal.Signals) -> None:
        """Send any other signal to the process."""
        if self._process is not None:
            self._process.send_signal(signal_number)

    def remove_data(self) -> None:
        """Remove the data folder; in a cluster the server keeps its slots."""
        shutil.rmtree(self._data)

    # --- its configuration ----------------------------------------------------------------------

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _configuration(self) -> str:
        """Return the text of redis.conf.

        A write is in the append-only file before it is answered, so that a killed server loses
        nothing. (`appendfsync everysec` does not promise that: while an fsync is running, it
        answers first and writes up to two seconds later.) Without that file (sync=None) a killed
        server loses everything. No key is ever evicted: a full server refuses new values.
        Compression is off because ciphertext does not compress.
        """
        settings = self.settings
        lines = [
            f"dir {_quoted(self._data)}",
            f"aclfile {_quoted(self._folder / 'users.acl')}",
            "daemonize no",
            'save ""',
            f"appendonly {'no' if settings.sync is None else 'yes'}",
            f"appendfsync {'always' if settings.sync else 'no'}",
            "rdbcompression no",
            f"maxmemory {settings.max_memory}",
            "maxmemory-policy noeviction",
            f"proto-max-bulk-len {LARGEST_VALUE}",
            "bind 127.0.0.1",
            *self._listening(),
        ]
        if settings.fail_over is not None:
            lines += self._membership(settings.fail_over)
        return "".join(line + "\n" for line in lines)

    def _listening(self) -> list[str]:
        files = self.settings.access.server
        if self.port is None:
            return ["port 0", f"unixsocket {_quoted(self.socket)}", "unixsocketperm 700"]
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

    def _membership(self, fail_over: float) -> list[str]:
        """Return the settings of a cluster's member.

        Without full coverage the other primaries keep serving when one is lost. One CA setting
        serves clients, replicas and the cluster's bus, and the bus has no users: anyone with a
        certificate under this CA can speak on it. The bus port, 10,000 above the server's, belongs
        behind a firewall; here both listen on 127.0.0.1 only.
        """
        access = self.settings.access
        lines = [
            "cluster-enabled yes",
            f"cluster-config-file {_quoted(self._folder / 'nodes.conf')}",
            f"cluster-node-timeout {round(fail_over * 1000)}",
            "cluster-require-full-coverage no",
            "cluster-replica-validity-factor 0",
            "cluster-announce-ip 127.0.0.1",
            f"masteruser {REPLICA}",
            f"masterauth {access.passwords[REPLICA]}",
            "repl-diskless-sync yes",
            "repl-diskless-sync-delay 0",
        ]
        if access.server:
            lines += ["tls-replication yes", "tls-cluster yes"]
        return lines

    def _answers(self) -> bool:
        client = self.client(timeout=1.0)
        try:
            return bool(client.ping())
        except redis.RedisError:
            # It does not listen yet, or is still reading its data.
            return False
        finally:
            client.close()

    def _read_log(self) -> str:
        return self._log.read_text(errors="replace")

    def _end_of_log(self) -> str:
        """Return the last three lines of the log, without times, process ids and the private
        folder's name.
        """
        text = self._read_log().replace(str(self._lifetime.folder), "…")
        lines = []
        for line in text.splitlines():
            if line.strip():
                lines.append(_LOG_PREAMBLE.sub("", line).lstrip("#*.- "))
        return " / ".join(lines[-3:]) or "its log is empty"


def _free_port() -> int:
    """Return a port that is free, with its bus port. Raises NodeError after 1,000 attempts."""
    for _ in range(1000):
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        if _is_free(port) and _is_free(port + _BUS_OFFSET):
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
    """Return a path as redis.conf wants it, in quotes."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
