// The view that looks: what may come next after a token, and where every head looks from there.

import { probabilities, ranked } from "../../engine/sampling.js";
import { llmlab } from "../shared/common.js";

const brief = (weight) => (weight >= 0.995 ? "1" : weight >= 0.005 ? weight.toFixed(2).slice(1) : "");
const percent = (chance) => `${(100 * chance).toFixed(chance < 0.1 ? 1 : 0)} %`;

export function lookView(lab, model, changed) {
  const { html } = llmlab;
  const says = html("p", { class: "ll-says", "aria-live": "polite" });
  const maps = headMaps(lab, changed);
  const next = nextTokens(lab, 10);
  const node = html("div", {}, says, html("div", { class: "ll-body" }, maps.node, next.node));

  function sentence() {
    const weights = lab.reading.weights(lab.layer, lab.head, lab.at);
    const [first, ...others] = ranked(weights).slice(0, 3).filter((s) => weights[s] >= 0.005)
      .map((s) => `“${lab.names[s]}” (${weights[s].toFixed(2)})`);
    return `Layer ${lab.layer}, head ${lab.head}: “${lab.names[lab.at]}” looks most at ${first}`
      + (others.length ? `, then ${others.join(" and ")}.` : ".");
  }

  return {
    node,
    shades() {
      const weights = lab.reading.weights(lab.layer, lab.head, lab.at);
      return lab.tokens.map((_, t) => ({ level: Math.sqrt(weights[t] ?? 0), note: brief(weights[t] ?? 0) }));
    },
    update(looks) {
      for (const part of node.children) part.hidden = !looks;
      if (!looks) return;
      says.textContent = sentence();
      maps.update();
      next.update();
    },
  };
}

/** A small map for every head: rows ask, columns answer. One of them is chosen. */
function headMaps(lab, changed) {
  const { html, colour } = llmlab;
  const { blocks, H } = lab.gpt;
  const node = html("div", { class: "ll-maps", role: "radiogroup", style: `--heads: ${H}`,
    "aria-label": "Layer and head. Arrow keys move.", onkeydown: onKey });
  const buttons = blocks.flatMap((_, layer) => Array.from({ length: H }, (__, head) => {
    const picture = html("canvas", { "aria-hidden": "true" });
    const row = html("i", { "aria-hidden": "true" });
    const button = html("button", { type: "button", role: "radio", "aria-label": `layer ${layer}, head ${head}`,
      onclick: () => choose(layer, head) }, picture, row);
    return { button, picture, row, layer, head };
  }));
  node.append(...gridWithNames(lab, buttons.map(({ button }) => button)));

  function choose(layer, head) {
    [lab.layer, lab.head] = [layer, head];
    changed();
  }

  function onKey(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    choose((lab.layer + move[0] + blocks.length) % blocks.length, (lab.head + move[1] + H) % H);
    buttons[lab.layer * H + lab.head].button.focus();
  }

  function paint(picture, layer, head, ink) {
    const T = lab.tokens.length;
    picture.width = picture.height = T;
    const pen = picture.getContext("2d");
    const image = pen.createImageData(T, T);
    for (let t = 0; t < T; t++) {
      lab.reading.weights(layer, head, t).forEach((weight, s) => { image.data[4 * (t * T + s) + 3] = 255 * Math.sqrt(weight); });
    }
    pen.putImageData(image, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = ink;
    pen.fillRect(0, 0, T, T);
  }

  function update() {
    const ink = colour(node, "--ll-accent");
    for (const { button, picture, row, layer, head } of buttons) {
      const chosen = layer === lab.layer && head === lab.head;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
      button.toggleAttribute("data-off", lab.reading.off.has(`${layer},${head}`));
      row.style.top = `${(100 * (lab.at + 0.5)) / lab.tokens.length}%`;
      paint(picture, layer, head, ink);
    }
  }

  return { node, update };
}

/** The heads' buttons in a grid, with the names of layers and heads at its edges. */
function gridWithNames(lab, buttons) {
  const { html } = llmlab;
  const { H } = lab.gpt;
  const name = (text) => html("span", { text, "aria-hidden": "true" });
  const cells = [name("head"), ...Array.from({ length: H }, (_, head) => name(head))];
  buttons.forEach((button, index) => cells.push(...(index % H ? [] : [name(`layer ${index / H}`)]), button));
  return cells;
}

/** The likeliest tokens after the chosen one, as bars, and the one that really follows. */
export function nextTokens(lab, count) {
  const { html } = llmlab;
  const after = html("p", { class: "ll-after" });
  const truth = html("p", { class: "ll-quiet" });
  const list = html("ol", { class: "ll-bars" });
  const line = (id, chance, really) => html("li", { "data-real": really },
    html("code", { text: lab.name(id) }), html("span", { class: "ll-bar", style: `--chance: ${chance.toFixed(4)}` }),
    html("span", { text: percent(chance) }));

  function update() {
    const chances = probabilities(lab.reading.scores(lab.at));
    const order = ranked(chances);
    const follower = lab.tokens[lab.at + 1];
    after.textContent = `After “${lab.names[lab.at]}” the model expects`;
    list.replaceChildren(...order.slice(0, count).map((id) => line(id, chances[id], id === follower)));
    truth.textContent = follower === undefined ? "" : `The text goes on with “${lab.name(follower)}”: `
      + `${percent(chances[follower])}, number ${order.indexOf(follower) + 1} of ${order.length}.`;
  }

  return { node: html("div", { class: "ll-next" }, after, list, truth), update };
}
