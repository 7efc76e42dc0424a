// Draws one of PAGES at a time; PAGES and CAPTION are put in front of this file by byte_explorer.py.
// A span is [offset, length, name, value, meaning, kind].

const LAST = PAGES.length - 1;
const ROW = 16;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function labelled(made, attributes) {
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  return made;
}

const bytesOf = (hex) => hex.match(/../g) ?? [];
const letter = (hex) => { const code = parseInt(hex, 16); return code >= 32 && code < 127 ? String.fromCharCode(code) : "·"; };
const arrow = (sender) => ({ client: "client →", server: "← server" })[sender] ?? sender;
const place = (offset, length) => (length === 1 ? `byte ${offset}` : `bytes ${offset} to ${offset + length - 1}`);

// For each byte the number of its span, or -1.
function owners(page) {
  const owner = new Array(page.wire.length / 2).fill(-1);
  page.spans.forEach(([offset, length], number) => owner.fill(number, offset, offset + length));
  return owner;
}

function render({ el }) {
  let position = 0; // of the page
  let field = 0; // of the span in it
  let opened = true;

  const tabs = labelled(element("div", { className: "tabs" }), { role: "group", "aria-label": "messages" });
  const heading = element("div", { className: "title" });
  const sentence = element("p", { className: "sentence" });
  const grid = element("div", { className: "grid", tabIndex: 0 });
  const detail = element("div", { className: "detail" });
  const heard = labelled(element("div", { className: "heard" }), { "aria-live": "polite" });
  const button = (name, text, act) => labelled(element("button", { type: "button", textContent: text, title: name, onclick: act }), { "aria-label": name });
  const view = button("what crossed the wire, or what it hides", "", () => turn());
  const controls = element("div", { className: "controls" },
    button("one field back", "← field", () => step(-1)),
    button("one field on", "field →", () => step(1)),
    button("one message back", "back", () => go(position - 1, 0)),
    button("one message on", "next", () => go(position + 1, 0)),
    view,
  );
  const legend = element("p", { className: "legend",
    textContent: "Keys: ← → field, page up/down message, home, end, space: the wire or what it hides. Or click a byte." });
  const box = element("div", { className: "lepton-bytes", tabIndex: 0 }, tabs, heading, sentence, controls, element("div", { className: "both" }, grid, detail), legend, heard);
  // JupyterLab would take the keys for itself before they reach us
  labelled(box, { role: "group", "aria-label": CAPTION, "data-lm-suppress-shortcuts": "true" });

  PAGES.forEach((page, number) => tabs.append(
    labelled(element("button", { type: "button", className: `tab ${page.sender}`, textContent: page.title, onclick: () => go(number, 0) }),
      { "aria-label": `${page.sender} ${page.title}, ${page.wire.length / 2} bytes` })));

  function go(to, at) {
    const next = Math.min(Math.max(to, 0), LAST);
    const spans = PAGES[next].spans.length;
    position = next;
    field = Math.min(Math.max(at < 0 ? spans - 1 : at, 0), Math.max(spans - 1, 0));
    draw();
    speak();
  }

  function step(by) {
    const next = field + by;
    if (next < 0 && position > 0) go(position - 1, -1);
    else if (next >= PAGES[position].spans.length && position < LAST) go(position + 1, 0);
    else if (next >= 0 && next < PAGES[position].spans.length) choose(next);
  }

  function choose(number) {
    field = number;
    mark();
    speak();
  }

  function turn() {
    if (PAGES[position].opened === null) return;
    opened = !opened;
    draw();
    heard.textContent = opened ? "Opened." : "As on the wire.";
  }

  function draw() {
    const page = PAGES[position];
    const hidden = page.opened !== null;
    heading.textContent = `${arrow(page.sender)}  ${page.title}`;
    sentence.textContent = `${page.sentence} ${page.wire.length / 2} bytes.`;
    view.textContent = !hidden ? "nothing is hidden here" : opened ? "opened: show the wire" : "the wire: show it opened";
    view.disabled = !hidden;
    const wire = bytesOf(page.wire);
    const shown = hidden && opened ? bytesOf(page.opened) : wire;
    const owner = owners(page);
    const rows = [];
    for (let start = 0; start < shown.length; start += ROW) {
      const row = element("tr", {}, labelled(element("th", { textContent: start }), { scope: "row" }));
      for (let i = start; i < Math.min(start + ROW, shown.length); i += 1) {
        const cell = element("td", { textContent: shown[i] });
        if (owner[i] >= 0) { cell.classList.add(`kind${page.spans[owner[i]][5]}`); cell.dataset.owner = owner[i]; }
        if (hidden && !opened && shown[i] !== bytesOf(page.opened)[i]) cell.classList.add("hidden");
        row.append(cell);
      }
      for (let i = shown.length; i < start + ROW; i += 1) row.append(element("td", { className: "none" }));
      row.append(element("td", { className: "letters", textContent: shown.slice(start, start + ROW).map(letter).join("") }));
      rows.push(row);
    }
    grid.replaceChildren(element("table", {}, element("tbody", {}, ...rows)));
    grid.scrollTop = 0;
    [...tabs.children].forEach((tab, number) => tab.setAttribute("aria-pressed", String(number === position)));
    mark();
  }

  function mark() {
    const span = PAGES[position].spans[field];
    let first = null;
    grid.querySelectorAll("td[data-owner]").forEach((cell) => {
      const is = Number(cell.dataset.owner) === field;
      cell.classList.toggle("chosen", is);
      if (is && !first) first = cell;
    });
    if (first) { // scrolls the grid, never the page
      const top = first.offsetTop;
      if (top < grid.scrollTop || top > grid.scrollTop + grid.clientHeight - 40) grid.scrollTop = Math.max(top - 40, 0);
    }
    detail.replaceChildren();
    if (!span) return;
    const [offset, length, name, value, meaning] = span;
    const parts = name.split(".");
    detail.append(
      element("div", { className: "path", textContent: parts.slice(0, -1).join(" › ") }),
      element("div", { className: "name", textContent: parts[parts.length - 1] }),
      element("div", { className: "place", textContent: length ? place(offset, length) : `empty, before byte ${offset}` }),
    );
    if (value) detail.append(element("div", { className: "value", textContent: value.length > 300 ? `${value.slice(0, 300)}…` : value }));
    if (meaning) detail.append(element("p", { textContent: meaning }));
  }

  function speak() {
    const page = PAGES[position];
    const span = page.spans[field];
    heard.textContent = span ? `${page.sender} ${page.title}, ${span[2]}, ${place(span[0], span[1])}. ${span[3]}. ${span[4]}` : page.title;
  }

  grid.addEventListener("click", (event) => {
    const owner = event.target?.dataset?.owner;
    if (owner !== undefined) choose(Number(owner));
  });

  const keys = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    PageDown: () => go(position + 1, 0),
    PageUp: () => go(position - 1, 0),
    Home: () => go(0, 0),
    End: () => go(LAST, 0),
    " ": () => turn(),
  };
  box.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
    if (!plain || !(event.key in keys)) return;
    if (event.key === " " && event.target instanceof HTMLButtonElement) return; // the bar presses a button
    event.preventDefault(); // the page must not scroll,
    event.stopPropagation(); // and the notebook must not take the key for a move between cells
    keys[event.key]();
  });

  draw();
  el.append(box);
  return () => box.remove();
}

export default { render };
