// Typesets formulas with MathJax: JSON [[tex, display], ...] on stdin, {css, formulas} on stdout.
const fs = require("node:fs");

const items = JSON.parse(fs.readFileSync(0, "utf8"));
// SVG, because WebKit loses parts of formulas that MathJax draws with fonts
const options = {
  loader: { load: ["input/tex", "output/svg", "a11y/assistive-mml"] },
  startup: { typeset: false },
  svg: { scale: 0.95, fontCache: "local" },
};

require(process.argv[2]).init(options).then((MathJax) => {
  const { adaptor } = MathJax.startup;
  const formulas = items.map(([tex, display]) => {
    const node = MathJax.tex2svg(tex, { display });
    if (adaptor.outerHTML(node).includes("data-mjx-error")) throw new Error(`not TeX: ${tex}`);
    adaptor.setAttribute(node, "data-tex", tex);
    return adaptor.outerHTML(node);
  });
  process.stdout.write(JSON.stringify({ css: adaptor.textContent(MathJax.svgStylesheet()), formulas }));
}).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
