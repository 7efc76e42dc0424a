"""Where a `get` puts what it reads: a file that is whole or not there, or standard output once all of it has come."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lepton_lab.cli.words import Advice

STANDARD_OUTPUT = Path("-")


def target_of(name: str, output: Path | None) -> Path:
    """The file for an object of this name: the one that was named, in the folder that was named, or here.

    A name is whatever its writer chose; of one with slashes only the last part is taken. Raises Advice.
    """
    if output == STANDARD_OUTPUT:
        return output
    if output is not None and not output.is_dir():
        return output
    own = PurePosixPath(name).name
    if own in ("", "..") or not own.isprintable() or "\\" in own:
        raise Advice("the object's name is none for a file: name one with --output")
    return (output or Path()) / own


def refuse_existing(target: Path, *, replace: bool) -> None:
    """Raise Advice when something is there that must not go."""
    if target == STANDARD_OUTPUT or not os.path.lexists(target):
        return
    if not target.is_file():
        raise Advice(
            f"{target} is there and no ordinary file: name another one, or --output - for standard output"
        )
    if not replace:
        raise Advice(
            f"{target} is there already: name another file, or let it be replaced with --force"
        )


@contextmanager
def written_whole(target: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """A file to write to, which is at `target` when the block ends, and nowhere when it raises.

    Until then its content is under another name beside it, for its owner alone; for standard output in an unnamed file.
    """
    if target == STANDARD_OUTPUT:
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    target = Path(os.path.realpath(target))
    beside = target.with_name(f".{secrets.token_hex(8)}")
    try:
        with open(_made(beside, target), "wb", buffering=0) as file:
            yield file
            os.fsync(file.fileno())
        refuse_existing(target, replace=replace)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _made(beside: Path, target: Path) -> int:
    """A new file's descriptor. Raises OSError with the name that the user knows."""
    try:
        return os.open(
            beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
        )
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
