"""Watch a page in the browser: its requests, its console, its widgets, its accessibility."""

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

# What a reader sees of a widget: its visible words and pictures, without the controls and their
# read-outs, which change even if nothing else does.
_SHOWN = """(root) => [root, ...root.querySelectorAll('*')]
  .filter(e => e.checkVisibility({visibilityProperty: true})
    && !e.closest('.widget-readout, button, [role=slider], [aria-live]:not(output)'))
  .flatMap(e => e.tagName === 'IMG' ? [e.src]
    : [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()))
  .filter(Boolean).join('\\n')"""


@dataclass
class Watched:
    """A page whose requests to other machines and whose errors are recorded."""

    page: Page
    left: list[str] = field(default_factory=list)  # addresses on other machines that it asked for
    complaints: list[str] = field(default_factory=list)  # errors in the console

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
    """Whether a key pressed on one of the widget's controls changes what the widget shows."""
    widget.scroll_into_view_if_needed()
    root = widget.element_handle()
    controls = widget.locator(STOPS)
    first_three = [controls.nth(i) for i in range(min(controls.count(), 3))]
    for stop in (widget, *first_three):
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
                continue  # this key changes nothing
            return True
    return False


def unspoken(page: Page) -> list[str]:
    """List the pictures of a page that have no text for a reader who does not see them."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('img, svg, [role=img], canvas')]
          .filter(e => e.checkVisibility()
            && !e.closest('[aria-hidden=true], button, label, a, summary')
            && !(e.getAttribute('alt') || e.getAttribute('aria-label') || e.querySelector('title')))
          .map(e => e.outerHTML.slice(0, 120))"""
    )
    return found


def violations(page: Page, within: str = "html") -> list[str]:
    """List what axe-core finds serious or critical on a page or a part, such as faint contrast.

    Every fault of landmarks is listed too. axe-core calls them moderate, but a reader who moves
    through a page by its landmarks cannot do without them.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate(
        """part => axe.run(part, {resultTypes: ['violations'], preload: false})
          .then(found => found.violations)""",
        within,
    )
    listed = []
    for fault in found:
        of_landmarks = fault["id"].startswith(("landmark-", "region"))
        if fault["impact"] in ("serious", "critical") or of_landmarks:
            for node in fault["nodes"][:3]:
                where = f"{node['target']} {node['html'][:160]}"
                listed.append(f"{fault['id']}: {fault['help']}: {where}")
    return listed
