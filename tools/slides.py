"""`make slides`: every deck as HTML that opens from disk without a network, measured by a browser,
and as a PDF.

    python -m tools.slides [deck …]     all of slides/ into build/slides; PDFs of the decks named,
    or of all

Where there is no Chromium the HTML is written all the same, and it is said that nothing was
measured or printed.
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
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
)
NEEDED = {"lepton.css", "reveal.css", "reveal.js", "notes.js"}  # each with its licence inside
# What a page would fetch from elsewhere. A link that a reader may follow is none of it.
FETCHED = re.compile(
    r"""<(?!a\b)\w+[^>]*?\b(?:src|href)=["'](?:https?:)?//[^>]*|(?:url\(|@import\s+)["']?(?:https?:)?//"""
)
# A browser without a window draws no frames, and reveal lays its printed pages out in one.
FRAMES = (
    "<script>window.requestAnimationFrame = work => setTimeout(() => "
    "work(performance.now()), 16);</script>"
)
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
    """The decks could not be built, or are not as they should be."""


def build(target: Path = BUILT) -> list[Path]:
    """Write every deck to `target` as HTML, and nothing that no deck uses. Raises SlidesFailed with
    Sphinx's words.

    What was in `target` before is replaced, and stays where the building fails.
    """
    with TemporaryDirectory() as folder:
        made = Path(folder, "decks")
        command = [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "-b",
            "revealjs",
            "-d",
            f"{folder}/trees",
            "slides",
        ]
        done = subprocess.run(
            [*command, str(made)], cwd=ROOT, capture_output=True, text=True, check=False
        )
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
    """What the decks would ask a network for: nothing, if all is well."""
    found = []
    for path in [*target.glob("*.html"), *target.rglob("*.css")]:
        found += [
            f"{path.name}: {match[0][:120]}"
            for match in FETCHED.finditer(path.read_text(encoding="utf-8"))
        ]
    return found


def chromium() -> str | None:
    """The first browser found, of those that print from a command line."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _browse(browser: str, *arguments: str) -> str:
    with TemporaryDirectory() as profile:
        command = [
            browser,
            *QUIET,
            f"--user-data-dir={profile}",
            "--virtual-time-budget=20000",
            *arguments,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
        except subprocess.TimeoutExpired:
            raise SlidesFailed(f"{browser} did not answer within three minutes") from None
    if done.returncode:
        raise SlidesFailed(f"{browser} failed: {done.stderr[-400:]}")
    return done.stdout


@contextmanager
def _with(deck: Path, script: str) -> Iterator[str]:
    """The address of a copy of a deck that has one more script; it stands beside the deck until the
    block ends.
    """
    page = deck.with_name(f"with-script-{deck.name}")
    page.write_text(
        deck.read_text(encoding="utf-8").replace("<head>", f"<head>{script}", 1), encoding="utf-8"
    )
    try:
        yield page.as_uri()
    finally:
        page.unlink()


def overflows(deck: Path, browser: str) -> list[str]:
    """Whatever stands beyond its slide's edge, or is cut off, in a built deck: shown by a browser,
    and printed.
    """
    found = []
    with _with(deck, FRAMES + MEASURE) as address:
        for medium, query in {"shown": "", "printed": "?print-pdf"}.items():
            dom = _browse(browser, "--window-size=1280,720", "--dump-dom", address + query)
            measured = re.search(r'<pre id="measured">(\[.*?)</pre>', dom, re.DOTALL)
            if measured is None:
                raise SlidesFailed(f"{deck.name} could not be measured as {medium}")
            for slide in json.loads(unescape(measured[1])):
                found += [
                    f"{deck.stem}, {slide['title']!r}, {medium}: {part}" for part in slide["beyond"]
                ]
    return found


def print_pdf(deck: Path, browser: str) -> Path:
    """Print a built deck, a page a slide."""
    pdf = deck.with_suffix(".pdf")
    with _with(deck, FRAMES) as address:
        _browse(browser, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", f"{address}?print-pdf")
    return pdf


def make(names: list[str]) -> list[str]:
    """Build all decks, measure and print those named, or all; returns what is wrong. Raises
    SlidesFailed.
    """
    built = [deck for deck in build() if deck.stem != "index"]
    faults = fetches() + [
        f"there is no deck {name}" for name in set(names) - {deck.stem for deck in built}
    ]
    browser = chromium()
    if browser is None:
        print(
            "no Chromium: nothing was measured, and there is no PDF (looked for "
            f"{', '.join(BROWSERS)})"
        )
        return faults
    for deck in built:
        if not names or deck.stem in names:
            faults += overflows(deck, browser)
            print(f"{deck.name} and {print_pdf(deck, browser).name}", flush=True)
    return faults


def main(names: list[str]) -> int:
    """Do what the command line says; 0 only when every slide fits and nothing would be fetched."""
    try:
        faults = make(names)
    except SlidesFailed as error:
        faults = [str(error)]
    print(
        "\n".join(faults) or f"The decks are in {BUILT.relative_to(ROOT)}; begin with index.html."
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
