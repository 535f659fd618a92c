// The attention map. Rows of the map ask (queries), columns answer (keys); colour grows with the
// square root of the weight, so that faint looks can still be seen.

import { llmlab } from "../shared/common.js";

function render({ model, el }) {
  const { html, floats, visible, listen, onTheme, onWidth, onceShown, colour, unique, sharp } = llmlab;
  const tokens = model.get("tokens");
  const [L, H, T] = model.get("shape");
  const weights = floats(model.get("weights"));
  const names = tokens.map(visible);
  const id = unique("attention");
  let hover = null; // [query, key] under the pointer
  let width = 0;
  let frame = null; // where the cells lie in the canvas: {left, top, cell}

  const at = (name) => Math.min(Math.max(model.get(name), 0), { layer: L, head: H, query: T }[name] - 1);
  const weight = (layer, head, query, key) => weights[((layer * H + head) * T + query) * T + key];
  const row = () => {
    const start = ((at("layer") * H + at("head")) * T + at("query")) * T;
    return weights.subarray(start, start + T);
  };
  const choose = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes(); // the model's change events redraw
  };

  // --- what the page holds ---
  const canvas = html("canvas", { "aria-hidden": "true" });
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const cell = html("p", { class: "ll-cell ll-quiet", "aria-hidden": "true" });
  const chips = tokens.map((_, index) =>
    html("span", { class: "ll-token", role: "option", id: `${id}-${index}` }, names[index], html("small")));
  const strip = html("div", {
    class: "ll-tokens", role: "listbox", tabindex: "0", "aria-orientation": "horizontal",
    "aria-label": "Token that asks (query). Arrow keys move.",
  }, ...chips);
  const table = html("table");
  const details = html("details", { ontoggle: () => fillTable() },
    html("summary", { text: "This token’s weights as a table" }), table);
  const heads = headPicker();
  const root = html("div", { class: "llmlab ll-attention", role: "group", "aria-label": model.get("title") || "Attention map" },
    html("div", { class: "ll-top" },
      html("div", { class: "ll-title", text: model.get("title") || "Who looks at whom" }),
      html("div", { class: "ll-scale ll-quiet", "aria-hidden": "true" }, "weight 0", html("i"), "1")),
    html("div", { class: "ll-body" },
      html("div", { class: "ll-map" }, canvas),
      html("div", { class: "ll-side" }, heads.node, says, cell, details)),
    strip);
  // A notebook's own shortcuts must not fire while the reader moves here.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  function headPicker() {
    const size = Math.max(24, Math.min(46, Math.floor(230 / H) - 4));
    const node = html("div", { class: "ll-heads", role: "radiogroup", "aria-label": "Layer and head. Arrow keys move.",
      style: `grid-template-columns: auto repeat(${H}, ${size}px)`, onkeydown: onHeadKey });
    node.append(html("span", { text: "head", "aria-hidden": "true" }));
    for (let head = 0; head < H; head++) node.append(html("span", { text: head, "aria-hidden": "true" }));
    const buttons = [];
    for (let layer = 0; layer < L; layer++) {
      node.append(html("span", { text: `layer ${layer}`, "aria-hidden": "true" }));
      for (let head = 0; head < H; head++) {
        const picture = html("canvas", { "aria-hidden": "true" });
        const button = html("button", { type: "button", role: "radio", "aria-label": `layer ${layer}, head ${head}`,
          style: `width:${size}px;height:${size}px`, onclick: () => choose({ layer, head }) }, picture);
        buttons.push({ button, picture, layer, head });
        node.append(button);
      }
    }
    return { node, buttons, size };
  }

  // --- drawing ---
  function drawHeads() {
    const accent = colour(root, "--ll-accent");
    for (const { picture, layer, head } of heads.buttons) {
      const pen = sharp(picture, heads.size - 2, heads.size - 2);
      cells(pen, accent, layer, head, 0, 0, (heads.size - 2) / T);
    }
  }

  function cells(pen, accent, layer, head, left, top, size) {
    pen.fillStyle = accent;
    const gap = size > 9 ? 1 : 0;
    for (let query = 0; query < T; query++) {
      for (let key = 0; key < T; key++) {
        const value = weight(layer, head, query, key);
        if (value < 0.0005) continue;
        pen.globalAlpha = Math.sqrt(value);
        pen.fillRect(left + key * size, top + query * size, size - gap, size - gap);
      }
    }
    pen.globalAlpha = 1;
  }

  function drawMap() {
    if (!width) return;
    const pen = canvas.getContext("2d");
    const type = Math.max(8, Math.min(12.5, (width / T) * 0.72));
    const font = `${type}px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace`;
    pen.font = font;
    const readable = width / T > 8.5;
    const longest = readable ? Math.min(72, Math.max(...names.map((name) => pen.measureText(name).width))) : 0;
    const turned = readable && names.some((name) => pen.measureText(name).width > (width - longest) / T);
    const left = longest + 25;
    const top = (turned ? longest : readable ? type : 0) + 20;
    const size = (width - left - 1) / T;
    frame = { left, top, size };
    const draw = sharp(canvas, width, Math.ceil(top + size * T + 2));
    const quiet = colour(root, "--ll-quiet");
    draw.font = font;
    draw.fillStyle = colour(root, "--ll-wash");
    draw.fillRect(left, top, size * T, size * T);
    cells(draw, colour(root, "--ll-accent"), at("layer"), at("head"), left, top, size);
    draw.textBaseline = "middle";
    if (readable) labels(draw, { left, top, size, turned, quiet });
    draw.fillStyle = quiet;
    draw.font = `11px ${getComputedStyle(root).fontFamily}`;
    draw.textAlign = "left";
    draw.fillText("key →", left, 7);
    draw.save();
    draw.translate(7, top);
    draw.rotate(-Math.PI / 2);
    draw.textAlign = "right";
    draw.fillText("← query", 0, 0);
    draw.restore();
    draw.strokeStyle = colour(root, "--ll-mark");
    draw.lineWidth = 1.5;
    draw.strokeRect(left - 1, top + at("query") * size - 1, size * T + 1.5, size + 1);
    if (hover) draw.strokeRect(left + hover[1] * size, top + hover[0] * size, size - 0.5, size - 0.5);
  }

  function labels(draw, { left, top, size, turned, quiet }) {
    const ink = colour(root, "--ll-text");
    const mark = colour(root, "--ll-mark");
    for (let index = 0; index < T; index++) {
      const middle = (index + 0.5) * size;
      draw.fillStyle = index === at("query") ? mark : hover && index === hover[0] ? ink : quiet;
      draw.textAlign = "right";
      draw.fillText(names[index], left - 5, top + middle, 72);
      draw.fillStyle = hover && index === hover[1] ? ink : quiet;
      draw.save();
      draw.translate(left + middle, top - 5);
      if (turned) draw.rotate(-Math.PI / 2);
      draw.textAlign = turned ? "left" : "center";
      draw.textBaseline = turned ? "middle" : "bottom";
      draw.fillText(names[index], 0, 0, turned ? 72 : undefined);
      draw.restore();
    }
  }

  function sentence() {
    const values = row();
    const order = [...values.keys()].sort((a, b) => values[b] - values[a]);
    const named = (key) => `“${names[key]}” (${values[key].toFixed(2)})`;
    const then = order.slice(1, 3).filter((key) => values[key] >= 0.005).map(named);
    return `Layer ${at("layer")}, head ${at("head")}: token “${names[at("query")]}” looks most at ${named(order[0])}`
      + (then.length ? `, then ${then.join(" and ")}.` : ".");
  }

  function fillTable() {
    table.replaceChildren();
    if (!details.open) return;
    const head = html("tr", {}, ...["position", "key", "weight"].map((text) => html("th", { scope: "col", text })));
    const lines = [...row()].map((value, key) => html("tr", {},
      html("td", { text: key }), html("td", { text: names[key] }), html("td", { text: value.toFixed(3) })));
    table.append(html("thead", {}, head), html("tbody", {}, ...lines));
  }

  function update() {
    const values = row();
    chips.forEach((chip, key) => {
      const value = values[key];
      chip.style.setProperty("--weight", Math.sqrt(value).toFixed(3));
      chip.toggleAttribute("data-none", value < 0.005);
      chip.setAttribute("aria-selected", key === at("query"));
      chip.lastChild.textContent = value >= 0.995 ? "1" : value >= 0.005 ? value.toFixed(2).slice(1) : "";
    });
    strip.setAttribute("aria-activedescendant", `${id}-${at("query")}`);
    for (const { button, layer, head } of heads.buttons) {
      const on = layer === at("layer") && head === at("head");
      button.setAttribute("aria-checked", on);
      button.tabIndex = on ? 0 : -1;
    }
    const text = sentence();
    if (says.textContent !== text) says.textContent = text;
    cell.textContent = hover
      ? `“${names[hover[0]]}” → “${names[hover[1]]}”: ${weight(at("layer"), at("head"), ...hover).toFixed(3)}`
      : "Point at a token, or use the arrow keys.";
    fillTable();
    drawMap();
  }

  // --- pointer and keys ---
  function onHeadKey(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    const layer = (at("layer") + move[0] + L) % L;
    const head = (at("head") + move[1] + H) % H;
    choose({ layer, head });
    heads.buttons.find((entry) => entry.layer === layer && entry.head === head).button.focus();
  }

  strip.addEventListener("keydown", (event) => {
    const query = { ArrowLeft: at("query") - 1, ArrowUp: at("query") - 1, ArrowRight: at("query") + 1,
      ArrowDown: at("query") + 1, Home: 0, End: T - 1 }[event.key];
    if (query === undefined) return;
    event.preventDefault();
    choose({ query: Math.min(Math.max(query, 0), T - 1) });
  });
  chips.forEach((chip, query) => {
    chip.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") choose({ query }); });
    chip.addEventListener("click", () => choose({ query }));
  });

  function under(event) {
    if (!frame) return null;
    const box = canvas.getBoundingClientRect();
    const key = Math.floor((event.clientX - box.left - frame.left) / frame.size);
    const query = Math.floor((event.clientY - box.top - frame.top) / frame.size);
    return query >= 0 && query < T && key < T ? [query, Math.max(key, 0)] : null;
  }
  function point(event) {
    const found = under(event);
    if (String(found) === String(hover)) return;
    hover = found;
    if (found && found[0] !== at("query")) choose({ query: found[0] });
    else update();
  }
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("click", () => strip.focus({ preventScroll: true }));
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "mouse") return; // what a finger pointed at stays to be read
    hover = null;
    update();
  });

  const repaint = () => { drawHeads(); update(); };
  const stops = [
    listen(model, ["layer", "head", "query"], update),
    onTheme(repaint),
    onWidth(canvas.parentNode, (now) => { width = now; drawMap(); }),
    onceShown(root, repaint),
  ];
  return () => { stops.forEach((stop) => stop()); root.remove(); };
}

export default { render };
