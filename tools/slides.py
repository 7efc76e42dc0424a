"""`make slides`: build every deck as HTML and as PDF, and have a browser measure that all fits.

    python -m tools.slides [deck …]

All decks of slides/ are written to build/slides as HTML that opens from disk without a network. The
decks that are named, or all, are measured and printed to PDF. Without Chromium the HTML is still
written, and a line says that nothing was measured or printed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "slides"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_HEADLESS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
QUIET = tuple(_HEADLESS.split())
NEEDED = {"lepton.css", "reveal.css", "reveal.js", "notes.js"}  # each has its licence inside
# What a page would fetch from elsewhere. A link that a reader may follow is not fetched.
FETCHED = re.compile(
    r"""<(?!a\b)\w+[^>]*?\b(?:src|href)=["'](?:https?:)?//[^>]*|(?:url\(|@import\s+)["']?(?:https?:)?//"""
)
# A browser without a window draws no frames, but reveal lays out its printed pages in a frame.
FRAMES = """<script>
window.requestAnimationFrame = work => setTimeout(() => work(performance.now()), 16);
</script>"""
MEASURE = """
<script>
function beyond(slide) {
  const frame = slide.getBoundingClientRect();
  return [...slide.querySelectorAll('*')].filter(element => {
    if (element.closest('aside.notes')) return false;
    const box = element.getBoundingClientRect();
    const cut = element.clientWidth && element.scrollWidth > element.clientWidth + 1
      && getComputedStyle(element).overflowX !== 'visible';
    return cut || box.right > frame.right - 20 || box.bottom > frame.bottom - 8
      || box.left < frame.left || box.top < frame.top;
  }).map(element => element.tagName.toLowerCase() + ': ' + element.textContent.trim().slice(0, 40));
}
const printed = location.search === '?print-pdf';
function measure() {
  const found = Reveal.getSlides().map(slide => {
    const {h, v} = Reveal.getIndices(slide);
    if (!printed) Reveal.slide(h, v);
    return {title: slide.querySelector('h1, h2')?.textContent ?? '', beyond: beyond(slide)};
  });
  document.body.innerHTML = '<pre id="measured"></pre>';
  document.getElementById('measured').textContent = JSON.stringify(found);
}
window.addEventListener('load', () => printed ? Reveal.on('pdf-ready', measure) : measure());
</script>
"""


class SlidesFailed(Exception):
    """The decks could not be built or measured; the message says why."""


def build(target: Path = BUILT) -> list[Path]:
    """Write every deck to `target` as HTML, with the files that the decks use and no others.

    The earlier content of `target` is replaced, unless the build fails. Then SlidesFailed is
    raised, with Sphinx's message.
    """
    with TemporaryDirectory() as folder:
        made = Path(folder, "decks")
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "revealjs"]
        command += ["-d", f"{folder}/trees", "slides", str(made)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SlidesFailed(done.stderr)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        needed = [path for path in made.rglob("*") if path.name in NEEDED]
        for path in [*made.glob("*.html"), *needed]:
            copy = target / path.relative_to(made)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return sorted(target.glob("*.html"))


def fetches(target: Path = BUILT) -> list[str]:
    """List what the decks would fetch from a network; empty if they need none."""
    found = []
    for path in [*target.glob("*.html"), *target.rglob("*.css")]:
        for match in FETCHED.finditer(path.read_text(encoding="utf-8")):
            found.append(f"{path.name}: {match[0][:120]}")
    return found


def chromium() -> str | None:
    """Return the path of the first browser found that prints from a command line, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _browse(browser: str, *arguments: str) -> str:
    with TemporaryDirectory() as profile:
        command = [browser, *QUIET, f"--user-data-dir={profile}"]
        command += ["--virtual-time-budget=20000", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
        except subprocess.TimeoutExpired:
            raise SlidesFailed(f"{browser} did not answer within three minutes") from None
    if done.returncode:
        raise SlidesFailed(f"{browser} failed: {done.stderr[-400:]}")
    return done.stdout


@contextmanager
def _with(deck: Path, script: str) -> Iterator[str]:
    """Give the address of a copy of a deck with one more script, for as long as the block runs."""
    page = deck.with_name(f"with-script-{deck.name}")  # beside the deck, whose files it uses
    html = deck.read_text(encoding="utf-8").replace("<head>", f"<head>{script}", 1)
    page.write_text(html, encoding="utf-8")
    try:
        yield page.as_uri()
    finally:
        page.unlink()


def overflows(deck: Path, browser: str) -> list[str]:
    """List what is cut off or beyond the edge of a slide of a built deck, on screen or printed."""
    found = []
    with _with(deck, FRAMES + MEASURE) as address:
        for medium, query in {"shown": "", "printed": "?print-pdf"}.items():
            dom = _browse(browser, "--window-size=1280,720", "--dump-dom", address + query)
            measured = re.search(r'<pre id="measured">(\[.*?)</pre>', dom, re.DOTALL)
            if measured is None:
                raise SlidesFailed(f"{deck.name} could not be measured as {medium}")
            for slide in json.loads(unescape(measured[1])):
                where = f"{deck.stem}, {slide['title']!r}, {medium}"
                found += [f"{where}: {part}" for part in slide["beyond"]]
    return found


def print_pdf(deck: Path, browser: str) -> Path:
    """Print a built deck to PDF, one page per slide; return the path of the PDF."""
    pdf = deck.with_suffix(".pdf")
    with _with(deck, FRAMES) as address:
        _browse(browser, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", f"{address}?print-pdf")
    return pdf


def make(names: list[str]) -> list[str]:
    """Build all decks; measure and print those named, or all. Return what is wrong.

    Raises SlidesFailed when the decks cannot be built or measured.
    """
    built = [deck for deck in build() if deck.stem != "index"]
    unknown = set(names) - {deck.stem for deck in built}
    faults = fetches() + [f"there is no deck {name}" for name in unknown]
    browser = chromium()
    if browser is None:
        tried = ", ".join(BROWSERS)
        print(f"no Chromium: nothing was measured, and there is no PDF (looked for {tried})")
        return faults
    for deck in built:
        if not names or deck.stem in names:
            faults += overflows(deck, browser)
            print(f"{deck.name} and {print_pdf(deck, browser).name}", flush=True)
    return faults


def main(names: list[str]) -> int:
    """Make the decks; return 0 only when every slide fits and no deck fetches anything."""
    try:
        faults = make(names)
    except SlidesFailed as error:
        faults = [str(error)]
    place = BUILT.relative_to(ROOT)
    print("\n".join(faults) or f"The decks are in {place}; begin with index.html.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
