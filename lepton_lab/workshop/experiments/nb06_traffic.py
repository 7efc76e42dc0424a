"""The lab's own traffic as an observer sees it: Redis and Jupyter, in the clear and under TLS.

Everything runs on this machine, and no packets but the lab's own are captured: a client speaks to
its server through a `TappedLine`, which keeps what passes. That needs no rights on the network, so
no administrator.
"""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

from lepton_lab import tls
from lepton_lab.errors import NodeError
from lepton_lab.nodes import RedisServers, open_nodes
from lepton_lab.textbook.attacks.man_in_the_middle import TappedLine

CLEAR = "in the clear"
SECURED = "TLS 1.3"
_TIMEOUT = 30.0  # seconds for a Jupyter server to start and to answer
_STOP_TIMEOUT = 10.0  # seconds for it to stop
# A machine may have many Jupyter extensions, which take seconds to load. Serving files needs none.
_SERVER_WITHOUT_EXTENSIONS = (
    "from jupyter_server.serverapp import ServerApp; "
    "ServerApp.find_server_extensions = lambda self: None; "
    "ServerApp.launch_instance()"
)


def redis_traffic(key: str, value: bytes) -> tuple[dict[str, bytes], str]:
    """Store a value on a Redis server twice, in the clear and under TLS.

    Returns what crossed the loopback each time, and the user's password. Raises NodeError, saying
    what to install, when there is no redis-server with TLS.
    """
    with RedisServers.start(1, tls=True) as secured, RedisServers.cluster(1, tls=False) as clear:
        clear_url = clear.urls[0].replace("redis+cluster:", "redis:")
        password = urlsplit(clear_url).password or ""
        traffic = {
            CLEAR: _store_observed(clear_url, key, value),
            SECURED: _store_observed(secured.urls[0], key, value),
        }
    return traffic, password


def _store_observed(url: str, key: str, value: bytes) -> bytes:
    """Write and read a value through an observed connection. Returns all bytes that passed."""
    parts = urlsplit(url)
    account = parts.netloc.rpartition(":")[0]
    with TappedLine(parts.port or 0) as line:
        observed = parts._replace(netloc=f"{account}:{line.port}")
        (node,) = open_nodes([urlunsplit(observed)])
        node[key] = value
        if node[key] != value:
            raise NodeError(node.name, "it returned another value than was stored")
        return line.text


def jupyter_traffic(name: str, content: bytes) -> tuple[dict[str, bytes], str]:
    """Fetch a file from a Jupyter server twice, in the clear and under TLS.

    Returns what crossed the loopback each time, and the token that the server asked for. Raises
    NodeError when no Jupyter server is installed, or it does not start.
    """
    if find_spec("jupyter_server") is None:
        raise NodeError("jupyter", 'it is not installed; pip install "lepton-lab[lab]"')
    ca = tls.LabCA.create()
    token = secrets.token_hex(16)
    with TemporaryDirectory() as folder, ExitStack() as servers:
        served = Path(folder, "served")
        served.mkdir()
        (served / name).write_bytes(content)
        home = Path(folder, "home")
        files = ca.issue("localhost").save(home)
        tls_options = [
            f"--ServerApp.certfile={files.certificate}",
            f"--ServerApp.keyfile={files.key}",
        ]
        # Both are started before either is waited for, because each takes a while.
        clear_port = servers.enter_context(_jupyter_server(served, home, token, []))
        secured_port = servers.enter_context(_jupyter_server(served, home, token, tls_options))
        traffic = {
            CLEAR: _fetch_observed(clear_port, None, name, token),
            SECURED: _fetch_observed(secured_port, tls.client_context(ca), name, token),
        }
    return traffic, token


@contextmanager
def _jupyter_server(served: Path, home: Path, token: str, options: list[str]) -> Iterator[int]:
    """Run a Jupyter server on a free port, without the reader's own settings. Yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        _SERVER_WITHOUT_EXTENSIONS,
        "--no-browser",
        f"--ServerApp.root_dir={served}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        # It stops by itself, should this process be killed before it can stop it.
        "--ServerApp.shutdown_no_activity_timeout=60",
        *options,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    environment = {**os.environ, **dict.fromkeys(folders, str(home)), "JUPYTER_TOKEN": token}
    process = subprocess.Popen(  # noqa: S603  # this Python, with the options above
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fetch_observed(port: int, context: ssl.SSLContext | None, name: str, token: str) -> bytes:
    """Fetch a file through an observed connection. Returns all bytes that passed."""
    _wait_for_port(port)
    with TappedLine(port) as line:
        connection = http.client.HTTPConnection("localhost", line.port, timeout=_TIMEOUT)
        if context is not None:
            connection = http.client.HTTPSConnection(
                "localhost", line.port, timeout=_TIMEOUT, context=context
            )
        headers = {"Authorization": f"token {token}", "Connection": "close"}
        connection.request("GET", f"/files/{name}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != http.client.OK:
            raise NodeError("jupyter", f"it answered {answer.status}")
        return line.text


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise NodeError(
                    "jupyter", f"it did not start within {_TIMEOUT:g} seconds"
                ) from None
            time.sleep(0.05)
        else:
            return


def visible(traffic: Mapping[str, bytes], needles: Mapping[str, bytes]) -> list[tuple[str, ...]]:
    """Rows for a table: for each needle, whether it can be read in each kind of traffic."""
    rows = []
    for what, needle in needles.items():
        found = ["readable" if needle in data else "not found" for data in traffic.values()]
        rows.append((what, *found))
    return rows
