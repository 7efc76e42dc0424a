"""The project's own scripts: `python -m tools.checks`, `tools.notebooks`, `tools.lock`. No part of
the package.
"""
