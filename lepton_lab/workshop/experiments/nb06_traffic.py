"""The lab's own traffic as somebody on the line sees it: Redis and Jupyter, in the clear and under TLS.

Everything runs on this machine, and no packet is captured that is not the lab's: a client speaks to its server through
a `TappedLine`, which keeps what passes. That needs no rights on the network.
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

CLEAR, SECURED = "in the clear", "TLS 1.3"
_PATIENCE = 30.0  # seconds for a Jupyter server to start
# A machine may have many extensions, which take seconds to load, and files can be served without any.
_WITHOUT_EXTENSIONS = (
    "from jupyter_server.serverapp import ServerApp; ServerApp.find_server_extensions = lambda self: None; "
    "ServerApp.launch_instance()"
)


def redis_traffic(key: str, value: bytes) -> tuple[dict[str, bytes], str]:
    """Store `value` under `key` on a Redis server twice: what crossed the loopback each time, and the user's password.

    Raises NodeError, saying what to install, where there is no redis-server with TLS.
    """
    with RedisServers.start(1, tls=True) as secured, RedisServers.cluster(1, tls=False) as clear:
        urls = {CLEAR: clear.urls[0].replace("redis+cluster:", "redis:"), SECURED: secured.urls[0]}
        return {name: _stored(url, key, value) for name, url in urls.items()}, urlsplit(
            urls[CLEAR]
        ).password or ""


def _stored(url: str, key: str, value: bytes) -> bytes:
    parts = urlsplit(url)
    with TappedLine(parts.port or 0) as line:
        account = parts.netloc.rpartition(":")[0]
        (node,) = open_nodes([urlunsplit(parts._replace(netloc=f"{account}:{line.port}"))])
        node[key] = value
        if node[key] != value:
            raise NodeError(node.name, "it has kept something else")
        return line.text


def jupyter_traffic(name: str, content: bytes) -> tuple[dict[str, bytes], str]:
    """Fetch a file from a Jupyter server twice: what crossed the loopback each time, and the token that let us in.

    Raises NodeError where there is no Jupyter server, or it does not start.
    """
    if find_spec("jupyter_server") is None:
        raise NodeError("jupyter", 'it is not installed; pip install "lepton-lab[lab]"')
    ca, token = tls.LabCA.create(), secrets.token_hex(16)
    with TemporaryDirectory() as folder, ExitStack() as running:
        served, home = Path(folder, "served"), Path(folder, "home")
        served.mkdir()
        (served / name).write_bytes(content)
        files = ca.issue("localhost").save(home)
        options: dict[str, list[str]] = {
            CLEAR: [],
            SECURED: [
                f"--ServerApp.certfile={files.certificate}",
                f"--ServerApp.keyfile={files.key}",
            ],
        }
        ports = {
            each: running.enter_context(_jupyter(served, home, token, given))
            for each, given in options.items()
        }
        contexts = {CLEAR: None, SECURED: tls.client_context(ca)}
        return {each: _fetched(ports[each], contexts[each], name, token) for each in options}, token


@contextmanager
def _jupyter(served: Path, home: Path, token: str, options: list[str]) -> Iterator[int]:
    """A Jupyter server that serves a folder and nothing of the reader's own; it ends here, or when forgotten."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = dict.fromkeys(
        ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"), str(home)
    )
    command = [
        sys.executable,
        "-c",
        _WITHOUT_EXTENSIONS,
        "--no-browser",
        f"--ServerApp.root_dir={served}",
    ]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.shutdown_no_activity_timeout=60",
    ]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    process = subprocess.Popen(  # noqa: S603  # this Python, and options of our own
        [*command, *options],
        env={**os.environ, **own, "JUPYTER_TOKEN": token},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fetched(port: int, context: ssl.SSLContext | None, name: str, token: str) -> bytes:
    _await_port(port)
    with TappedLine(port) as line:
        if context is None:
            connection = http.client.HTTPConnection("localhost", line.port, timeout=_PATIENCE)
        else:
            connection = http.client.HTTPSConnection(
                "localhost", line.port, timeout=_PATIENCE, context=context
            )
        connection.request(
            "GET",
            f"/files/{name}",
            headers={"Authorization": f"token {token}", "Connection": "close"},
        )
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != http.client.OK:
            raise NodeError("jupyter", f"it answered {answer.status}")
        return line.text


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise NodeError("jupyter", "it does not answer") from None
            time.sleep(0.05)
        else:
            return


def visible(traffic: Mapping[str, bytes], needles: Mapping[str, bytes]) -> list[tuple[str, ...]]:
    """Rows for a table: for each needle, whether it can be read in each kind of traffic."""
    return [
        (what, *("readable" if needle in data else "not found" for data in traffic.values()))
        for what, needle in needles.items()
    ]
