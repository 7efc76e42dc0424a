"""Sphinx's settings for the book: `make book` builds it from the pages of tools/book.py.

Nothing in the finished book needs a network.
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

nb_execution_mode = "off"  # the book shows the committed outputs
nb_mime_priority_overrides = [("html", "text/html", 10), ("html", "text/plain", 11)]
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

# MathJax comes from a wheel: one script, and the fonts beside it.
mathjax_path = "mathjax/tex-chtml-full.js"
mathjax3_config = {"options": {"enableMenu": False}}
_MATHJAX = ("tex-chtml-full.js", "output/chtml/fonts/woff-v2")


def setup(app: Sphinx) -> None:
    """Connect the functions below to the steps of a build; Sphinx calls this."""
    app.connect("build-finished", _carry_mathjax)
    app.connect("autodoc-process-docstring", _plain)
    app.connect("html-page-context", _with_levels, priority=900)  # after furo has made its tree


def _with_levels(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Give the captions of the contents a level, which Sphinx leaves out, for screen readers."""
    for name in ("body", "furo_navigation_tree"):
        if name in context:
            context[name] = context[name].replace('role="heading"', 'role="heading" aria-level="2"')


def _plain(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Make reStructuredText of a docstring, which is plain text.

    A `|` in it is an absolute value or a row of a table, so it is escaped; indented lines are kept
    as they are.
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
    carried = Path(found.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in _MATHJAX:
        if (carried / name).is_dir():
            shutil.copytree(carried / name, target / name, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(carried / name, target / name)
