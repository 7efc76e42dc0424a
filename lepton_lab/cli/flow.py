"""What `lepton-lab demo` does."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lepton_lab.cli.words import shown
from lepton_lab.demo import Cost, Demo


def demo(file: Path | None, console: Console) -> None:
    """Run it and print a line a step, then what each one cost. Raises as `Demo.run` does."""
    with Demo(file, lambda cost: console.print(_line(cost), soft_wrap=True)) as flow:
        flow.run()
    console.print(_table(flow.costs))


def _line(cost: Cost) -> str:
    return f"[green]✓[/] {cost.step:<26}{cost.seconds:7.2f} s  {escape(shown(cost.said))}"


def _table(costs: list[Cost]) -> Table:
    table = Table(title="What each step cost")
    table.add_column("step", no_wrap=True)
    for heading in ("seconds", "bytes in", "bytes out", "expansion"):
        table.add_column(heading, justify="right")
    for cost in costs:
        expansion = "" if cost.expansion is None else f"{cost.expansion:.2f}×"
        table.add_row(
            cost.step, f"{cost.seconds:.2f}", f"{cost.bytes_in:,}" if cost.bytes_in else "",
            f"{cost.bytes_out:,}" if cost.bytes_out else "", expansion,
        )  # fmt: skip
    table.add_section()
    table.add_row("all of it", f"{sum(cost.seconds for cost in costs):.2f}", "", "", "")
    return table
