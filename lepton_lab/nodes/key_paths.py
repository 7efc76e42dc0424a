"""How a key becomes the path of a file, and back.

The parts of a key between slashes become folders and its last part a file, so that all keys with
one prefix lie together:

    a–z 0–9 _ -       as they are; capitals are encoded, because some file systems fold case
    any other byte    % and two lower-case hexadecimal digits; so no part can be "..", and none is
                      hidden
    the last part     ends in =, so that the keys "a" and "a/b" can both exist
    an empty part     == as a folder
    a long part       after 200 characters it goes on in the folder below; every piece but the last
                      ends in +
    con, nul, com1 …  their first letter as %xx, because Windows takes these for devices in every
                      folder
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from lepton_lab.errors import InvalidParameter
from lepton_lab.nodes.values import as_key, bytes_of

LONGEST_KEY = 1000  # bytes; each may take three of a path, and systems allow 4096
_PIECE = 200  # characters of one name; most file systems allow 255
_UNSAFE = re.compile(rb"[^a-z0-9_-]")
_ESCAPED = re.compile(rb"%([0-9a-f]{2})")
_PLAIN = re.compile(r"[a-z0-9_-]{1,200}(?:/[a-z0-9_-]{1,200})*")
_PORTS = [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
_DEVICES = frozenset(["con", "prn", "aux", "nul", *_PORTS])


def path_of(key: object) -> Path:
    """Return the path of a key's file, relative to the root. Raises InvalidParameter."""
    return Path(*names_of(key))


def names_of(key: object) -> list[str]:
    """Return the names of a key's folders and then that of its file. Raises InvalidParameter."""
    text = as_key(key)
    # Most keys need no encoding, and this is on the way of every value.
    if _PLAIN.fullmatch(text):
        parts = text.split("/")
        if len(text) <= LONGEST_KEY and _DEVICES.isdisjoint(parts):
            parts[-1] += "="
            return parts
    if len(bytes_of(text)) > LONGEST_KEY:
        raise InvalidParameter(f"a directory node takes keys of at most {LONGEST_KEY} bytes")
    folder, slash, last = text.rpartition("/")
    *outer, leaf = _pieces(_escaped(last))
    folders = folders_of(folder) if slash else []
    return [*folders, *outer, leaf + "="]


def folders_of(folder: str) -> list[str]:
    """Return the names of the folders for the parts of a key before its last slash."""
    names = []
    for part in folder.split("/"):
        for piece in _pieces(_escaped(part) or "=="):
            names.append(_no_device(piece))
    return names


def key_of(path: str) -> str | None:
    """Return the key whose file this is, or None for a path that no key has.

    path: relative to the root, its parts divided by slashes.
    """
    written = ""
    for part in path.split("/"):
        written += part.removesuffix("+") if part.endswith("+") else part + "/"
    parts = []
    for part in written.removesuffix("=/").split("/"):
        parts.append(b"" if part == "==" else _unescaped(part))
    try:
        key = b"/".join(parts).decode("utf-8", "surrogatepass")
        # Several paths may decode to one key; only the one that is made here is the key's.
        return key if path_of(key).as_posix() == path else None
    except (UnicodeDecodeError, InvalidParameter):
        return None


def _escaped(part: str) -> str:
    return _UNSAFE.sub(lambda found: b"%%%02x" % found[0][0], bytes_of(part)).decode()


def _unescaped(part: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), os.fsencode(part))


def _no_device(piece: str) -> str:
    return f"%{ord(piece[0]):02x}{piece[1:]}" if piece in _DEVICES else piece


def _pieces(part: str) -> list[str]:
    cuts = [part[at : at + _PIECE] for at in range(0, len(part), _PIECE)] or [""]
    return [piece + "+" for piece in cuts[:-1]] + cuts[-1:]
