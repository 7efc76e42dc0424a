"""Sphinx's settings for the decks: `make slides` builds every Markdown file here into one."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the decks use the project's own `slides`, `tools` and `lepton_lab`

project = "lepton_lab"
author = "The lepton_lab authors"
language = "en"
extensions = ["myst_parser", "sphinx_revealjs", "slides.directives", "slides.mathml"]
exclude_patterns = ["README.md", "INSTRUCTORS.md"]
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
smartquotes = False
suppress_warnings = ["toc.not_included"]  # the index lists the decks by itself
html_math_renderer = "mathml"
html_copy_source = False
html_title = "lepton_lab"

revealjs_static_path = ["_static"]
revealjs_style_theme = "lepton.css"
revealjs_script_conf = {
    "width": 1280,
    "height": 720,
    "margin": 0,
    "center": False,
    "hash": True,
    "controls": False,
    "transition": "none",
    "slideNumber": "c/t",
    "pdfSeparateFragments": False,
}
# The speaker's view opens with the key S. No other plugin of reveal is needed: code is coloured
# when the deck is built.
revealjs_script_plugins = [{"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"}]
