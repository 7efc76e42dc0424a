"""The commands on objects: put, get, ls, check, repair, rebalance, shred."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeVar, cast

import typer

from lepton_lab.cli.output import (
    STDIO,
    CommandError,
    bytes_bar,
    error_line,
    one_by_one,
    output_path,
    printable,
    refuse_existing,
    say,
    warn,
    whole_file,
)
from lepton_lab.cli.session import Session, StoreOptions, open_session, with_store_options
from lepton_lab.errors import (
    IntegrityError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
    WriteConflict,
)
from lepton_lab.files import ProgressFile

if TYPE_CHECKING:
    from lepton_lab.sharding import Health, NodeHealth, Receipt, ShardedStore

Name = Annotated[str, typer.Argument(help="The object's name.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="The objects' names; all objects by default.")
]

_ATTEMPTS = 6  # of a put or get: every other client that writes the object at that time costs one
_T = TypeVar("_T")

commands = typer.Typer()


def _command(example: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a command with an example for its --help and the options that all share."""

    def declare(function: Callable[..., None]) -> Callable[..., None]:
        declared = commands.command(epilog=f"Example: `lepton-lab {example}`")
        declared(with_store_options(function))
        return function

    return declare


@_command("put patients.csv --name ward-3/patients.csv")
def put(
    file: Annotated[Path, typer.Argument(help="The file to store; - is standard input.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="The object's name; by default the file's own.")
    ] = None,
    options: StoreOptions,
) -> None:
    """Encrypt a file and spread it over the nodes; an older version under the name is replaced.

    By default any 3 of 5 nodes suffice to read it, but 4 must store it: that is the write quorum,
    which makes every later read meet this put.

    The passphrase of the key ring is asked for, or taken from LEPTON_LAB_PASSPHRASE. The first put
    creates the ring.
    """
    if name is None and file == STDIO:
        raise CommandError("standard input has no file name: give the object's name with --name")
    object_name = file.name if name is None else name
    with (
        _open_source(file) as (source, size),
        open_session(options, create=True) as session,
        bytes_bar("putting", size) as advance,
    ):

        def attempt() -> Receipt:
            return session.store.put(object_name, cast("BinaryIO", ProgressFile(source, advance)))

        def rewind() -> bool:
            # What came through a pipe is gone: only a file can be read again.
            return source.seekable() and source.seek(0) == 0

        try:
            receipt = _retried(attempt, may_retry=rewind)
        except NotEnoughShards as error:
            raise _write_refused(object_name, error, session.store) from error
        _keep(session, receipt)
        store = session.store
    stored = f"version {receipt.version}, {receipt.size:,} bytes"
    enough = f"any {store.k} of {store.n} nodes suffice to read; a write needs"
    say(f"{object_name}: {stored}, {enough} {store.write_quorum}")
    if receipt.lacking:
        nodes = ", ".join(receipt.lacking)
        command = f"`lepton-lab repair {object_name}`"
        warn(f"{nodes} did not store every shard; when they answer again, run {command}")


@_command("get patients.csv -o restored.csv")
def get(
    name: Name,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write, or the folder to write into; - is standard output.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace the file if it exists.")
    ] = False,
    options: StoreOptions,
) -> None:
    """Read an object back from any nodes that suffice. The file appears whole or not at all.

    A version older than the last one that was put from here is refused.
    """
    target = output_path(name, output)
    refuse_existing(target, replace=force)
    with open_session(options) as session:
        receipt = session.receipts[name]
        expected = receipt.size if receipt else None
        with bytes_bar("getting", expected) as advance:

            def attempt() -> int:
                with whole_file(target, replace=force) as file:
                    sink = cast("BinaryIO", ProgressFile(file, advance))
                    return session.store.get(name, sink, receipt)

            with _names_object(name):
                size = _retried(attempt)
    if target != STDIO:
        say(f"{target}: {size:,} bytes, every one authenticated")


@_command("ls")
def ls(*, options: StoreOptions) -> None:
    """List the objects: version and size as last put from here, and the name."""
    with open_session(options) as session:
        found = [(name, session.receipts[name]) for name in session.store.names()]
    if not found:
        warn("there are no objects yet; `lepton-lab put FILE` stores one")
    elif sys.stdout.isatty():  # a program that reads the list expects nothing but objects
        say(f"{'version':>7} {'bytes':>16}  name")
    for name, receipt in found:
        version = str(receipt.version) if receipt else "?"
        size = f"{receipt.size:,}" if receipt else "?"
        say(f"{version:>7} {size:>16}  {name}")


@_command("check patients.csv")
def check(names: Names = None, *, options: StoreOptions) -> None:
    """Verify every shard on every node.

    The exit status is 0 when nothing is missing, altered or unreachable.
    """
    intact = True
    with open_session(options) as session:
        for name in one_by_one(names or session.store.names(), "checking"):
            with _names_object(name):
                health = session.store.check(name)
            intact = intact and health.intact
            _say_health(health, own_nodes=bool(options.urls))
    if not intact:
        raise typer.Exit(1)


@_command("repair patients.csv")
def repair(names: Names = None, *, options: StoreOptions) -> None:
    """Rebuild missing and altered shards from good ones.

    The exit status is 1 when a node was unreachable, because shards may still be missing there.
    """
    complete = True
    with open_session(options) as session:
        for name in one_by_one(names or session.store.names(), "repairing"):
            with _names_object(name):
                report = session.store.repair(name)
            for node, reason in report.unreachable.items():
                warn(f"{node}: {reason}; when it answers again, repair once more")
                complete = False
            rebuilt = ", ".join(f"{shards} on {node}" for node, shards in report.rebuilt.items())
            if rebuilt:
                say(f"{name}: rebuilt {rebuilt}")
            elif report.unreachable:
                say(f"{name}: nothing to rebuild on the nodes that answer")
            else:
                say(f"{name}: nothing to rebuild")
    if not complete:
        raise typer.Exit(1)


@_command("rebalance")
def rebalance(
    name: Annotated[
        str | None, typer.Argument(help="One object's name; all objects by default.")
    ] = None,
    *,
    options: StoreOptions,
) -> None:
    """After adding or removing nodes: move every shard to the node where it belongs now.

    It may be interrupted and run again. The exit status is 1 when something could not be moved.
    """
    with open_session(options) as session, _names_object(name):
        report = session.store.rebalance(name)
    moved = ", ".join(f"{shards} to {node}" for node, shards in report.moved.items())
    outcome = f"shards moved: {moved}" if moved else "nothing to move"
    say(f"{report.objects} objects looked at; {outcome}")
    for node, reason in report.unreachable.items():
        warn(f"{node}: {reason}; when it answers again, rebalance once more")
    for failed, reason in report.failed.items():
        warn(f"{failed} was not moved ({reason}); try `lepton-lab repair {failed}` first")
    if report.unreachable or report.failed:
        raise typer.Exit(1)


@_command("shred patients.csv")
def shred(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    options: StoreOptions,
) -> None:
    """Destroy an object's keys, so that this key ring can no longer read it; remove its shards.

    Older copies of the key ring's file with their passphrase can still read it, wherever shards are
    left.
    """
    with open_session(options) as session, _names_object(name):
        if not yes:
            _confirm_shredding(name)
        report = session.store.shred(name)
        session.receipts.forget(name)
    keys = "1 data key" if report.data_keys == 1 else f"{report.data_keys} data keys"
    say(f"{name}: {keys} destroyed; this key ring can no longer read it")
    for node, reason in report.unreachable.items():
        warn(f"{node}: {reason}; the shards that it still holds cannot be decrypted")


# --- what the commands share ------------------------------------------------------------------


def _retried(attempt: Callable[[], _T], *, may_retry: Callable[[], bool] = lambda: True) -> _T:
    """The result of `attempt`, tried again while other clients write the same object.

    may_retry: prepares another attempt and says whether there can be one.
    Raises WriteConflict from the last attempt, and whatever else `attempt` raises.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except WriteConflict:
            if not may_retry():
                raise
    return attempt()


@contextmanager
def _names_object(name: str | None) -> Iterator[None]:
    """Say which object an error is about. Without a name the block is about all objects."""
    try:
        yield
    except NotFound as error:
        if name is None:
            raise
        raise CommandError(f"{name}: {error}; `lepton-lab ls` lists the objects") from error
    except (NotEnoughShards, StaleVersion, IntegrityError) as error:
        if name is None:
            raise
        raise CommandError(f"{name}: {error_line(error)}") from error


def _write_refused(name: str, error: NotEnoughShards, store: ShardedStore) -> CommandError:
    """What to say when too few nodes took an object, although they may be enough to read one."""
    advice = "`lepton-lab nodes status` shows which nodes answer"
    # Whatever the quorum, a version is claimed on more than half of the nodes.
    least = max(store.k, store.n // 2 + 1)
    if error.needed == store.write_quorum and least <= error.found:
        lower = f"--write-quorum {error.found}"
        advice += (
            f"; reading needs {store.k} nodes and a write {store.write_quorum}: start the others "
            f"again, or use {lower}, with which fewer nodes may be lost afterwards"
        )
    return CommandError(f"{name}: {error}; {advice}")


@contextmanager
def _open_source(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """A file or standard input, and its size in bytes if it is a regular file."""
    if file == STDIO:
        if sys.__stdin__ is None:  # otherwise an empty object would be stored
            raise CommandError("standard input is closed: name a file to store")
        yield sys.stdin.buffer, None
        return
    if file.is_dir():
        name = file.resolve().name or "all"
        raise CommandError(
            f"{file} is a folder: pack it first, "
            f"`tar -c {file} | lepton-lab put - --name {name}.tar`"
        )
    with file.open("rb", buffering=0) as opened:
        status = os.fstat(opened.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        yield cast("BinaryIO", opened), size


def _keep(session: Session, receipt: Receipt) -> None:
    """Keep the receipt of a put. An error must not hide that the object itself is stored."""
    try:
        session.receipts.keep(receipt)
    except OSError as error:
        raise CommandError(
            f"version {receipt.version} is stored, but its receipt could not be written "
            f"({error.strerror}): free some space and put the file again; "
            "until then a rollback to an older version cannot be detected"
        ) from error


def _confirm_shredding(name: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError("shredding cannot be undone: confirm it with --yes")
    try:
        typed = input(f"This cannot be undone. Type the name to shred {printable(name)}: ")
    except (EOFError, UnicodeDecodeError):  # Ctrl-D, or a terminal that does not send UTF-8
        typed = ""
    if typed != name:
        raise CommandError("that is a different name; nothing was shredded")


def _say_health(health: Health, *, own_nodes: bool) -> None:
    spare = f"{health.margin} more may be lost" if health.readable else "it cannot be read now"
    scheme = f"{health.k} of {health.n} shards suffice"
    say(f"{health.name}: version {health.version}, {health.size:,} bytes, {scheme}, {spare}")
    width = max(map(len, health.nodes))
    for node, found in health.nodes.items():
        say(f"  {node:<{width}}  {found}{_advice(health.name, found, own_nodes=own_nodes)}")


def _advice(name: str, found: NodeHealth, *, own_nodes: bool) -> str:
    """What to do about one node's shards, as the end of its line; empty if they are all good.

    own_nodes: the user named the nodes by URL, so `nodes up` cannot start them.
    """
    if found.unreachable is not None and own_nodes:
        return "; start it again, or replace it and rebalance"
    if found.unreachable is not None:
        return "; `lepton-lab nodes up` starts it again"
    if found.missing or found.altered:
        return f"; `lepton-lab repair {name}` rebuilds them"
    return ""
