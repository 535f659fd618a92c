// Mounts the widgets of a page from the state that the page embeds, without a kernel.
//
// An anywidget is an ES module with `render({model, el})`. Here the model is a plain object that
// keeps the values the notebook left and tells the module's listeners about changes. A widget is
// mounted when it comes near the screen (that of the opening when it is asked for); its module and
// its arrays are fetched then, once for all widgets that share them. Pages with core ipywidgets load
// Jupyter's own manager for those alone.

const STATE = "application/vnd.jupyter.widget-state+json";
const VIEW = "application/vnd.jupyter.widget-view+json";
const FILES = new URL("./widgets/", import.meta.url);
const VENDOR = new URL("./vendor/widgets/", import.meta.url);

const texts = new Map(); // file name -> promise of its text
const models = new Map(); // model id -> promise of {model, widget}

const getText = (name) => {
  if (!texts.has(name)) texts.set(name, getResponse(name).then((response) => response.text()));
  return texts.get(name);
};

async function getResponse(name) {
  const response = await fetch(new URL(name, FILES));
  if (!response.ok) throw new Error(`its data file answered ${response.status}`);
  return response;
}

// The build moved large values to files; the state keeps {"$file": name} in their place.
async function getValue(value) {
  const name = value?.$file;
  if (!name) return value;
  const text = await getText(name);
  return name.endsWith(".json") ? JSON.parse(text) : text;
}

async function getBuffer({ data }) {
  if (data?.$file) return new DataView(await (await getResponse(data.$file)).arrayBuffer());
  return new DataView(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer);
}

function put(object, path, value) {
  const last = path[path.length - 1];
  path.slice(0, -1).reduce((inner, key) => inner[key], object)[last] = value;
}

async function getState(record) {
  const entries = Object.entries(record.state).filter(([name]) => name !== "_esm");
  const values = await Promise.all(entries.map(([, value]) => getValue(value)));
  const state = Object.fromEntries(entries.map(([name], i) => [name, values[i]]));
  const buffers = record.buffers ?? [];
  const contents = await Promise.all(buffers.map(getBuffer));
  buffers.forEach((buffer, i) => put(state, buffer.path, contents[i]));
  return state;
}

// What an anywidget module expects of its model.
class Model {
  #state;
  #listeners = new Map(); // event name -> set of callbacks

  constructor(state) {
    this.#state = state;
  }

  get(name) {
    return this.#state[name];
  }

  set(name, value) {
    const values = typeof name === "object" ? name : { [name]: value };
    const changed = Object.keys(values).filter((key) => this.#state[key] !== values[key]);
    Object.assign(this.#state, values);
    for (const key of changed) this.#emit(`change:${key}`, this.#state[key]);
    if (changed.length) this.#emit("change");
  }

  on(events, callback) {
    for (const event of events.split(/\s+/)) {
      if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
      this.#listeners.get(event).add(callback);
    }
  }

  off(events, callback) {
    if (!events) this.#listeners.clear();
    for (const event of (events ?? "").split(/\s+/)) {
      if (callback) this.#listeners.get(event)?.delete(callback);
      else this.#listeners.delete(event);
    }
  }

  // Nobody listens on the other side: there is no kernel.
  save_changes() {}
  send() {}

  #emit(event, value) {
    for (const callback of [...(this.#listeners.get(event) ?? [])]) callback(this, value);
  }
}

const experimental = {
  invoke: () => Promise.reject(new Error("this needs a running notebook")),
};

function addStyle(css) {
  if (!css || [...document.adoptedStyleSheets].some((sheet) => sheet.source === css)) return;
  const sheet = new CSSStyleSheet();
  sheet.source = css;
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

async function loadModel(record) {
  const [state, { default: exported }] = await Promise.all([
    getState(record),
    import(new URL(record.state._esm.$file, FILES)),
  ]);
  const widget = typeof exported === "function" ? await exported() : exported;
  const model = new Model(state);
  addStyle(state._css);
  await widget.initialize?.({ model, experimental });
  return { model, widget };
}

async function mount(place, id, record) {
  try {
    if (!models.has(id)) models.set(id, loadModel(record));
    const { model, widget } = await models.get(id);
    place.textContent = "";
    await widget.render({ model, el: place, experimental });
    place.dataset.state = "mounted";
  } catch (error) {
    const note = document.createElement("p");
    note.setAttribute("role", "alert");
    const words = record.state.description ?? "";
    note.textContent = `This interactive figure could not start: ${error.message}. ${words}`;
    place.replaceChildren(note);
    place.dataset.state = "failed";
    console.error(error);
  } finally {
    place.removeAttribute("aria-busy");
  }
}

// Calls mount when the place comes near the screen, or before the page is printed.
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) start(target);
  },
  { rootMargin: "600px 0px" },
);
const waiting = new Map();

function start(place) {
  nearby.unobserve(place);
  const started = waiting.get(place)?.();
  waiting.delete(place);
  return started;
}

// The model of the opening weighs more than the rest of its page: it comes when it is asked for.
function invite(place) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "llmlab-invite";
  button.textContent = "Begin a text yourself";
  button.addEventListener("click", async () => {
    button.textContent = "The model is coming …";
    await start(place);
    button.remove();
    place.querySelector("textarea")?.focus();
  });
  place.after(button);
}

function makePlace(view, id, record) {
  const place = document.createElement("div");
  place.className = "llmlab-widget";
  place.setAttribute("aria-busy", "true");
  const loading = document.createElement("span");
  loading.className = "llmlab-loading"; // paper shows what comes after it alone: nothing will move there
  loading.textContent = "Loading an interactive figure … ";
  place.append(loading, record.state.description ?? "");
  view.replaceWith(place);
  waiting.set(place, () => mount(place, id, record));
  if (place.closest(".llmlab-opening")) invite(place);
  else nearby.observe(place);
}

function loadScript(name, attributes = {}) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(name, VENDOR);
    for (const [key, value] of Object.entries(attributes)) script.setAttribute(key, value);
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${name} did not load`));
    document.head.append(script);
  });
}

// Jupyter's manager reads the state from the page, so everything moved to files comes back first.
async function mountCoreWidgets(stateScript, page) {
  for (const record of Object.values(page.state)) {
    for (const [name, value] of Object.entries(record.state)) {
      record.state[name] = await getValue(value);
    }
    for (const buffer of record.buffers ?? []) {
      if (!buffer.data?.$file) continue;
      const bytes = new Uint8Array(await (await getResponse(buffer.data.$file)).arrayBuffer());
      buffer.data = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    }
  }
  stateScript.textContent = JSON.stringify(page);
  await loadScript("require.js");
  const anywidget = new URL("anywidget", VENDOR).href;
  window.requirejs.config({ paths: { anywidget } });
  await loadScript("embed-amd.js", { "data-jupyter-widgets-cdn": VENDOR.href });
}

function main() {
  const stateScript = document.querySelector(`script[type="${STATE}"]`);
  if (!stateScript) return;
  const page = JSON.parse(stateScript.textContent);
  let core = false;
  for (const view of document.querySelectorAll(`script[type="${VIEW}"]`)) {
    const id = JSON.parse(view.textContent).model_id;
    const record = page.state[id];
    if (record?.model_module === "anywidget") makePlace(view, id, record);
    else core ||= Boolean(record);
  }
  window.addEventListener("beforeprint", () => [...waiting.keys()].forEach(start));
  if (core) mountCoreWidgets(stateScript, structuredClone(page)).catch(console.error);
}

main();
