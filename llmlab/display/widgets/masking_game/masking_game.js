// The masking game. The model's guesses were computed beforehand; the reader's are typed here.

import { llmlab } from "../shared/common.js";

function render({ model, el }) {
  const { html, unique } = llmlab;
  const lines = model.get("lines");
  const blanks = model.get("blanks");
  const rival = model.get("name");
  const total = blanks.reduce((count, places) => count + places.length, 0);
  const id = unique("mask");
  const same = (one, other) => one.toLowerCase() === other.toLowerCase();
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  let round = 0;
  let filled = []; // of this line: {right, theirs} for each blank that is done
  let score = { you: 0, model: 0, asked: 0 };

  // --- what the page holds ---
  const count = html("span", { class: "ll-quiet" });
  const line = html("p", { class: "ll-line" });
  const hint = html("p", { class: "ll-quiet" });
  const verdict = html("p", { class: "ll-verdict", "aria-live": "polite" });
  const guesses = html("div", { class: "ll-guesses" });
  const scores = html("p", { class: "ll-scores" });
  const next = html("button", { class: "ll-button", type: "button", onclick: () => start(round + 1) });
  const skip = html("button", { class: "ll-button", type: "button", text: "I do not know", onclick: () => guess("") });
  const root = html("div", { class: "llmlab ll-mask", role: "group", "aria-labelledby": `${id}-title` },
    html("div", { class: "ll-top" }, html("div", { class: "ll-title", id: `${id}-title`, text: model.get("title") || `You against ${rival}` }), count),
    line, hint, html("div", { class: "ll-controls" }, skip, next), verdict, scores, guesses);
  // A notebook's own shortcuts must not fire while the reader types.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  /** Begin a line; after the last one, begin the game again. */
  function start(which, quietly = false) {
    if (which >= lines.length) score = { you: 0, model: 0, asked: 0 };
    round = which % lines.length;
    filled = [];
    verdict.textContent = "";
    guesses.replaceChildren();
    draw();
    if (!quietly) line.querySelector("input")?.focus();
  }

  function guess(letter) {
    const blank = blanks[round][filled.length];
    const truth = lines[round][blank.place];
    const [theirs] = blank.guesses[0];
    const right = same(letter, truth);
    filled.push({ right, theirs: same(theirs, truth) });
    score.asked += 1;
    score.you += right;
    score.model += same(theirs, truth);
    const you = right ? "Right" : letter ? `Not “${letter}”` : "Passed";
    verdict.textContent = `${you}: the letter is “${truth}”. ${rival} said “${theirs}”, with ${percent(blank.guesses[0][1])}.`;
    verdict.dataset.state = right ? "right" : "wrong";
    showGuesses(blank.guesses, truth);
    draw();
    (line.querySelector("input") || next).focus();
  }

  function showGuesses(found, truth) {
    guesses.replaceChildren(html("div", { class: "ll-quiet", text: `${rival}’s guesses` }), ...found.map(([letter, share]) =>
      html("div", { class: "ll-guess", "data-right": same(letter, truth) }, html("code", { text: letter }),
        html("i", { style: `--share: ${share}`, "aria-hidden": "true" }), html("span", { text: percent(share) }))));
  }

  function field(number) {
    return html("input", { type: "text", maxlength: 1, autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      "aria-label": `Hidden letter ${number + 1} of ${blanks[round].length} in this line: type your guess`,
      oninput: (event) => { if (/\p{L}/u.test(event.target.value)) guess(event.target.value); else event.target.value = ""; } });
  }

  function drawLine() {
    const places = blanks[round].map(({ place }) => place);
    const now = blanks[round][filled.length];
    line.replaceChildren(...[...lines[round]].map((letter, at) => {
      const number = places.indexOf(at);
      const seen = now && at >= now.from && at < now.to;
      const done = filled[number];
      const inner = number < 0 ? letter : done ? html("b", { "data-state": done.right ? "right" : "wrong", text: letter })
        : number === filled.length ? field(number) : html("span", { class: "ll-later", text: "_" });
      return html("span", { class: "ll-letter", "data-seen": seen }, inner);
    }));
  }

  function draw() {
    drawLine();
    const over = filled.length === blanks[round].length;
    const last = round === lines.length - 1;
    count.textContent = `line ${round + 1} of ${lines.length}`;
    hint.textContent = over ? "" : `You see the whole line; ${rival} sees what is underlined. Only letters are hidden.`;
    skip.hidden = over;
    next.hidden = !over;
    next.textContent = last ? "Play again" : "Next line";
    scores.textContent = score.asked ? `${over && last ? "Final score: you" : "You"} ${score.you}, ${rival} ${score.model}, of ${score.asked} letter${score.asked > 1 ? "s" : ""}.`
      : `${total} letters to guess.`;
  }

  start(0, true);
  return () => root.remove();
}

export default { render };
