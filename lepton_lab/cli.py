"""The terminal's door: `lepton-lab demo`, `lab`, `bench`, each with a --help that shows an example."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from lepton_lab import __version__
from lepton_lab.errors import LabError

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
    file: Annotated[Path | None, typer.Argument(help="The file to protect; a real data set is carried along.")] = None,
) -> None:
    """Run the whole flow on one file: keys, encryption, shards, dead nodes, repair, TLS, computing, shredding."""
    from lepton_lab.demo import run  # noqa: PLC0415  # loads every helper; `--help` should not

    if not run(file, Console(highlight=False)):
        raise typer.Exit(1)


@app.command(epilog="Example: `lepton-lab lab --port 8889`")
def lab(
    folder: Annotated[Path, typer.Option(help="Where your copies of the notebooks live.")] = Path("my"),
    ip: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 inside a container.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; the next free one is taken when it is in use.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is one.")] = True,
) -> None:
    """Open JupyterLab at the first notebook, in copies that are yours to change."""
    from lepton_lab.lab import open_lab  # noqa: PLC0415  # as above

    open_lab(folder, ip=ip, port=port, browser=browser, console=Console(highlight=False))


@app.command(epilog="Example: `lepton-lab bench erasure aes`")
def bench(
    parts: Annotated[list[str] | None, typer.Argument(help="Which parts to measure; all of them by default.")] = None,
    quick: Annotated[bool, typer.Option(help="Fewer and smaller runs; nothing is written.")] = False,
) -> None:
    """Measure each helper beside its baseline in the same run (in a checkout of the project)."""
    try:
        from bench.__main__ import measure  # noqa: PLC0415  # stands beside the package, not in it
    except ImportError:
        raise LabError("the benchmarks stand in the project's checkout; run this from its folder") from None
    measure(parts or [], quick=quick)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    del version


def _stop(signum: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(signum).name)


def main() -> NoReturn:
    """Run the command line; every error is one line that says what to do next, and no traceback."""
    signal.signal(signal.SIGTERM, _stop)  # so that what was started is also ended by `kill`
    try:
        app()
    except LabError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            _fail("interrupted; everything that was started is stopped", INTERRUPTED)
        raise
    sys.exit(0)


def _fail(line: str, status: int = 1) -> NoReturn:
    print(f"lepton-lab: {line}", file=sys.stderr)
    sys.exit(status)
