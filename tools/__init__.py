"""The project's own scripts, which are not part of the package: `python -m tools.checks`, …"""
