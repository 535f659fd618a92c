// One exercise: an editor in place of the starter, and what belongs to it.

import hints from "site/hints.json";
import { llmlab, progress } from "site/display.js";
import { makeEditor } from "./editor.js";
import { grade, megabytes, obstacle } from "./python.js";
import { rich, verdictNodes } from "./verdict.js";

const { html } = llmlab;
const CHECK = /\s*^check\("([\w.]+)",.*\)\s*$/m;
const LONGEST = 20_000; // characters of an answer
const KEYS = "Shift-Enter checks, Tab indents; Escape and then Tab leaves the editor.";

/** Turn the starter that `cell` holds into an exercise. */
export function enhance(cell) {
  const text = cell.querySelector(".cell_input pre").textContent;
  const id = text.match(CHECK)?.[1];
  if (!id) return;
  const problem = id in hints ? obstacle() : "This exercise needs PyTorch, which the page lacks.";
  if (problem) cell.append(note(`${problem} Write your answer in the notebook; the solution is folded below.`));
  else new Exercise(cell, id, text.replace(CHECK, ""));
}

const note = (text) => html("p", { class: "llmlab-exercise-note", role: "status", text });
const button = (text, onclick, rest) => html("button", { type: "button", text, onclick, ...rest });

class Exercise {
  #id;
  #starter;
  #solution; // the folded solution that follows in the page
  #hints; // those not shown yet
  #record; // {code, status, checks, passed, failed: code that did so last}, as progress.js keeps it
  #saving = 0; // the timer that will save the code
  #failing = false; // whether the page shows an answer that has failed
  #stopping = null; // the AbortController of the check that runs
  #editor;

  // what the page shows, from top to bottom
  #badge = html("span", { class: "llmlab-badge" });
  #place = html("div", { class: "llmlab-editor" });
  #checkButton = button("Check", () => this.#check(), { class: "llmlab-check" });
  #stopButton = button("Stop", () => this.#stopping?.abort(), { "aria-disabled": "true" });
  #hintButton = button("Hint", () => this.#showHint());
  #restoreButton = button("My solution", () => this.#restore(), { hidden: true });
  #busy = html("div", { class: "llmlab-busy", role: "status" });
  #bar = html("progress", { max: "1", "aria-label": "How much of Python is loaded", hidden: true });
  #advice = html("ol", { class: "llmlab-hints", "aria-live": "polite", hidden: true });
  #verdict = html("div", { class: "llmlab-answer", role: "status" });
  #note = note("");

  constructor(cell, id, starter) {
    this.#id = id;
    this.#starter = starter;
    this.#solution = solutionAfter(cell);
    this.#hints = [...hints[id]];
    this.#record = { status: "", checks: 0, ...progress.load(this.#key) };
    this.#build(cell, id.split(".")[1]);
    this.#failing = "failed" in this.#record && this.#record.failed === this.#editor.code();
    this.#showBadge();
    this.#countHints();
    addEventListener("pagehide", () => this.#saving && this.#save());
    progress.watch(this.#key, () => this.#takeOver());
  }

  get #key() {
    return `exercise:${this.#id}`;
  }

  #build(cell, name) {
    const described = `${this.#id}-keys`;
    const solution = button("Solution", () => this.#showSolution());
    const reset = button("Reset", () => this.#reset());
    const box = html("div", { class: "llmlab-exercise", role: "group", "aria-label": `Exercise ${name}` },
      html("div", { class: "llmlab-exercise-top" }, html("span", { text: "Your turn" }),
        html("span", { class: "llmlab-keys", id: described, text: KEYS }), this.#badge),
      this.#place,
      html("div", { class: "llmlab-buttons" },
        this.#checkButton, this.#stopButton, this.#hintButton, solution, reset, this.#restoreButton),
      this.#busy, this.#bar, this.#advice, this.#verdict, this.#note);
    const { code } = this.#record;
    this.#editor = makeEditor({
      parent: this.#place,
      code: typeof code === "string" ? code : this.#starter,
      label: `Your answer, ${name}`,
      described,
      onchange: (now) => this.#changed(now),
      oncheck: () => this.#check(),
    });
    // the page's own shortcuts must not fire: "/" would go to the search
    box.addEventListener("keydown", (event) => event.stopPropagation());
    cell.querySelector(".cell_input").replaceWith(box);
    cell.dataset.exercise = this.#id;
  }

  // ------------------------------------------------------------------- kept

  /** Show what another tab has kept; what is being typed here goes on, and is saved soon. */
  #takeOver() {
    const typed = this.#saving && this.#record.code;
    this.#record = { status: "", checks: 0, ...progress.load(this.#key) };
    if (typed) this.#record.code = typed;
    const code = this.#record.code ?? this.#starter;
    if (code !== this.#editor.code()) {
      this.#editor.replace(code);
      this.#clear(); // the verdict was on other code
    }
    this.#showBadge();
  }

  #changed(code) {
    if (code === (this.#record.code ?? this.#starter)) return;
    this.#record.code = code === this.#starter ? undefined : code;
    if (this.#verdict.dataset.status === "passed") this.#clear(); // this code has not passed
    this.#showBadge();
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.#save(), 400);
  }

  #save() {
    clearTimeout(this.#saving);
    this.#saving = 0;
    this.#note.textContent ||= progress.save(this.#key, this.#record);
  }

  #showBadge() {
    const { status, checks } = this.#record;
    const solved = status === "passed" && (this.#failing ? "Solved before" : "✓ Solved");
    this.#badge.textContent = solved || (checks ? "Begun" : "");
    this.#badge.dataset.status = this.#failing ? "" : status;
    const { passed } = this.#record;
    this.#restoreButton.hidden = passed === undefined || passed === this.#editor.code();
  }

  // ----------------------------------------------------------------- helped

  #countHints() {
    const total = hints[this.#id].length;
    const next = total - this.#hints.length + 1;
    this.#hintButton.textContent = total > 1 && next <= total ? `Hint ${next} of ${total}` : "Hint";
    this.#hintButton.setAttribute("aria-disabled", String(!this.#hints.length));
  }

  #showHint() {
    if (!this.#hints.length) return;
    this.#advice.hidden = false;
    this.#advice.append(html("li", {}, ...rich(this.#hints.shift())));
    this.#countHints();
  }

  #showSolution() {
    this.#solution.open = true;
    this.#solution.querySelector("summary").focus({ preventScroll: true });
    this.#solution.scrollIntoView({ block: "nearest" });
  }

  #reset() {
    this.#replace(this.#starter, "The starter");
  }

  #restore() {
    this.#replace(this.#record.passed, "The answer that passed");
  }

  #replace(code, what) {
    this.#editor.replace(code);
    this.#clear();
    this.#busy.textContent = `${what} is back. Undo (Ctrl-Z) returns your code.`;
    this.#editor.focus();
  }

  // ---------------------------------------------------------------- checked

  async #check() {
    if (this.#stopping) return;
    const code = this.#editor.code();
    if (code.length > LONGEST) {
      const [limit, length] = [LONGEST, code.length].map((count) => count.toLocaleString("en"));
      this.#busy.textContent = `An answer may have ${limit} characters; yours has ${length}.`;
      return;
    }
    this.#stopping = new AbortController();
    this.#setBusy(true);
    const verdict = await this.#grade(code, this.#stopping.signal);
    this.#stopping = null;
    this.#setBusy(false);
    this.#show(verdict);
    if (code === this.#editor.code()) this.#editor.mark(verdict.line);
    if (verdict.status === "passed" || verdict.status === "failed") this.#score(verdict.status, code);
  }

  async #grade(code, signal) {
    const onload = (share) => {
      this.#bar.hidden = false;
      this.#bar.value = Math.min(share, 1);
      this.#busy.textContent = `Loading Python, once (${megabytes.toFixed(0)} MB) …`;
    };
    const onrun = () => {
      this.#bar.hidden = true;
      this.#busy.textContent = "Checking …";
    };
    try {
      return await grade(this.#id, code, { signal, onload, onrun });
    } catch (error) {
      const message = "The grader could not do its work, and your answer is not scored: "
        + `${error.message}. Check again in a moment.`;
      return { status: "grader error", message };
    }
  }

  #setBusy(busy) {
    this.#checkButton.setAttribute("aria-disabled", String(busy));
    this.#stopButton.setAttribute("aria-disabled", String(!busy));
    this.#bar.hidden = true;
    this.#busy.textContent = busy ? "Waiting for Python …" : "";
    if (busy) this.#clear();
  }

  #clear() {
    this.#verdict.replaceChildren();
    this.#failing = false;
    this.#showBadge();
  }

  #show(verdict) {
    if (verdict.message.includes("ModuleNotFoundError")) {
      verdict.message += " The page's Python has NumPy alone; a notebook has the rest.";
    }
    this.#verdict.dataset.status = verdict.status;
    this.#verdict.replaceChildren(...verdictNodes(verdict));
    this.#failing = verdict.status === "failed";
    this.#showBadge();
  }

  #score(status, code) {
    this.#record.checks += 1;
    this.#record.failed = status === "failed" ? code : undefined;
    if (status === "passed") this.#record.passed = code;
    if (this.#record.status !== "passed") this.#record.status = status; // solved stays solved
    this.#save();
    this.#showBadge();
  }
}

function solutionAfter(cell) {
  let node = cell.nextElementSibling;
  while (node && !node.matches("details")) node = node.nextElementSibling;
  return node;
}
