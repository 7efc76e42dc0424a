"""Sphinx makes the book of the pages that tools/book.py puts together: `make book`. Nothing in it
needs a network.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lepton_lab

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent

project = "lepton_lab"
author = "The lepton_lab authors"
copyright = "the lepton_lab authors, Apache-2.0"
release = version = lepton_lab.__version__
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]

nb_execution_mode = (
    "off"  # what is shown is what is committed; tools/book.py brings the widgets to life
)
nb_mime_priority_overrides = [
    ("html", kind, place) for place, kind in enumerate(("text/html", "text/plain"), 10)
]
nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
default_role = "code"
python_display_short_literal_types = True

html_theme = "furo"
html_title = "lepton_lab"
templates_path = ["templates"]
html_static_path = [str(HERE / "static")]
html_css_files = ["book.css"]
html_js_files = [("host.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

# MathJax comes from a wheel, whole in one script; beside it only its letters are needed.
mathjax_path = "mathjax/tex-chtml-full.js"
mathjax3_config = {"options": {"enableMenu": False}}
_MATHJAX = ("tex-chtml-full.js", "output/chtml/fonts/woff-v2")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", _carry_mathjax)
    app.connect("autodoc-process-docstring", _plain)
    app.connect("html-page-context", _levelled, priority=900)  # after furo has made its tree


def _levelled(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Sphinx calls the captions of its contents headings and does not say of which level."""
    for name in ("body", "furo_navigation_tree"):
        if name in context:
            context[name] = context[name].replace('role="heading"', 'role="heading" aria-level="2"')


def _plain(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Docstrings are plain text: `|` is an absolute value or a row of a table, and what is indented
    stands as it is.
    """
    plain: list[str] = []
    for line in lines:
        inside = bool(plain) and plain[-1].startswith("    ")
        if line.startswith("    ") and not inside:
            plain += ["", "::", ""]
        elif line and inside and not line.startswith(" "):
            plain.append("")
        plain.append(line if line.startswith("    ") else line.replace("|", "\\|"))
    lines[:] = plain


def _carry_mathjax(app: Sphinx, failed: Exception | None) -> None:
    found = find_spec("sphinx-mathjax-offline")
    if failed or app.builder.format != "html" or found is None or found.origin is None:
        return
    carried, target = (
        Path(found.origin).parent / "static" / "mathjax",
        Path(app.outdir) / "_static" / "mathjax",
    )
    for name in _MATHJAX:
        if (carried / name).is_dir():
            shutil.copytree(carried / name, target / name, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(carried / name, target / name)
