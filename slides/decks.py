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
    """One slide: its heading, and its text up to the next slide."""

    title: str
    text: str

    @property
    def minutes(self) -> list[float]:
        """The minutes of each of its speaker notes; a correct slide has exactly one."""
        return [float(notes["minutes"]) for notes in _NOTES.finditer(self.text)]

    @property
    def words_to_say(self) -> str:
        """What the speaker notes say."""
        return " ".join(" ".join(notes["words"].split()) for notes in _NOTES.finditer(self.text))

    @property
    def is_question(self) -> bool:
        """Whether the slide asks the room a question."""
        return "{question}" in self.text


@dataclass(frozen=True)
class Deck:
    """One deck, read from its Markdown file."""

    path: Path

    @classmethod
    def all(cls) -> list[Deck]:
        """List every deck of the project, the opening first."""
        paths = [path for path in FOLDER.glob("*.md") if path.name not in NOT_DECKS]
        paths.sort(key=lambda path: (path.stem != "opening", path.stem))
        return [cls(path) for path in paths]

    @cached_property
    def text(self) -> str:
        """The Markdown."""
        return self.path.read_text(encoding="utf-8")

    @property
    def minutes(self) -> float:
        """The minutes that its front matter announces. Raises ValueError if there are none."""
        found = re.match(r"---\n(?:.*\n)*?minutes: *(\S+)\n(?:.*\n)*?---\n", self.text)
        if found is None:
            advice = "add 'minutes:' to its front matter"
            raise ValueError(f"{self.path.name} does not announce its minutes; {advice}")
        return float(found[1])

    @cached_property
    def slides(self) -> list[Slide]:
        """The slides; each heading of the first or second level begins one."""
        # A # in a code block is not a heading, so code is replaced by blanks of the same length.
        blank = _FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence[0]), self.text)
        headings = list(re.finditer(r"^##? +(.+)$", blank, re.MULTILINE))
        ends = [heading.start() for heading in headings[1:]] + [len(self.text)]
        slides = []
        for heading, end in zip(headings, ends, strict=True):
            slides.append(Slide(heading[1], self.text[heading.start() : end]))
        return slides

    @property
    def title(self) -> str:
        """The heading of its first slide."""
        return self.slides[0].title
