"""A learner's own task sheet: keys, texts and data made from a course's seed and the learner's id.

Every learner has other numbers, so copying an answer does not help. The teacher keeps the seed
and makes a sheet for every learner (`python -m tools.instances`). A sheet holds what the learner
needs and, of each answer, only a verifier: scrypt of the answer under a salt of that learner and
task. Every answer contains at least 64 bits that nobody can guess, so a sheet gives no answer
away, even to a long search. The same seed and id give the same sheet again. That is how a teacher
checks a sheet that may have been changed.

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
from lepton_lab.workshop.sheet_tasks import TASKS, Given, SeededBytes

VERSION = 1
_LEARNER = re.compile(r"[\w.@+-]{1,64}", re.ASCII)  # it becomes the name of a file
_MIN_SEED_SIZE = 16  # bytes
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}  # RFC 7914: about 50 ms and 16 MiB per guess


@dataclass(frozen=True)
class SheetTask:
    """One task of a sheet.

    task: what to do. given: the bytes and whole numbers for it, by name. salt, verifier: what an
    answer is checked with.
    """

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
    tasks: Mapping[str, SheetTask]

    def __repr__(self) -> str:
        return f"{self.learner}'s sheet: {', '.join(self.tasks)}"

    def __getitem__(self, name: str) -> SheetTask:
        if name not in self.tasks:
            raise InvalidParameter(self._no_such_task(name))
        return self.tasks[name]

    def check(self, name: str, answer: Any = ...) -> Verdict:
        """Check an answer: 'done', or 'not yet' with a hint. It never raises.

        Leave it as the last line of a cell.
        """
        if not isinstance(name, str) or name not in self.tasks:
            return Verdict(str(name), False, self._no_such_task(name))
        data = _answer_bytes(answer)
        if data is None:
            kind = type(answer).__name__
            hint = f"the answer is bytes, a text or a whole number, not {kind}"
            return Verdict(name, False, hint)
        task = self.tasks[name]
        if hmac.compare_digest(_verifier(data, task.salt), task.verifier):
            return Verdict(name, True)
        return Verdict(name, False, f"that is not the answer to your sheet: {TASKS[name].hint}")

    def _no_such_task(self, name: object) -> str:
        return f"there is no task {name!r}; there are {', '.join(self.tasks)}"

    def to_json(self) -> str:
        """The text of the sheet's file."""
        tasks = {}
        for task in self.tasks.values():
            tasks[task.name] = {
                "task": task.task,
                "given": {name: _to_json(value) for name, value in task.given.items()},
                "salt": task.salt.hex(),
                "verifier": task.verifier.hex(),
            }
        page = {"version": VERSION, "learner": self.learner, "tasks": tasks}
        return json.dumps(page, indent=1) + "\n"


def make_sheet(seed: bytes, learner: str) -> Sheet:
    """The sheet of one learner in a course, for the teacher.

    seed: at least 16 bytes that the teacher keeps secret.
    learner: 1 to 64 letters, digits or . @ + - _

    Raises InvalidParameter.
    """
    if not isinstance(seed, bytes) or len(seed) < _MIN_SEED_SIZE:
        raise InvalidParameter(
            f"a course's seed is at least {_MIN_SEED_SIZE} bytes that nobody can guess"
        )
    if not isinstance(learner, str) or not _LEARNER.fullmatch(learner):
        raise InvalidParameter("an id is 1 to 64 letters, digits or . @ + - _")
    tasks = {}
    for name, template in TASKS.items():
        source = SeededBytes(seed, learner, name)
        given, answer = template.make(source)
        salt = source.draw_bytes("salt", 16)
        data = _answer_bytes(answer)
        if data is None:
            raise InvalidParameter(f"the task {name} has no answer")
        tasks[name] = SheetTask(name, template.task, given, salt, _verifier(data, salt))
    return Sheet(learner, tasks)


def sheet(path: str | Path) -> Sheet:
    """Read the sheet in a file.

    Raises NotFound when there is no such file, InvalidParameter when it does not hold a sheet.
    """
    try:
        page = json.loads(Path(path).read_bytes())
        version = page["version"]
        if version == VERSION:
            tasks = {}
            for name, fields in page["tasks"].items():
                # A sheet may be older than this lab: tasks that no longer exist are left out.
                if name in TASKS:
                    tasks[name] = _read_task(name, fields)
            return Sheet(str(page["learner"]), tasks)
    except FileNotFoundError:
        raise NotFound(f"there is no sheet {path}; your teacher makes it") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidParameter(f"{path} is not a sheet of tasks") from None
    raise InvalidParameter(
        f"{path} is a sheet of version {version}; this lab reads version {VERSION}"
    )


def _read_task(name: str, fields: dict[str, Any]) -> SheetTask:
    given = {key: _from_json(value) for key, value in fields["given"].items()}
    salt = bytes.fromhex(fields["salt"])
    verifier = bytes.fromhex(fields["verifier"])
    return SheetTask(name, str(fields["task"]), given, salt, verifier)


def _verifier(answer: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(framed(b"lepton_lab answer", answer), salt=salt, **_SCRYPT)


def _answer_bytes(answer: Any) -> bytes | None:
    """An answer as bytes, or None when it is not bytes, a text or a whole number.

    A text becomes its UTF-8 without the white space around it, a number its decimal digits.
    """
    if isinstance(answer, bytes | bytearray | memoryview):
        return bytes(answer).strip()
    if isinstance(answer, str):
        return answer.strip().encode()
    if isinstance(answer, bool):
        return None
    try:
        return str(operator.index(answer)).encode()
    except (TypeError, ValueError):
        # It is not a whole number, or has more digits than Python writes.
        return None


def _to_json(value: Given) -> str | list[str]:
    """A given value for JSON, which has no bytes, and whose readers may round large numbers.

    Both become texts that say which of the two they are.
    """
    if isinstance(value, list):
        return [_one_to_json(part) for part in value]
    return _one_to_json(value)


def _one_to_json(value: bytes | int) -> str:
    return f"bytes:{value.hex()}" if isinstance(value, bytes) else f"number:{value}"


def _from_json(value: Any) -> Given:
    if isinstance(value, list):
        return [_one_from_json(part) for part in value]
    return _one_from_json(value)


def _one_from_json(value: str) -> bytes | int:
    kind, _, text = value.partition(":")
    if kind == "bytes":
        return bytes.fromhex(text)
    if kind == "number":
        return int(text)
    raise ValueError
