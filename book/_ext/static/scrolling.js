// What is wider than the screen scrolls by itself, and the keyboard must reach it. And a jump within
// the page, or into it, ends where it should, though figures above its end come later and push it on.

const PATIENCE = 10_000; // milliseconds in which figures may still come
const WIDE = "mjx-container[display='true'], .bd-article :is(pre, table), .cell_output > .output";

function markScrollable() {
  for (const node of document.querySelectorAll(WIDE)) {
    const scrolls = node.scrollWidth > node.clientWidth + 1;
    if (scrolls) node.tabIndex = 0;
    else node.removeAttribute("tabindex");
  }
}

let jump = 0; // the frame that will look after the last jump

/** Keep `target` at the top of the window until the reader does something. */
function keepAt(target) {
  cancelAnimationFrame(jump);
  const end = performance.now() + PATIENCE;
  let top = NaN;
  const look = (now) => {
    if (target.getBoundingClientRect().top !== top) target.scrollIntoView({ behavior: "instant" });
    top = target.getBoundingClientRect().top;
    jump = now < end ? requestAnimationFrame(look) : 0;
  };
  jump = requestAnimationFrame(look);
}

function keepHash() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) keepAt(target);
}

/** Without an address of its own, a word that the search has found and marked is where to go. */
function keepFound() {
  const found = document.querySelector("article span.highlighted");
  if (found && !location.hash) keepAt(found.closest("section[id], dt, tr") ?? found);
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
  keepHash();
  // Sphinx marks what was searched for 10 milliseconds after the page is there
  const later = () => setTimeout(keepFound, 20);
  if (document.readyState === "complete") later();
  else addEventListener("load", later);
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
