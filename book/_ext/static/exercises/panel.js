// What the reader has done, chapter by chapter, with a way to take it along and to forget it.

import catalogue from "site/catalogue.json";
import { llmlab, progress } from "site/display.js";

const { html } = llmlab;
const ROOT = new URL("../../", import.meta.url);
const LARGEST = 5e6; // bytes of a file to take in: what a browser keeps for a site
const button = (text, onclick) => html("button", { type: "button", text, onclick });

/** Fill `place` with the reader's progress, now and whenever it changes in another tab. */
export function showProgress(place) {
  const report = html("div", {});
  const says = html("p", { class: "llmlab-busy", role: "status" });
  const say = (words) => {
    says.textContent = words;
    refresh();
  };
  const { usual, sure, update } = buttons(say);
  const refresh = () => {
    report.replaceChildren(...reportNodes(catalogue.map(count)));
    update();
  };
  place.replaceChildren(report, usual, sure, says);
  refresh();
  addEventListener("storage", refresh);
  addEventListener("pageshow", refresh); // the reader came back with the browser's button
}

function count({ document, title, exercises, quizzes }) {
  const solved = exercises.filter((id) => progress.load(`exercise:${id}`)?.status === "passed");
  const answered = quizzes.map(({ name, questions }) => {
    const first = progress.load(`quiz:${name}`)?.first;
    const done = Array.isArray(first) ? first.filter((value) => value !== null).length : 0;
    return Math.min(done, questions);
  });
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  return {
    title,
    address: new URL(`${document}.html`, ROOT).href,
    exercises: [solved.length, exercises.length],
    questions: [sum(answered), sum(quizzes.map(({ questions }) => questions))],
  };
}

function reportNodes(chapters) {
  const done = chapters.some(({ exercises, questions }) => exercises[0] + questions[0] > 0);
  const [first] = chapters;
  if (!first) return [html("p", { text: "No chapter has exercises yet." })];
  if (!done) {
    const link = html("a", { href: first.address, text: first.title });
    const rest = " has your first exercises. What you solve and answer appears here; your browser keeps it, and nobody else learns of it.";
    return [html("p", {}, "Nothing yet: ", link, rest)];
  }
  const heads = ["Chapter", "Exercises solved", "Questions answered"];
  const row = ({ title, address, exercises, questions }) => html("tr", {},
    html("th", { scope: "row" }, html("a", { href: address, text: title })),
    html("td", {}, ...meter(exercises)), html("td", {}, ...meter(questions)));
  return [html("table", {},
    html("thead", {}, html("tr", {}, ...heads.map((text) => html("th", { scope: "col", text })))),
    html("tbody", {}, ...chapters.map(row)))];
}

function meter([done, total]) {
  const marks = Array.from({ length: total }, (_, i) => html("i", { class: i < done ? "done" : null }));
  const dots = html("span", { class: "llmlab-dots", "aria-hidden": "true" }, ...marks);
  return [html("span", { text: `${done} of ${total}` }), dots];
}

/** The buttons, and the question before all is forgotten; `say` hears what came of them. */
function buttons(say) {
  const file = html("input", { type: "file", accept: ".json", hidden: true });
  file.addEventListener("change", async () => say(await take(file)));
  const out = button("Export to a file", () => download(progress.exported()));
  const into = button("Import a file", () => file.click());
  const ask = (asking, focused) => {
    [usual.hidden, sure.hidden] = [asking, !asking];
    focused.focus(); // the button that was pressed is hidden now
  };
  const reset = button("Reset", () => ask(true, keep));
  const keep = button("Keep", () => ask(false, reset));
  const forget = button("Forget", () => {
    progress.reset();
    ask(false, into);
    say("All of it is forgotten.");
  });
  const words = html("span", { text: "Forget every answer and all your code?" });
  const usual = html("div", { class: "llmlab-buttons" }, out, into, reset, file);
  const sure = html("div", { class: "llmlab-buttons", hidden: true }, words, forget, keep);
  const update = () => { out.hidden = reset.hidden = !progress.keys().length; };
  return { usual, sure, update };
}

/** Take in the file that was chosen; returns what to say. */
async function take(input) {
  const [file] = input.files;
  try {
    if (file.size > LARGEST) throw new Error("This file is too large to hold progress in this book.");
    return progress.imported(await file.text()) || "What the file holds is here now.";
  } catch (error) {
    return error.message;
  } finally {
    input.value = ""; // so that the same file can be chosen again
  }
}

function download(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  html("a", { href: address, download: "llmlab-progress.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
