"""What a handshake costs, in bytes and in time: full and resumed, mutual and one-sided, with and without ML-KEM.

Both ends stand in this process and the bytes go from memory to memory, so that the cryptography is what is measured
and not the network. For the hybrid group another OpenSSL is asked than Python's own: the one inside `cryptography`,
which is newer, by way of pyOpenSSL, in a process of its own because a group can be chosen only by its settings.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from lepton_lab import tls
from lepton_lab.errors import NotFound

NAME = "localhost"
CLASSIC, HYBRID = "X25519", "X25519MLKEM768"
KINDS = ("mutual", "one-sided", "resumed")
_PATIENCE = 60  # seconds for the other process to answer


@dataclass(frozen=True)
class Handshake:
    """What it took: bytes from each side, up to the last one before application data, tickets included; seconds."""

    client_bytes: int
    server_bytes: int
    seconds: float
    group: str = ""

    @property
    def size(self) -> int:
        """From both sides."""
        return self.client_bytes + self.server_bytes


def kinds() -> dict[str, Callable[[], Handshake]]:
    """A function for each of KINDS that makes a handshake and says what it took."""
    ca = tls.LabCA.create()
    server, alice = ca.issue(NAME), ca.issue("alice", client=True)
    mutual = tls.server_context(server, ca), tls.client_context(ca, alice)
    one_sided = tls.server_context(server, ca, require_client=False), tls.client_context(ca)
    ticket = shake(*mutual)[1]
    return {
        "mutual": lambda: shake(*mutual)[0],
        "one-sided": lambda: shake(*one_sided)[0],
        "resumed": lambda: shake(*mutual, ticket)[0],
    }


def shake(
    server: ssl.SSLContext, client: ssl.SSLContext, ticket: ssl.SSLSession | None = None
) -> tuple[Handshake, ssl.SSLSession | None]:
    """One handshake in memory, and the client's ticket for the next. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    began = time.perf_counter()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server, server_hostname=NAME, session=ticket)
    sizes = {here: 0, there: 0}
    sinks = {here: to_server, there: to_client}
    waiting = [here, there]
    while waiting:
        for end in list(waiting):
            before = sinks[end].pending
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
            sizes[end] += sinks[end].pending - before
    seconds = time.perf_counter() - began
    with suppress(ssl.SSLWantReadError):
        here.read(1)  # takes in the tickets
    return Handshake(sizes[here], sizes[there], seconds), here.session


def best(works: Mapping[str, Callable[[], Handshake]], rounds: int) -> dict[str, Handshake]:
    """The quickest of some rounds of each, all in turn: whatever else the machine does only makes one slower."""
    taken: dict[str, list[Handshake]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(work())
    return {name: min(times, key=lambda each: each.seconds) for name, times in taken.items()}


@contextmanager
def groups() -> Iterator[dict[str, Callable[[], Handshake]]]:
    """A function for CLASSIC and one for HYBRID, each making a one-sided handshake with that group.

    Raises NotFound, saying what is missing, where pyOpenSSL or an OpenSSL with ML-KEM (3.5 or later) is not there.
    """
    if find_spec("OpenSSL") is None:
        raise NotFound("pyOpenSSL is not installed: pip install pyopenssl")
    with ExitStack() as running:
        yield {group: running.enter_context(_agreeing_on(group)) for group in (CLASSIC, HYBRID)}


@contextmanager
def _agreeing_on(group: str) -> Iterator[Callable[[], Handshake]]:
    with TemporaryDirectory() as folder:
        settings = Path(folder, "openssl.cnf")
        settings.write_text(
            f"openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nGroups={group}\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "lepton_lab.workshop.experiments.nb06_hybrid"],
            env={**os.environ, "OPENSSL_CONF": str(settings)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            yield lambda: _asked(process, group)
        finally:
            process.communicate(timeout=_PATIENCE)


def _asked(process: subprocess.Popen[str], group: str) -> Handshake:
    with suppress(BrokenPipeError):
        print(file=process.stdin, flush=True)
    answer = process.stdout.readline() if process.stdout else ""
    if not answer or (handshake := Handshake(**json.loads(answer))).group.lower() != group.lower():
        raise NotFound(
            f"the OpenSSL inside `cryptography` does not agree on {group}: pip install -U cryptography"
        )
    return handshake
