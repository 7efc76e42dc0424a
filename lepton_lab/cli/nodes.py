"""The commands on nodes: up, down, status."""

from __future__ import annotations

from typing import Annotated

import typer

from lepton_lab.cli.options import FOLDER, Folder, Urls

group = typer.Typer(
    help="Start, end and look at nodes that stay up on this machine.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the door."""
    app.add_typer(group, name="nodes")


@group.command(epilog="Example: `lepton-lab nodes up --count 5`")
def up(
    count: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="How many; by default as many as before, or 5.", show_default=False
        ),
    ] = None,
    folder: Folder = FOLDER,
) -> None:
    """Start real Redis servers that stay up, or folders where there is no redis-server; those that died come back.

    What they store stays in the folder, and is there again at the next start.
    """
    from lepton_lab.cli import keeping  # noqa: PLC0415  # loads the helpers; `--help` should not

    keeping.up(folder, count)


@group.command(epilog="Example: `lepton-lab nodes down`")
def down(folder: Folder = FOLDER) -> None:
    """End the servers that `nodes up` started here, and no other process. What they store stays."""
    from lepton_lab.cli import keeping  # noqa: PLC0415  # as above

    keeping.down(folder)


@group.command(epilog="Example: `lepton-lab nodes status`")
def status(nodes: Urls = None, folder: Folder = FOLDER) -> None:
    """Ask every node whether it answers. The exit status is 0 when all do."""
    from lepton_lab.cli import keeping  # noqa: PLC0415  # as above

    keeping.status(nodes or [], folder)
