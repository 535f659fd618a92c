// Merges step by step. The reader's text is cut and merged here, in the page.

import { makeTokenizer } from "../../engine/tokenizer.js";
import { llmlab } from "../shared/common.js";

function render({ model, el }) {
  const { html, visible, listen, unique } = llmlab;
  const base = model.get("base");
  const bytes = [...new Uint8Array(base.buffer || base, base.byteOffset || 0, base.byteLength)];
  const merges = model.get("merges");
  const id = unique("bpe");

  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const clamp = (step) => Math.min(merges.length, Math.max(0, step));
  const tokenizer = (step) => makeTokenizer({ kind: "bpe", bytes, merges: merges.slice(0, step) });
  const last = tokenizer(merges.length);
  const show = (token) => visible(last.piece(token));
  const words = () => model.get("text").match(WORDS) || [];

  // --- what the page holds ---
  const field = html("textarea", { rows: 2, id: `${id}-text`, maxlength: model.get("longest"), spellcheck: "false", autocomplete: "off",
    oninput: (event) => set("text", event.target.value) });
  const slider = html("input", { type: "range", min: 0, max: merges.length, step: 1, "aria-label": "merges made",
    oninput: (event) => set("step", +event.target.value) });
  const button = (text, label, act) => html("button", { class: "ll-button", type: "button", text, "aria-label": label, onclick: act });
  const buttons = [
    button("« bytes", "no merge: bytes", () => set("step", 0)),
    button("‹ back", "back to the merge before, in this text", () => set("step", neighbour(-1))),
    button("next ›", "on to the next merge, in this text", () => set("step", neighbour(1))),
    button("all »", "all merges", () => set("step", merges.length)),
  ];
  const pieces = html("div", { class: "ll-pieces", role: "list", "aria-label": "Pieces of the text" });
  const merge = html("p", { class: "ll-merge" });
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const root = html("div", { class: "llmlab ll-bpe", role: "group", "aria-labelledby": `${id}-title` },
    html("div", { class: "ll-title", id: `${id}-title`, text: model.get("title") || "A text, merge by merge" }),
    html("label", { class: "ll-quiet", for: `${id}-text`, text: "Type a text of your own" }), field,
    html("div", { class: "ll-controls" }, ...buttons, slider), pieces, merge, says);
  // A notebook's own shortcuts must not fire while the reader types.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  /** The nearest step before or after this one whose merge joins something in this text. */
  function neighbour(direction) {
    const now = model.get("step");
    const used = new Set(); // every token is a tree of the merges that made it
    const note = (token) => {
      if (token < bytes.length || used.has(token)) return;
      used.add(token);
      merges[token - bytes.length].forEach(note);
    };
    words().flatMap((word) => last.encode(word)).forEach(note);
    const ahead = [...used].map((token) => token - bytes.length + 1).filter((step) => direction * (step - now) > 0);
    if (!ahead.length) return direction > 0 ? merges.length : 0;
    return direction > 0 ? Math.min(...ahead) : Math.max(...ahead);
  }

  function describeMerge(step, cut) {
    if (!step) return "No merge yet: every piece is one byte.";
    const [left, right] = merges[step - 1];
    const token = bytes.length + step - 1;
    const met = cut.flat().filter((other) => other === token).length;
    const here = met ? `joined here ${met === 1 ? "once" : `${met} times`}` : "not in this text";
    return `Merge ${step}: ${show(left)} + ${show(right)} → ${show(token)}, ${here}.`;
  }

  function sentence(step, cut) {
    const letters = [...model.get("text")].length;
    const tokens = cut.flat().length;
    const each = Math.log2(bytes.length + step);
    return `After ${step} of ${merges.length} merges: ${letters} characters in ${tokens} tokens; at ${each.toFixed(2)} bits a token they take `
      + `${(tokens * each).toFixed(0)} bits, ${((tokens * each) / letters).toFixed(2)} a character.`;
  }

  function draw() {
    const step = clamp(model.get("step"));
    const now = tokenizer(step);
    const cut = words().map((word) => now.encode(word)); // the tokens of each word
    if (field.value !== model.get("text")) field.value = model.get("text");
    slider.value = step;
    slider.setAttribute("aria-valuetext", `${step} of ${merges.length} merges`);
    buttons.forEach((node, index) => { node.disabled = index < 2 ? step === 0 : step === merges.length; });
    const newest = step ? bytes.length + step - 1 : -1;
    pieces.replaceChildren(...cut.map((word) => html("span", { class: "ll-word", role: "presentation" },
      ...word.map((token) => html("span", { class: "ll-piece", role: "listitem", "data-new": token === newest, text: show(token) })))));
    merge.textContent = describeMerge(step, cut);
    says.textContent = cut.length ? sentence(step, cut) : "The text is empty: type something.";
  }

  const stop = listen(model, ["text", "step"], draw);
  draw();
  return () => { stop(); root.remove(); };
}

export default { render };
