// The microscope's frame: tabs for its views, the text, and the text's tokens.

import { GPT, Reading } from "../../engine/gpt.js";
import { makeTokenizer } from "../../engine/tokenizer.js";
import { llmlab } from "../shared/common.js";
import { headsView } from "./heads.js";
import { lookView } from "./look.js";
import { stepView } from "./step.js";
import { writeView } from "./write.js";

const LONGEST = 4000; // characters: of a longer text only the end is cut into tokens
const MICROSCOPE_VIEWS = {
  write: ["Write", writeView],
  look: ["Look", lookView],
  step: ["Step", stepView],
  heads: ["Heads", headsView],
};

/** What the views share: the model, the text, and what the model makes of it. */
class Lab {
  constructor(model) {
    this.gpt = new GPT(model.get("config"), model.get("weights"));
    this.tokenizer = makeTokenizer(model.get("tokenizer"));
    this.whole = new Reading(this.gpt);
    this.reading = this.whole; // or one with some heads off
    this.layer = this.head = 0; // the head that is looked at
    this.chosen = null; // the token that is looked at; null is the last
  }

  /** Cut a text into tokens; `note` says what the reader should know about it. */
  take(text) {
    const { context } = this.gpt;
    this.prompt = [];
    this.note = text ? "" : "There is no text yet: type some.";
    try {
      if (text) this.prompt = this.tokenizer.encode(text.slice(-LONGEST));
    } catch (error) {
      this.note = error.message;
    }
    this.tokens = this.prompt.slice(-context);
    this.names = this.tokens.map((id) => this.name(id));
    if (this.prompt.length > context) {
      this.note = `This text is longer than the model can see: it reads the last ${context} tokens.`;
    }
    this.chosen = null;
  }

  get at() {
    return this.chosen ?? this.tokens.length - 1;
  }

  name(id) {
    return llmlab.visible(this.tokenizer.piece(id));
  }

  /** Turn a head off, or on again; without a head, all on. */
  toggle(head) {
    const off = new Set(head ? this.reading.off : []);
    if (!off.delete(head) && head) off.add(head);
    this.reading = off.size ? new Reading(this.gpt, [...off]) : this.whole;
  }

  get silent() {
    return [...this.reading.off].sort().map((name) => `layer ${name.replace(",", ", head ")}`).join("; ");
  }
}

function render({ model, el }) {
  const { html, unique, onTheme } = llmlab;
  const title = model.get("title") || "A GPT in this page";
  const root = html("div", { class: "llmlab ll-attention ll-scope", role: "group", "aria-label": title });
  // A notebook's own shortcuts must not fire while the reader types.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);
  let lab;
  try {
    lab = new Lab(model);
  } catch (error) {
    root.append(html("p", { role: "alert", text: `The model cannot run. ${error.message}` }));
    return () => root.remove();
  }

  const only = model.get("view");
  const names = only in MICROSCOPE_VIEWS ? [only] : Object.keys(MICROSCOPE_VIEWS);
  const id = unique("scope");
  const text = html("textarea", { id: `${id}-text`, rows: names.length > 1 ? "3" : "2", spellcheck: "false", oninput: later });
  text.value = model.get("text");
  const note = html("p", { class: "ll-note ll-quiet", role: "status" });
  const strip = tokenStrip(lab, `${id}-token`, update);
  const silent = html("span", { role: "status" });
  const on = html("button", { class: "ll-button", type: "button", text: "Switch them on",
    onclick: () => { lab.toggle(); text.focus(); update(); } });
  const off = html("p", { class: "ll-off" }, silent, on);
  const panel = html("div", { id: `${id}-panel` });
  const views = names.map((name) => MICROSCOPE_VIEWS[name][1](lab, model, update));
  let shown = 0;
  let frame = 0;

  const tabs = names.map((name, index) => html("button", { class: "ll-button", type: "button", role: "tab",
    id: `${id}-${name}`, "aria-controls": `${id}-panel`, text: MICROSCOPE_VIEWS[name][0], onclick: () => show(index) }));
  const bar = html("div", { class: "ll-controls", role: "tablist", "aria-label": "View", onkeydown: onTabKey }, ...tabs);
  const label = html("label", { class: tabs.length > 1 ? "ll-quiet" : "ll-unseen", for: text.id });
  panel.append(label, text, note, off, strip.node, ...views.map((view) => view.node));
  const top = html("div", { class: "ll-top" }, html("div", { class: "ll-title", text: title }));
  if (tabs.length > 1) {
    top.append(bar);
    panel.setAttribute("role", "tabpanel");
  }
  root.append(top, panel, html("p", { class: "ll-facts ll-quiet", text: model.get("facts") }));

  function show(index) {
    views[shown].stop?.();
    shown = index;
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", at === index);
      tab.tabIndex = at === index ? 0 : -1;
    });
    if (tabs.length > 1) panel.setAttribute("aria-labelledby", tabs[index].id);
    label.textContent = names[index] === "write" ? "Text to go on from" : "Text to look at";
    views.forEach((view, at) => { view.node.hidden = at !== index; });
    update();
  }

  function onTabKey(event) {
    const index = { ArrowLeft: shown - 1, ArrowRight: shown + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (index === undefined) return;
    event.preventDefault();
    show((index + tabs.length) % tabs.length);
    tabs[shown].focus();
  }

  /** Several keys may come within one frame: they are answered together. */
  function later() {
    lab.take(text.value);
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(update);
  }

  function update() {
    const view = views[shown];
    const looks = Boolean(view.shades && lab.tokens.length);
    if (looks) lab.reading.read(lab.tokens); // what it has read before costs nothing
    strip.node.hidden = !looks;
    off.hidden = !lab.reading.off.size;
    silent.textContent = off.hidden ? "" : `Off: ${lab.silent}. `;
    note.textContent = lab.note;
    view.update(looks);
    if (looks) strip.update(view.shades());
  }

  lab.take(text.value);
  show(0);
  const stopTheme = onTheme(update);
  return () => {
    cancelAnimationFrame(frame);
    stopTheme();
    views.forEach((view) => view.stop?.());
    root.remove();
  };
}

/** The tokens as chips; arrow keys or a click choose one. A view shades and annotates them. */
function tokenStrip(lab, id, changed) {
  const { html } = llmlab;
  const choose = (t) => {
    lab.chosen = Math.min(Math.max(t, 0), lab.tokens.length - 1);
    changed();
  };
  const node = html("div", { class: "ll-tokens", role: "listbox", tabindex: "0", "aria-orientation": "horizontal",
    "aria-label": "Tokens of the text. Arrow keys choose one.",
    onkeydown: (event) => {
      const t = { ArrowLeft: lab.at - 1, ArrowUp: lab.at - 1, ArrowRight: lab.at + 1, ArrowDown: lab.at + 1,
        Home: 0, End: Infinity }[event.key];
      if (t === undefined) return;
      event.preventDefault();
      choose(t);
    },
    onclick: (event) => {
      const t = [...node.children].indexOf(event.target.closest(".ll-token"));
      if (t >= 0) choose(t);
    } });
  const chip = ({ level = 0, note = "", kind }, t) =>
    html("span", { class: "ll-token", role: "option", id: `${id}-${t}`, "aria-selected": String(t === lab.at),
      "data-kind": kind, style: `--weight: ${Math.min(level, 1).toFixed(3)}` }, lab.names[t], html("small", { text: note }));
  const update = (shades) => {
    node.replaceChildren(...shades.map(chip));
    node.setAttribute("aria-activedescendant", `${id}-${lab.at}`);
  };
  return { node, update };
}

export default { render };
