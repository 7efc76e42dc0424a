// Shows one of PAGES at a time; PAGES (a name and some HTML each) and LABEL are put in front of this file by slider.py.

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function render({ el }) {
  const range = element("input", { type: "range", min: 0, max: PAGES.length - 1, value: 0 });
  range.setAttribute("aria-label", LABEL);
  const place = element("output");
  const page = element("div", { className: "page" });
  const controls = element("div", { className: "controls" }, element("span", { textContent: `${LABEL}:` }), range, place);
  const box = element("div", { className: "lepton-slider" }, controls, page);
  // JupyterLab would take the arrow keys for itself before they reach us
  box.setAttribute("data-lm-suppress-shortcuts", "true");

  function draw() {
    const { name, html } = PAGES[range.value];
    range.setAttribute("aria-valuetext", name);
    place.textContent = name;
    page.innerHTML = html;
  }

  range.addEventListener("input", draw);
  range.addEventListener("keydown", (event) => event.stopPropagation());
  draw();
  el.append(box);
  return () => box.remove();
}

export default { render };
