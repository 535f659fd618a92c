// A verdict as the page shows it: the same parts in the same order as in a notebook.

import { llmlab } from "site/display.js";

const { html } = llmlab;
const MARKS = { passed: "✓", failed: "✗", "not attempted": "○", "grader error": "!", stopped: "■" };

/** Text with `code`, as nodes: nothing of it is ever parsed as HTML. */
function rich(text) {
  const pieces = text.split(/(`[^`]+`)/).filter(Boolean);
  return pieces.map((piece) => (/^`.+`$/s.test(piece) ? html("code", { text: piece.slice(1, -1) }) : piece));
}

/** The nodes that show `verdict`. */
export function verdictNodes({ status, message, hint, output }) {
  const title = status[0].toUpperCase() + status.slice(1);
  const nodes = [
    html("p", { class: "llmlab-verdict-title" },
      html("span", { "aria-hidden": "true", text: `${MARKS[status]} ` }), html("strong", { text: title })),
    html("p", {}, ...rich(message)),
  ];
  if (hint) nodes.push(html("p", {}, html("strong", { text: "Hint. " }), ...rich(hint)));
  if (output) {
    nodes.push(html("details", {}, html("summary", { text: "What your code printed" }),
      html("pre", { tabindex: "0", text: output })));
  }
  return nodes;
}

export { rich };
