// What is wider than the screen scrolls by itself; the keyboard must reach it.

const WIDE = "mjx-container[display='true'], .bd-article :is(pre, table), .cell_output > .output";

function markScrollable() {
  for (const node of document.querySelectorAll(WIDE)) {
    const scrolls = node.scrollWidth > node.clientWidth + 1;
    if (scrolls) node.tabIndex = 0;
    else node.removeAttribute("tabindex");
  }
}

async function main() {
  await window.MathJax?.startup?.promise;
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
