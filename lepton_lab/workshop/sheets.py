"""Tasks of one's own: from a course's seed and an id come a learner's keys, texts and data; copying does not help.

The teacher keeps the seed and makes a sheet for every learner (`python -m tools.instances`). A sheet holds what the
learner needs and, of each answer, only a verifier: scrypt of the answer under a salt of that learner and task. Every
answer contains at least 64 bits that nobody can guess, so a sheet gives none of them away, not even to a long search.
The same seed and id give the same sheet again: that is how a teacher checks one that may have been changed.

    from lepton_lab.workshop.sheets import sheet

    mine = sheet("alice.json")
    mine["aes.two_times"]          # its task and what is given
    mine.check("aes.two_times", text)
"""

from __future__ import annotations

import hashlib
import hmac
import json
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_lab.buffers import framed
from lepton_lab.errors import InvalidParameter, NotFound
from lepton_lab.workshop.checking import Verdict
from lepton_lab.workshop.tasks import TASKS, Given, Source

VERSION = 1
_LEARNER = re.compile(r"[\w.@+-]{1,64}", re.ASCII)  # it becomes a file's name
_LEAST_SEED = 16
_N, _R, _P = 2**14, 8, 1  # RFC 7914: some 50 ms and 16 MiB for each guess


@dataclass(frozen=True)
class Task:
    """One task of a sheet: what is to be done, what is given (bytes or whole numbers), and the answer's verifier."""

    name: str
    task: str
    given: Mapping[str, Given]
    salt: bytes
    verifier: bytes

    def __repr__(self) -> str:
        lines = [f"  {name} = {value!r}" for name, value in self.given.items()]
        return "\n".join([f"{self.name}: {self.task}", *lines])


@dataclass(frozen=True, repr=False)
class Sheet:
    """A learner's tasks. `sheet["aes.open"]` is one of them."""

    learner: str
    tasks: Mapping[str, Task]

    def __repr__(self) -> str:
        return f"{self.learner}'s sheet: {', '.join(self.tasks)}"

    def __getitem__(self, name: str) -> Task:
        if name not in self.tasks:
            raise InvalidParameter(f"there is no task {name!r}; there are {', '.join(self.tasks)}")
        return self.tasks[name]

    def check(self, name: str, answer: Any = ...) -> Verdict:
        """Check an answer: 'done', or 'not yet' with a hint. It never raises; leave it as the last line of a cell."""
        if not isinstance(name, str) or name not in self.tasks:
            return Verdict(
                str(name), False, f"there is no task {name!r}; there are {', '.join(self.tasks)}"
            )
        data = _bytes(answer)
        if data is None:
            return Verdict(
                name,
                False,
                f"the answer is bytes, a text or a whole number, not {type(answer).__name__}",
            )
        task = self.tasks[name]
        if hmac.compare_digest(_verifier(data, task.salt), task.verifier):
            return Verdict(name, True)
        return Verdict(name, False, f"that is not the answer to your sheet: {TASKS[name].hint}")

    def to_json(self) -> str:
        """The sheet as a file's text."""
        tasks = {
            task.name: {
                "task": task.task,
                "given": {name: _written(value) for name, value in task.given.items()},
            }
            | {"salt": task.salt.hex(), "verifier": task.verifier.hex()}
            for task in self.tasks.values()
        }
        return (
            json.dumps({"version": VERSION, "learner": self.learner, "tasks": tasks}, indent=1)
            + "\n"
        )


def make_sheet(seed: bytes, learner: str) -> Sheet:
    """The sheet of a learner in a course: for the teacher, who keeps `seed` (at least 16 bytes) secret.

    learner: 1 to 64 letters, digits or . @ + - _. Raises InvalidParameter.
    """
    if not isinstance(seed, bytes) or len(seed) < _LEAST_SEED:
        raise InvalidParameter(
            f"a course's seed is at least {_LEAST_SEED} bytes that nobody can guess"
        )
    if not isinstance(learner, str) or not _LEARNER.fullmatch(learner):
        raise InvalidParameter("an id is 1 to 64 letters, digits or . @ + - _")
    tasks = {}
    for name, declared in TASKS.items():
        source = Source(seed, learner, name)
        given, answer = declared.make(source)
        salt = source.draw_bytes("salt", 16)
        data = _bytes(answer)
        if data is None:
            raise InvalidParameter(f"the task {name} has no answer")
        tasks[name] = Task(name, declared.task, given, salt, _verifier(data, salt))
    return Sheet(learner, tasks)


def sheet(path: str | Path) -> Sheet:
    """The sheet in a file. Raises NotFound when there is none, InvalidParameter when it is not one."""
    try:
        found = json.loads(Path(path).read_bytes())
        if found["version"] != VERSION:
            raise InvalidParameter(
                f"{path} is a sheet of version {found['version']}; this lab reads version {VERSION}"
            )
        tasks = {
            name: _task(name, fields) for name, fields in found["tasks"].items() if name in TASKS
        }
        return Sheet(str(found["learner"]), tasks)
    except FileNotFoundError:
        raise NotFound(f"there is no sheet {path}; your teacher makes it") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InvalidParameter):
            raise
        raise InvalidParameter(f"{path} is no sheet of tasks") from None


def _task(name: str, fields: dict[str, Any]) -> Task:
    given = {key: _read(value) for key, value in fields["given"].items()}
    return Task(
        name,
        str(fields["task"]),
        given,
        bytes.fromhex(fields["salt"]),
        bytes.fromhex(fields["verifier"]),
    )


def _verifier(answer: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(
        framed(b"lepton_lab answer", answer), salt=salt, n=_N, r=_R, p=_P, dklen=32
    )


def _bytes(answer: Any) -> bytes | None:
    """An answer in one form: a text is its UTF-8 without white space around it, a number its decimal digits."""
    if isinstance(answer, bytes | bytearray | memoryview):
        return bytes(answer).strip()
    if isinstance(answer, str):
        return answer.strip().encode()
    try:
        return None if isinstance(answer, bool) else str(operator.index(answer)).encode()
    except (TypeError, ValueError):  # not whole, or longer than Python writes
        return None


def _written(value: Given) -> str | list[str]:
    """JSON knows no bytes, and readers of it round large numbers: both are texts, and say which they are."""
    if isinstance(value, list):
        return [str(_written(part)) for part in value]
    return f"bytes:{value.hex()}" if isinstance(value, bytes) else f"number:{value}"


def _read(value: Any) -> Given:
    if isinstance(value, list):
        return [_one(part) for part in value]
    return _one(value)


def _one(value: str) -> bytes | int:
    kind, _, written = value.partition(":")
    if kind not in ("bytes", "number"):
        raise ValueError
    return bytes.fromhex(written) if kind == "bytes" else int(written)
