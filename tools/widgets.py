"""Find the cells of a notebook that show a widget.

They call a function of `lepton_lab.show` whose annotation says that it returns one.
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
    """Return the names of the public functions of `lepton_lab.show` that return a widget."""
    found = set()
    for info in pkgutil.iter_modules(lepton_lab.show.__path__, "lepton_lab.show."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("_"):
                continue
            # annotations are strings here: the name of a class in the function's own module
            made = getattr(module, str(function.__annotations__.get("return")), None)
            if inspect.isclass(made) and issubclass(made, ipywidgets.Widget):
                found.add(name)
    return frozenset(found)


def shows_a_widget(source: str) -> bool:
    """Whether a cell's source calls a function that returns a widget."""
    return re.search(rf"\b(?:{'|'.join(sorted(makers()))})\(", source) is not None
