"""What the commands on objects do."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import typer

from lepton_lab.cli.progress import Moving, bar, each_of, say
from lepton_lab.cli.session import Place, Session, session
from lepton_lab.cli.target import STANDARD_OUTPUT, refuse_existing, target_of, written_whole
from lepton_lab.cli.words import Advice, shown
from lepton_lab.errors import WriteConflict
from lepton_lab.sharding import Health, NodeHealth, Receipt

__all__ = ["Place", "check", "get", "ls", "put", "rebalance", "repair", "shred"]

_TRIES = 6  # another client may be writing; each of its versions is in the way once


def put(place: Place, file: Path, name: str | None) -> None:
    """Store a file, and keep the receipt."""
    standard_input = file == STANDARD_OUTPUT
    if standard_input and name is None:
        raise Advice("what comes from standard input has no name: give it one with --name")
    name = file.name if name is None else name
    with (
        _opened(file) as (source, size),
        session(place, create=True) as here,
        bar("putting", size) as moved,
    ):
        for attempt in range(_TRIES):
            try:
                receipt = here.store.put(name, cast("BinaryIO", Moving(source, moved)))
                break
            except WriteConflict:
                if attempt + 1 == _TRIES or not source.seekable():
                    raise
                source.seek(0)
        _keep(here, receipt)
        k, n = here.store.k, here.store.n
    say(
        f"{shown(name)}: version {receipt.version}, {receipt.size:,} bytes, any {k} of {n} nodes suffice"
    )
    if receipt.lacking:
        _warn(
            f"{', '.join(receipt.lacking)} did not take it; when back, run `lepton-lab repair {shown(name)}`"
        )


def get(place: Place, name: str, output: Path | None, *, replace: bool) -> None:
    """Write an object to a file, or to standard output when all of it has come."""
    target = target_of(name, output)
    refuse_existing(target, replace=replace)
    with session(place) as here:
        receipt = here.receipts[name]
        with bar("getting", receipt.size if receipt else None) as moved:
            for attempt in range(_TRIES):
                try:
                    with written_whole(target, replace=replace) as file:
                        size = here.store.get(name, cast("BinaryIO", Moving(file, moved)), receipt)
                    break
                except WriteConflict:
                    if attempt + 1 == _TRIES:
                        raise
    if target != STANDARD_OUTPUT:
        say(f"{shown(str(target))}: {size:,} bytes, every one authenticated")


def ls(place: Place) -> None:
    """List the names, with what the receipts know of each."""
    with session(place) as here:
        found = [(name, here.receipts[name]) for name in here.store.names()]
    if not found:
        _warn("no objects yet; `lepton-lab put FILE` stores one")
    for name, receipt in found:
        version, size = (str(receipt.version), f"{receipt.size:,}") if receipt else ("?", "?")
        say(f"{version:>6} {size:>17}  {shown(name)}")


def check(place: Place, names: list[str]) -> None:
    """Verify and tell, node by node; exit status 1 when something is not as it should be."""
    well = True
    with session(place) as here:
        for name in each_of(names or here.store.names(), "checking"):
            health = here.store.check(name)
            well &= health.intact
            _tell(health, own=bool(place.urls))
    if not well:
        raise typer.Exit(1)


def repair(place: Place, names: list[str]) -> None:
    """Mend and tell; exit status 1 when a node was out of reach, so that something may still be missing there."""
    unreachable = False
    with session(place) as here:
        for name in each_of(names or here.store.names(), "repairing"):
            report = here.store.repair(name)
            rebuilt = ", ".join(f"{shards} on {node}" for node, shards in report.rebuilt.items())
            say(
                f"{shown(name)}: rebuilt {rebuilt}"
                if rebuilt
                else f"{shown(name)}: nothing to rebuild"
            )
            for node, why in report.unreachable.items():
                _warn(f"{node}: {why}; bring it back and repair again")
            unreachable |= bool(report.unreachable)
    if unreachable:
        raise typer.Exit(1)


def rebalance(place: Place, name: str | None) -> None:
    """Move what lies elsewhere than it belongs; exit status 1 when something could not be moved."""
    with session(place) as here:
        report = here.store.rebalance(name)
    moved = ", ".join(f"{shards} to {shown(node)}" for node, shards in report.moved.items())
    say(
        f"{report.objects} objects looked at; "
        + (f"shards moved: {moved}" if moved else "nothing to move")
    )
    for node, why in report.unreachable.items():
        _warn(f"{node}: {why}; bring it back and rebalance again")
    for failed, why in report.failed.items():
        _warn(f"{failed} stayed where it was ({why}); try `lepton-lab repair {failed}` first")
    if report.unreachable or report.failed:
        raise typer.Exit(1)


def shred(place: Place, name: str, *, sure: bool) -> None:
    """Destroy the keys, after asking."""
    with session(place) as here:
        if not sure:
            _ask(name)
        report = here.store.shred(name)
        here.receipts.forget(name)
    say(
        f"{shown(name)}: {report.data_keys} data keys destroyed; this key ring can no longer read it"
    )
    for node, why in report.unreachable.items():
        _warn(f"{node}: {why}; what it holds of this is noise")


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise Advice("shredding cannot be undone: say that you are sure with --yes")
    typed = input(f"This cannot be undone. Type the name to shred {shown(name)}: ")
    if typed != name:
        raise Advice("that is another name; nothing was shredded")


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """A file or standard input, and its size where it has one."""
    if file == STANDARD_OUTPUT:
        yield sys.stdin.buffer, None
        return
    if file.is_dir():
        name = file.resolve().name or "all"
        raise Advice(
            f"{file} is a folder: pack it first, `tar -c {file} | lepton-lab put - --name {name}.tar`"
        )
    with file.open("rb", buffering=0) as opened:
        status = os.fstat(opened.fileno())
        yield cast("BinaryIO", opened), status.st_size if stat.S_ISREG(status.st_mode) else None


def _keep(here: Session, receipt: Receipt) -> None:
    try:
        here.receipts.keep(receipt)
    except OSError as error:
        raise Advice(
            f"version {receipt.version} is stored, but its receipt could not be kept ({error.strerror}): "
            "free some space and put it again, or a rollback of it will not be seen"
        ) from error


def _tell(health: Health, *, own: bool) -> None:
    spare = f"{health.margin} more may be lost" if health.readable else "it cannot be read now"
    scheme = f"{health.k} of {health.n} shards suffice"
    say(f"{shown(health.name)}: version {health.version}, {health.size:,} bytes, {scheme}, {spare}")
    width = max(map(len, health.nodes))
    for node, found in health.nodes.items():
        say(f"  {shown(node):<{width}}  {found}{_next(health.name, found, own)}")


def _next(name: str, found: NodeHealth, own: bool) -> str:
    if found.unreachable is not None:
        return (
            "; bring it back, or replace it and rebalance"
            if own
            else "; `lepton-lab nodes up` brings it back"
        )
    return (
        f"; `lepton-lab repair {shown(name)}` rebuilds them"
        if found.missing or found.altered
        else ""
    )


def _warn(line: str) -> None:
    print(f"lepton-lab: {shown(line)}", file=sys.stderr)
