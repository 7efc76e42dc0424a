"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path,
    typer.Option(
        envvar="LEPTON_LAB_FOLDER", help="The folder of the nodes that were started here."
    ),
]
Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--nodes",
        envvar="LEPTON_LAB_NODES",
        help="Nodes of your own by URL, one option each; @FILE takes them from a file. See CLUSTER.md.",
        show_default=False,
    ),
]
Ring = Annotated[
    Path,
    typer.Option(
        envvar="LEPTON_LAB_RING", help="The key ring's file; keep it apart from the nodes."
    ),
]
Needed = Annotated[
    int | None,
    typer.Option(
        "-k", "--needed", envvar="LEPTON_LAB_NEEDED", min=1, max=255, show_default=False,
        help="How many shards suffice to read what is put; by default 3 of 5.",
    ),
]  # fmt: skip
Shards = Annotated[
    int | None,
    typer.Option(
        "-n", "--shards", envvar="LEPTON_LAB_SHARDS", min=1, max=255, show_default=False,
        help="How many shards each object has, on as many nodes; by default 5, or one a node where nodes are fewer.",
    ),
]  # fmt: skip
FOLDER = Path(".lepton")
RING = Path(".lepton-keys/ring")  # not in the nodes' folder: keys lie apart from the data
