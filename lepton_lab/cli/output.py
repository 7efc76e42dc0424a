"""What the commands print and write: lines, errors, progress bars, and the file of a `get`."""

from __future__ import annotations

import codecs
import errno
import io
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lepton_lab.errors import (
    IntegrityError,
    InvalidName,
    LabError,
    NodeError,
    NotEnoughShards,
    StaleVersion,
    WriteConflict,
)

STDIO = Path("-")  # what a user types for standard input or standard output
# The environment variable that errors tell people to set. The daemon is started without it.
PASSPHRASE = "LEPTON_LAB_PASSPHRASE"  # noqa: S105  # a name
_LARGE = 16 << 20  # bytes; less than this is moved before a progress bar could be read
_MANY = 4  # objects; the same for a loop over objects


# --- standard streams ---------------------------------------------------------------------------

_SIGNS = {"✓": "+", "→": "->", "×": "x", "…": "...", "≤": "<=", "–": "-", "⌊": "", "⌋": ""}


def prepare_streams() -> None:
    """Make sure that the standard streams are open and take any text.

    A service or `>&-` may have closed some of them; then Python has None in their place, and the
    next file to be opened would get the number of a standard stream. Closed ones are replaced by
    the null device. `sys.__stdout__` and `sys.__stdin__` still tell that they were closed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            os.set_inheritable(descriptor, True)  # programs that are started need it no less
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115  # it stays open until the process ends
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    codecs.register_error("lepton_lab_plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lepton_lab_plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that a stream's encoding does not have, such as ✓ in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    replaced = []
    for character in error.object[error.start : error.end]:
        escaped = character.encode("ascii", "backslashreplace").decode()
        replaced.append(_SIGNS.get(character, escaped))
    return "".join(replaced), error.end


# --- lines ------------------------------------------------------------------------------------


class CommandError(LabError):
    """A command cannot go on; the message already says what the user should do next."""


def printable(text: str) -> str:
    """The text with control characters escaped.

    Names of objects, files and nodes may hold line breaks or terminal sequences; printed as they
    are, those could move the cursor or forge a line of output.
    """
    escaped = []
    for character in text:
        if character.isprintable():
            escaped.append(character)
        else:
            escaped.append(character.encode("unicode_escape").decode())
    return "".join(escaped)


def say(line: str) -> None:
    """Print a line on standard output, above a progress bar if there is one."""
    from tqdm import tqdm  # noqa: PLC0415  # not needed by `--help`

    tqdm.write(printable(line), file=sys.stdout)


def warn(line: str) -> None:
    """Print a line on standard error, in the form of every other message of the command line."""
    print(f"lepton-lab: {printable(line)}", file=sys.stderr)


# What to do after an error of each kind. The first kind that fits is taken.
_ADVICE: dict[type[LabError], str] = {
    NotEnoughShards: "`lepton-lab nodes status` shows which nodes answer",
    NodeError: "`lepton-lab nodes status` shows which nodes answer",
    StaleVersion: "the nodes were reset to older data: restore their newer data",
    IntegrityError: "`lepton-lab check` shows which nodes hold altered shards",
    WriteConflict: "run the command again",
    InvalidName: "choose another name with --name",
}
_ADVICE_FOR_ERRNO = {
    errno.ENOENT: "check the path",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "choose another place",
    errno.ENOSPC: "free some space or choose another place",
    errno.EDQUOT: "free some space or choose another place",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "check the path",
    errno.EEXIST: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "check the path",
    errno.EIO: "name another file, or restore a copy",
    errno.ENXIO: "name a regular file",
    errno.ENODEV: "name a regular file",
}


def error_line(error: LabError | OSError) -> str:
    """One line for an error: what is wrong and, where it is known, what to do next."""
    if isinstance(error, OSError):
        text = _system_message(error)
        advice = _ADVICE_FOR_ERRNO.get(error.errno or 0, "")
    else:
        text = str(error)
        fitting = (advice for kind, advice in _ADVICE.items() if isinstance(error, kind))
        advice = next(fitting, "")
    return printable(f"{text}; {advice}" if advice else text)


def _system_message(error: OSError) -> str:
    reason = (error.strerror or type(error).__name__).lower()
    return reason if error.filename is None else f"{error.filename}: {reason}"


# --- progress bars ----------------------------------------------------------------------------


@contextmanager
def progress_bar(
    doing: str, total: int | None, *, unit: str, least: int = 0
) -> Iterator[Callable[[int], object]]:
    """Show a progress bar while the block runs, if standard error is a terminal.

    doing: what is going on, in one word. total: how many units there are, or None if unknown.
    least: a known total below this is done too soon to show a bar.
    Gives a function to call with the number of units that were just done.
    """
    from tqdm import tqdm  # noqa: PLC0415  # not needed by `--help`

    too_soon = total is not None and total < least
    with tqdm(
        total=total,
        desc=doing or None,
        unit=unit,
        unit_scale=unit == "B",
        leave=False,
        disable=too_soon or not sys.stderr.isatty(),
    ) as bar:
        yield bar.update


def bytes_bar(doing: str, size: int | None) -> AbstractContextManager[Callable[[int], object]]:
    """A progress bar that counts bytes, for a file of `size` bytes or of unknown size."""
    return progress_bar(doing, size, unit="B", least=_LARGE)


def one_by_one(names: Sequence[str], doing: str) -> Iterator[str]:
    """The names in order, with a progress bar if there are many."""
    with progress_bar(doing, len(names), unit="object", least=_MANY) as advance:
        for name in names:
            yield name
            advance(1)


# --- the file that `get` writes ---------------------------------------------------------------


def output_path(name: str, output: Path | None) -> Path:
    """Where `get` writes the object called `name`; STDIO for standard output.

    output: the --output option: a file, a folder to write into, or None for the current folder.
    Raises CommandError when a file name is needed and the object's name cannot be one.
    """
    if output is not None and (output == STDIO or not output.is_dir()):
        return output
    # Whoever stored the object chose its name. Only its last part is taken, so that a name such as
    # ../../.profile cannot choose the folder.
    own = PurePosixPath(name).name
    if own in ("", "..") or not own.isprintable() or "\\" in own:
        raise CommandError(
            "this object's name cannot be used as a file name: give one with --output"
        )
    return (output or Path()) / own


def refuse_existing(target: Path, *, replace: bool) -> None:
    """Raise CommandError when `target` exists and may not be replaced.

    replace: whether a regular file may be replaced (--force). Nothing else is ever replaced.
    """
    if target == STDIO or not os.path.lexists(target):
        return
    if not target.is_file():
        raise CommandError(
            f"{target} exists and is not a regular file: name another file, "
            "or use --output - for standard output"
        )
    if not replace:
        raise CommandError(
            f"{target} already exists: name another file, or replace this one with --force"
        )


@contextmanager
def whole_file(target: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """A file to write to that appears at `target` when the block ends, and never if it raises.

    Until then the content lies beside it under a random name that only its owner can read; for
    standard output it lies in an unnamed temporary file, because a reader must not be given the
    beginning of an object whose end turns out to be altered.
    """
    if target == STDIO:
        if sys.__stdout__ is None:
            raise CommandError("standard output is closed: name a file with --output")
        with tempfile.TemporaryFile() as file:
            with _names_full_place(
                f"{tempfile.gettempdir()}, the folder TMPDIR for temporary files"
            ):
                yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    target = Path(os.path.realpath(target))  # a link stays a link; what it points to is replaced
    beside = target.with_name(f".{secrets.token_hex(8)}")
    try:
        with (
            open(_create(beside, target), "wb", buffering=0) as file,
            _names_full_place(str(target)),
        ):
            yield file
            os.fsync(file.fileno())
        refuse_existing(target, replace=replace)  # it may have been made while the block ran
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _names_full_place(place: str) -> Iterator[None]:
    """Say where no space was left: the system's error for a write names no file."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:
            raise OSError(error.errno, error.strerror, place) from error
        raise


def _create(beside: Path, target: Path) -> int:
    """Create the file `beside` and return its descriptor. An OSError names `target` instead."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_BINARY", 0)  # Windows would translate line ends without it
    try:
        return os.open(beside, flags, 0o600)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
