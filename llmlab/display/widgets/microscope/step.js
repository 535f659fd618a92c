// The view that steps: one token's way through the model, part by part.

import { llmlab } from "../shared/common.js";
import { nextTokens } from "./look.js";

export function stepView(lab, model, changed) {
  const { html, colour } = llmlab;
  const { D, H, V, blocks } = lab.gpt;
  const stages = [
    ["Embedding", () => `Token ${lab.tokens[lab.at]} of ${V}, “${lab.names[lab.at]}”, picks its row of the table: ${D} numbers. From here on they are all that the model knows of it.`],
    ...blocks.flatMap((_, layer) => [
      [`Block ${layer}, attention`, () => `${H} heads gather from “${lab.names[lab.at]}” and the ${lab.at} tokens before it. What they bring is added to the stream; nothing is overwritten.`],
      [`Block ${layer}, feed-forward`, () => "Now the token works alone: wider, a bend, and back. The result is added, too."],
    ]),
    ["Final norm", () => "The stream has grown on its way. The norm brings it to one scale: from here only its direction counts."],
    ["Logits", () => `Each of the ${V} rows of the same table is multiplied with the vector. The rows that point its way score highest: the likeliest next tokens.`],
  ];
  let stage = 0;

  const buttons = stages.map(([name], index) => html("button", { type: "button", role: "radio", onclick: () => go(index) },
    html("span", { text: name }), html("span", { class: "ll-bar" }), html("small")));
  const rail = html("div", { class: "ll-stages", role: "radiogroup", "aria-label": "Stage. Arrow keys move.", onkeydown: onKey }, ...buttons);
  const move = (text, by) => html("button", { class: "ll-button", type: "button", text, onclick: () => go(stage + by) });
  const [back, next] = [move("Back", -1), move("Next", 1)];
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const size = html("p", { class: "ll-quiet" });
  const stripe = html("canvas", { class: "ll-stripe", "aria-hidden": "true" });
  const bars = nextTokens(lab, 5);
  const node = html("div", {}, html("div", { class: "ll-body" }, rail,
    html("div", { class: "ll-stage" }, says, size, stripe, bars.node, html("div", { class: "ll-actions" }, back, next))));

  function go(index) {
    stage = Math.min(Math.max(index, 0), stages.length - 1);
    changed();
  }

  function onKey(event) {
    const to = { ArrowUp: stage - 1, ArrowLeft: stage - 1, ArrowDown: stage + 1, ArrowRight: stage + 1,
      Home: 0, End: stages.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
    buttons[stage].focus();
  }

  /** What the model holds of token t after a stage. */
  function vector(index, t) {
    const { stream, last } = lab.reading;
    const rows = index < stream.length ? stream[index] : last;
    return rows.subarray(t * D, (t + 1) * D);
  }
  const norm = (values) => Math.hypot(...values);
  const distance = (a, b) => norm(a.map((value, i) => value - b[i]));

  function measure(index) {
    const now = vector(index, lab.at);
    const length = `The vector is ${norm(now).toFixed(2)} long`;
    if (index === 0 || index > 2 * blocks.length) return `${length}.`;
    return `${length}; what this part added is ${distance(now, vector(index - 1, lab.at)).toFixed(2)} long.`;
  }

  /** The D numbers as a stripe: one colour above zero, another below, deeper the farther away. */
  function paint(values) {
    const pen = stripe.getContext("2d");
    const most = Math.max(...values.map(Math.abs));
    stripe.width = D;
    stripe.height = 1;
    const [above, below] = [colour(node, "--ll-accent"), colour(node, "--ll-mark")];
    values.forEach((value, i) => {
      pen.fillStyle = value < 0 ? below : above;
      pen.globalAlpha = Math.abs(value) / most;
      pen.fillRect(i, 0, 1, 1);
    });
  }

  function update(looks) {
    node.firstChild.hidden = !looks;
    if (!looks) return;
    const norms = stages.map((_, index) => norm(vector(index, lab.at)));
    buttons.forEach((button, index) => {
      button.setAttribute("aria-checked", index === stage);
      button.tabIndex = index === stage ? 0 : -1;
      const scores = index === stages.length - 1;
      button.children[1].style.setProperty("--chance", scores ? 0 : norms[index] / Math.max(...norms));
      button.children[2].textContent = scores ? "" : norms[index].toFixed(1);
    });
    const final = stage === stages.length - 1;
    says.textContent = stages[stage][1]();
    size.textContent = final ? "" : measure(stage);
    stripe.hidden = final;
    bars.node.hidden = !final;
    if (final) bars.update();
    else paint(vector(stage, lab.at));
    back.setAttribute("aria-disabled", stage === 0); // really disabled, it would lose the focus
    next.setAttribute("aria-disabled", final);
  }

  /** Every token's chip says how long its vector is at this stage. */
  function shades() {
    const norms = lab.tokens.map((_, t) => norm(vector(stage, t)));
    return norms.map((length) => ({ level: length / Math.max(...norms) / 2, note: length.toFixed(1) }));
  }

  return { node, shades, update };
}
