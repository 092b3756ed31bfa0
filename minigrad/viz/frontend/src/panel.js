// What is known of an item: its value, gradient, derivative, what it keeps, where it was made.
// All text goes in as text, never as markup: names are the user's.
import { amount, bytes, graph, items, number, plural, readers, shape, short, sources, title } from "./data.js";

const panel = document.getElementById("facts");

export function h(tag, attributes = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...content.filter((x) => x !== null && x !== undefined));
  return element;
}

const section = (name, ...content) => h("section", {}, h("h3", {}, name), ...content);

function facts(pairs) {
  const rows = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export function numbers(stats) {
  const value = stats.numbers;
  if (value === null || value === undefined) return null;
  if (stats.shape.length === 0) return h("p", { class: "scalar", "data-number": value }, number(value));
  if (stats.shape.length > 2) return h("pre", {}, JSON.stringify(value));
  const rows = stats.shape.length === 1 ? [value] : value;
  const table = h("table", {}, ...rows.map((row) => h("tr", {}, ...row.map((x) => {
    const cell = h("td", { "data-number": x }, number(x, 4));
    cell.title = String(x);
    if (typeof x === "number" && x < 0) cell.className = "negative";
    return cell;
  }))));
  return h("div", { class: "matrix", tabindex: "0" }, table);
}

export function statistics(stats) {
  if (!stats) return h("p", { class: "quiet" }, "not recorded");
  const size = stats.shape.reduce((a, b) => a * b, 1);
  const rows = size === 1 && stats.numbers !== null ? [] : [
    ["mean ± std", `${number(stats.mean)} ± ${number(stats.std)}`],
    ["range", `${number(stats.min)} … ${number(stats.max)}`],
    ["norm", number(stats.norm)],
    ["zeros", stats.zeros ? `${stats.zeros.toLocaleString("en")} of ${size.toLocaleString("en")}` : ""],
  ];
  if (stats.bad) rows.push(["NaN or ∞", h("strong", { class: "alarm" }, stats.bad.toLocaleString("en"))]);
  return h("div", {}, rows.length ? facts(rows) : null, numbers(stats));
}

export function rule(name, input) {
  const known = graph.rules[name];
  if (!known || !known.rules.length) return h("p", { class: "quiet" }, "It has no derivative.");
  const rules = known.rules.filter((r) => input === undefined || r.input === input);
  return h("div", {}, ...rules.map((r) => h("div", { class: "rule" },
    h("p", { class: "formula" }, r.formula),
    h("pre", {}, h("code", {}, r.source)))));
}

function link(key, choose, text) {
  return h("button", { class: "link", "data-go": key, onclick: () => choose(key) }, text || short(title(items.get(key)), 60));
}

function list(name, keys, choose) {
  const few = keys.slice(0, 40);
  if (!few.length) return null;
  const more = keys.length > few.length ? h("li", { class: "quiet" }, `and ${keys.length - few.length} more`) : null;
  return section(name, h("ul", {}, ...few.map((key) => h("li", {}, link(key, choose))), more));
}

export function describe(key, choose) {
  const item = items.get(key);
  panel.replaceChildren();
  if (item.isBox) describeBox(item, choose);
  else describeVertex(item, choose);
  panel.scrollTop = 0;
}

function describeBox(box, choose) {
  const t = box.totals;
  const what = { repeat: plural(box.count, "block") + " of the same structure", sweep: "a sweep", part: "a stretch of the computation", block: "a block that repeats" };
  panel.append(
    h("h2", {}, title(box)),
    h("p", { class: "quiet" }, what[box.kind] || "the call of a module"),
    section("Adds up to", facts([
      ["operations", t.operations.toLocaleString("en")],
      ["parameters", t.numbers ? `${t.numbers.toLocaleString("en")} in ${plural(t.parameters, "tensor")}` : "none"],
      ["flops", amount(t.flops)],
      ["kept for backward", bytes(t.kept)],
      ["… of which parameters and inputs", t.kept_by_leaves ? bytes(t.kept_by_leaves) : ""],
    ])),
    h("p", { class: "quiet" }, "Memory that several operations keep is counted once."),
  );
  if (box.parent) panel.append(section("Inside", link(box.parent, choose)));
}

function describeVertex(v, choose) {
  const operation = v.kind === "operation";
  const known = operation ? graph.rules[v.name] : null;
  panel.append(
    h("h2", {}, v.name),
    h("p", { class: "quiet" }, operation ? (known ? known.doc : "") || "operation" : v.role || v.kind),
    facts([
      ["shape", v.dtype && shape(v.shape)], ["dtype", v.dtype], ["device", v.device], ["keywords", v.detail],
      ["flops", operation ? amount(v.flops) : ""],
      ["elements", operation || !v.dtype ? "" : v.shape.reduce((a, b) => a * b, 1).toLocaleString("en")],
      ["inside", v.box ? link(v.box, choose) : ""],
      ["differentiates", v.of ? link(v.of, choose) : ""],
    ]),
  );
  if (v.line) panel.append(section("Made by", h("pre", {}, h("code", {}, v.line))));
  if (v.value) panel.append(section("Value", statistics(v.value)));
  if (v.gradient) panel.append(section("Gradient", statistics(v.gradient)));
  if (operation) panel.append(section("Derivative", rule(v.name)));
  if (operation) {
    const rows = v.saved.map((s) => h("tr", {}, h("td", {}, s.name), h("td", {}, `${shape(s.shape)} ${s.dtype}`),
      h("td", {}, bytes(s.bytes)), h("td", { class: "quiet" }, graph.memories[s.memory].leaf ? "a leaf’s" : "")));
    panel.append(section("Keeps for the backward pass", rows.length
      ? h("table", { class: "saved" }, ...rows) : h("p", { class: "quiet" }, "nothing")));
  }
  const ties = graph.vertices.filter((x) => x.of === v.key).map((x) => x.key);
  panel.append(...[
    list("Reads", sources.get(v.key).map((e) => e[0]), choose),
    list("Read by", readers.get(v.key).map((e) => e[1]), choose),
    list("Its derivative is computed by", ties, choose),
  ].filter(Boolean));
}

export { panel };
