"""The key schedule of TLS 1.3 as a tree, with the live secrets of one connection in it (RFC 8446 §7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Protocol

from matplotlib.axes import Axes

from lepton_lab.show.axes import axes
from lepton_lab.show.figure import Picture, figure
from lepton_lab.show.style import style

# What a key log holds (RFC 9850), with the height at which it stands: RFC 8446's name, key-log label, what it protects
_LEAVES = (
    (
        "client handshake traffic secret",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        3.4,
        "the client's certificate, its Finished",
    ),
    (
        "server handshake traffic secret",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        2.6,
        "the server's certificate, its Finished",
    ),
    ("client application traffic secret 0", "CLIENT_TRAFFIC_SECRET_0", 1.2, "what the client says"),
    (
        "server application traffic secret 0",
        "SERVER_TRAFFIC_SECRET_0",
        0.4,
        "what the server says, tickets too",
    ),
    ("exporter master secret", "EXPORTER_SECRET", -0.4, "keys for other protocols"),
)
_STEMS = (("Early Secret", 4.6), ("Handshake Secret", 3.0), ("Master Secret", 0.4))
_EXTRACTED = (("PSK, or zeros", 4.6), ("(EC)DHE", 3.0), ("zeros", 0.4))
_LEFT, _STEM, _LEAF, _KEY = 0.0, 2.1, 4.6, 8.3
_BYTES = 4  # of each secret that are shown: enough to tell them apart


class Dissection(Protocol):
    """What a dissector found: `textbook.protocols.tls13.dissect` returns one."""

    @property
    def secrets(self) -> Mapping[str, bytes]:
        """By key-log label."""
        ...

    @property
    def records(self) -> Any:
        """Each with secret_label and, where it is protected, `protection`: a trace of the steps that opened it."""
        ...


def key_schedule(dissection: Dissection) -> Picture:
    """Draw how a connection's secrets follow from each other: `show.key_schedule(tls13.dissect(capture))`.

    Of every secret in the key log, and of the keys and IVs made from it, the first bytes are shown. The three secrets
    in the stem are in no key log and cannot be computed from the leaves: HKDF goes one way.
    """
    fig, drawing = axes(
        title="All keys of this connection grow from one shared secret",
        x="",
        y="",
        width=11,
        height=5.4,
    )
    with style():
        drawing.set_axis_off()
        drawing.set_xlim(-0.9, 11.6)
        drawing.set_ylim(-0.9, 5.2)
        _draw_stem(drawing)
        said = [_draw_leaf(drawing, dissection, leaf) for leaf in _LEAVES]
    return figure(
        fig,
        "Tree: PSK or zeros give the Early Secret; with the (EC)DHE secret it gives the Handshake Secret; with zeros "
        f"that gives the Master Secret. From the Handshake Secret: {'; '.join(said[:2])}. From the Master Secret: "
        f"{'; '.join(said[2:])}.",
    )


def _draw_stem(drawing: Axes) -> None:
    for (name, height), (extracted, _) in zip(_STEMS, _EXTRACTED, strict=True):
        _box(drawing, _LEFT, height, extracted, "#eeeeee")
        _box(drawing, _STEM, height, f"{name}\nnot in the key log", "#eedd88")
        _arrow(drawing, (_LEFT + 0.75, height), (_STEM - 0.95, height), "Extract")
    for (_, above), (_, below) in pairwise(_STEMS):
        _arrow(drawing, (_STEM, above - 0.3), (_STEM, below + 0.3), "Derive", side=True)


def _draw_leaf(drawing: Axes, dissection: Dissection, leaf: tuple[str, str, float, str]) -> str:
    name, label, height, protects = leaf
    secret = dissection.secrets.get(label)
    shown = "not in the key log" if secret is None else f"{secret[:_BYTES].hex(' ')} …"
    stem = _STEMS[1][1] if "HANDSHAKE" in label else _STEMS[2][1]
    _arrow(drawing, (_STEM + 0.95, stem), (_LEAF - 1.3, height), "")
    _box(drawing, _LEAF, height, f"{name}\n{shown}", "#99ddff")
    keys = _keys(dissection, label)
    if keys:
        written = "\n".join(f"{what}  {data[:_BYTES].hex(' ')} …" for what, data in keys.items())
        _arrow(drawing, (_LEAF + 1.3, height), (_KEY - 1.0, height), "")
        _box(drawing, _KEY, height, written, "#bbcc33")
    drawing.text(
        _KEY + 1.1 if keys else _LEAF + 1.45,
        height,
        protects,
        va="center",
        size=8.5,
        style="italic",
    )
    return f"the {name}, {shown}" + "".join(
        f", its {what} {data[:_BYTES].hex(' ')} …" for what, data in keys.items()
    )


def _keys(dissection: Dissection, label: str) -> dict[str, bytes]:
    """The key and the IV under which the first record of this secret was protected."""
    for record in dissection.records:
        if record.secret_label == label and record.protection is not None:
            steps = {
                step.name.rpartition("_write_")[2]: step.value
                for step in record.protection
                if "_write_" in step.name
            }
            return {what: steps[what] for what in ("key", "iv") if what in steps}
    return {}


def _box(drawing: Axes, x: float, y: float, text: str, colour: str) -> None:
    look = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "#444444"}
    drawing.text(x, y, text, ha="center", va="center", size=9, bbox=look)


def _arrow(
    drawing: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    text: str,
    *,
    side: bool = False,
) -> None:
    drawing.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "#444444"})
    if text:
        middle = (
            (start[0] + end[0]) / 2 + (0.1 if side else 0),
            (start[1] + end[1]) / 2 + (0 if side else 0.12),
        )
        drawing.text(
            *middle,
            text,
            size=8.5,
            ha="left" if side else "center",
            va="center" if side else "bottom",
        )
