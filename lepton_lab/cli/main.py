"""The commands, and what becomes of errors: one line that says what to do next, and no traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from lepton_lab import __version__
from lepton_lab.cli import nodes, objects
from lepton_lab.cli.words import Advice, line_of, shown
from lepton_lab.errors import LabError, NotFound

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended

app = typer.Typer(
    help="lepton_lab: encrypt, shard, store, send and compute, and see why each step holds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@app.command(epilog="Example: `lepton-lab demo patients.csv`")
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(help="The file to protect; by default a real data set that comes along."),
    ] = None,
) -> None:
    """Run the whole flow on one file: keys, encryption, shards, dead nodes, repair, TLS, computing, shredding."""
    from lepton_lab.cli import flow  # noqa: PLC0415  # loads every helper; `--help` should not

    flow.demo(file, Console(highlight=False))


@app.command(epilog="Example: `lepton-lab lab --port 8889`")
def lab(
    folder: Annotated[Path, typer.Option(help="Where your copies of the notebooks live.")] = Path(
        "my"
    ),
    ip: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 inside a container.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port; the next free one when it is taken.")
    ] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is one.")] = True,
    copy: Annotated[
        Path | None, typer.Option(help="Only copy the notebooks to this folder, and open nothing.")
    ] = None,
) -> None:
    """Open JupyterLab at the first notebook, in copies that are yours to change."""
    from lepton_lab import lab as opening  # noqa: PLC0415  # as above

    with _saying_what_to_do():
        if copy is None:
            opening.open_lab(folder, ip=ip, port=port, browser=browser, tell=_tell)
        else:
            opening.copy_to(copy, _tell)


@app.command(epilog="Example: `lepton-lab exercises my/01_aes.ipynb`")
def exercises(
    notebook: Annotated[
        Path, typer.Argument(help="Your copy of a notebook; it is run, and not changed.")
    ],
) -> None:
    """Say of each exercise of a notebook whether it is done, or give its hint."""
    from lepton_lab.workshop.exercise_progress import print_progress  # noqa: PLC0415  # as above

    if not notebook.name.isprintable():
        raise Advice(f"{notebook}: rename it first, without control characters")
    if notebook.exists() and not notebook.is_file():  # a pipe would wait for its writer
        raise Advice(f"{notebook} is no notebook: name a file, as my/01_aes.ipynb")
    with _saying_what_to_do():
        print_progress(notebook, Console(highlight=False))


nodes.add_to(app)
objects.add_to(app)


@app.command(epilog="Example: `lepton-lab chaos --rounds 50`")
def chaos(
    rounds: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rounds.")] = 25,
    first: Annotated[
        int,
        typer.Option(
            min=0, help="The number of the first one; the same number does the same again."
        ),
    ] = 0,
) -> None:
    """Kill, hang, fill, cut off and corrupt throw-away nodes while they are used, and see that nothing is lost."""
    from lepton_lab.cli import havoc  # noqa: PLC0415  # as above

    havoc.chaos(rounds, first)


@app.command(epilog="Example: `lepton-lab bench erasure aes`")
def bench(
    parts: Annotated[
        list[str] | None, typer.Argument(help="Which parts to measure; all of them by default.")
    ] = None,
    quick: Annotated[
        bool, typer.Option(help="Fewer and smaller runs; nothing is written.")
    ] = False,
) -> None:
    """Measure each helper beside its baseline in the same run (in a checkout of the project)."""
    try:
        from bench.__main__ import measure  # noqa: PLC0415  # stands beside the package, not in it
    except ImportError:
        raise Advice(
            "the benchmarks stand in the project's checkout; run this from its folder"
        ) from None
    measure(parts or [], quick=quick)


@contextmanager
def _saying_what_to_do() -> Iterator[None]:
    """What is not found here is no object, and the error's text already says what to do."""
    try:
        yield
    except NotFound as error:
        raise Advice(str(error)) from error


def _tell(line: str) -> None:
    print(shown(line))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def run() -> NoReturn:
    """Do what the command line says, and end with its status.

    0 when it was done, 1 when it was not, 2 when it was not understood, 130 when it was interrupted.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if (
            signal.getsignal(number) is not signal.SIG_IGN
        ):  # as it is in the background of some shells
            signal.signal(number, _stop)
    try:
        status = app(standalone_mode=False) or 0
    except BrokenPipeError:
        status = 1
    except (LabError, OSError) as error:
        if not _was_interrupted(error):
            _fail(line_of(error))
        status = INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except typer.TyperException as error:
        _misunderstood(error)
    if status == INTERRUPTED:
        _fail("interrupted; what had been begun is undone", INTERRUPTED)
    _end(status)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    """The first signal ends the command; another one must not end its tidying up."""
    _ignore_signals()
    raise KeyboardInterrupt(signal.Signals(number).name)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether an error came only while an interrupted command tidied up."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _misunderstood(error: typer.TyperException) -> NoReturn:
    message = error.format_message()
    if not message:  # a group without a command: its help has been shown
        _end(2)
    context = getattr(error, "ctx", None)
    advice = f"ee {context.command_path if context else 'lepton-lab'} --help"
    _fail(f"{message} S{advice}" if message[-1] in "?!" else f"{message.rstrip('.')}; s{advice}", 2)


def _fail(line: str, status: int = 1) -> NoReturn:
    print(f"lepton-lab: {shown(line)}", file=sys.stderr)
    _end(status)


def _end(status: int) -> NoReturn:
    """Write out what is still to be written; whoever read it may have had enough (`lepton-lab ls | head -1`)."""
    _ignore_signals()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # Python flushes once more when it ends
    sys.exit(status)
