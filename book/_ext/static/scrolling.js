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
  new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(markScrollable, 100);
  }).observe(document.body);
}

main();
