// The view that switches heads off, and says what that does to the loss of the text.

import { Reading } from "../../engine/gpt.js";
import { llmlab } from "../shared/common.js";

const signed = (number, digits = 2) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;

export function headsView(lab, model, changed) {
  const { html } = llmlab;
  const { blocks, H } = lab.gpt;
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const toggles = blocks.flatMap((_, layer) => Array.from({ length: H }, (__, head) => {
    const name = `${layer},${head}`;
    const state = html("span");
    const alone = html("small"); // the change of the loss when this head alone is off
    const button = html("button", { class: "ll-button", type: "button", onclick: () => { lab.toggle(name); changed(); } },
      html("span", { class: "ll-unseen", text: `layer ${layer}, head ${head}: ` }), state, alone);
    return { name, button, state, alone };
  }));
  const grid = html("div", { class: "ll-maps ll-toggles", role: "group", "aria-label": "Heads", style: `--heads: ${H}` },
    ...gridWithNames(lab, toggles.map(({ button }) => button)));
  const hint = html("p", { class: "ll-quiet", text: "Under each head: how much the loss changes, in nats per token, "
    + "when that head alone is off. Under each token: its surprise in nats, or how much it changed." });
  const node = html("div", {}, says, grid, hint);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  let timer = 0;
  let tried = ""; // the text on which heads are tried alone,
  let next = 0; // and the head whose turn it is
  let base = []; // surprises with every head on
  let now = [];

  function sentence() {
    if (!base.length) return "The loss needs at least two tokens: one to read, one to predict.";
    const [before, after] = [mean(base), mean(now)];
    const loss = `With every head on, the loss of this text is ${before.toFixed(3)} nats per token.`;
    if (!lab.reading.off.size) return `${loss} Switch a head off.`;
    const change = after - before;
    return `${loss} Without ${lab.silent} it is ${after.toFixed(3)}: ${signed(change)}.`;
  }

  /** Try each head alone, one a task, once the reader pauses. */
  function tryNext() {
    const { name, alone } = toggles[next++];
    const without = new Reading(lab.gpt, [name]).read(lab.tokens).surprises();
    alone.textContent = signed(mean(without) - mean(base));
    if (next < toggles.length) timer = setTimeout(tryNext, 0);
  }

  function update(looks) {
    clearTimeout(timer);
    for (const part of node.children) part.hidden = !looks;
    if (!looks) return;
    base = lab.whole.read(lab.tokens).surprises();
    now = lab.reading === lab.whole ? base : lab.reading.surprises();
    says.textContent = sentence();
    for (const { name, button, state } of toggles) {
      const off = lab.reading.off.has(name);
      button.setAttribute("aria-pressed", !off);
      state.textContent = off ? "off" : "on";
    }
    if (tried !== String(lab.tokens)) {
      [tried, next] = [String(lab.tokens), 0];
      for (const { alone } of toggles) alone.textContent = "";
    }
    if (base.length && next < toggles.length) timer = setTimeout(tryNext, 250);
  }

  function shades() {
    const changes = base.map((surprise, t) => now[t] - surprise);
    const shown = lab.reading.off.size
      ? changes.map((change) => ({ level: Math.abs(change), kind: change < 0 ? "better" : "worse",
        note: Math.abs(change) < 0.05 ? "" : signed(change, 1) }))
      : base.map((surprise) => ({ level: surprise / 10, note: surprise.toFixed(1) }));
    return [{}, ...shown]; // nothing predicts the first token
  }

  return { node, shades, update, stop: () => clearTimeout(timer) };
}
