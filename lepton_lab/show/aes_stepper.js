// Draws one of FRAMES at a time; FRAMES and CAPTION are put in front of this file by aes_stepper.py.

const LAST = FRAMES.length - 1;
const ROUNDS = FRAMES[LAST].round;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const bytesOf = (hex) => hex.match(/../g) ?? [];

// A state as FIPS 197 draws it: byte r + 4c in row r, column c.
function square(caption, hex, tints = [], before = "") {
  const values = bytesOf(hex);
  const old = bytesOf(before);
  const rows = [0, 1, 2, 3].map((r) =>
    element("tr", {}, ...[0, 1, 2, 3].map((c) => {
      const i = r + 4 * c;
      const cell = element("td", { textContent: values[i] });
      if (tints.length) cell.classList.add(`tint${tints[i]}`);
      if (old.length && old[i] !== values[i]) cell.classList.add("changed");
      return cell;
    })),
  );
  return element("table", {}, element("caption", { textContent: caption }), element("tbody", {}, ...rows));
}

function labelled(made, attributes) {
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  return made;
}

const sign = (text) => labelled(element("span", { className: "sign", textContent: text }), { "aria-hidden": "true" });

function pictures(frame) {
  if (!frame.before) return [square("the block", frame.after)];
  const [from, to] = frame.tints;
  const key = frame.key ? [sign("⊕"), square("round key", frame.key)] : [];
  return [square("before", frame.before, from), ...key, sign("→"), square("after", frame.after, to, frame.before)];
}

function spoken(frame) {
  const columns = frame.after.match(/.{8}/g).map((column, c) => `column ${c}: ${bytesOf(column).join(" ")}`);
  return `${title(frame)}. ${frame.sentence} The state is now ${columns.join("; ")}.`;
}

function title(frame) {
  return frame.before ? `Round ${frame.round} of ${ROUNDS}: ${frame.operation}` : "Input";
}

// Where the round before or after the one at `position` begins.
function otherRound(position, direction) {
  const begin = FRAMES.findIndex((frame) => frame.round === FRAMES[position].round + direction);
  return begin >= 0 ? begin : direction < 0 ? 0 : LAST;
}

function render({ el }) {
  let position = 0;
  const heading = element("div", { className: "title" });
  const sentence = element("p");
  const grids = element("div", { className: "grids" });
  const heard = labelled(element("div", { className: "heard" }), { "aria-live": "polite" });
  const slider = labelled(element("input", { type: "range", min: 0, max: LAST, value: 0 }), { "aria-label": "operation" });
  const button = (name, text, to) =>
    labelled(element("button", { type: "button", textContent: text, title: name, onclick: () => move(to()) }), { "aria-label": name });
  const controls = element("div", { className: "controls" },
    button("first state", "first", () => 0),
    button("one operation back", "back", () => position - 1),
    button("one operation on", "next", () => position + 1),
    button("last state", "last", () => LAST),
    slider,
  );
  const legend = element("p", { className: "legend",
    textContent: "Bold and framed: changed by this operation. Keys: ← → one operation, page up/down one round, home, end." });
  const box = element("div", { className: "lepton-aes", tabIndex: 0 }, heading, sentence, grids, controls, legend, heard);
  // JupyterLab would take the arrow keys for itself before they reach us
  labelled(box, { role: "group", "aria-label": CAPTION, "data-lm-suppress-shortcuts": "true" });

  function move(to) {
    const next = Math.min(Math.max(to, 0), LAST);
    if (next === position) return;
    position = next;
    draw();
    heard.textContent = spoken(FRAMES[position]);
  }

  function draw() {
    const frame = FRAMES[position];
    heading.textContent = `${title(frame)} `;
    heading.append(element("code", { textContent: frame.label }));
    sentence.textContent = frame.sentence;
    grids.replaceChildren(...pictures(frame));
    slider.value = position;
    slider.setAttribute("aria-valuetext", title(frame));
  }

  const keys = {
    ArrowRight: () => position + 1,
    ArrowLeft: () => position - 1,
    PageDown: () => otherRound(position, 1),
    PageUp: () => otherRound(position, -1),
    Home: () => 0,
    End: () => LAST,
  };
  box.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
    if (!plain || !(event.key in keys)) return;
    event.preventDefault(); // the page must not scroll,
    event.stopPropagation(); // and the notebook must not take the key for a move between cells
    move(keys[event.key]());
  });
  slider.addEventListener("input", () => move(Number(slider.value)));

  draw();
  el.append(box);
  return () => box.remove();
}

export default { render };
