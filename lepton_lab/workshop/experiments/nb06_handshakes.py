"""What a handshake costs in bytes and in time, for notebook 06.

Compared are full and resumed, mutual and one-sided handshakes, with and without ML-KEM. Both ends
are in this process and the bytes go from memory to memory, so that the cryptography is measured
and not the network. The hybrid group needs a newer OpenSSL than Python's own: the one inside
`cryptography`, used through pyOpenSSL. It runs in another process, because a group can be chosen
only in OpenSSL's settings file, which a process reads when it starts.
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
CLASSIC = "X25519"
HYBRID = "X25519MLKEM768"
KINDS = ("mutual", "one-sided", "resumed")
_TIMEOUT = 60  # seconds for the other process to end
_SETTINGS = """openssl_conf=a
[a]
ssl_conf=b
[b]
system_default=c
[c]
Groups={group}
"""


@dataclass(frozen=True)
class HandshakeCost:
    """What one handshake took.

    client_bytes, server_bytes: what each side sent before any application data, tickets included.
    seconds: the time on the clock. group: the key exchange that was agreed on, where it is known.
    """

    client_bytes: int
    server_bytes: int
    seconds: float
    group: str = ""

    @property
    def size(self) -> int:
        """Bytes from both sides."""
        return self.client_bytes + self.server_bytes


Measure = Callable[[], HandshakeCost]


def kinds() -> dict[str, Measure]:
    """A function for each of KINDS that makes one handshake and returns what it took."""
    ca = tls.LabCA.create()
    identity = ca.issue(NAME)
    server = tls.server_context(identity, ca)
    client = tls.client_context(ca, ca.issue("alice", client=True))
    server_for_anyone = tls.server_context(identity, ca, require_client=False)
    anonymous_client = tls.client_context(ca)
    # The lab's own servers issue no session tickets, because a resumed client's certificate is not
    # checked again. Here resumption is what is measured, so these two issue OpenSSL's usual two.
    for measured in (server, server_for_anyone):
        measured.num_tickets = 2
    _, ticket = shake(server, client)
    return {
        "mutual": lambda: shake(server, client)[0],
        "one-sided": lambda: shake(server_for_anyone, anonymous_client)[0],
        "resumed": lambda: shake(server, client, ticket)[0],
    }


def shake(
    server: ssl.SSLContext, client: ssl.SSLContext, ticket: ssl.SSLSession | None = None
) -> tuple[HandshakeCost, ssl.SSLSession | None]:
    """Make one handshake in memory. Returns what it took, and the client's ticket for the next one.

    Raises ssl.SSLError when either side refuses the other.
    """
    to_server = ssl.MemoryBIO()
    to_client = ssl.MemoryBIO()
    start = time.perf_counter()
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    client_end = client.wrap_bio(to_client, to_server, server_hostname=NAME, session=ticket)
    sent = {client_end: 0, server_end: 0}
    output_of = {client_end: to_server, server_end: to_client}
    unfinished = [client_end, server_end]
    while unfinished:
        for end in list(unfinished):
            before = output_of[end].pending
            try:
                end.do_handshake()
                unfinished.remove(end)
            except ssl.SSLWantReadError:
                pass  # it waits for the other end's bytes: that end's turn comes next
            sent[end] += output_of[end].pending - before
    seconds = time.perf_counter() - start
    with suppress(ssl.SSLWantReadError):
        client_end.read(1)  # there is no data to read, but reading processes the tickets
    return HandshakeCost(sent[client_end], sent[server_end], seconds), client_end.session


def best(measures: Mapping[str, Measure], rounds: int) -> dict[str, HandshakeCost]:
    """The quickest of some rounds of each, in which all take turns.

    The quickest, because whatever else the machine does only makes a handshake slower.
    """
    taken: dict[str, list[HandshakeCost]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    return {name: min(costs, key=lambda cost: cost.seconds) for name, costs in taken.items()}


@contextmanager
def groups() -> Iterator[dict[str, Measure]]:
    """A function for CLASSIC and one for HYBRID that makes a one-sided handshake with that group.

    Raises NotFound, saying what is missing, without pyOpenSSL or an OpenSSL with ML-KEM (3.5 or
    later).
    """
    if find_spec("OpenSSL") is None:
        raise NotFound("pyOpenSSL is not installed: pip install pyopenssl")
    with ExitStack() as processes:
        yield {group: processes.enter_context(_agreeing_on(group)) for group in (CLASSIC, HYBRID)}


@contextmanager
def _agreeing_on(group: str) -> Iterator[Measure]:
    """Run a process whose OpenSSL offers this group only. It makes a handshake at every call."""
    with TemporaryDirectory() as folder:
        settings = Path(folder, "openssl.cnf")
        settings.write_text(_SETTINGS.format(group=group))
        process = subprocess.Popen(
            [sys.executable, "-m", "lepton_lab.workshop.experiments.nb06_hybrid_server"],
            env={**os.environ, "OPENSSL_CONF": str(settings)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            yield lambda: _ask_for_handshake(process, group)
        finally:
            # Closes its standard input, which ends it.
            process.communicate(timeout=_TIMEOUT)


def _ask_for_handshake(process: subprocess.Popen[str], group: str) -> HandshakeCost:
    with suppress(BrokenPipeError):  # it has ended; then it answers nothing below
        print(file=process.stdin, flush=True)
    answer = process.stdout.readline() if process.stdout else ""
    if answer:
        cost = HandshakeCost(**json.loads(answer))
        if cost.group.lower() == group.lower():
            return cost
    raise NotFound(
        f"the OpenSSL inside `cryptography` does not agree on {group}: pip install -U cryptography"
    )
