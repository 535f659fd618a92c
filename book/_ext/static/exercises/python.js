// The page's Python, one for all its exercises. It lives in a worker, which is ended when an answer
// runs without end, when the reader stops it, and when it fails; the next check starts another.

import assets from "site/assets.json";

const SECONDS = 5; // that an answer may run
const PATIENCE = 30; // seconds without a sign of life while Python is loaded

/** Why nothing can be graded here, in words; "" if it can. */
export function obstacle() {
  if (!assets.pyodide) return "This copy of the book was built without Python for the page.";
  if (typeof WebAssembly !== "object") return "Your browser has no WebAssembly, which Python in a page needs.";
  if (!runsModules()) return "Your browser is too old to run Python in a page.";
  return "";
}

function runsModules() {
  let asked = false;
  try {
    new Worker("data:text/javascript,", { get type() { asked = true; return "module"; } }).terminate();
  } catch {
    return false;
  }
  return asked;
}

export const megabytes = (assets.pyodide?.bytes ?? 0) / 1e6;

class Interpreter {
  #worker = new Worker(new URL(assets.worker, import.meta.url), { type: "module" });
  #fail = null; // ends what is waited for now
  #answer = null;
  #patience = 0;
  onprogress = null;

  constructor() {
    this.ready = new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
    }).finally(() => clearTimeout(this.#patience));
    this.ready.catch(() => {}); // it may be loaded ahead, with nobody waiting
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => this.end(event.message || "its script did not load");
    const address = (path) => new URL(path, import.meta.url).href;
    const pyodide = address(`../${assets.pyodide.folder}`);
    this.#worker.postMessage({ kind: "load", pyodide, grader: address(assets.grader) });
    this.#wait();
  }

  #wait() {
    clearTimeout(this.#patience);
    const say = `nothing arrived for ${PATIENCE} seconds`;
    this.#patience = setTimeout(() => this.end(say), PATIENCE * 1000);
  }

  #hear(data) {
    if (data.kind === "failed") return this.end(data.message);
    if (data.kind !== "progress") return this.#answer(data.verdict);
    this.#wait();
    this.onprogress?.(data.loaded / assets.pyodide.bytes);
  }

  /** The verdict on an answer. */
  grade(id, source) {
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
      this.#worker.postMessage({ kind: "grade", id, source });
    });
  }

  /** End the worker; whoever waits for it hears why. */
  end(reason) {
    this.#worker.terminate();
    this.#fail(new Error(reason));
    if (interpreter === this) interpreter = null;
  }
}

let interpreter = null;
let turn = Promise.resolve(); // checks take turns

/**
 * Grade `source` as an answer to the exercise `id`.
 *
 * `signal` stops it at any time; `onload(share)` hears how much of Python has arrived, and
 * `onrun()` that the answer runs. Returns the verdict; its status is "stopped" when the answer ran
 * too long or the reader stopped it. Throws when the grader itself fails.
 */
export async function grade(id, source, { signal, onload, onrun }) {
  const before = turn;
  let finished;
  turn = new Promise((resolve) => { finished = resolve; });
  try {
    await stoppable(before, signal);
    interpreter ??= new Interpreter();
    const python = interpreter;
    python.onprogress = onload;
    await stoppable(python.ready, signal, () => python.end("stopped"));
    onrun();
    return await run(python, id, source, signal);
  } catch (error) {
    if (signal.aborted) return stopped(id, "You stopped the check before your code ran.");
    throw error;
  } finally {
    before.then(finished); // stopped out of turn, it must not end another's
  }
}

async function run(python, id, source, signal) {
  let words = "";
  const end = (why) => {
    words = why;
    python.end(why);
    interpreter = new Interpreter(); // ready when it is needed next
  };
  const endless = `Your code was stopped after ${SECONDS} seconds: is there a loop that never ends?`;
  const clock = setTimeout(end, SECONDS * 1000, endless);
  try {
    return await stoppable(python.grade(id, source), signal, () => end("You stopped your code."));
  } catch (error) {
    if (!words) throw error;
    return stopped(id, words);
  } finally {
    clearTimeout(clock);
  }
}

const stopped = (exercise, message) => ({ exercise, status: "stopped", message, output: "" });

/** `promise`, or a rejection as soon as `signal` says stop, after `end()`. */
function stoppable(promise, signal, end = () => {}) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      end();
      reject(signal.reason);
    };
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
