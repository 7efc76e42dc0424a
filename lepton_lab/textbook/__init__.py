"""Textbook code: written from the standards to be read and stepped through, never to protect anything.

Every function takes its nonces and its randomness as arguments, works on one block, one integer or one message, is
not constant-time, and returns a `Trace`: the steps under the standard's names, and `.result`. What protects data
stands at the package's root (`from lepton_lab import aes`); nothing there falls back to this wing.

`primitives/` builds, `protocols/` speaks, `attacks/` breaks.
"""
