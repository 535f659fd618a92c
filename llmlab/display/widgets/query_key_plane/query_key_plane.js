// A query and a few keys as arrows in a plane. Drag the head of an arrow, or focus it and use the
// arrow keys, or click where the query should point: scores, weights and the average follow.

import { llmlab } from "../shared/common.js";

function render({ model, el }) {
  const { html, svg, listen, onWidth, drag, unique } = llmlab;
  const names = model.get("names");
  const values = model.get("values");
  const features = model.get("features");
  const meanings = model.get("meanings");
  const reach = model.get("reach");
  const start = { arrows: model.get("arrows"), width: model.get("width"), scaled: model.get("scaled") };
  const id = unique("plane");
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const clamp = (value) => Math.min(reach, Math.max(-reach, value));
  const two = (value) => (Math.abs(value) < 0.005 ? 0 : value).toFixed(2).replace("-", "−");
  let side = 0; // of the square plane, in CSS pixels

  function set(changes) {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes(); // the model's change events redraw
  }

  // --- the arithmetic; llmlab/display/query_key_plane.py has the same ---
  const temperature = () => (model.get("scaled") && model.get("width") ? Math.sqrt(model.get("width")) : 1);

  function attend() {
    const [query, ...keys] = model.get("arrows");
    const stretch = model.get("width") ? Math.sqrt(model.get("width") / 2) : 1;
    const scores = keys.map((key) => (stretch * (query[0] * key[0] + query[1] * key[1])) / temperature());
    const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
    const weights = powers.map((power) => power / sum(powers));
    const entropy = sum(weights.map((weight) => (weight ? -weight * Math.log(weight) : 0)));
    const answer = [0, 1].map((axis) => sum(weights.map((weight, index) => weight * values[index][axis])));
    return { scores, weights, entropy, answer };
  }

  function sentence({ weights, entropy, answer }) {
    const best = weights.indexOf(Math.max(...weights));
    const divided = model.get("scaled") ? `divided by ${two(temperature())}` : "not divided";
    const ofWidth = model.get("width") ? `Width ${model.get("width")}, scores ${divided}: ` : "";
    return `${ofWidth}“${names[best]}” has the largest weight, ${two(weights[best])}; the entropy is ${two(entropy)} of at most `
      + `${two(Math.log(names.length))} nats; the answer is ${meanings[0]} ${two(answer[0])}, ${meanings[1]} ${two(answer[1])}.`;
  }

  // --- what the page holds ---
  const plane = html("div", { class: "ll-plane" });
  const mix = html("div", { class: "ll-mix", "aria-hidden": "true" });
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const spread = html("div", { class: "ll-spread" });
  const rows = names.map((name) => html("tr", {}, html("th", { scope: "row", text: name }), html("td"), html("td", {}, html("i"), html("span"))));
  const table = html("table", {},
    html("thead", {}, html("tr", {}, ...["key", "score", "weight"].map((text) => html("th", { scope: "col", text })))),
    html("tbody", {}, ...rows));
  const root = html("div", { class: "llmlab ll-query-key", role: "group", "aria-labelledby": `${id}-title` },
    html("div", { class: "ll-top" },
      html("div", { class: "ll-title", id: `${id}-title`, text: model.get("title") || "One query, its keys and their values" }),
      html("div", { class: "ll-controls" },
        html("button", { class: "ll-button", type: "button", text: "Start again", onclick: () => set(start) }))));
  const knobs = model.get("width") ? widthControls() : null;
  if (knobs) root.append(knobs.node);
  root.append(html("div", { class: "ll-body" }, plane, html("div", { class: "ll-side" }, table, spread, mix)), says);
  // A notebook's own shortcuts must not fire while the reader moves arrows.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  function widthControls() {
    const slider = html("input", { type: "range", min: 1, max: 10, step: 1, id: `${id}-width`,
      oninput: (event) => set({ width: 2 ** event.target.value }) });
    const label = html("label", { for: `${id}-width` });
    const scale = html("button", { class: "ll-button", type: "button", text: "divide by √width",
      onclick: () => set({ scaled: !model.get("scaled") }) });
    const show = () => {
      slider.value = Math.log2(model.get("width"));
      slider.setAttribute("aria-valuetext", model.get("width"));
      label.textContent = `width ${model.get("width")}`;
      scale.setAttribute("aria-pressed", model.get("scaled"));
    };
    return { node: html("div", { class: "ll-knobs" }, label, slider, scale), show };
  }

  // --- the plane ---
  const unit = () => (side / 2 - 14) / reach;
  const toX = (x) => side / 2 + x * unit();
  const toY = (y) => side / 2 - y * unit();
  const handles = model.get("arrows").map((_, index) => handle(index));
  const backdrop = svg("g", { "aria-hidden": "true" });
  const picture = svg("svg", { role: "group", "aria-label": `Plane of ${features.join(" and ")}` }, backdrop, ...handles.map(({ node }) => node));
  plane.append(picture);

  function handle(index) {
    const shaft = svg("line", {});
    const area = svg("circle", { class: "ll-grip", r: 20 });
    const dot = svg("circle", { class: "ll-dot" });
    const name = svg("text", {}, index ? names[index - 1] : "query");
    const node = svg("g", { class: index ? "ll-key" : "ll-query", tabindex: "0", role: "slider", "aria-roledescription": "arrow in a plane",
      "aria-valuemin": -reach, "aria-valuemax": reach, "aria-label": `${index ? `key of “${names[index - 1]}”` : "query"}. Arrow keys move it.` },
    shaft, area, dot, name);
    node.addEventListener("keydown", (event) => onKey(event, index));
    drag(node, (event) => grip(event, index), (now, [left, up]) => {
      const [x, y] = at(now);
      move(index, x + left, y + up);
    });
    return { node, shaft, area, dot, name };
  }

  /** From the pointer to the head of the arrow that it grips. */
  function grip(event, index) {
    handles[index].node.focus({ preventScroll: true });
    const [x, y] = at(event);
    const [left, up] = model.get("arrows")[index];
    return [left - x, up - y];
  }

  function move(index, x, y) {
    const place = [x, y].map((value) => Math.round(clamp(value) * 20) / 20);
    set({ arrows: model.get("arrows").map((arrow, other) => (other === index ? place : arrow)) });
  }

  function onKey(event, index) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y] = model.get("arrows")[index];
    const size = event.shiftKey ? 0.5 : 0.1;
    move(index, x + size * step[0], y + size * step[1]);
  }

  /** The place in the plane under the pointer. */
  function at(event) {
    const box = picture.getBoundingClientRect();
    return [(event.clientX - box.left - side / 2) / unit(), (side / 2 - event.clientY + box.top) / unit()];
  }
  picture.addEventListener("click", (event) => { if (!event.target.closest("[tabindex]")) move(0, ...at(event)); });

  function drawBackdrop([x, y]) {
    const parts = [];
    for (let at = -Math.floor(reach); at <= reach; at++) {
      parts.push(svg("path", { class: at ? "ll-grid" : "ll-axis", d: `M${toX(at)} ${toY(-reach)}V${toY(reach)}M${toX(-reach)} ${toY(at)}H${toX(reach)}` }));
    }
    const size = Math.max(Math.abs(x), Math.abs(y));
    if (size > 0.05) { // across the query's direction, to the edges: keys on this line score nothing
      const [over, up] = [-y, x].map((value) => (value / size) * reach * (x < 0 ? -1 : 1));
      parts.push(svg("path", { class: "ll-zero", d: `M${toX(over)} ${toY(up)}L${toX(-over)} ${toY(-up)}` }),
        svg("text", { class: "ll-small", x: toX(over) + (over > 0 ? -8 : 8), y: toY(up) + 14, "text-anchor": over > 0 ? "end" : "start" }, "score 0"));
    }
    parts.push(svg("text", { class: "ll-small", x: toX(reach), y: toY(0) - 6, "text-anchor": "end" }, `${features[0]} →`),
      svg("text", { class: "ll-small", x: toX(0) + 6, y: toY(reach) + 8 }, `↑ ${features[1]}`));
    backdrop.replaceChildren(...parts);
  }

  function placeHandle({ node, shaft, area, dot, name }, [x, y], weight, words) {
    const [left, top] = [toX(x), toY(y)];
    for (const [attribute, value] of Object.entries({ x1: toX(0), y1: toY(0), x2: left, y2: top })) shaft.setAttribute(attribute, value);
    for (const circle of [area, dot]) { circle.setAttribute("cx", left); circle.setAttribute("cy", top); }
    const size = weight === null ? 7 : 5 + 11 * Math.sqrt(weight);
    dot.setAttribute("r", size);
    shaft.setAttribute("stroke-width", weight === null ? 2.5 : 1 + 4 * Math.sqrt(weight));
    const right = left + size + 10 + 8 * name.textContent.length < side;
    name.setAttribute("x", left + (right ? size + 5 : -size - 5));
    name.setAttribute("y", top + 4);
    name.setAttribute("text-anchor", right ? "start" : "end");
    node.setAttribute("aria-valuenow", x);
    node.setAttribute("aria-valuetext", `${features[0]} ${two(x)}, ${features[1]} ${two(y)}${words}`);
  }

  // --- the values and their average ---
  function drawMix({ weights, answer }) {
    const [width, height, edge] = [230, 150, 26];
    const scale = [0, 1].map((axis) => {
      const all = values.map((value) => value[axis]);
      const low = Math.min(...all);
      const span = Math.max(...all) - low || 1;
      return (value) => (value - low) / span;
    });
    const place = (point) => [edge + scale[0](point[0]) * (width - 2 * edge), height - edge - scale[1](point[1]) * (height - 2 * edge)];
    const shared = new Map(); // values at the same place share one mark and one label
    values.forEach((value, index) => shared.set(String(value), [...(shared.get(String(value)) || []), index]));
    const marks = [...shared.values()].flatMap((members) => {
      const [x, y] = place(values[members[0]]);
      const size = 4 + 9 * Math.sqrt(sum(members.map((index) => weights[index])));
      const label = members.length > 2 ? `${members.length} words` : members.map((index) => names[index]).join(", ");
      return [svg("path", { class: "ll-value", d: `M${x} ${y - size}l${size} ${size}l${-size} ${size}l${-size} ${-size}Z` }),
        svg("text", { class: "ll-small", x: x > width / 2 ? x - size - 3 : x + size + 3, y: y + 4, "text-anchor": x > width / 2 ? "end" : "start" }, label)];
    });
    const [x, y] = place(answer);
    const strings = values.map((value, index) => svg("line", { class: "ll-string", x1: x, y1: y,
      x2: place(value)[0], y2: place(value)[1], "stroke-width": 0.5 + 4 * weights[index] }));
    mix.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}` },
      svg("path", { class: "ll-axis", d: `M8 4V${height - 14}H${width - 4}` }),
      svg("text", { class: "ll-small", x: width - 4, y: height - 3, "text-anchor": "end" }, `${meanings[0]} →`),
      svg("text", { class: "ll-small", x: 14, y: 11 }, `↑ ${meanings[1]}`),
      ...strings, ...marks, svg("circle", { class: "ll-answer", cx: x, cy: y, r: 5.5 })));
  }

  function draw() {
    if (!side) return;
    const found = attend();
    const arrows = model.get("arrows");
    drawBackdrop(arrows[0]);
    handles.forEach((parts, index) => placeHandle(parts, arrows[index], index ? found.weights[index - 1] : null,
      index ? `; score ${two(found.scores[index - 1])}, weight ${two(found.weights[index - 1])}` : `. ${sentence(found)}`));
    rows.forEach((row, index) => {
      row.children[1].textContent = two(found.scores[index]);
      row.children[2].firstChild.style.setProperty("--share", found.weights[index]);
      row.children[2].lastChild.textContent = found.weights[index].toFixed(3);
    });
    const most = Math.log(names.length);
    spread.replaceChildren(html("span", { text: `entropy ${two(found.entropy)} of ${two(most)} nats` }),
      html("i", { style: `--share: ${found.entropy / most}` }));
    drawMix(found);
    says.textContent = sentence(found);
    knobs?.show();
  }

  const stops = [
    listen(model, ["arrows", "width", "scaled"], draw),
    onWidth(root, (width) => {
      side = Math.min(width, 380);
      picture.setAttribute("width", side);
      picture.setAttribute("height", side);
      draw();
    }),
  ];
  return () => { stops.forEach((stop) => stop()); root.remove(); };
}

export default { render };
