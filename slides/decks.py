"""A deck as its rules see it: slides with their minutes of speech, read from the Markdown alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NOT_DECKS = {"index.md", "README.md", "INSTRUCTORS.md"}
_FENCE = re.compile(r"^(`{3,}).*?^\1`*\s*$", re.MULTILINE | re.DOTALL)
_NOTES = re.compile(
    r"^:::+\{notes\} *(?P<minutes>\S+) *\n(?P<words>.*?)^:::+ *$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Slide:
    """One slide: its heading and everything up to the next one."""

    title: str
    text: str

    @property
    def minutes(self) -> list[float]:
        """The minutes of each of its speaker notes: one number, if all is well."""
        return [float(notes["minutes"]) for notes in _NOTES.finditer(self.text)]

    @property
    def words_to_say(self) -> str:
        """What the speaker notes say."""
        return " ".join(" ".join(notes["words"].split()) for notes in _NOTES.finditer(self.text))

    @property
    def is_question(self) -> bool:
        """Whether it asks the room something."""
        return "{question}" in self.text


@dataclass(frozen=True)
class Deck:
    """One deck and where it lies."""

    path: Path

    @classmethod
    def all(cls) -> list[Deck]:
        """Every deck of the project, the opening first."""
        paths = [path for path in FOLDER.glob("*.md") if path.name not in NOT_DECKS]
        return [
            cls(path)
            for path in sorted(paths, key=lambda path: (path.stem != "opening", path.stem))
        ]

    @cached_property
    def text(self) -> str:
        """The Markdown."""
        return self.path.read_text(encoding="utf-8")

    @property
    def minutes(self) -> float:
        """How long it takes, as its front matter announces."""
        found = re.match(r"---\n(?:.*\n)*?minutes: *(\S+)\n(?:.*\n)*?---\n", self.text)
        if found is None:
            raise ValueError(f"{self.path.name} does not announce its minutes")
        return float(found[1])

    @cached_property
    def slides(self) -> list[Slide]:
        """Its slides: each heading of the first or second level begins one."""
        blank = _FENCE.sub(
            lambda fence: re.sub(r"[^\n]", " ", fence[0]), self.text
        )  # a # in code is no heading
        starts = [
            (found.start(), found[1]) for found in re.finditer(r"^##? +(.+)$", blank, re.MULTILINE)
        ]
        ends = [start for start, _ in starts[1:]] + [len(self.text)]
        return [
            Slide(title, self.text[start:end])
            for (start, title), end in zip(starts, ends, strict=True)
        ]

    @property
    def title(self) -> str:
        """The heading of its first slide."""
        return self.slides[0].title
