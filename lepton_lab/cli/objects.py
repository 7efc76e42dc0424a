"""The commands on objects: put, get, ls, check, repair, rebalance, shred."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lepton_lab.cli.options import FOLDER, RING, Folder, Needed, Ring, Shards, Urls

Name = Annotated[str, typer.Argument(help="The object's name.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="The objects' names; all of them by default.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the door."""
    for command, example in _COMMANDS:
        app.command(epilog=f"Example: `lepton-lab {example}`")(command)


def put(
    file: Annotated[Path, typer.Argument(help="The file to store; - is standard input.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="The object's name; by default the file's own.")
    ] = None,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
) -> None:
    """Encrypt a file and spread it over the nodes; an older version under the name is replaced.

    The passphrase of the key ring is asked for, or taken from LEPTON_LAB_PASSPHRASE. The first put makes the ring.
    """
    from lepton_lab.cli import storing  # noqa: PLC0415  # loads the helpers; `--help` should not

    storing.put(storing.Place(nodes or [], folder, ring, needed, shards), file, name)


def get(
    name: Name,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write, or its folder; - is standard output.",
            show_default="",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace the file if it is there.")
    ] = False,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
) -> None:
    """Read an object back, from any nodes that suffice. The file is whole or not there.

    A version older than the last one that was put from here is refused.
    """
    from lepton_lab.cli import storing  # noqa: PLC0415  # as above

    storing.get(
        storing.Place(nodes or [], folder, ring, needed, shards), name, output, replace=force
    )


def ls(
    *,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
) -> None:
    """List the objects: version and size as last put from here, and the name."""
    from lepton_lab.cli import storing  # noqa: PLC0415  # as above

    storing.ls(storing.Place(nodes or [], folder, ring, needed, shards))


def check(
    names: Names = None,
    *,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
) -> None:
    """Verify every shard on every node. The exit status is 0 when nothing is missing, altered or out of reach."""
    from lepton_lab.cli import storing  # noqa: PLC0415  # as above

    storing.check(storing.Place(nodes or [], folder, ring, needed, shards), names or [])


def repair(
    names: Names = None,
    *,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
) -> None:
    """Rebuild what is missing or altered, from what is whole."""
    from lepton_lab.cli import storing  # noqa: PLC0415  # as above

    storing.repair(storing.Place(nodes or [], folder, ring, needed, shards), names or [])


def rebalance(
    name: Annotated[
        str | None, typer.Argument(help="One object's name; all of them by default.")
    ] = None,
    *,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
) -> None:
    """After nodes came or went: bring every shard to the node that it now belongs on. It may be interrupted."""
    from lepton_lab.cli import storing  # noqa: PLC0415  # as above

    storing.rebalance(storing.Place(nodes or [], folder, ring, needed, shards), name)


def shred(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    nodes: Urls = None,
    folder: Folder = FOLDER,
    ring: Ring = RING,
    needed: Needed = None,
    shards: Shards = None,
) -> None:
    """Destroy an object's keys, so that what lies on the nodes is noise to this ring, and remove its shards.

    Older copies of the key ring's file with their passphrase can still read it, wherever shards are left.
    """
    from lepton_lab.cli import storing  # noqa: PLC0415  # as above

    storing.shred(storing.Place(nodes or [], folder, ring, needed, shards), name, sure=yes)


_COMMANDS = (
    (put, "put patients.csv --name ward-3/patients.csv"),
    (get, "get patients.csv -o restored.csv"),
    (ls, "ls"),
    (check, "check patients.csv"),
    (repair, "repair patients.csv"),
    (rebalance, "rebalance"),
    (shred, "shred patients.csv"),
)
