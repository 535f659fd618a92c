// The ledger of claims: choose entries by verdict and by chapter. Without scripts all of them show.

const summary = document.querySelector(".llmlab-filters");
const entries = [...document.querySelectorAll(".llmlab-entry")].map((node) => {
  const section = node.closest("section");
  const chapter = section.querySelector("h2").firstChild.textContent;
  const sign = node.querySelector("i").textContent;
  return { node, section, chapter, verdict: `${sign} ${node.dataset.kind}` };
});
const status = Object.assign(document.createElement("span"), { role: "status" });
const fields = ["verdict", "chapter"].map(makeField);

function makeField(name) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  const values = [...new Set(entries.map((entry) => entry[name]))];
  const count = (value) => entries.filter((entry) => entry[name] === value).length;
  select.append(new Option(`any ${name}`, ""), ...values.map((value) => new Option(`${value} (${count(value)})`, value)));
  select.addEventListener("change", show);
  label.append(`${name[0].toUpperCase()}${name.slice(1)} `, select);
  return { name, label, select };
}

function show() {
  const fits = (entry) => fields.every(({ name, select }) => !select.value || select.value === entry[name]);
  for (const entry of entries) entry.node.hidden = !fits(entry);
  for (const { section } of entries) section.hidden = !section.querySelector(".llmlab-entry:not([hidden])");
  const shown = entries.filter(({ node }) => !node.hidden).length;
  const nothing = shown ? "" : ": none of this chapter has this verdict";
  status.textContent = `${shown} of ${entries.length} claims${nothing}`;
}

// a link to an entry, from its card, must find it
function showAll() {
  for (const { select } of fields) select.value = "";
  show();
}

if (entries.length) {
  summary.replaceChildren(...fields.map(({ label }) => label), status);
  addEventListener("hashchange", showAll);
  show();
}
