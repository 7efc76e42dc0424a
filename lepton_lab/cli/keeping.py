"""What the commands on nodes do."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import typer

from lepton_lab.cli.daemon import Standing, bring_down, bring_up
from lepton_lab.cli.session import Place, nodes_at
from lepton_lab.cli.words import Advice, shown
from lepton_lab.errors import NodeError
from lepton_lab.nodes import Node


def up(folder: Path, count: int | None) -> None:
    """Start what is not there, and say what there is."""
    standing = bring_up(folder, count)
    _say(f"{len(standing.names)} nodes are up: {standing.description}")
    _say(f"They stay until `lepton-lab nodes down`; their data is in {folder}.")


def down(folder: Path) -> None:
    """End them."""
    standing = bring_down(folder)
    if standing is None:
        raise Advice(f"no nodes are up in {folder}; `lepton-lab nodes up` starts some")
    _say(f"{len(standing.names)} nodes are down; what they store stays in {folder}.")


def status(urls: Sequence[str], folder: Path) -> None:
    """One line a node; exit status 1 when one does not answer."""
    nodes = nodes_at(Place(urls, folder, Path()))
    standing = None if urls else Standing.read(folder)
    if standing is not None:
        _say(f"{standing.description}, in {folder}")
    with ThreadPoolExecutor(len(nodes)) as pool:
        answers = list(pool.map(_silence, nodes))
    width = max(len(node.name) for node in nodes)
    for index, (node, silence) in enumerate(zip(nodes, answers, strict=True)):
        hangs_or_answers = (
            not silence or "time-out" in silence
        )  # the number of one that died may be another's by now
        process = (
            f"  process {standing.pids[index]}"
            if standing and standing.pids and hangs_or_answers
            else ""
        )
        _say(f"  {shown(node.name):<{width}}  {silence or 'answers'}{process}")
        node.close()
    if any(answers):
        raise typer.Exit(1)


def _say(line: str) -> None:
    typer.echo(shown(line))


def _silence(node: Node) -> str:
    """Why a node does not answer; empty when it does."""
    try:
        _ = "is it there?" in node
    except NodeError as error:
        return error.reason
    return ""
