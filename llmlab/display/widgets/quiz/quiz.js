// A quiz. Every choice has its explanation, which appears when the reader has taken the choice.
// What was answered is kept (progress.js) and shown again on the next visit.

import { llmlab } from "../shared/common.js";
import { progress } from "../shared/progress.js";
import { numbers } from "./numbers.js";

function render({ model, el }) {
  const { html } = llmlab;
  const { readings, direction } = numbers;
  const questions = model.get("questions");
  const name = model.get("name");
  const key = `quiz:${name}`;
  let { first, answers } = load();

  /** What is kept: `first`, was the first check right?, and `answers`, indices of choices or text. */
  function load() {
    const kept = progress.load(key);
    const fits = (list) => Array.isArray(list) && list.length === questions.length;
    const restored = (list) => (fits(list) ? list : questions.map(() => null));
    return { first: restored(kept?.first), answers: restored(kept?.answers) };
  }

  /** Text with `code` and *emphasis*, as nodes: nothing of it is ever parsed as HTML. */
  function rich(text) {
    return text.split(/(`[^`]+`|\*[^*\s][^*]*\*)/).filter(Boolean).map((piece) => {
      if (/^`.+`$/.test(piece)) return html("code", { text: piece.slice(1, -1) });
      if (/^\*.+\*$/.test(piece)) return html("em", { text: piece.slice(1, -1) });
      return piece;
    });
  }

  const score = html("p", { class: "ll-score ll-quiet", "aria-live": "polite" });
  const note = html("div", { class: "ll-quiet", role: "status" }); // says if nothing can be kept
  /** Keep an answer beside those that other tabs may have kept meanwhile. */
  function keep(index, answer, right = null) {
    takeOver();
    answers[index] = answer;
    first[index] ??= right;
    note.textContent ||= progress.save(key, { answers, first });
    showScore();
  }

  function takeOver() {
    const before = answers;
    ({ first, answers } = load());
    forms.forEach(({ show }, index) => {
      if (String(before[index]) !== String(answers[index])) show(answers[index]);
    });
    showScore();
  }

  function showScore() {
    const done = first.filter((value) => value !== null);
    const total = questions.length;
    if (!done.length) score.textContent = `${total} questions`;
    else if (done.length < total) score.textContent = `${done.length} of ${total} answered`;
    else score.textContent = `${done.filter(Boolean).length} of ${total} right at the first try`;
  }

  function why(choice) {
    const word = choice.correct ? "Right. " : "No. ";
    return html("span", { class: "ll-why" }, html("b", { text: word }), ...rich(choice.why));
  }

  function actions(onReset) {
    const says = html("span", { class: "ll-says", role: "status" });
    const check = html("button", { class: "ll-button", type: "submit", text: "Check" });
    const again = html("button", { class: "ll-button", type: "button", text: "Try again", hidden: true, onclick: onReset });
    const say = (text, state) => { says.textContent = text; says.dataset.state = state || ""; };
    const close = (closed) => { again.hidden = !closed; check.hidden = closed; };
    const open = () => { say(""); close(false); };
    return { node: html("div", { class: "ll-actions" }, check, again, says), again, say, open, close };
  }

  function chosen(question, index) {
    const type = question.kind === "single" ? "radio" : "checkbox";
    const rows = question.choices.map((choice, at) => {
      const input = html("input", { type, name: `${name}-${index}`, id: `${name}-${index}-${at}` });
      const words = html("span", {}, ...rich(choice.text));
      return { choice, input, words, row: html("label", { class: "ll-choice", for: input.id }, input, words) };
    });
    const clear = () => rows.forEach(({ row, words }) => {
      delete row.dataset.state;
      words.querySelector(".ll-why")?.remove();
    });
    /** Show indices that were taken, as judged; null shows the question open. */
    const show = (taken) => {
      clear();
      rows.forEach(({ input }, at) => { input.checked = [taken].flat().includes(at); input.disabled = false; });
      bar.open();
      if (rows.some(({ input }) => input.checked)) judge();
    };
    const reset = () => {
      show(null);
      rows[0].input.focus();
      keep(index, null);
    };
    const bar = actions(reset);
    const judge = () => {
      const taken = rows.filter(({ input }) => input.checked);
      const right = rows.every(({ input, choice }) => input.checked === choice.correct);
      clear();
      for (const { row, words, choice, input } of rows) {
        if (!input.checked && !right) continue; // what was not taken stays to be found
        if (input.checked) row.dataset.state = choice.correct ? "right" : "wrong";
        if (!input.checked) words.append(html("span", { class: "ll-why" }, ...rich(choice.why)));
        else words.append(why(choice));
      }
      const wrong = taken.filter(({ choice }) => !choice.correct).length;
      bar.say(right ? "Right." : wrong ? "Not yet." : "Right so far, but there is more.", right ? "right" : "wrong");
      rows.forEach(({ input }) => { input.disabled = right; });
      bar.close(right);
      return right;
    };
    const submit = () => {
      const taken = rows.flatMap(({ input }, at) => (input.checked ? [at] : []));
      if (!taken.length) { bar.say("Choose an answer first."); return; }
      const right = judge();
      if (right) bar.again.focus();
      keep(index, taken, right);
    };
    const group = html("div", { role: type === "radio" ? "radiogroup" : "group", "aria-labelledby": `${name}-${index}-prompt` },
      ...rows.map(({ row }) => row));
    const hint = type === "checkbox" ? [html("div", { class: "ll-quiet", text: "More than one may be right." })] : [];
    return { parts: [...hint, group, bar.node], submit, show };
  }

  function typed(question, index) {
    const input = html("input", { type: "text", inputmode: "decimal", autocomplete: "off", id: `${name}-${index}-0`,
      "aria-labelledby": `${name}-${index}-prompt` });
    const answer = html("p", { class: "ll-answer", hidden: true });
    const show = (text) => {
      input.value = text === null ? "" : String(text);
      input.disabled = false; answer.hidden = true; bar.open();
      if (readings(input.value).length) judge();
    };
    const reset = () => {
      show(null);
      input.focus();
      keep(index, null);
    };
    const bar = actions(reset);
    const wanted = Number(question.choices.find(({ correct }) => correct).text);
    const judge = () => {
      const values = readings(input.value);
      const near = ({ text }) => values.some((value) =>
        Math.abs(value - Number(text)) <= Math.max(question.tolerance, 1e-9 * Math.abs(value)));
      const met = question.choices.find((choice) => choice.correct && near(choice)) || question.choices.find(near);
      const right = Boolean(met && met.correct);
      answer.hidden = !met;
      if (met) { answer.dataset.state = right ? "right" : "wrong"; answer.replaceChildren(why(met)); }
      bar.say(right ? "Right." : met ? "Not yet." : `Not yet: ${direction(values[0], wanted)}.`, right ? "right" : "wrong");
      input.disabled = right;
      bar.close(right);
      return right;
    };
    const submit = () => {
      if (!readings(input.value).length) { bar.say("Type a number first."); return; }
      const right = judge();
      if (right) bar.again.focus();
      keep(index, input.value, right);
    };
    bar.node.prepend(input);
    return { parts: [bar.node, answer], submit, show };
  }

  const forms = questions.map((question, index) => {
    const { parts, submit, show } = (question.kind === "number" ? typed : chosen)(question, index);
    if (answers[index] !== null) show(answers[index]);
    const legend = html("legend", { id: `${name}-${index}-prompt` }, `${index + 1}. `, ...rich(question.prompt));
    const node = html("form", { onsubmit: (event) => { event.preventDefault(); submit(); } },
      html("fieldset", {}, legend, ...parts));
    return { node, show };
  });
  const unwatch = progress.watch(key, takeOver);
  showScore();
  const root = html("div", { class: "llmlab ll-quiz", role: "group", "aria-label": model.get("title") },
    html("div", { class: "ll-top" }, html("div", { class: "ll-title", text: model.get("title") })), ...forms.map(({ node }) => node), score, note);
  // A notebook's own shortcuts must not fire while the reader types or moves in the quiz.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);
  return () => { unwatch(); root.remove(); };
}

export default { render };
