"""The command line's program: commands, exit status, and what happens on errors and signals.

Every error ends in one line on standard error that says what to do next, without a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lepton_lab import __version__
from lepton_lab.cli import nodes, objects
from lepton_lab.cli.output import (
    CommandError,
    error_line,
    prepare_streams,
    printable,
    progress_bar,
    say,
    warn,
)
from lepton_lab.errors import LabError

if TYPE_CHECKING:
    from rich.table import Table

    from lepton_lab.demo import Cost

DONE, FAILED, MISUNDERSTOOD = 0, 1, 2
INTERRUPTED = 130  # the status that a shell reports for a program that Ctrl-C ended
_CHAOS_AT_ONCE = 3  # rounds side by side, each with five servers; most of a round is waiting

app = typer.Typer(
    help="lepton_lab: encrypt, shard, store, send and compute, and see why each step holds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

# --- the commands that are not about nodes or objects -----------------------------------------
# Each imports what it needs when it runs, so that `--help` stays quick.


@app.command(epilog="Example: `lepton-lab demo patients.csv`")
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(help="The file to protect; by default a real data set of the package."),
    ] = None,
) -> None:
    """Run every step on one file: encryption, shards, dead nodes, TLS, totals, shredding."""
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415

    from lepton_lab.demo import Demo  # noqa: PLC0415

    console = Console(highlight=False)

    def show(cost: Cost) -> None:
        said = escape(printable(cost.said))
        line = f"[green]✓[/] {cost.step:<26}{cost.seconds:7.2f} s  {said}"
        console.print(line, soft_wrap=True)

    with Demo(file, show) as run_of_demo:
        run_of_demo.run()
    console.print(_cost_table(run_of_demo.costs))


def _cost_table(costs: Sequence[Cost]) -> Table:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    # On a narrow terminal long cells continue on the next line instead of being cut off.
    table = Table(title="What each step cost", box=box.SIMPLE_HEAD)
    table.add_column("step", overflow="fold")
    for heading in ("seconds", "bytes in", "bytes out", "expansion"):
        table.add_column(heading, justify="right", overflow="fold")
    for cost in costs:
        table.add_row(
            cost.step,
            f"{cost.seconds:.2f}",
            f"{cost.bytes_in:,}" if cost.bytes_in else "",
            f"{cost.bytes_out:,}" if cost.bytes_out else "",
            "" if cost.expansion is None else f"{cost.expansion:.2f}×",
        )
    table.add_section()
    table.add_row("all of it", f"{sum(cost.seconds for cost in costs):.2f}", "", "", "")
    return table


@app.command(epilog="Example: `lepton-lab lab --port 8889`")
def lab(
    folder: Annotated[
        Path, typer.Option(help="The folder for your copies of the notebooks.")
    ] = Path("my"),
    ip: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 inside a container.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port; the next free one if it is taken.")
    ] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser if there is one.")] = True,
    copy: Annotated[
        Path | None, typer.Option(help="Only copy the notebooks to this folder.")
    ] = None,
) -> None:
    """Open JupyterLab at the first notebook, in copies of your own to change."""
    from lepton_lab.lab import copy_to, open_lab  # noqa: PLC0415

    if copy is None:
        open_lab(folder, ip=ip, port=port, browser=browser, tell=say)
    else:
        copy_to(copy, say)


@app.command(epilog="Example: `lepton-lab exercises my/01_aes.ipynb`")
def exercises(
    notebook: Annotated[
        Path, typer.Argument(help="Your copy of a notebook; it is run, but not changed.")
    ],
) -> None:
    """Run a notebook and say for each exercise that it is done, or give its hint."""
    from rich.console import Console  # noqa: PLC0415

    from lepton_lab.workshop.exercise_progress import print_progress  # noqa: PLC0415

    if not notebook.name.isprintable():
        raise CommandError(f"{notebook}: rename the file without control characters first")
    # looked at before it is opened: opening a pipe would wait for another program to write
    if notebook.exists() and not notebook.is_file():
        raise CommandError(f"{notebook} is not a notebook: name a file, such as my/01_aes.ipynb")
    print_progress(notebook, Console(highlight=False))


app.add_typer(nodes.commands, name="nodes")
app.add_typer(objects.commands)


@app.command(epilog="Example: `lepton-lab chaos --rounds 50`")
def chaos(
    rounds: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rounds.")] = 25,
    first: Annotated[
        int,
        typer.Option(
            min=0, help="The number of the first round; a round of the same number is the same."
        ),
    ] = 0,
) -> None:
    """Kill, hang, fill, cut off and corrupt nodes in use, and see that nothing is lost.

    The nodes are made for it and thrown away.
    """
    from lepton_lab.chaos import SCENARIOS, PromiseBroken, run  # noqa: PLC0415
    from lepton_lab.files import private_folder  # noqa: PLC0415

    with private_folder() as folder, progress_bar("", rounds, unit="round") as advance:
        try:
            counts = run(rounds, _CHAOS_AT_ONCE, folder, first=first, on_round=lambda _: advance(1))
        except PromiseBroken as error:
            number = str(error).split(maxsplit=2)[1].rstrip(",")
            raise CommandError(
                f"{error}; `lepton-lab chaos --first {number} --rounds 1` repeats it"
            ) from error
    say(f"{rounds} rounds on five redis-servers, any three of which suffice:")
    for scenario in dict.fromkeys(SCENARIOS):
        times = counts.pop(scenario.__name__, 0)
        if times:
            say(f"{times:6}  {scenario.__name__.replace('_', ' ')}")
    say("and the ledger of them:")
    for what, count in sorted(counts.items()):
        say(f"{count:6}  {what}")
    say("Nothing that was acknowledged was lost, and no byte that was read was wrong.")


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
        raise CommandError(
            "the benchmarks are in the project's checkout; run this command in its folder"
        ) from None
    measure(parts or [], quick=quick)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    del version  # its callback has done everything


# --- errors, signals, exit status -------------------------------------------------------------


def run() -> NoReturn:
    """Do what the command line says, and exit.

    The status is 0 when it was done, 1 when it was not, 2 when it was not understood, 130 when it
    was interrupted.
    """
    prepare_streams()
    # With a umask such as 0177, folders made here would be closed to their own owner.
    os.umask(os.umask(0o077) & 0o077)
    for number in (signal.SIGINT, signal.SIGTERM):
        # some shells ignore a signal for a command in the background; it stays ignored
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        status = app(standalone_mode=False) or DONE
    except BrokenPipeError:
        status = FAILED
    except (LabError, OSError) as error:
        if not _was_interrupted(error):
            _fail(error_line(error))
        status = INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except typer.TyperException as error:
        _fail_misunderstood(error)
    if status == INTERRUPTED:
        _fail("interrupted; unfinished work was undone", INTERRUPTED)
    _exit(status)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """End the command at its first signal; further ones must not end its tidying up."""
    _ignore_signals()
    raise KeyboardInterrupt(signal.Signals(number).name)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether the error was raised while an interrupted command was tidying up."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _fail_misunderstood(error: typer.TyperException) -> NoReturn:
    """Say what was wrong with the command line, and which --help to read."""
    message = error.format_message()
    if not message:  # a group without a command: its help has been shown
        _exit(MISUNDERSTOOD)
    context = getattr(error, "ctx", None)
    program = context.command_path if context else "lepton-lab"
    # a message such as "Did you mean 'demo'?" is a sentence of its own
    if message[-1] in "?!":
        line = f"{message} See {program} --help"
    else:
        line = f"{message.rstrip('.')}; see {program} --help"
    _fail(line, MISUNDERSTOOD)


def _fail(line: str, status: int = FAILED) -> NoReturn:
    warn(line)
    _exit(status)


def _exit(status: int) -> NoReturn:
    """Write out what is buffered, and exit; the reader may be gone (`lepton-lab ls | head -1`)."""
    _ignore_signals()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, which must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
