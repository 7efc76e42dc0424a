"""The commands on nodes: up, down, status."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

import typer

from lepton_lab.cli.output import CommandError, say
from lepton_lab.cli.session import (
    FOLDER,
    Folder,
    Urls,
    open_all_nodes,
    store_options,
    usual_k,
    usual_n,
)
from lepton_lab.errors import NodeError

if TYPE_CHECKING:
    from lepton_lab.nodes import Node

commands = typer.Typer(
    help="Start, stop and look at nodes that stay up on this machine.", no_args_is_help=True
)


@commands.command(epilog="Example: `lepton-lab nodes up --count 5`")
def up(
    count: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="How many; by default as many as before, or 5.", show_default=False
        ),
    ] = None,
    folder: Folder = FOLDER,
) -> None:
    """Start real Redis servers that stay up, or use folders if there is no redis-server.

    Servers that died are started again. What the nodes store stays in the folder for the next
    start.
    """
    from lepton_lab.cli.daemon import start_nodes  # noqa: PLC0415  # loads redis; `--help` need not

    running = start_nodes(folder, count)
    say(f"{len(running.names)} nodes are up: {running.description}")
    say(f"They stay until `lepton-lab nodes down`; their data is in {folder}.")


@commands.command(epilog="Example: `lepton-lab nodes down`")
def down(folder: Folder = FOLDER) -> None:
    """Stop the servers that `nodes up` started here, and no others. What they store stays."""
    from lepton_lab.cli.daemon import stop_nodes  # noqa: PLC0415  # as above

    stopped = stop_nodes(folder)
    if stopped is None:
        raise CommandError(f"no nodes are up in {folder}; `lepton-lab nodes up` starts some")
    say(f"{len(stopped.names)} nodes are down; what they store stays in {folder}.")


@commands.command(epilog="Example: `lepton-lab nodes status`")
def status(nodes: Urls = None, folder: Folder = FOLDER) -> None:
    """Ask every node whether it answers. The exit status is 0 when all do."""
    from lepton_lab.cli.daemon import RunningNodes  # noqa: PLC0415  # as above
    from lepton_lab.sharding.arguments import checked_quorum  # noqa: PLC0415

    opened = open_all_nodes(store_options(nodes=nodes, folder=folder), create=False)
    running = None if nodes else RunningNodes.read(folder)
    if running is not None:
        say(f"{running.description}, in {folder}")
    with ThreadPoolExecutor(len(opened)) as pool:  # several time-outs pass in the time of one
        failures = list(pool.map(_failure_of, opened))
    width = max(len(node.name) for node in opened)
    for index, (node, failure) in enumerate(zip(opened, failures, strict=True)):
        process = ""
        # A server that refuses the connection is dead; its process id may by now be another
        # program's, so it is not shown.
        if running is not None and running.pids and (not failure or "time-out" in failure):
            process = f"  process {running.pids[index]}"
        say(f"  {node.name:<{width}}  {failure or 'answers'}{process}")
        node.close()
    n = usual_n(len(opened))
    k = usual_k(n)
    quorum = checked_quorum(None, k, n)  # the store's default
    enough = f"any {k} of {n} suffice to read, and a write needs {quorum}"
    say(f"{failures.count('')} of {len(opened)} nodes answer; by default {enough}")
    if any(failures):
        raise typer.Exit(1)


def _failure_of(node: Node) -> str:
    """Why a node does not answer; empty if it does."""
    try:
        _ = "a key that no node holds" in node  # any answer will do
    except NodeError as error:
        return error.reason
    return ""
