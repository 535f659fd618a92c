// What every widget shares. Python puts this text in front of each widget's own module, because a
// widget's module may import nothing: the same file runs in Jupyter, in Colab and on a plain page.
export const llmlab = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "text") node.textContent = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children);
    return node;
  }

  /** An HTML element: "onclick" adds a listener, "text" sets the text, the rest are attributes. */
  const html = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);

  /** The same for SVG. */
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /** The float32 numbers of a bytes trait, which arrives as DataView, buffer or typed array. */
  function floats(view) {
    if (!view) return new Float32Array(0);
    const buffer = view.buffer || view;
    const from = view.byteOffset || 0;
    return new Float32Array(buffer.slice(from, from + view.byteLength));
  }

  const SIGNS = { "\n": "↵", "\t": "⇥", "\r": "␍", " ": "␣" };
  const visible = (token) => (token ? [...token].map((c) => SIGNS[c] || c).join("") : "∅");

  /** Call `act` when any of these traits changes; the result undoes it. */
  function listen(model, names, act) {
    for (const name of names) model.on(`change:${name}`, act);
    return () => names.forEach((name) => model.off(`change:${name}`, act));
  }

  /** Call `act` when the page turns dark or light; the result undoes it. */
  function onTheme(act) {
    const watcher = new MutationObserver(act);
    const attributeFilter = ["data-theme", "theme", "data-jp-theme-light", "class"];
    for (const node of [document.documentElement, document.body]) {
      watcher.observe(node, { attributes: true, attributeFilter });
    }
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", act);
    return () => { watcher.disconnect(); system.removeEventListener("change", act); };
  }

  /** Call `act(width)` now and whenever the element's width changes; the result undoes it. */
  function onWidth(node, act) {
    let last = 0, frame = 0;
    const watcher = new ResizeObserver(([entry]) => {
      const width = Math.round(entry.contentRect.width);
      if (width <= 0 || width === last) return;
      last = width;
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => act(width)); // not now: what it resizes is watched as well
    });
    watcher.observe(node);
    return () => { watcher.disconnect(); cancelAnimationFrame(frame); };
  }

  /**
   * Call `act` once the node is in the page: ipywidgets 7, which Colab has, renders a view before it
   * attaches it, and until then the node has no colours. The result undoes it.
   */
  function onceShown(node, act) {
    let stop = () => {};
    if (node.isConnected) act();
    else stop = onWidth(node, () => { stop(); act(); });
    return stop;
  }

  /**
   * Let a pointer drag what `node` draws: `begin(event)` gives what `act(event, grip)` needs. A
   * finger on it moves it and does not scroll the page; browsers heed `touch-action` on a whole
   * drawing alone, and a finger beside the grip shall scroll.
   */
  function drag(node, begin, act) {
    let grip = null;
    node.dataset.drag = "";
    node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    node.addEventListener("pointerdown", (event) => {
      grip = begin(event);
      node.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    node.addEventListener("pointermove", (event) => { if (grip) act(event, grip); });
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { grip = null; });
  }

  const colour = (node, name) => getComputedStyle(node).getPropertyValue(name).trim();

  /** An id no other widget of this page has. */
  const unique = (stem) => {
    globalThis.llmlabCount = (globalThis.llmlabCount || 0) + 1;
    return `ll-${stem}-${globalThis.llmlabCount}`;
  };

  /** A canvas of `width` x `height` CSS pixels, sharp on any screen, ready to be drawn afresh. */
  function sharp(canvas, width, height) {
    const scale = globalThis.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  return { html, svg, floats, visible, listen, onTheme, onWidth, onceShown, drag, colour, unique, sharp };
})();
