// What the reader has done, kept by the browser: the answers to a quiz, the code of an exercise.
//
// All of a page shares one store. A record is an object under "exercise:<id>" or "quiz:<name>".
// Several tabs may show the same chapter: `save` undoes nothing that another tab has won meanwhile,
// and `watch` tells when there is something to take over.
// Where the browser keeps nothing (it is blocked, or full), records last as long as the page, and
// the first `save` that meets this returns a sentence to show.
export const progress = (globalThis.llmlabProgress ??= (() => {
  const PREFIX = "llmlab:";
  const KEY = /^(exercise|quiz):[\w.-]{1,100}$/;
  const visit = new Map(); // key -> text that the browser did not take
  let told = false;

  const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

  function kept(act, otherwise) {
    try {
      return act(globalThis.localStorage); // merely asking for it may throw
    } catch {
      return otherwise;
    }
  }

  function read(key) {
    return visit.get(key) ?? kept((storage) => storage.getItem(PREFIX + key), null);
  }

  /** The record under `key`, or null if there is none. */
  function load(key) {
    try {
      const record = JSON.parse(read(key));
      return isRecord(record) ? record : null;
    } catch {
      return null;
    }
  }

  /** `record`, with what was won before: an exercise once solved, the code that did, first checks. */
  function withWon(kept, record) {
    const won = { ...record };
    if (kept?.status === "passed") {
      won.status = "passed";
      won.passed ??= kept.passed;
    }
    if (Array.isArray(kept?.first) && Array.isArray(record.first)) {
      won.first = record.first.map((value, index) => kept.first[index] ?? value);
    }
    return won;
  }

  /** Keep `record`; returns "", or once the sentence that says why the browser will not. */
  function save(key, record) {
    const text = JSON.stringify(withWon(load(key), record));
    try {
      globalThis.localStorage.setItem(PREFIX + key, text);
      visit.delete(key);
      return "";
    } catch (error) {
      visit.set(key, text);
      if (told) return "";
      told = true;
      return error?.name === "QuotaExceededError"
        ? "The space this browser gives to the site is full: what you do now lasts until you leave the page."
        : "This browser keeps nothing for the site: what you do lasts until you leave the page.";
    }
  }

  /** The keys of everything that is kept. */
  function keys() {
    const stored = kept((storage) => Object.keys(storage), []);
    const ours = stored.filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    return [...new Set([...ours, ...visit.keys()])].filter((key) => KEY.test(key)).sort();
  }

  /** Everything that is kept, as the text of a file. */
  function exported() {
    const records = Object.fromEntries(keys().map((key) => [key, load(key)]));
    return JSON.stringify({ llmlab: 1, records }, null, 1);
  }

  /** Take in the text of such a file; returns what `save` said. Throws if it is not one. */
  function imported(text) {
    const { llmlab: version, records } = parse(text);
    const entries = isRecord(records) ? Object.entries(records) : [];
    const fits = entries.every(([key, record]) => KEY.test(key) && isRecord(record));
    if (version !== 1 || !isRecord(records) || !fits) {
      throw new Error("This file does not hold progress in this book.");
    }
    return entries.map(([key, record]) => save(key, withSolution(load(key), record))).join("");
  }

  /** The code that solved an exercise stays when a file brings code that does not. */
  function withSolution(kept, record) {
    return kept?.status === "passed" && record.status !== "passed" ? kept : record;
  }

  function parse(text) {
    try {
      return JSON.parse(text) ?? {};
    } catch {
      return {};
    }
  }

  /** Forget everything. */
  function reset() {
    for (const key of keys()) kept((storage) => storage.removeItem(PREFIX + key));
    visit.clear();
  }

  /**
   * Call `act` when another tab has changed the record under `key`, or may have: the browser's Back
   * shows a page as it was left. The result undoes it.
   */
  function watch(key, act) {
    const onStorage = (event) => { if (event.key === null || event.key === PREFIX + key) act(); };
    const onShow = (event) => { if (event.persisted) act(); };
    addEventListener("storage", onStorage);
    addEventListener("pageshow", onShow);
    return () => {
      removeEventListener("storage", onStorage);
      removeEventListener("pageshow", onShow);
    };
  }

  return { keys, load, save, watch, exported, imported, reset };
})());
