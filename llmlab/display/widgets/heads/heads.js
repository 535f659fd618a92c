// Mounts bertviz's script in this widget: it asks for elements by id, and every id it asks for is
// looked up inside this widget only, so any number of views can stand on one page.
const DETAIL = { gap: 12, room: 312, edge: 28 }; // pixels; bertviz draws an enlarged head 300 wide

function render({ model, el }) {
  const { html, floats, onTheme, onceShown, colour, unique } = llmlab;
  const [L, H, T] = model.get("shape");
  const weights = floats(model.get("weights"));
  const tokens = model.get("tokens");
  const many = VIEW === "model_view";
  const name = model.get("title") || (many ? "Every head of every layer" : "Heads of one layer");
  const hint = many ? "Choose a small picture to enlarge it." : "Point at a token; choose a square to hide or show its head.";

  const vis = html("div", {});
  const layerPicker = html("select", { "aria-label": "layer" });
  const scroll = html("div", { class: "ll-scroll", tabindex: "0", role: "group", "aria-label": `${name}. Scrolls with the arrow keys.` }, vis);
  const pick = many ? [] : [html("label", { class: "ll-quiet" }, "layer ", layerPicker)];
  const root = html("div", { class: "llmlab ll-heads-view", role: "group", "aria-label": name, id: unique("heads") },
    html("div", { class: "ll-top" }, html("div", { class: "ll-title", text: name }), ...pick,
      html("div", { class: "ll-quiet", text: hint })), scroll);
  // A notebook's own shortcuts must not fire while the reader moves here.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  const cells = (start) => Array.from({ length: T }, (_, query) => {
    const from = start + query * T;
    return Array.from(weights.subarray(from, from + T));
  });
  const attention = Array.from({ length: L }, (_, layer) =>
    Array.from({ length: H }, (_, head) => cells((layer * H + head) * T * T)));

  // --- the little of d3 and jQuery that bertviz uses ---
  const find = (selector) => ({ "#vis": vis, "#layer": layerPicker })[String(selector).split(" ").pop()] || null;
  const d3 = {
    select: (target) => selection.select(typeof target === "string" ? find(target) : target),
    schemeCategory10: [], // ten colours, filled in by draw() from the theme
    scaleOrdinal: (colours) => (index) => colours[index % colours.length],
    hsl: (text) => ({ l: 0, s: 0, toString: () => `${text}44` }), // bertviz asks for it lightened
  };
  function $(target) {
    const node = target === "<option />" ? document.createElement("option")
      : typeof target === "string" ? find(target) : target;
    const chain = (act) => (...given) => { if (node) act(...given); return wrapped; };
    const wrapped = {
      node,
      append: chain((child) => node.append(child.node || child)),
      val: chain((value) => { node.value = value; }),
      text: chain((text) => { node.textContent = text; }),
      attr: chain((key, value) => node.setAttribute(key, value)),
      on: chain((type, act) => node.addEventListener(type, act)),
      empty: chain(() => node.replaceChildren()),
      change: chain(() => {}),
    };
    return wrapped;
  }

  function press(node, role, label) {
    node.setAttribute("role", role);
    node.setAttribute("tabindex", "0");
    node.setAttribute("aria-label", label);
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    });
  }

  /** What bertviz draws for the mouse alone gets names and keys. */
  function decorate() {
    const drawing = vis.querySelector("svg");
    if (!drawing || drawing.dataset.ready) return;
    drawing.dataset.ready = "yes";
    drawing.setAttribute("role", "group");
    drawing.setAttribute("aria-label", `attention between ${T} tokens`);
    if (many) {
      const regions = [...drawing.querySelectorAll("rect.attn_background")].map((back) => back.parentNode.lastChild);
      regions.forEach((region, at) => {
        press(region, "button", `layer ${Math.floor(at / H)}, head ${at % H}`);
        region.addEventListener("click", () => setDetail(drawing, regions));
      });
      setDetail(drawing, regions);
      return;
    }
    drawing.setAttribute("width", "335");
    const boxes = [...drawing.lastChild.querySelectorAll("rect")];
    boxes.forEach((box, head) => {
      press(box, "checkbox", `head ${head}`);
      box.setAttribute("aria-checked", "true");
      box.addEventListener("click", () => boxes.forEach((other, at) =>
        other.setAttribute("aria-checked", !String(other.getAttribute("fill")).endsWith("44"))));
    });
  }

  /** bertviz lays the enlarged head over the others: it goes beside them, or below on a phone. */
  function setDetail(drawing, regions) {
    const size = (name) => (region) => +region.getAttribute(name);
    const right = Math.max(...regions.map((region) => size("x")(region) + size("width")(region)));
    const bottom = Math.max(...regions.map((region) => size("y")(region) + size("height")(region)));
    const beside = root.clientWidth >= right + DETAIL.room + DETAIL.edge;
    const parts = [...drawing.querySelectorAll(".detail")];
    const [x, y] = beside ? [right + DETAIL.gap, DETAIL.gap] : [0, bottom + DETAIL.gap];
    const frame = parts[0]?.getBBox();
    for (const part of parts) part.setAttribute("transform", `translate(${x - frame.x} ${y - frame.y})`);
    drawing.setAttribute("width", (beside ? right + DETAIL.room : Math.max(right, frame?.width ?? 0)) + 2);
    drawing.setAttribute("height", Math.max(bottom, frame ? y + frame.height : 0) + 2);
    scroll.style.maxHeight = "none"; // what was chosen is seen at once
  }

  function draw() {
    const layer = +layerPicker.value || model.get("layer");
    layerPicker.replaceChildren();
    vis.replaceChildren();
    const dark = colour(root, "--ll-page") !== "#fff";
    d3.schemeCategory10 = [0, 1, 2, 3, 4, 5, 6, 0, 1, 2].map((index) => colour(root, `--ll-c${index}`));
    const indices = (count) => Array.from({ length: count }, (_, index) => index);
    const params = {
      attention: [{ name: null, attn: attention, left_text: tokens, right_text: tokens }],
      default_filter: "0", root_div_id: "view", layer, heads: null, display_mode: dark ? "dark" : "light",
      include_layers: indices(L), include_heads: indices(H),
      total_heads: Math.max(H, 14), // bertviz sizes its pictures by this; 14 leaves room beside four
    };
    const requirejs = (_, start) => start($, d3);
    bertviz(params, { config() {} }, requirejs, { log() {} });
    decorate();
  }

  const watcher = new MutationObserver(decorate); // the head view draws afresh for another layer
  watcher.observe(vis, { childList: true });
  const wait = onceShown(root, draw);
  const stop = onTheme(draw);
  return () => { wait(); stop(); watcher.disconnect(); root.remove(); };
}

export default { render };
