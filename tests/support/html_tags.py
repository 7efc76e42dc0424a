"""The tags of a piece of HTML, for tests of what is shown."""

from __future__ import annotations

from html.parser import HTMLParser


class Tags(HTMLParser):
    """Parses HTML: `tags["img"]` is the attributes of each image, `.text` the text without tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def __getitem__(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]
