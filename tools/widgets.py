"""Which cells of a notebook show something that moves: found by what the functions of
`lepton_lab.show` return.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import cache

import ipywidgets

import lepton_lab.show


@cache
def makers() -> frozenset[str]:
    """The public functions of `lepton_lab.show` that return a widget, by name."""
    found = set()
    for info in pkgutil.iter_modules(lepton_lab.show.__path__, "lepton_lab.show."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            made = getattr(module, str(function.__annotations__.get("return")), None)
            if (
                not name.startswith("_")
                and inspect.isclass(made)
                and issubclass(made, ipywidgets.Widget)
            ):
                found.add(name)
    return frozenset(found)


def shows_a_widget(source: str) -> bool:
    """Whether a cell's source calls one of them."""
    return re.search(rf"\b(?:{'|'.join(sorted(makers()))})\(", source) is not None
