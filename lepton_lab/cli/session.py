"""What every command on objects needs: nodes, the key ring, its receipts, and a store over them."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lepton_lab.cli.daemon import SECRET, Standing
from lepton_lab.cli.receipts import Receipts
from lepton_lab.cli.words import Advice, shown
from lepton_lab.errors import DecryptionError
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node, open_nodes
from lepton_lab.sharding import ShardedStore

USUAL_N = 5  # of more nodes, each object has its five


@dataclass(frozen=True)
class Place:
    """Where the nodes and the ring are, as the options say."""

    urls: Sequence[str]
    folder: Path
    ring: Path
    k: int | None = None
    n: int | None = None


@dataclass(frozen=True)
class Session:
    """A store that is ready, and the receipts of earlier puts."""

    store: ShardedStore
    receipts: Receipts


def nodes_at(place: Place) -> list[Node]:
    """The nodes by their URLs, or else those that `nodes up` started. Raises Advice when there are none."""
    if place.urls:
        return open_nodes(_urls(place.urls))
    standing = Standing.read(place.folder)
    if standing is None:
        raise Advice(
            f"no nodes are up in {place.folder}: run `lepton-lab nodes up`, or name yours with --nodes"
        )
    return standing.nodes()


@contextmanager
def session(place: Place, *, create: bool = False) -> Iterator[Session]:
    """A store over the nodes and the ring; `create` makes a ring where there is none."""
    nodes = nodes_at(place)
    try:
        ring = _ring(place.ring, create=create)
        n = place.n or min(len(nodes), USUAL_N)
        yield Session(ShardedStore(nodes, ring, k=place.k or usual_k(n), n=n), Receipts(ring))
    finally:
        for node in nodes:
            node.close()


def usual_k(n: int) -> int:
    """Three of five or more; of fewer nodes half of them, rounded up."""
    return min(3, (n + 1) // 2)


def _urls(named: Sequence[str]) -> list[str]:
    """The URLs; @FILE stands for those in a file, one a line, where no list of processes shows their passwords."""
    urls: list[str] = []
    for each in named:
        if each.startswith("@"):
            lines = Path(each[1:]).read_text(errors="replace").splitlines()
            urls += [
                line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")
            ]
        else:
            urls.append(each)
    return urls


def _ring(path: Path, *, create: bool) -> KeyRing:
    if path.exists():
        try:
            return KeyRing.open(path, _passphrase(path, new=False))
        except DecryptionError:
            raise Advice(
                f"{path}: a wrong passphrase or a damaged key ring; try again, or bring back a copy"
            ) from None
    if not create:
        raise Advice(
            f"there is no key ring at {path}: name yours with --ring; the first `lepton-lab put` makes one"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    ring = KeyRing.create(path, _passphrase(path, new=True))
    said = f"New key ring: {path}. Without it and its passphrase nothing can be read; keep a copy."
    print(shown(said), file=sys.stderr)
    return ring


def _passphrase(path: Path, *, new: bool) -> str:
    """From the environment, else from the terminal, and twice for a new one. Raises Advice."""
    if SECRET in os.environ:
        if not (given := os.environ[SECRET]):
            raise Advice(f"{SECRET} is empty: set it to the passphrase, or unset it to be asked")
        return given
    if not _can_ask():
        raise Advice(f"no terminal to ask for the passphrase of {path}: set {SECRET}")
    typed = getpass.getpass(f"{'New passphrase' if new else 'Passphrase'} for {shown(str(path))}: ")
    if not typed:
        raise Advice("an empty passphrase protects nothing: type one")
    if new and getpass.getpass("Once more: ") != typed:
        raise Advice("the two differ: run it again")
    return typed


def _can_ask() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True
