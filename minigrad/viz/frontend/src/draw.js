// The picture: boxes, edges and nodes as SVG; panning and zooming by d3.
import { select } from "d3-selection";
import { zoom, zoomIdentity, zoomTransform } from "d3-zoom";
import { describe, graph, items, kind, title, short } from "./data.js";
import { curve, layout, lines } from "./layout.js";

const NS = "http://www.w3.org/2000/svg";
export const svg = document.getElementById("picture");
const view = document.getElementById("view");

export const elements = new Map(); // shown item → its element
export let placed = null;
let lit = [];
let heat = "kind";

function make(tag, attributes, parent, text) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

const zooming = zoom().scaleExtent([0.02, 4]).on("zoom", (event) => {
  view.setAttribute("transform", event.transform);
});
const canvas = select(svg).call(zooming).on("dblclick.zoom", null);

export function render() {
  placed = layout();
  view.replaceChildren();
  elements.clear();
  const layers = ["boxes", "edges", "headings", "nodes"].map((name) => make("g", { class: name }, view));
  const outer = [...placed.boxes.keys()].sort((a, b) => placed.boxes.get(b).width - placed.boxes.get(a).width);
  for (const key of outer) drawBox(key, placed.boxes.get(key), layers[0], layers[2]);
  for (const edge of placed.edges) drawEdge(edge, layers[1]);
  const inOrder = [...placed.nodes].sort(([a], [b]) => items.get(a).first - items.get(b).first);
  for (const [key, place] of inOrder) drawNode(key, place, layers[3]);
  paint();
}

function drawBox(key, p, layer, above) {
  const box = items.get(key);
  const g = make("g", { class: `box ${box.kind === "repeat" || box.kind === "sweep" ? box.kind : ""}`, "data-key": key }, layer);
  g.setAttribute("role", "button");
  g.setAttribute("tabindex", "-1");
  g.setAttribute("aria-expanded", "true");
  g.setAttribute("aria-label", `${describe(box)}, unfolded`);
  const x = p.x - p.width / 2, y = p.y - p.height / 2;
  make("rect", { x, y, width: p.width, height: p.height, rx: 10 }, g);
  make("text", { x: x + 30, y: y + 18, class: "heading" }, above, short(title(box), 60));
  const fold = make("g", { class: "fold", "data-key": key, transform: `translate(${x + 15} ${y + 14})` }, above);
  make("circle", { r: 7.5 }, fold);
  make("path", { d: "M-4 0H4" }, fold);
  elements.set(key, g);
}

function drawEdge(edge, layer) {
  const classes = ["edge", edge.kept ? "kept" : "", edge.tie ? "tie" : ""].join(" ");
  const attributes = { class: classes, d: curve(edge.points, edge.loose) };
  if (!edge.tie) attributes["marker-end"] = "url(#arrow)";
  edge.element = make("path", attributes, layer);
}

function drawNode(key, p, layer) {
  const item = items.get(key);
  const g = make("g", { class: `node ${kind(item)}`, "data-key": key, transform: `translate(${p.x} ${p.y})` }, layer);
  g.setAttribute("role", "button");
  g.setAttribute("tabindex", "-1");
  g.setAttribute("aria-label", describe(item) + (item.isBox ? ", folded" : ""));
  if (item.isBox) g.setAttribute("aria-expanded", "false");
  const w = p.width / 2, h = p.height / 2;
  if (item.isBox) {
    make("rect", { class: "behind", x: -w + 4, y: -h - 4, width: p.width, height: p.height, rx: 4 }, g);
    if (item.kind === "repeat") make("rect", { class: "behind", x: -w + 8, y: -h - 8, width: p.width, height: p.height, rx: 4 }, g);
    make("rect", { class: "body", x: -w, y: -h, width: p.width, height: p.height, rx: 4 }, g);
    const fold = make("g", { class: "fold", transform: `translate(${-w + 13} ${-h + 13})` }, g);
    make("circle", { r: 7.5 }, fold);
    make("path", { d: "M-4 0H4M0 -4V4" }, fold);
  } else if (item.kind === "operation") {
    make("rect", { class: "body", x: -w, y: -h, width: p.width, height: p.height, rx: 9 }, g);
  } else if (item.kind === "parameter") {
    const r = 5;
    make("path", { class: "body", d: `M${-w} ${-h + r}A${w} ${r} 0 0 1 ${w} ${-h + r}V${h - r}A${w} ${r} 0 0 1 ${-w} ${h - r}Z` }, g);
    make("path", { class: "rim", d: `M${-w} ${-h + r}A${w} ${r} 0 0 0 ${w} ${-h + r}` }, g);
  } else {
    make("ellipse", { class: "body", rx: w, ry: h }, g);
  }
  const { name, small } = lines(item);
  const top = -((small.length * 14) / 2) + 4 + (item.kind === "parameter" ? 5 : 0);
  make("text", { class: "name", y: top }, g, name);
  small.forEach((text, i) => {
    g.append(" "); // so that the words of two lines are not read as one
    make("text", { class: "small", y: top + 15 + 14 * i }, g, text);
  });
  elements.set(key, g);
}

// Colors ------------------------------------------------------------------------------------------

const measures = {
  gradient: (v) => (v.gradient ? v.gradient.norm : 0),
  value: (v) => (v.value ? v.value.norm : 0),
  kept: (v) => v.isBox ? v.totals.kept : v.saved.reduce((sum, s) => sum + s.bytes, 0),
  flops: (v) => (v.isBox ? v.totals.flops : v.flops),
};

export function colorBy(name) {
  heat = name;
  paint();
}

function paint() {
  const measure = measures[heat];
  const scale = document.getElementById("scale");
  scale.hidden = !measure;
  svg.classList.toggle("heated", Boolean(measure));
  if (!measure) return;
  const values = graph.vertices.map(measure).filter((x) => typeof x === "number" && x > 0);
  const low = Math.log(Math.min(...values)), high = Math.log(Math.max(...values));
  for (const [key, g] of elements) {
    const value = measure(items.get(key));
    const share = value > 0 ? Math.min(1, (Math.log(value) - low) / (high - low || 1)) : -1;
    g.style.setProperty("--heat", share < 0 ? "0%" : `${8 + 72 * share}%`);
  }
}

// Moving about ------------------------------------------------------------------------------------

export function fit() {
  const { clientWidth: w, clientHeight: h } = svg;
  const room = h - 40; // the legend is below
  const k = Math.min(1.25, (w - 40) / placed.width, (room - 30) / placed.height);
  const x = (w - placed.width * k) / 2, y = Math.max(15, (room - placed.height * k) / 2);
  canvas.call(zooming.transform, zoomIdentity.translate(x, y).scale(k));
}

export function scaleBy(factor) {
  canvas.call(zooming.scaleBy, factor);
}

export function panBy(x, y) {
  canvas.call(zooming.translateBy, x / zoomTransform(svg).k, y / zoomTransform(svg).k);
}

// Bring an item into sight, if it is not, at a size at which it can be read.
export function show(key) {
  const p = placed.nodes.get(key) || placed.boxes.get(key);
  const t = zoomTransform(svg);
  const { clientWidth: w, clientHeight: h } = svg;
  const [x, y] = t.apply([p.x, p.y]);
  const margin = 60;
  if (t.k > 0.45 && x > margin && x < w - margin && y > margin && y < h - margin) return;
  const k = Math.max(t.k, 0.8);
  const target = zoomIdentity.translate(w / 2 - p.x * k, h / 2 - p.y * k).scale(k);
  canvas.call(zooming.transform, target);
}

// Keep a point of the picture where it is while something folds.
export function hold(key, action) {
  const before = placed.nodes.get(key) || placed.boxes.get(key);
  const t = zoomTransform(svg);
  const [x, y] = before ? t.apply([before.x, before.y - before.height / 2]) : [0, 0];
  action();
  const after = placed.nodes.get(key) || placed.boxes.get(key);
  if (!before || !after) return;
  const top = after.y - after.height / 2;
  canvas.call(zooming.transform, zoomIdentity.translate(x - after.x * t.k, y - top * t.k).scale(t.k));
}

export function mark(name, keys) {
  for (const g of view.querySelectorAll(`.${name}`)) g.classList.remove(name);
  for (const key of keys) elements.get(key)?.classList.add(name);
}

export function lightEdges(test) {
  for (const edge of lit) edge.element.classList.remove("lit");
  lit = placed.edges.filter((edge) => edge.edges.some((e) => e && test(e)));
  for (const edge of lit) edge.element.classList.add("lit");
}
