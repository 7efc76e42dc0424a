"""Textbook code: written from the standards, to be read and stepped through, never to protect data.

Every function takes its nonces and its randomness as arguments, works on one block, one integer or
one message, is not constant-time, and returns a `Trace`: the steps under the standard's names, and
`.result`. The helpers that protect data stand at the package's root (`from lepton_lab import aes`);
none of them ever calls this code.

`primitives/` builds ciphers, signatures and codes; `protocols/` builds the messages that travel
over a network; `attacks/` breaks weak constructions.
"""
