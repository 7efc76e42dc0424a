"""What `lepton-lab chaos` does."""

from __future__ import annotations

import sys
from collections import Counter

import typer
from tqdm import tqdm

from lepton_lab.chaos import SCENARIOS, PromiseBroken, run
from lepton_lab.cli.words import Advice
from lepton_lab.files import private_folder

_AT_ONCE = 3  # arenas of five servers each; most of a round is waiting


def chaos(rounds: int, first: int) -> None:
    """Run the rounds and print the ledger."""
    quiet = not sys.stderr.isatty()
    with (
        private_folder() as folder,
        tqdm(total=rounds, unit="round", leave=False, disable=quiet) as bar,
    ):
        try:
            counts = run(rounds, _AT_ONCE, folder, first=first, on_round=lambda _: bar.update())
        except PromiseBroken as error:
            number = str(error).split(maxsplit=2)[1].rstrip(",")
            raise Advice(
                f"{error}; `lepton-lab chaos --first {number} --rounds 1` does it again"
            ) from error
    _print(rounds, counts)


def _print(rounds: int, counts: Counter[str]) -> None:
    typer.echo(f"{rounds} rounds on five redis-servers, any three of which suffice:")
    for scenario in dict.fromkeys(SCENARIOS):
        if done := counts.pop(scenario.__name__, 0):
            typer.echo(f"{done:6}  {scenario.__name__.replace('_', ' ')}")
    typer.echo("and the ledger of them:")
    for what, count in sorted(counts.items()):
        typer.echo(f"{count:6}  {what}")
    typer.echo("Nothing that was acknowledged was lost, and no byte that was read was wrong.")
