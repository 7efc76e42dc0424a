"""The key schedule of TLS 1.3 (RFC 8446 §7.1) as a tree, with the secrets of one connection."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

from matplotlib.axes import Axes

from lepton_lab.show.figure import Picture, axes, figure, style


class _Leaf(NamedTuple):
    """A secret that a key log holds (RFC 9850)."""

    name: str  # in RFC 8446
    label: str  # in the key log
    height: float  # at which it is drawn
    protects: str


_LEAVES = (
    _Leaf(
        "client handshake traffic secret",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        3.4,
        "the client's certificate, its Finished",
    ),
    _Leaf(
        "server handshake traffic secret",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        2.6,
        "the server's certificate, its Finished",
    ),
    _Leaf(
        "client application traffic secret 0",
        "CLIENT_TRAFFIC_SECRET_0",
        1.2,
        "what the client says",
    ),
    _Leaf(
        "server application traffic secret 0",
        "SERVER_TRAFFIC_SECRET_0",
        0.4,
        "what the server says, tickets too",
    ),
    _Leaf("exporter master secret", "EXPORTER_SECRET", -0.4, "keys for other protocols"),
)
# the stem: each secret with its height, and what is extracted into it
_STEM = (
    ("Early Secret", 4.6, "PSK, or zeros"),
    ("Handshake Secret", 3.0, "(EC)DHE"),
    ("Master Secret", 0.4, "zeros"),
)
_HANDSHAKE_HEIGHT = 3.0
_MASTER_HEIGHT = 0.4
# where the four columns stand
_X_INPUT = 0.0
_X_STEM = 2.1
_X_LEAF = 4.6
_X_KEYS = 8.3
_BYTES = 4  # of each secret that are shown: enough to tell them apart


class SecretsOfConnection(Protocol):
    """What a dissector found: `textbook.protocols.tls13.dissect` returns one."""

    @property
    def secrets(self) -> Mapping[str, bytes]:
        """The secrets by key-log label."""
        ...

    @property
    def records(self) -> Any:
        """The records.

        Each has `secret_label` and, where it is protected, `protection`: the trace that opened it.
        """
        ...


def key_schedule(dissection: SecretsOfConnection) -> Picture:
    """Draw how the secrets of a connection follow from each other.

    `show.key_schedule(tls13.dissect(capture))` shows the first bytes of every secret in the key
    log, and of the keys and IVs made from it. The three secrets in the stem are in no key log and
    cannot be computed from the leaves: HKDF goes one way.
    """
    title = "All keys of this connection grow from one shared secret"
    fig, drawing = axes(title=title, x="", y="", width=11, height=5.4)
    with style():
        drawing.set_axis_off()
        drawing.set_xlim(-0.9, 11.6)
        drawing.set_ylim(-0.9, 5.2)
        _draw_stem(drawing)
        said = [_draw_leaf(drawing, dissection, leaf) for leaf in _LEAVES]
    from_handshake = "; ".join(said[:2])
    from_master = "; ".join(said[2:])
    return figure(
        fig,
        "Tree: PSK or zeros give the Early Secret; with the (EC)DHE secret it gives the Handshake "
        "Secret; with zeros that gives the Master Secret. "
        f"From the Handshake Secret: {from_handshake}. From the Master Secret: {from_master}.",
    )


def _draw_stem(drawing: Axes) -> None:
    for name, height, extracted in _STEM:
        _box(drawing, _X_INPUT, height, extracted, "#eeeeee")
        _box(drawing, _X_STEM, height, f"{name}\nnot in the key log", "#eedd88")
        _arrow(drawing, (_X_INPUT + 0.75, height), (_X_STEM - 0.95, height))
        middle = (_X_INPUT + 0.75 + _X_STEM - 0.95) / 2
        drawing.text(middle, height + 0.12, "Extract", size=8.5, ha="center", va="bottom")
    for (_, above, _), (_, below, _) in pairwise(_STEM):
        _arrow(drawing, (_X_STEM, above - 0.3), (_X_STEM, below + 0.3))
        middle = (above - 0.3 + below + 0.3) / 2
        drawing.text(_X_STEM + 0.1, middle, "Derive", size=8.5, ha="left", va="center")


def _draw_leaf(drawing: Axes, dissection: SecretsOfConnection, leaf: _Leaf) -> str:
    """Draw one secret and the keys made from it, and return what the alt text says of them."""
    height = leaf.height
    secret = dissection.secrets.get(leaf.label)
    shown = "not in the key log" if secret is None else _beginning(secret)
    stem = _HANDSHAKE_HEIGHT if "HANDSHAKE" in leaf.label else _MASTER_HEIGHT
    _arrow(drawing, (_X_STEM + 0.95, stem), (_X_LEAF - 1.3, height))
    _box(drawing, _X_LEAF, height, f"{leaf.name}\n{shown}", "#99ddff")
    keys = _keys(dissection, leaf.label)
    protects_at = _X_LEAF + 1.45
    if keys:
        written = "\n".join(f"{what}  {_beginning(data)}" for what, data in keys.items())
        _arrow(drawing, (_X_LEAF + 1.3, height), (_X_KEYS - 1.0, height))
        _box(drawing, _X_KEYS, height, written, "#bbcc33")
        protects_at = _X_KEYS + 1.1
    drawing.text(protects_at, height, leaf.protects, va="center", size=8.5, style="italic")
    said = f"the {leaf.name}, {shown}"
    for what, data in keys.items():
        said += f", its {what} {_beginning(data)}"
    return said


def _beginning(data: bytes) -> str:
    return f"{data[:_BYTES].hex(' ')} …"


def _keys(dissection: SecretsOfConnection, label: str) -> dict[str, bytes]:
    """The key and the IV under which the first record of this secret was protected."""
    for record in dissection.records:
        if record.secret_label != label or record.protection is None:
            continue
        # the steps are called client_write_key, server_write_iv, …
        steps = {}
        for step in record.protection:
            _, found, what = step.name.rpartition("_write_")
            if found:
                steps[what] = step.value
        return {what: steps[what] for what in ("key", "iv") if what in steps}
    return {}


def _box(drawing: Axes, x: float, y: float, text: str, colour: str) -> None:
    look = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "#444444"}
    drawing.text(x, y, text, ha="center", va="center", size=9, bbox=look)


def _arrow(drawing: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    drawing.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "#444444"})
