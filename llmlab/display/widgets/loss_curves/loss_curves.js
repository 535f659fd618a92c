// Loss curves. Each series holds six rows of float32: step, tokens, seconds, mean, low, high.

import { llmlab } from "../shared/common.js";
import { scales } from "../shared/scales.js";

function render({ model, el }) {
  const { html, svg, floats, listen, onWidth, unique } = llmlab;
  const { number, reading, scale, ticks, nearest } = scales;
  const DASHES = ["", "7 3", "2 2.5", "7 3 2 3", "4 2", "11 3", ""];
  const X = ["step", "tokens", "seconds"];
  const HEIGHT = 270;
  const EDGE = { left: 46, right: 14, top: 10, bottom: 40 };
  const state = { x: 0, logX: false, logY: false, smooth: false, hidden: new Set(), cursor: null, opened: null };
  const id = unique("loss");
  let width = 0;
  let series = [];
  let view = null; // the scales of the last drawing

  // --- what the page holds ---
  const plot = html("div", { class: "ll-plot", tabindex: "0", role: "slider",
    "aria-valuemin": "0", "aria-valuenow": "0", "aria-valuemax": "0" });
  const legend = html("div", { class: "ll-legend", role: "group", "aria-label": "Curves shown" });
  const where = html("div", { class: "ll-quiet" });
  const waiting = html("div", { class: "ll-waiting" });
  const heading = html("p", { "aria-live": "polite" });
  const written = html("blockquote", {});
  const sample = html("div", { class: "ll-sample" }, heading, written,
    html("p", { class: "ll-quiet", text: "What the model wrote at a ringed point: choose one, or press Enter on the plot for the nearest." }));
  const xPicker = html("select", { class: "ll-button", "aria-label": "Horizontal axis", onchange: (event) => {
    state.x = +event.target.value; state.cursor = null; draw(); } });
  const toggle = (name, text, label) => html("button", { class: "ll-button", type: "button", "aria-pressed": "false", text, "aria-label": label,
    onclick: (event) => { state[name] = !state[name]; event.target.setAttribute("aria-pressed", state[name]); draw(); } });
  const controls = html("div", { class: "ll-controls" }, xPicker,
    toggle("logX", "log x", "log x: logarithmic horizontal axis"), toggle("logY", "log y", "log y: logarithmic vertical axis"),
    toggle("smooth", "smooth", "smooth the training curves"));
  const title = html("div", { class: "ll-title", id: `${id}-title` });
  const root = html("div", { class: "llmlab ll-loss", role: "group", "aria-labelledby": `${id}-title` },
    html("div", { class: "ll-top" }, title, controls), waiting, plot, where, legend, sample);
  // A notebook's own shortcuts must not fire while the reader moves on the curves.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  // --- data ---
  function read() {
    const data = floats(model.get("data"));
    let from = 0;
    const fits = model.get("series").reduce((sum, entry) => sum + 6 * entry.points, 0) === data.length;
    if (!fits) return; // names and numbers of two different messages: wait for the other half
    series = model.get("series").map((entry, index) => {
      const rows = Array.from({ length: 6 }, (_, row) =>
        data.subarray(from + row * entry.points, from + (row + 1) * entry.points));
      from += 6 * entry.points;
      return { ...entry, index, x: rows.slice(0, 3), mean: rows[3], low: rows[4], high: rows[5] };
    });
    const usable = X.map((_, x) => series.every((entry) => entry.x[x].every(Number.isFinite)));
    const options = X.flatMap((name, x) => (usable[x] ? [html("option", { value: x, text: `by ${name}` })] : []));
    xPicker.replaceChildren(...options);
    xPicker.hidden = options.length < 2;
    if (!usable[state.x]) state.x = 0;
    xPicker.value = state.x;
    title.textContent = model.get("title") || (model.get("live") ? "Training now" : "Loss");
    fillLegend();
  }

  // Exponential moving average, corrected for its start, over about a thirtieth of the curve.
  function smoothed(values) {
    const keep = 1 - 1 / Math.max(2, values.length / 30);
    let sum = 0;
    let weight = 0;
    return Float32Array.from(values, (value) => {
      sum = keep * sum + (1 - keep) * value;
      weight = keep * weight + (1 - keep);
      return sum / weight;
    });
  }

  const shown = () => series.filter((entry) => !state.hidden.has(entry.label) && entry.points);
  const line = (entry) => (state.smooth && entry.train ? smoothed(entry.mean) : entry.mean);
  const alone = () => new Set(series.map((entry) => entry.run)).size === 1;
  // One run: train and validation differ in colour. Several: a run is a colour, training is thin.
  const hue = (entry) => (alone() ? entry.index : entry.run) % DASHES.length;
  const ink = (entry) => `var(--ll-c${hue(entry)})`;
  const thinLine = (entry) => entry.train && !alone();
  const look = (entry) => ({ stroke: ink(entry), "stroke-dasharray": thinLine(entry) ? "" : DASHES[hue(entry)],
    "stroke-width": thinLine(entry) ? 1 : 2, fill: "none", "stroke-linejoin": "round" });

  function fillLegend() {
    if (legend.children.length === series.length
      && series.every((entry, index) => legend.children[index].title === entry.label)) return;
    legend.replaceChildren(...series.map((entry) => html("button", { type: "button", title: entry.label,
      "aria-pressed": !state.hidden.has(entry.label), onclick: (event) => {
        const on = state.hidden.delete(entry.label) || !state.hidden.add(entry.label);
        event.currentTarget.setAttribute("aria-pressed", on);
        draw();
      } },
    svg("svg", { width: 26, height: 10, "aria-hidden": "true" }, svg("path", { d: "M1 5H25", ...look(entry) })),
    entry.label + (entry.seeds > 1 ? ` (${entry.seeds} seeds)` : ""), html("b"))));
  }

  // --- scales ---
  function bounds(entries) {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const entry of entries) {
      const xs = entry.x[state.x];
      const values = line(entry);
      for (let i = 0; i < entry.points; i++) {
        if (state.logX && xs[i] <= 0) continue;
        x0 = Math.min(x0, xs[i]); x1 = Math.max(x1, xs[i]);
        const low = entry.seeds > 1 ? entry.low[i] : values[i];
        const high = entry.seeds > 1 ? entry.high[i] : values[i];
        if (Number.isFinite(low) && (!state.logY || low > 0)) y0 = Math.min(y0, low);
        if (Number.isFinite(high)) y1 = Math.max(y1, high);
      }
    }
    const floor = model.get("floor");
    if (floor !== null && floor !== undefined && (!state.logY || floor > 0)) y0 = Math.min(y0, floor);
    const room = state.logY ? 0 : 0.05 * (y1 - y0 || 1);
    return { x0, x1: x1 > x0 ? x1 : x0 + 1, y0: state.logY ? y0 / 1.03 : y0 - room, y1: state.logY ? y1 * 1.03 : y1 + room };
  }

  // --- drawing ---
  function draw() {
    const entries = shown();
    const empty = !series.some((entry) => entry.points);
    waiting.hidden = !empty;
    waiting.textContent = "No steps yet. This plot fills while a model trains in a running notebook.";
    plot.hidden = legend.hidden = where.hidden = empty;
    sample.hidden = empty || !model.get("samples").length;
    plot.setAttribute("aria-label", `Position on the curves. Arrow keys move, Home and End jump${sample.hidden ? "." : ", Enter opens the nearest sample."}`);
    controls.style.display = empty ? "none" : "";
    if (!width || empty) return;
    if (!entries.length) { plot.replaceChildren(svg("svg", { width, height: HEIGHT })); view = null; where.textContent = "All curves are hidden."; return; }
    const box = bounds(entries);
    if (!Number.isFinite(box.y0) || !Number.isFinite(box.x0)) return;
    const toX = scale(box.x0, box.x1, EDGE.left, width - EDGE.right, state.logX);
    const toY = scale(box.y0, box.y1, HEIGHT - EDGE.bottom, EDGE.top, state.logY);
    view = { toX, toY, entries, points: positions(entries) };
    const parts = [...axes(box, toX, toY)];
    for (const entry of entries) parts.push(...paths(entry, toX, toY));
    const floor = model.get("floor");
    if (floor !== null && floor !== undefined && (!state.logY || floor > 0)) {
      parts.push(svg("path", { d: `M${EDGE.left} ${toY(floor)}H${width - EDGE.right}`, stroke: "currentColor", "stroke-dasharray": "2 3" }),
        svg("text", { x: EDGE.left + 6, y: toY(floor) - 5 }, `floor ${reading(floor)}`));
    }
    view.cursor = svg("g", { "pointer-events": "none" });
    view.rings = svg("g", {});
    plot.replaceChildren(svg("svg", { width, height: HEIGHT, "aria-hidden": "true" }, ...parts, view.rings, view.cursor));
    drawSamples();
    drawCursor();
  }

  function axes(box, toX, toY) {
    const parts = [];
    const bottom = HEIGHT - EDGE.bottom;
    for (const value of ticks(box.y0, box.y1, state.logY, 6)) {
      parts.push(svg("path", { class: "ll-grid", d: `M${EDGE.left} ${toY(value)}H${width - EDGE.right}` }),
        svg("text", { x: EDGE.left - 7, y: toY(value) + 4, "text-anchor": "end" }, number(value)));
    }
    for (const value of ticks(box.x0, box.x1, state.logX, Math.max(3, Math.floor(width / 90)))) {
      parts.push(svg("path", { class: "ll-axis", d: `M${toX(value)} ${bottom}v4` }),
        svg("text", { x: toX(value), y: bottom + 17, "text-anchor": "middle" }, number(value)));
    }
    parts.push(svg("path", { class: "ll-axis", d: `M${EDGE.left} ${bottom}H${width - EDGE.right}` }),
      svg("text", { x: (EDGE.left + width - EDGE.right) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, ["step", "tokens seen", "seconds"][state.x]),
      svg("text", { transform: `translate(11 ${(EDGE.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, model.get("unit")));
    return parts;
  }

  function paths(entry, toX, toY) {
    const xs = entry.x[state.x];
    const values = line(entry);
    const usable = [...xs.keys()].filter((i) => Number.isFinite(values[i]) && (!state.logX || xs[i] > 0) && (!state.logY || values[i] > 0));
    const trace = (ys, order) => order.map((i) => `${toX(xs[i]).toFixed(1)} ${toY(ys[i]).toFixed(1)}`).join("L");
    const parts = [];
    if (entry.seeds > 1) {
      const low = state.logY ? entry.low.map((value, i) => (value > 0 ? value : values[i])) : entry.low;
      parts.push(svg("path", { d: `M${trace(entry.high, usable)}L${trace(low, [...usable].reverse())}Z`, fill: ink(entry), opacity: 0.17 }));
    }
    if (state.smooth && entry.train) {
      parts.push(svg("path", { d: `M${trace(entry.mean, usable)}`, ...look(entry), "stroke-width": 1, opacity: 0.3 }));
    }
    parts.push(svg("path", { d: `M${trace(values, usable)}`, ...look(entry) }));
    if (!entry.train && usable.length <= 24) {
      for (const i of usable) parts.push(svg("circle", { cx: toX(xs[i]), cy: toY(values[i]), r: 2.8, fill: ink(entry) }));
    }
    return parts;
  }

  // --- the cursor ---
  const positions = (entries) => [...new Set(entries.flatMap((entry) => [...entry.x[state.x]]))]
    .filter((value) => !state.logX || value > 0).sort((a, b) => a - b);

  function drawCursor() {
    if (!view) return;
    const last = view.points.length - 1;
    const at = state.cursor === null ? last : Math.min(state.cursor, last);
    const x = view.points[at];
    view.cursor.replaceChildren();
    if (state.cursor !== null) {
      view.cursor.append(svg("path", { class: "ll-cursor", d: `M${view.toX(x)} ${EDGE.top}V${HEIGHT - EDGE.bottom}` }));
    }
    const words = [];
    series.forEach((entry, index) => {
      const cell = legend.children[index].lastChild;
      if (!view.entries.includes(entry)) { cell.textContent = ""; return; }
      const i = nearest(entry.x[state.x], x);
      const value = line(entry)[i];
      const measured = entry.x[state.x][i]; // a loss that is measured seldom is read where it was
      const said = reading(value) + (measured === x ? "" : ` (at ${number(measured)})`);
      cell.textContent = said;
      words.push(`${entry.label} ${said}`);
      if (state.cursor !== null && Number.isFinite(value)) {
        view.cursor.append(svg("circle", { cx: view.toX(entry.x[state.x][i]), cy: view.toY(value), r: 4, fill: "var(--ll-page)", stroke: ink(entry), "stroke-width": 2 }));
      }
    });
    const place = `${X[state.x]} ${number(x)}`;
    where.textContent = state.cursor === null ? `at the end, ${place}` : `at ${place}`;
    plot.setAttribute("aria-valuemax", last);
    plot.setAttribute("aria-valuenow", at);
    plot.setAttribute("aria-valuetext", `${place}: ${words.join(", ")}`);
  }

  // --- samples: what the model of the first run wrote at some of its steps ---
  function rings() {
    const entry = series.find((one) => one.run === 0 && !one.train) || series[0];
    return model.get("samples").map(({ step, text }) => {
      const i = nearest(entry.x[0], step);
      return { step, text, entry, x: entry.x[state.x][i], value: entry.mean[i] };
    });
  }

  function drawSamples() {
    const all = rings();
    if (!all.length) return;
    const opened = all.find(({ step }) => step === state.opened) || all[all.length - 1]; // the newest, unless one was chosen
    heading.textContent = `Step ${opened.step}, ${opened.entry.label} ${reading(opened.value)}`;
    written.textContent = opened.text.trim();
    view.rings.replaceChildren(...all.filter(({ entry, x, value }) => view.entries.includes(entry) && (!state.logX || x > 0) && (!state.logY || value > 0))
      .map(({ step, x, value }) => svg("circle", { class: "ll-ring", "data-open": step === opened.step, cx: view.toX(x), cy: view.toY(value), r: 7 })));
  }

  /** Open the sample nearest to `left` pixels, if it is no further than `reach`. */
  function openNearest(left, reach) {
    const all = rings().map(({ step, x }) => ({ step, gap: Math.abs(view.toX(x) - left) })).filter(({ gap }) => gap <= reach);
    if (!all.length) return;
    state.opened = all.reduce((best, one) => (one.gap < best.gap ? one : best)).step;
    drawSamples();
  }

  function point(event) {
    if (!view) return;
    const left = event.clientX - plot.getBoundingClientRect().left;
    state.cursor = nearest(view.points.map(view.toX), left);
    drawCursor();
  }
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") { state.cursor = null; drawCursor(); }
  });
  plot.addEventListener("click", (event) => { if (view) openNearest(event.clientX - plot.getBoundingClientRect().left, 24); });
  plot.addEventListener("keydown", (event) => {
    if (!view) return;
    const last = view.points.length - 1;
    const at = state.cursor === null ? last : state.cursor;
    if (event.key === "Enter") openNearest(view.toX(view.points[at]), Infinity);
    const leap = Math.max(1, Math.round(last / 10));
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - leap, PageUp: at + leap, Home: 0, End: last }[event.key];
    if (event.key === "Escape") state.cursor = null;
    else if (to === undefined) return;
    else state.cursor = Math.min(Math.max(to, 0), last);
    event.preventDefault();
    drawCursor();
  });

  const refresh = () => { read(); draw(); };
  const stops = [
    listen(model, ["data", "series", "samples", "title", "floor"], refresh),
    onWidth(root, (now) => { width = now; draw(); }),
  ];
  refresh();
  return () => { stops.forEach((stop) => stop()); root.remove(); };
}

export default { render };
