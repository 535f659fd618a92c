// The view that writes: a text, the knobs, and what the model makes of both.

import { Reading } from "../../engine/gpt.js";
import { write } from "../../engine/sampling.js";
import { llmlab } from "../shared/common.js";

export function writeView(lab, model) {
  const { html } = llmlab;
  const length = model.get("length");
  const board = knobBoard(model.get("knobs"), lab.gpt.V);
  const start = html("button", { class: "ll-button ll-main", type: "button", onclick: () => (frame ? finish("Stopped") : run()) });
  const another = html("button", { class: "ll-button", type: "button", text: "Another",
    onclick: () => { board.nextSeed(); run(); } });
  const says = html("span", { class: "ll-quiet", role: "status", text: `Below: written in Python with seed ${board.seed()}.` });
  const before = html("span", { class: "ll-prompt", text: model.get("text") });
  const after = html("span", { text: model.get("sample") });
  const bar = html("div", { class: "ll-actions" }, start, another, says);
  const paper = html("div", { class: "ll-paper", role: "group", "aria-label": "What the model wrote" }, before, after);
  const node = html("div", {}, board.node, bar, paper);
  if (model.get("view") === "write") { // alone, it is kept simple
    node.append(html("details", {}, html("summary", { text: "How it chooses" }), board.node));
  }
  let frame = 0; // the animation frame in which the next token comes
  let count = 0;
  board.nextSeed(); // the first text of the page is to be a new one
  label();

  function label() {
    start.textContent = frame ? "Stop" : "Write";
  }

  function run() {
    cancelAnimationFrame(frame);
    frame = 0;
    const { values, wrong } = board.read();
    const problem = wrong || (lab.prompt.length ? "" : lab.note);
    says.textContent = problem || "Writing …";
    if (!problem) go(values);
    label();
  }

  function go(values) {
    const tokens = write(new Reading(lab.gpt, [...lab.reading.off]), lab.prompt, values);
    const decode = lab.tokenizer.decoder();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    before.textContent = lab.tokenizer.decode(lab.prompt);
    after.textContent = "";
    count = 0;
    const step = () => {
      do after.append(decode([tokens.next().value])); while (++count < length && still);
      if (count < length) {
        frame = requestAnimationFrame(step);
      } else {
        after.append(decode([], false)); // what was held back of an unfinished character
        finish("Done");
      }
    };
    step();
  }

  function finish(word) {
    cancelAnimationFrame(frame);
    frame = 0;
    label();
    says.textContent = `${word}: ${count} tokens, seed ${board.seed()}.`;
  }

  return { node, update: () => {}, stop: () => frame && finish("Stopped") };
}

/** The knobs that decide how the next token is chosen. */
function knobBoard(given, V) {
  const { html } = llmlab;
  const first = { temperature: 1, top_p: 1, top_k: V, seed: 0, ...given };
  const knob = (name, label, type, range) => {
    const shown = html("b");
    const show = () => { shown.textContent = type === "range" ? input.value : ""; };
    const input = html("input", { type, ...range, oninput: show });
    input.value = first[name];
    show();
    return { input, label, node: html("label", { class: "ll-knob" }, html("span", {}, `${label} `, shown), input) };
  };
  const knobs = {
    temperature: knob("temperature", "temperature", "range", { min: 0, max: 2, step: 0.1 }),
    topP: knob("top_p", "top-p", "range", { min: 0.05, max: 1, step: 0.05 }),
    topK: knob("top_k", "top-k", "number", { min: 1, max: V, step: 1 }),
    seed: knob("seed", "seed", "number", { min: 0, max: 999_999_999, step: 1 }),
  };
  const entries = Object.entries(knobs);
  const seed = knobs.seed.input;

  function read() {
    const bad = entries.map(([, entry]) => entry).find(({ input }) => !input.value || !input.validity.valid);
    if (bad) return { wrong: `${bad.label} must be a whole number from ${bad.input.min} to ${bad.input.max}.` };
    return { values: Object.fromEntries(entries.map(([name, { input }]) => [name, input.valueAsNumber])) };
  }

  return {
    node: html("div", { class: "ll-knobs" }, ...entries.map(([, entry]) => entry.node)),
    read,
    seed: () => seed.value,
    nextSeed: () => { seed.value = (Number(seed.value) || 0) + 1; },
  };
}
