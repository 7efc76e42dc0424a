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
_DEVICE = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")


def path_of(key: object) -> Path:
    """Return the path of a key's file, relative to the root. Raises InvalidParameter."""
    if len(bytes_of(key)) > LONGEST_KEY:
        raise InvalidParameter(f"a directory node takes keys of at most {LONGEST_KEY} bytes")
    folder, slash, last = as_key(key).rpartition("/")
    *outer, leaf = _pieces(_escaped(last))
    folders = folders_of(folder) if slash else []
    return Path(*folders, *outer, leaf + "=")


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
    return f"%{ord(piece[0]):02x}{piece[1:]}" if _DEVICE.fullmatch(piece) else piece


def _pieces(part: str) -> list[str]:
    cuts = [part[at : at + _PIECE] for at in range(0, len(part), _PIECE)] or [""]
    return [piece + "+" for piece in cuts[:-1]] + cuts[-1:]
