// What is wider than the screen scrolls by itself, and the keyboard must reach it. And a jump within
// the page, or into it, ends where it should, though figures above its end come later and push it on.

const PATIENCE = 60_000; // milliseconds in which figures may still come, on a slow line
const PROSE = "p, li, dt, dd, td, h2, h3, h4";
const WIDE = "mjx-container[display='true'], .bd-article :is(pre, table), .cell_output > .output";

function markScrollable() {
  for (const node of document.querySelectorAll(WIDE)) {
    const scrolls = node.scrollWidth > node.clientWidth + 1;
    if (scrolls) node.tabIndex = 0;
    else node.removeAttribute("tabindex");
  }
}

let jump = 0; // the frame that will look after the last jump

/** Keep `target` at the top of the window, wherever it moves in the page, until the reader scrolls. */
function keepAt(target) {
  cancelAnimationFrame(jump);
  const end = performance.now() + PATIENCE;
  let place = NaN;
  let scrolled = NaN;
  const look = (now) => {
    const found = Math.round(target.getBoundingClientRect().top + scrollY);
    if (found !== place) {
      target.scrollIntoView({ behavior: "instant" });
      [place, scrolled] = [found, scrollY];
    } else if (scrollY !== scrolled) {
      return; // by the bar at the side, of which the page hears nothing else
    }
    jump = now < end ? requestAnimationFrame(look) : 0;
  };
  jump = requestAnimationFrame(look);
}

function keepHash() {
  const target = document.getElementById(location.hash.slice(1)); // not :target, which comes later
  if (target) keepAt(target);
}

/** The words that the search page looked for, if the reader comes from there. */
function searched() {
  if (!document.referrer.split("?")[0].endsWith("/search.html")) return [];
  try {
    return (localStorage.getItem("sphinx_highlight_terms") ?? "").split(/\s+/).filter(Boolean);
  } catch {
    return []; // the browser keeps nothing
  }
}

/** A hit that has no address of its own leads to the section with the words, and marks the place. */
function keepFound() {
  const words = searched();
  if (!words.length || location.hash) return;
  const has = (node, some) => some.every((word) => node.textContent.toLowerCase().includes(word));
  const shown = (node) => node.getClientRects().length && !node.closest("details:not([open])");
  const having = (kinds, some) =>
    [...document.querySelectorAll(`article :is(${kinds})`)].find((node) => has(node, some) && shown(node));
  const found = having(PROSE, words) ?? having("pre", words) ?? having(PROSE, words.slice(0, 1));
  if (!found) return;
  found.classList.add("llmlab-found");
  const section = found.closest("section[id]");
  const below = found.getBoundingClientRect().top - section.getBoundingClientRect().top;
  keepAt(below < innerHeight / 2 ? section : found);
}

function watchJumps() {
  for (const event of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    addEventListener(event, () => cancelAnimationFrame(jump), { passive: true });
  }
  addEventListener("hashchange", keepHash);
  addEventListener("click", ({ target }) => {
    const link = target.closest?.("a[href^='#']");
    if (link?.hash === location.hash) keepHash(); // no change, but a jump
  });
  const [{ type }] = performance.getEntriesByType("navigation");
  if (type !== "navigate") return; // the browser goes back to where the reader was
  keepHash();
  keepFound();
}

async function main() {
  watchJumps();
  await document.fonts.ready;
  markScrollable();
  let waiting;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(markScrollable, 100);
  };
  // Not the whole page: whatever another observer resizes changes its height, and as the outermost
  // node it could not be told of that in the same frame, which WebKit reports as an error.
  const watcher = new ResizeObserver(later);
  for (const node of document.querySelectorAll(WIDE)) watcher.observe(node);
  addEventListener("resize", later);
}

main();
