"""A page under watch: what it asks of other machines, what its console says, what it shows, how it
moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, Request
from playwright.sync_api import TimeoutError as TooLate

HERE = {"127.0.0.1", "localhost"}
_INSIDE = {"data", "blob", "about", "file", "chrome"}
STOPS = "[role=slider], input, select, textarea, button, [tabindex='0']"
_KEYS = ("ArrowRight", "Space", "ArrowDown")

# What a reader sees of a widget: its visible words and pictures, the controls and their own read-
# outs left out.
_SHOWN = """(root) => [root, ...root.querySelectorAll('*')]
  .filter(e => e.checkVisibility({visibilityProperty: true})
    && !e.closest('.widget-readout, button, [role=slider], [aria-live]:not(output)'))
  .flatMap(e => e.tagName === 'IMG' ? [e.src]
    : [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()))
  .filter(Boolean).join('\\n')"""


@dataclass
class Watched:
    """A page that is listened to."""

    page: Page
    left: list[str] = field(default_factory=list)  # what it asked of other machines
    complaints: list[str] = field(default_factory=list)  # what stood in the console as an error

    def __post_init__(self) -> None:
        self.page.on("request", self._request)
        self.page.on("websocket", lambda socket: self._asked(socket.url))
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _request(self, request: Request) -> None:
        self._asked(request.url)

    def _asked(self, address: str) -> None:
        url = urlsplit(address)
        if url.scheme not in _INSIDE and url.hostname not in HERE:
            self.left.append(address)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


def moves(page: Page, widget: Locator) -> bool:
    """Whether some key, on one of the widget's stops for the keyboard, changes what the widget
    shows.
    """
    widget.scroll_into_view_if_needed()
    root = widget.element_handle()
    for stop in (
        widget,
        *(widget.locator(STOPS).nth(i) for i in range(min(widget.locator(STOPS).count(), 3))),
    ):
        for key in _KEYS:
            before = root.evaluate(_SHOWN)
            stop.focus()
            page.keyboard.press(key)
            try:
                page.wait_for_function(
                    f"([root, before]) => ({_SHOWN})(root) !== before",
                    arg=[root, before],
                    timeout=1500,
                )
            except TooLate:
                continue
            return True
    return False


def unspoken(page: Page) -> list[str]:
    """The pictures of a page that say nothing to whoever does not see them."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('img, svg, [role=img], canvas')]
          .filter(e => e.checkVisibility()
            && !e.closest('[aria-hidden=true], button, label, a, summary')
            && !(e.getAttribute('alt') || e.getAttribute('aria-label') || e.querySelector('title')))
          .map(e => e.outerHTML.slice(0, 120))"""
    )
    return found


def violations(page: Page, within: str = "html") -> list[str]:
    """What axe-core finds serious or critical, contrast among it, on a page or a part; and all it
    says of landmarks.

    It calls a fault of landmarks moderate. Whoever moves by them, from part to part of a page, may
    see it otherwise.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate(
        "part => axe.run(part, {resultTypes: ['violations'], preload: false}).then(found "
        "=> found.violations)",
        within,
    )
    return [
        f"{fault['id']}: {fault['help']}: {node['target']} {node['html'][:160]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        or fault["id"].startswith(("landmark-", "region"))
        for node in fault["nodes"][:3]
    ]
