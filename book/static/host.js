// Brings the page's widgets to life without a kernel: an `anywidget` is a module with a `render({ model, el })`
// (anywidget.dev/en/afm), and the ones here carry all their pictures with them. What stands in a place before is its
// still form; it stays where this script does not run. Modules come out of the page itself, so that a book opened
// from a disk, where a browser loads no file as a module, moves as well.

function modelOf(state) {
  return {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; },
    on() {},
    off() {},
    save_changes() {},
  };
}

async function bringToLife(place) {
  const { esm, css, state } = JSON.parse(place.querySelector("script").textContent);
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(address);
  const style = Object.assign(document.createElement("style"), { textContent: css });
  const el = document.createElement("div");
  place.replaceChildren(style, el);
  await (typeof widget === "function" ? await widget() : widget).render({ model: modelOf(state), el });
  place.dataset.widget = "alive";
}

const alive = Promise.all([...document.querySelectorAll("[data-widget]")].map(bringToLife));

// What is larger than its place scrolls; whoever has no mouse needs to reach it to do so.
const SCROLLING = "pre, .cell_output, .output, .table-wrapper, .math-wrapper, [data-widget] div";

function reachable() {
  for (const place of document.querySelectorAll(SCROLLING)) {
    const larger = place.scrollWidth > place.clientWidth || place.scrollHeight > place.clientHeight;
    const scrolls = /auto|scroll/.test(getComputedStyle(place).overflowX);
    if (larger && scrolls && place.tabIndex < 0) place.tabIndex = 0;
  }
}

addEventListener("load", async () => {
  await Promise.all([alive, window.MathJax?.startup?.promise]);
  reachable();
  document.documentElement.dataset.whole = "yes";
});
addEventListener("resize", reachable);
