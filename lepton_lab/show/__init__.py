"""What notebooks and slides show: figures, tables, bytes and widgets. Everything shown can be read.

Each helper returns a `Shown`: a notebook draws it; a terminal and a screen reader show its text,
which for a figure is the alt text with the plotted numbers rounded. That text is also what a check
of a notebook compares, and it is the same on every platform.

    show.bars({"encrypt": 12.5, "decrypt": 3.1}, title="Encrypting costs four times as much",
    unit="ms") show.lines({"reference run": (sizes, rates)}, title="…", x="message / bytes",
    y="MB/s", log="x") show.table([("put", 1.25, 4096)], ["step", "time / s", "bytes"],
    caption="What each step costs") show.hexdump(record, [(0, 1, "content type"), (1, 2, "legacy
    version"), (3, 2, "length")])

For any other drawing: `fig, axes = show.axes(title=…, x=…, y=…)`, draw on `axes`, then
`show.figure(fig, alt)`.
"""

from lepton_lab.show.aes_stepper import aes_stepper
from lepton_lab.show.byte_explorer import byte_explorer, handshake
from lepton_lab.show.charts import bars, lines, panels, slots
from lepton_lab.show.figure import Picture, axes, figure, style
from lepton_lab.show.hexdump import hexdump
from lepton_lab.show.node_board import NodeBoard, node_board
from lepton_lab.show.table import Shown, rounded, table
from lepton_lab.show.tls_key_schedule import key_schedule
from lepton_lab.show.widgets import slider

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
    "panels",
    "rounded",
    "slider",
    "slots",
    "style",
    "table",
]
