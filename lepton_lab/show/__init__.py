"""What notebooks and slides show: a figure, a table, bytes. Everything shown can also be read.

Each helper returns a `Shown`: in a notebook it is drawn, in a terminal and to a screen reader it is its text, which for
a figure is the alt text with the plotted numbers rounded. So the text is also what a check of a notebook compares, and
it is the same on every platform.

    show.bars({"encrypt": 12.5, "decrypt": 3.1}, title="Encrypting costs four times as much", unit="ms")
    show.lines({"reference run": (sizes, rates)}, title="…", x="message / bytes", y="throughput / MB/s", log="x")
    show.table([("put", 1.25, 4096)], ["step", "time / s", "bytes"], caption="What each step costs")
    show.hexdump(record, [(0, 1, "content type"), (1, 2, "legacy version"), (3, 2, "length")])

Another drawing: `fig, axes = show.axes(title=…, x=…, y=…)`, draw on `axes`, then `show.figure(fig, alt)`.
"""

from lepton_lab.show.aes_stepper import aes_stepper
from lepton_lab.show.axes import axes
from lepton_lab.show.bars import bars
from lepton_lab.show.byte_explorer import byte_explorer, handshake
from lepton_lab.show.display import Shown
from lepton_lab.show.figure import Picture, figure
from lepton_lab.show.hexdump import hexdump
from lepton_lab.show.key_schedule import key_schedule
from lepton_lab.show.lines import lines
from lepton_lab.show.node_board import NodeBoard, node_board
from lepton_lab.show.numbers import rounded
from lepton_lab.show.style import style
from lepton_lab.show.table import table

__all__ = [
    "NodeBoard",
    "Picture",
    "Shown",
    "aes_stepper",
    "axes",
    "bars",
    "byte_explorer",
    "figure",
    "handshake",
    "hexdump",
    "key_schedule",
    "lines",
    "node_board",
    "rounded",
    "style",
    "table",
]
