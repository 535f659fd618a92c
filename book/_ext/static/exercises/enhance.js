// On every page: wakes the exercises when they come near the screen, and the reader's progress.
// All that they need is loaded then; a page without them loads nothing.

const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      nearby.unobserve(target);
      wake(target);
    }
  },
  { rootMargin: "800px 0px" },
);

async function wake(node) {
  try {
    if (node.matches(".llmlab-progress")) (await import("./panel.js")).showProgress(node);
    else (await import("./exercise.js")).enhance(node);
  } catch (error) {
    console.error(error); // the starter, or the sentence in its place, stays as it is
  }
}

for (const node of document.querySelectorAll("div.cell.tag_exercise, .llmlab-progress")) {
  nearby.observe(node);
}
