// A GPT in one picture, drawn upwards as papers draw it: the stream runs along the left, and the
// parts stand beside it. Choosing a part says what it does and which shapes it makes.

import { llmlab } from "../shared/common.js";

function render({ model, el }) {
  const { html, listen, unique } = llmlab;
  const parts = model.get("parts");
  const layers = model.get("layers");
  const id = unique("arch");
  const sizes = (numbers) => numbers.map((number) => number.toLocaleString("en")).join(" × ");
  const shape = (letters) => `(${letters})`;
  const where = (part) => (part.block ? `, in each of the ${layers} blocks` : "");
  const clamp = (index) => Math.min(parts.length - 1, Math.max(0, index));

  function choose(index, focus = false) {
    model.set("chosen", clamp(index));
    model.save_changes(); // the model's change event redraws
    if (focus) tabs[clamp(index)].focus({ preventScroll: true });
  }

  // --- the picture ---
  const tabs = parts.map((part, index) => html("button", { class: "ll-part", type: "button", role: "tab", id: `${id}-${index}`,
    "aria-controls": `${id}-panel`, onclick: () => choose(index) }, html("span", { text: part.name }), html("span", { text: shape(part.shape) })));
  const rows = parts.map((part, index) => html("div", { class: `ll-row ll-${part.place} ll-${part.kind === "add" ? "plus" : part.kind}` },
    part.place === "add" ? html("span", { class: "ll-sum", "aria-hidden": "true", text: "+" }) : "", tabs[index]));
  const inBlock = parts.map((part) => part.block);
  const [first, after] = [inBlock.indexOf(true), inBlock.lastIndexOf(true) + 1];
  const name = layers > 1 ? `blocks 0 to ${layers - 1}, all built like this` : "block 0, the only one";
  const blocks = html("div", { class: "ll-blocks" }, ...rows.slice(first, after),
    html("span", { class: "ll-times ll-quiet", "aria-hidden": "true", text: name }));
  const picture = html("div", { class: "ll-picture", role: "tablist", "aria-orientation": "vertical", "aria-label": "The parts, from the tokens up" },
    ...rows.slice(0, first), blocks, ...rows.slice(after));
  picture.addEventListener("keydown", (event) => {
    const at = model.get("chosen");
    const to = { ArrowUp: at + 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowLeft: at - 1, Home: 0, End: parts.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to, true);
  });

  // --- what the chosen part says ---
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const more = html("div", {});
  const panel = html("div", { class: "ll-panel", role: "tabpanel", id: `${id}-panel` }, says, more);

  function row([what, letters, numbers]) {
    return html("tr", {}, html("th", { scope: "row", text: what }), html("td", { text: shape(letters) }), html("td", { text: sizes(numbers) }));
  }

  function draw() {
    const at = clamp(model.get("chosen"));
    const part = parts[at];
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", index === at);
      tab.tabIndex = index === at ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `${id}-${at}`);
    says.textContent = `${at + 1} of ${parts.length}: ${part.name}${where(part)}.`;
    const weights = part.weights ? `${part.weights.toLocaleString("en")} weights${part.block ? " in each block" : ""}.` : "No weights.";
    const shapes = part.inside.length ? part.inside : [["what it returns", part.shape, part.sizes]];
    more.replaceChildren(html("p", { text: part.text }), html("table", {}, html("tbody", {}, ...shapes.map(row))),
      html("p", { text: weights }), html("code", { text: part.code }));
    back.disabled = at === 0;
    next.disabled = at === parts.length - 1;
  }

  const button = (text, by) => html("button", { class: "ll-button", type: "button", text, onclick: () => choose(model.get("chosen") + by) });
  const [back, next] = [button("one part down", -1), button("one part up", 1)];
  const root = html("div", { class: "llmlab ll-arch", role: "group", "aria-labelledby": `${id}-title` },
    html("div", { class: "ll-top" }, html("div", { class: "ll-title", id: `${id}-title`, text: model.get("title") }),
      html("div", { class: "ll-controls" }, back, next)),
    html("div", { class: "ll-both" }, picture, panel));
  // A notebook's own shortcuts must not fire while the reader moves through the parts.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  draw();
  const stop = listen(model, ["chosen"], draw);
  return () => { stop(); root.remove(); };
}

export default { render };
