// Positions as clock hands. A pair of features is an arrow on a dial, and a position turns it
// clockwise. The turns are the tables of llmlab.models.Rotary; nothing is computed anew here.

import { llmlab } from "../shared/common.js";

function render({ model, el }) {
  const { html, svg, floats, listen, onWidth, drag, unique } = llmlab;
  const T = model.get("context");
  const speeds = model.get("speeds");
  const P = speeds.length; // pairs of features
  const [cos, sin] = [floats(model.get("cos")), floats(model.get("sin"))]; // (T, P)
  const all = floats(model.get("vectors"));
  const vectors = [all.subarray(0, 2 * P), all.subarray(2 * P)]; // query and key
  const words = model.get("rotary") ? ["query", "key", "score"] : ["one word", "the other", "product"];
  const id = unique("clocks");
  const start = model.get("at");
  const longest = Math.max(1e-6, ...vectors.flatMap((v) => speeds.map((_, i) => Math.hypot(v[i], v[i + P]))));
  let width = 0;
  let last = { at: start, score: null }; // before the last move

  const three = (value) => (Math.abs(value) < 0.0005 ? 0 : value).toFixed(3).replace("-", "−");
  const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value)}`;
  const inside = (position) => Math.min(T - 1, Math.max(0, Math.round(position)));

  /** Feature pair i of query (0) or key (1) at a position: [up, right] on the dial. */
  function hand(which, i, position) {
    const [first, second] = [vectors[which][i], vectors[which][i + P]];
    const [c, s] = [cos[position * P + i], sin[position * P + i]];
    return [first * c - second * s, first * s + second * c];
  }

  function parts([here, there]) {
    return speeds.map((_, i) => {
      const [a, b] = [hand(0, i, here), hand(1, i, there)];
      return a[0] * b[0] + a[1] * b[1];
    });
  }
  const score = (at) => parts(at).reduce((total, part) => total + part, 0);

  function go(at) {
    const [here, there] = at.map(inside);
    const [wasHere, wasThere] = model.get("at");
    if (here === wasHere && there === wasThere) return;
    last = { at: [wasHere, wasThere], score: score([wasHere, wasThere]) };
    model.set("at", [here, there]);
    model.save_changes(); // the model's change event redraws
  }

  /** Both by the same amount, as far as the text reaches. */
  function shift(by, from = model.get("at")) {
    const room = Math.max(-Math.min(...from), Math.min(T - 1 - Math.max(...from), Math.round(by)));
    go(from.map((position) => position + room));
  }

  // --- what the page holds ---
  const track = html("div", { class: "ll-track" });
  const dials = html("div", { class: "ll-dials" });
  const curve = html("div", { class: "ll-curve", "aria-hidden": "true" });
  const below = `The ${words[2]} at every distance: position of ${words[0]} minus position of ${words[1]}.`;
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const moved = html("p", { class: "ll-moved ll-quiet" });
  const button = (text, act) => html("button", { class: "ll-button", type: "button", text, onclick: act });
  const root = html("div", { class: "llmlab ll-clocks", role: "group", "aria-labelledby": `${id}-title` },
    html("div", { class: "ll-top" },
      html("div", { class: "ll-title", id: `${id}-title`, text: model.get("title") || "Two positions on every clock" }),
      html("div", { class: "ll-controls" }, button("both 1 on", () => shift(1)), button("both 20 on", () => shift(20)),
        button("start again", () => go(start)))),
    track, dials, says, moved, curve, html("p", { class: "ll-quiet", text: below }));
  // A notebook's own shortcuts must not fire while the reader moves positions.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  // --- the text as a line, with a grip for each position and one for both ---
  const toX = (position) => 16 + (position / (T - 1)) * (width - 32);
  const grips = [
    { name: `${words[0]}, position`, of: (at) => at[0], go: (to, [, there]) => go([to, there]) },
    { name: `${words[1]}, position`, of: (at) => at[1], go: (to, [here]) => go([here, to]) },
    { name: "both positions together", of: (at) => Math.min(...at), go: (to, from) => shift(to - Math.min(...from), from) },
  ].map(makeGrip);
  const ruler = svg("g", { "aria-hidden": "true" });
  const line = svg("svg", { height: 84, role: "group", "aria-label": "The positions on the text" }, ruler, ...[2, 0, 1].map((i) => grips[i].node));
  track.append(line);

  function makeGrip(grip, index) {
    const mark = index === 2 ? svg("rect", { class: "ll-mark", height: 12, rx: 6, y: 36 }) : svg("circle", { class: "ll-mark", r: 9, cy: index ? 60 : 24 });
    const area = svg("rect", { class: "ll-area", height: 28, y: [6, 50, 29][index] });
    const label = svg("text", { y: index ? 80 : 11 });
    const node = svg("g", { class: `ll-grip ll-grip${index}`, tabindex: "0", role: "slider", "aria-label": `${grip.name}. Arrow keys move.`,
      "aria-valuemin": 0, "aria-valuemax": T - 1 }, area, mark, label);
    node.addEventListener("keydown", (event) => {
      const at = model.get("at");
      const to = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -T, End: T }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      grip.go(grip.of(at) + to, at);
    });
    drag(node, (event) => { node.focus({ preventScroll: true }); return { x: event.clientX, at: model.get("at") }; },
      (event, held) => grip.go(grip.of(held.at) + ((event.clientX - held.x) / (width - 32)) * (T - 1), held.at));
    return { ...grip, node, mark, area, label };
  }

  function drawTrack(at) {
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * (T - 1)));
    ruler.replaceChildren(svg("path", { class: "ll-axis", d: `M${toX(0)} 42H${toX(T - 1)}` }),
      ...ticks.flatMap((tick) => [svg("path", { class: "ll-axis", d: `M${toX(tick)} 38v8` }),
        svg("text", { class: "ll-small", x: toX(tick), y: 57, "text-anchor": "middle" }, tick)]));
    grips.forEach(({ node, mark, area, label, of }, index) => {
      const x = toX(index < 2 ? at[index] : (at[0] + at[1]) / 2);
      const long = index < 2 ? 30 : Math.max(30, Math.abs(toX(at[0]) - toX(at[1])));
      if (index < 2) mark.setAttribute("cx", x);
      else { mark.setAttribute("x", x - long / 2); mark.setAttribute("width", long); }
      area.setAttribute("x", x - long / 2);
      area.setAttribute("width", long);
      const side = x < width / 2;
      label.textContent = index < 2 ? `${words[index]} at ${at[index]}` : "";
      label.setAttribute("x", side ? x - 9 : x + 9);
      label.setAttribute("text-anchor", side ? "start" : "end");
      node.setAttribute("aria-valuenow", of(at));
      node.setAttribute("aria-valuetext", index < 2 ? `${at[index]}` : `${at[0]} and ${at[1]}`);
    });
  }

  // --- the dials ---
  const clocks = speeds.map(makeClock);
  dials.append(...clocks.map(({ node }) => node));

  function makeClock(speed, i) {
    const wedge = svg("path", { class: "ll-wedge" });
    const hands = [1, 0].map((which) => svg("g", { class: `ll-hand ll-hand${which}` }, svg("path", { class: "ll-wind" }), svg("path", {}))).reverse();
    hands.forEach((node, which) => drag(node, (event) => ({ angle: angleOf(event), turned: 0, at: model.get("at") }), (event, held) => {
      const angle = angleOf(event);
      held.turned += Math.atan2(Math.sin(angle - held.angle), Math.cos(angle - held.angle));
      held.angle = angle;
      const to = held.at[which] + held.turned / speed;
      go(which ? [held.at[0], to] : [to, held.at[1]]);
    }));
    const face = svg("svg", { viewBox: "-60 -60 120 120", "aria-hidden": "true" }, svg("circle", { class: "ll-face", r: 52 }), wedge, hands[1], hands[0], svg("circle", { r: 2.5 }));
    const angleOf = (event) => {
      const box = face.getBoundingClientRect();
      return Math.atan2(event.clientX - box.left - box.width / 2, box.top + box.height / 2 - event.clientY);
    };
    const turn = (2 * Math.PI) / speed;
    const long = turn < 100 ? turn.toFixed(1) : Math.round(turn).toLocaleString("en");
    const part = html("b");
    const node = html("div", {}, face, html("div", { class: "ll-quiet", text: `a turn in ${long} tokens` }), part);
    return { node, wedge, hands, part };
  }

  function drawClock({ wedge, hands, part }, i, at, product) {
    const points = hands.map((_, which) => {
      const [up, right] = hand(which, i, at[which]).map((value) => (value / longest) * 48);
      return [right, -up];
    });
    hands.forEach((node, which) => {
      for (const path of node.children) path.setAttribute("d", `M0 0L${points[which].map((v) => v.toFixed(2)).join(" ")}`);
    });
    const [to, from] = points.map(([x, y]) => Math.atan2(y, x));
    const between = Math.atan2(Math.sin(to - from), Math.cos(to - from));
    const rim = (angle) => `${(20 * Math.cos(angle)).toFixed(2)} ${(20 * Math.sin(angle)).toFixed(2)}`;
    wedge.setAttribute("d", `M0 0L${rim(from)}A20 20 0 0 ${between > 0 ? 1 : 0} ${rim(to)}Z`);
    part.textContent = three(product);
  }

  // --- the score at every distance: it belongs to the two vectors, wherever they stand ---
  const distances = Array.from({ length: 2 * T - 1 }, (_, index) => index - T + 1);
  const byDistance = distances.map((d) => score(d >= 0 ? [d, 0] : [0, -d]));

  function drawCurve(at) {
    const [height, top, bottom] = [116, 12, 18];
    const [low, high] = [Math.min(...byDistance), Math.max(...byDistance)];
    const x = (d) => 34 + ((d + T - 1) / (2 * T - 2)) * (width - 44);
    const y = (value) => top + ((high - value) / (high - low || 1)) * (height - top - bottom);
    const d = at[0] - at[1];
    const text = (content, left, base, anchor = "middle") => svg("text", { class: "ll-small", x: left, y: base, "text-anchor": anchor }, content);
    curve.replaceChildren(svg("svg", { width, height },
      svg("path", { class: "ll-axis", d: `M${x(1 - T)} ${height - bottom}H${x(T - 1)}M${x(0)} ${top}V${height - bottom}` }),
      svg("path", { class: "ll-line", d: `M${byDistance.map((value, index) => `${x(distances[index]).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}` }),
      svg("circle", { class: "ll-here", cx: x(d), cy: y(score(at)), r: 6 }),
      text(high.toFixed(1), 28, top + 4, "end"), text(low.toFixed(1).replace("-", "−"), 28, height - bottom, "end"),
      ...[1 - T, 0, T - 1].map((tick) => text(String(tick).replace("-", "−"), x(tick), height - bottom + 14, ["start", "middle", "end"][Math.sign(tick) + 1]))));
  }

  function tellMove(at, now) {
    const [here, there] = at.map((position, which) => position - last.at[which]);
    if (last.score === null || (!here && !there)) { moved.textContent = "Wind a hand, or drag a mark on the line; the bar between the marks moves both."; return; }
    const change = three(now - last.score);
    const who = here === there ? `Both moved by ${signed(here)}: every hand turned, no angle between them changed`
      : here && there ? "Both moved" : `${here ? words[0] : words[1]} moved by ${signed(here || there)}`;
    moved.textContent = `${who[0].toUpperCase()}${who.slice(1)}; the ${words[2]} changed by ${change}.`;
  }

  function draw() {
    if (!width) return;
    const at = model.get("at");
    const products = parts(at);
    const now = score(at);
    drawTrack(at);
    clocks.forEach((clock, i) => drawClock(clock, i, at, products[i]));
    drawCurve(at);
    says.textContent = `${words[0][0].toUpperCase()}${words[0].slice(1)} at ${at[0]}, ${words[1]} at ${at[1]}, distance ${String(at[0] - at[1]).replace("-", "−")}: ${words[2]} ${three(now)}.`;
    tellMove(at, now);
  }

  const stops = [
    listen(model, ["at"], draw),
    onWidth(root, (now) => { width = now; line.setAttribute("width", width); draw(); }),
  ];
  return () => { stops.forEach((stop) => stop()); root.remove(); };
}

export default { render };
