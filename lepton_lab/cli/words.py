"""What the terminal says when something is wrong: one line, and in it what to do next."""

from __future__ import annotations

import errno

from lepton_lab.errors import (
    IntegrityError,
    InvalidName,
    LabError,
    NodeError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
    WriteConflict,
)


class Advice(LabError):
    """An error whose text already says what to do next."""


# The first that fits is taken, so a more special error stands before a more general one.
_NEXT: dict[type[LabError], str] = {
    NotFound: "`lepton-lab ls` lists what there is",
    NotEnoughShards: "`lepton-lab nodes status` shows who answers",
    NodeError: "`lepton-lab nodes status` shows who answers",
    StaleVersion: "the nodes were put back to an earlier state: bring the later one back",
    IntegrityError: "`lepton-lab check` names the nodes",
    WriteConflict: "run it again",
    InvalidName: "choose another one with --name",
}
_OF_THE_SYSTEM = {
    errno.ENOENT: "check the path",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "choose another place",
    errno.ENOSPC: "free some space or choose another place",
    errno.EDQUOT: "free some space or choose another place",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "check the path",
    errno.EEXIST: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "check the path",
    errno.EIO: "name another file, or bring back a copy of this one",
    errno.ENXIO: "name an ordinary file",
    errno.ENODEV: "name an ordinary file",
}


def line_of(error: LabError | OSError) -> str:
    """One line for an error of ours or of the system."""
    if isinstance(error, OSError):
        text, advice = _said_by_the_system(error), _OF_THE_SYSTEM.get(error.errno or 0, "")
    else:
        text = str(error)
        advice = next((line for kind, line in _NEXT.items() if isinstance(error, kind)), "")
    return shown(f"{text}; {advice}" if advice else text)


def shown(text: str) -> str:
    """A text for a terminal: names may hold line breaks or sequences that would move its cursor."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _said_by_the_system(error: OSError) -> str:
    reason = (error.strerror or type(error).__name__).lower()
    return f"{error.filename}: {reason}" if error.filename is not None else reason
