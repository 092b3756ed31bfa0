// The graph as the page holds it: vertices and boxes by key, what is in what, what is folded.

export const graph = JSON.parse(document.getElementById("graph-data").textContent);

export const items = new Map(); // key → vertex or box
export const children = new Map([["", []]]); // box → keys, in the order of the computation
export const readers = new Map(); // vertex → edges that leave it
export const sources = new Map(); // vertex → edges that enter it

for (const box of graph.boxes) {
  items.set(box.key, Object.assign(box, { isBox: true, first: Infinity }));
  children.set(box.key, []);
}
graph.vertices.forEach((v, i) => {
  items.set(v.key, Object.assign(v, { first: i, index: i }));
  readers.set(v.key, []);
  sources.set(v.key, []);
  for (let box = v.box; box; box = items.get(box).parent) {
    items.get(box).first = Math.min(items.get(box).first, i);
  }
});
for (const item of items.values()) children.get(item.isBox ? item.parent : item.box).push(item.key);
for (const list of children.values()) list.sort((a, b) => items.get(a).first - items.get(b).first);
for (const edge of graph.edges) {
  readers.get(edge[0]).push(edge);
  sources.get(edge[1]).push(edge);
}

export const parentOf = (key) => (items.get(key).isBox ? items.get(key).parent : items.get(key).box);

// The boxes around an item, from the outermost to the innermost.
export function around(key) {
  const found = [];
  for (let box = parentOf(key); box; box = parentOf(box)) found.unshift(box);
  return found;
}

export const open = new Set(); // the boxes that are unfolded

// How many modules and parts a box is deep; sweeps and repeats do not count.
function depth(key) {
  const boxes = [...around(key), key].map((box) => items.get(box).kind);
  return boxes.filter((kind) => !["sweep", "repeat", "block"].includes(kind)).length;
}

// Unfold boxes from the outside in, as long as no more than `most` items are seen: repeats only if
// all blocks are wanted, and modules as deep as is wanted.
export function unfoldSome(most) {
  open.clear();
  const wanted = graph.depth === null ? Infinity : graph.depth;
  const folded = (key, kind) => kind === "part" || (kind === "repeat" && graph.repeats) || depth(key) > wanted;
  let queue = children.get("").filter((key) => items.get(key).isBox);
  let seen = children.get("").length;
  while (queue.length) {
    const next = [];
    for (const key of queue) {
      const inside = children.get(key);
      const kind = items.get(key).kind;
      if (seen + inside.length > most || folded(key, kind)) continue;
      seen += inside.length - 1;
      open.add(key);
      next.push(...inside.filter((x) => items.get(x).isBox));
    }
    queue = next;
  }
}

// What stands for an item on the page: itself, or the outermost folded box around it.
export function shown(key) {
  for (const box of around(key)) if (!open.has(box)) return box;
  return key;
}

export function reveal(key) {
  let changed = false;
  for (const box of around(key)) {
    if (!open.has(box)) changed = true;
    open.add(box);
  }
  return changed;
}

// Text ---------------------------------------------------------------------------------------------

export const shape = (sizes) => (sizes.length ? sizes.join(" × ") : "scalar");
// A formula for vectors of any length has no dtype, and no shape that could be told.
export const size = (item) => (item.dtype ? `${shape(item.shape)} ${item.dtype}` : "");
export const short = (text, length) => (text.length > length ? text.slice(0, length - 1) + "…" : text);

export function number(value, digits = 6) {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return { NaN: "NaN", Infinity: "∞", "-Infinity": "−∞" }[value];
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value).replace("-", "−");
  const size = Math.abs(value);
  const text = size < 1e-4 || size >= 1e7
    ? value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e")
    : String(Number(value.toPrecision(digits)));
  return text.replace(/-/g, "−");
}

function prefixed(value, step, units) {
  let i = 0;
  while (value >= step && i < units.length - 1) {
    value /= step;
    i += 1;
  }
  return `${Number(value.toPrecision(3))}${units[i]}`;
}
export const bytes = (value) => prefixed(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
export const amount = (value) => prefixed(value, 1000, ["", " k", " M", " G", " T"]);
export const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

export function title(item) {
  if (!item.isBox) return item.name;
  if (item.kind === "repeat") return `${item.name} × ${item.count}`;
  if (["sweep", "part", "block"].includes(item.kind)) return item.name;
  const made = item.detail ? `${item.kind}(${item.detail})` : item.kind;
  return item.name ? `${item.name}: ${made}` : made;
}

export function kind(item) {
  if (item.isBox) return "module";
  if (item.kind === "operation") return ["operation", "gradient", "second", "second"][item.sweep];
  return item.kind;
}

// What a box adds up to, in a few words each.
export function sums({ totals }) {
  const found = [plural(totals.operations, "operation")];
  if (totals.numbers) found.push(plural(totals.numbers, "parameter"));
  if (totals.kept) found.push(`keeps ${bytes(totals.kept)}`);
  return found;
}

// The words of a screen reader: what is written on the item, then what it is.
export function describe(item) {
  if (item.isBox) return [title(item), ...sums(item)].join(", ");
  const parts = [short(item.name, 200), item.detail, size(item), kind(item)];
  return parts.filter(Boolean).join(", ");
}
