"""What one command on objects works with: nodes, a key ring, its receipts, and a store over them.

The options that say where all that is are declared here once, for every command on objects.
Everything heavy is imported inside the functions, so that `--help` stays quick.
"""

from __future__ import annotations

import codecs
import functools
import getpass
import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lepton_lab.cli.output import PASSPHRASE, CommandError, printable
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.files import open_regular, write_atomically

if TYPE_CHECKING:
    from lepton_lab.cli.receipts import Receipts
    from lepton_lab.keyring import KeyRing
    from lepton_lab.nodes import Node
    from lepton_lab.sharding import ShardedStore

_MOST_NAME_BYTES = 1 << 20  # of the file that lists known nodes
_USUAL_N = 5  # shards per object, where there are that many nodes

# --- the options -------------------------------------------------------------------------

Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--nodes",
        envvar="LEPTON_LAB_NODES",
        help="The URL of a node of your own; repeat the option for each node. "
        "@FILE reads the URLs from a file, one per line. See CLUSTER.md.",
        show_default=False,
    ),
]
Folder = Annotated[
    Path,
    typer.Option(
        envvar="LEPTON_LAB_FOLDER", help="The folder of the nodes that `nodes up` started."
    ),
]
Ring = Annotated[
    Path,
    typer.Option(
        envvar="LEPTON_LAB_RING", help="The key ring's file. Keep it apart from the nodes."
    ),
]
Needed = Annotated[
    int | None,
    typer.Option(
        "-k",
        "--needed",
        envvar="LEPTON_LAB_NEEDED",
        min=1,
        max=255,
        metavar="NUMBER",
        show_default=False,
        help="How many shards suffice to read what is put: 3 by default, "
        "or half the number of nodes if there are fewer than 5.",
    ),
]
Shards = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--shards",
        envvar="LEPTON_LAB_SHARDS",
        min=1,
        max=255,
        metavar="NUMBER",
        show_default=False,
        help="How many shards each object has, each on another node: 5 by default, "
        "or one per node if there are fewer.",
    ),
]
Quorum = Annotated[
    int | None,
    typer.Option(
        "--write-quorum",
        envvar="LEPTON_LAB_WRITE_QUORUM",
        min=1,
        max=255,
        metavar="NUMBER",
        show_default=False,
        help="How many nodes must store an object completely before a put is done: 4 of 5 by "
        "default. With fewer, a put works with more nodes down, and then survives fewer losses.",
    ),
]
FOLDER = Path(".lepton")
RING = Path(".lepton-keys/ring")  # not in the nodes' folder: keys lie apart from the data


@dataclass(frozen=True)
class StoreOptions:
    """The values of the options; None for a number stands for its default."""

    urls: Sequence[str]
    folder: Path
    ring: Path
    k: int | None
    n: int | None
    write_quorum: int | None


def store_options(
    *,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
    write_quorum: Quorum = None,
) -> StoreOptions:
    """The options as one value; the parameters are those that `with_store_options` adds."""
    return StoreOptions(nodes or [], folder, ring, needed, shards, write_quorum)


def with_store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options in place of its own parameter `options: StoreOptions`.

    Typer reads a command's options from its signature, so the new function has a signature in
    which the parameters of `store_options` stand where `options` stood.
    """
    # eval_str: with `from __future__ import annotations` the annotations are strings
    shared = inspect.signature(store_options, eval_str=True).parameters
    declared = inspect.signature(command, eval_str=True).parameters
    own = [parameter for name, parameter in declared.items() if name != "options"]

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in shared}
        command(options=store_options(**given), **arguments)

    run.__signature__ = inspect.Signature([*own, *shared.values()])  # type: ignore[attr-defined]
    return run


# --- the session ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """A store that is ready to use, and the receipts of earlier puts."""

    store: ShardedStore
    receipts: Receipts


@contextmanager
def open_session(options: StoreOptions, *, create: bool = False) -> Iterator[Session]:
    """Open the nodes and the key ring that the options name, and close the nodes afterwards.

    create: make a new key ring when there is none. Raises CommandError when no nodes are up, when
    there is no key ring or when it does not open; NodeError, InvalidParameter for a bad URL.
    """
    from lepton_lab.cli.receipts import Receipts  # noqa: PLC0415  # `--help` needs none of them
    from lepton_lab.sharding import ShardedStore  # noqa: PLC0415

    known = _read_known_nodes(options.ring)
    nodes = open_all_nodes(options, known)
    try:
        ring = _open_ring(options.ring, create=create)
        _remember_nodes(options.ring, known | {node.name for node in nodes}, known)
        n = options.n or usual_n(len(nodes))
        k = options.k or usual_k(n)
        store = ShardedStore(nodes, ring, k=k, write_quorum=options.write_quorum, n=n)
        yield Session(store, Receipts(ring))
    finally:
        for node in nodes:
            node.close()


def open_all_nodes(
    options: StoreOptions, known: Collection[str] = (), *, create: bool = True
) -> list[Node]:
    """The nodes that the options name by URL or, without any URL, those that `nodes up` started.

    A folder is made for a new node only if `create` is True, and never for one that is known: its
    disk is not mounted. Raises CommandError when there are none.
    """
    from lepton_lab.cli.daemon import RunningNodes  # noqa: PLC0415  # loads redis
    from lepton_lab.nodes import open_nodes  # noqa: PLC0415

    if options.urls:
        return open_nodes(_expand(options.urls), create=create, known=known)
    running = RunningNodes.read(options.folder)
    if running is None:
        raise CommandError(
            f"no nodes are up in {options.folder}: run `lepton-lab nodes up`, "
            "or name your own nodes with --nodes"
        )
    return running.open()


def _known_nodes_path(ring: Path) -> Path:
    return ring.with_name(ring.name + ".nodes")


def _read_known_nodes(ring: Path) -> set[str]:
    """The names of the nodes that were used with this key ring before, from `<ring>.nodes`."""
    try:
        with open_regular(_known_nodes_path(ring)) as file:
            text = file.read(_MOST_NAME_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return set()
    return set(text.splitlines())


def _remember_nodes(ring: Path, names: set[str], known: set[str]) -> None:
    """Write the names of the nodes that are known from now on, one per line."""
    if names == known:
        return
    text = "".join(f"{name}\n" for name in sorted(names))
    # A key ring on a read-only medium can be used all the same.
    with suppress(OSError):
        write_atomically(_known_nodes_path(ring), text.encode(), sync=False)


def usual_n(nodes: int) -> int:
    """How many shards an object has by default on so many nodes."""
    return min(nodes, _USUAL_N)


def usual_k(n: int) -> int:
    """How many of n shards suffice by default: 3 of 5 or more, else half of n, rounded up."""
    return min(3, (n + 1) // 2)


def _expand(urls: Sequence[str]) -> list[str]:
    """Replace each @FILE by the URLs in that file.

    URLs hold passwords. In a file they are not shown by `ps`, as they would be on a command line.
    """
    expanded: list[str] = []
    for url in urls:
        if url.startswith("@"):
            expanded += _urls_in(Path(url[1:]))
        else:
            expanded.append(url)
    return expanded


def _urls_in(file: Path) -> Iterator[str]:
    """The URLs in a file, one per line; empty lines and lines that begin with # are left out.

    Raises CommandError for a line that is not a URL, with its number but without its text, which
    may hold a password.
    """
    from lepton_lab.nodes.parsed_url import parse_url  # noqa: PLC0415  # `--help` needs no nodes

    # Editors on Windows begin a file with a byte order mark and end lines with CR LF.
    data = file.read_bytes().removeprefix(codecs.BOM_UTF8)
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            url = line.decode().strip()
            if url and not url.startswith("#"):
                parse_url(url)
                yield url
        except UnicodeDecodeError:
            raise CommandError(f"{file}, line {number}: save the file as UTF-8 text") from None
        except InvalidParameter as error:
            raise CommandError(f"{file}, line {number}: {error}") from None


# --- the key ring and its passphrase ----------------------------------------------------------


def _open_ring(path: Path, *, create: bool) -> KeyRing:
    """Open the key ring at `path`, or make it where `create` allows that."""
    from lepton_lab.keyring import KeyRing  # noqa: PLC0415  # loads cryptography

    if path.exists():
        try:
            return KeyRing.open(path, _passphrase(path, new=False))
        except DecryptionError:
            raise CommandError(
                f"{path}: the passphrase is wrong or the key ring is damaged; "
                "try again, or restore a copy of the file"
            ) from None
    if not create:
        raise CommandError(
            f"there is no key ring at {path}: name yours with --ring; "
            "the first `lepton-lab put` creates one"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    ring = KeyRing.create(path, _passphrase(path, new=True))
    notice = (
        f"New key ring: {path}. Without it and its passphrase nothing can be read; keep a copy."
    )
    print(printable(notice), file=sys.stderr)
    return ring


def _passphrase(path: Path, *, new: bool) -> str:
    """The passphrase from the environment, or else typed on the terminal.

    new: the key ring is being created, so a typed passphrase is asked for twice.
    Raises CommandError when it is empty, when the two differ, or when there is nobody to ask.
    """
    given = os.environ.get(PASSPHRASE)
    if given == "":
        raise CommandError(
            f"{PASSPHRASE} is empty: set it to the passphrase, or unset it to be asked"
        )
    if given is not None:
        # Bytes that are not UTF-8 reach Python as characters that have no UTF-8 form.
        if any("\ud800" <= character <= "\udfff" for character in given):
            raise CommandError(f"{PASSPHRASE} is not UTF-8 text: set it to the passphrase in UTF-8")
        return given
    if not _has_terminal():
        raise CommandError(
            f"there is no terminal to ask for the passphrase of {path}: set {PASSPHRASE}"
        )
    question = "New passphrase" if new else "Passphrase"
    typed = _ask(f"{question} for {printable(str(path))}: ")
    if not typed:
        raise CommandError("an empty passphrase protects nothing: type one")
    if new and _ask("Once more: ") != typed:
        raise CommandError("the two passphrases differ: run the command again")
    return typed


def _ask(question: str) -> str:
    try:
        return getpass.getpass(question)
    except UnicodeDecodeError:
        raise CommandError(
            "the terminal sent bytes that are not UTF-8: set it to UTF-8, or the passphrase "
            f"in {PASSPHRASE}"
        ) from None
    except EOFError:
        raise CommandError("no passphrase was typed: run the command again") from None


def _has_terminal() -> bool:
    """Whether `getpass` can ask: by the controlling terminal or, without one, on standard input."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True
