// Where everything stands. Every open box is laid out by itself, the innermost first, by dagre; then
// it is one rectangle in the box around it. So no layout is ever larger than what is in one box.
import { Graph, layout as dagre } from "@dagrejs/dagre";
import { around, children, graph, items, open, short, shown, size as type, sums, title } from "./data.js";

const canvas = document.createElement("canvas").getContext("2d");
const FONT = "system-ui, sans-serif";
const HEAD = 26; // the height of a box's heading
const PAD = 12;
const [IN, OUT, TOP, BOTTOM] = ["\u0001in ", "\u0001out ", "\u0001top", "\u0001bottom"];

function width(text, font) {
  canvas.font = font;
  return canvas.measureText(text).width;
}

export function lines(item) {
  const small = item.isBox ? sums(item) : [type(item)].filter(Boolean);
  if (item.detail && !item.isBox) small.unshift(short(item.detail, 36));
  return { name: short(title(item), 36), small };
}

function size(item) {
  const { name, small } = lines(item);
  const w = Math.max(width(name, `600 13px ${FONT}`), ...small.map((t) => width(t, `11px ${FONT}`)));
  const extra = item.isBox ? 56 : item.kind === "tensor" ? 36 : 24;
  const rim = item.kind === "parameter" ? 8 : 0;
  return { width: Math.max(56, w + extra), height: 24 + rim + 14 * small.length };
}

// Return {nodes: key → {x, y, width, height}, boxes: the same, edges: [{from, to, points, edges}]}.
export function layout() {
  const scopes = new Map(); // an open box (or "") → {pairs: "a\nb" → edges}
  const paths = new Map();
  const path = (key) => {
    if (!paths.has(key)) paths.set(key, [...around(key).filter((box) => open.has(box)), key]);
    return paths.get(key);
  };
  const drawn = new Map(); // "a\nb" of shown items → {from, to, edges, scope, pair}
  const add = (s, t, edge, flags) => {
    const from = shown(s), to = shown(t);
    if (from === to) return;
    const id = `${from}\n${to}${flags.tie ? "\ntie" : ""}`;
    let line = drawn.get(id);
    if (!line) {
      const a = path(from), b = path(to);
      let i = 0;
      while (a[i] === b[i]) i += 1;
      const scope = i ? a[i - 1] : "";
      line = { from, to, edges: [], legs: [], ...flags };
      drawn.set(id, line);
      if (!flags.loose) {
        // Out of the boxes around the one, through a port in each, and into those around the other.
        for (let k = a.length - 2; k >= i; k--) line.legs.push([a[k], a[k + 1], `${OUT}${from}`]);
        line.legs.push([scope, a[i], b[i]]);
        for (let k = i; k < b.length - 1; k++) line.legs.push([b[k], `${IN}${from}`, b[k + 1]]);
        for (const [box, ...pair] of line.legs) {
          if (!scopes.has(box)) scopes.set(box, new Map());
          scopes.get(box).set(pair.join("\n"), pair);
        }
      }
    }
    line.edges.push(edge);
  };
  for (const edge of graph.edges) {
    const a = items.get(edge[0]), b = items.get(edge[1]);
    const kept = b.sweep > a.sweep && b.kind === "operation";
    add(edge[0], edge[1], edge, { loose: kept, kept, back: b.sweep % 2 === 1 && !kept });
  }
  for (const v of graph.vertices) if (v.of) add(v.of, v.key, null, { loose: true, tie: true });

  const sizes = new Map(), inner = new Map();
  const order = ["", ...open].filter((box) => box === "" || around(box).every((b) => open.has(b)));
  order.sort((a, b) => (b ? around(b).length + 1 : 0) - (a ? around(a).length + 1 : 0));
  for (const scope of order) {
    const content = children.get(scope);
    const pairs = [...(scopes.get(scope) || new Map()).values()];
    for (const key of content) if (!sizes.has(key)) sizes.set(key, size(items.get(key)));
    const place = content.every((key) => items.get(key).kind === "sweep") ? beside : stacked;
    const found = place(scope, content, pairs, sizes);
    const heading = scope ? width(short(title(items.get(scope)), 60), `600 12px ${FONT}`) + 60 : 0;
    const w = Math.max(found.width, heading, 40);
    sizes.set(scope, { width: w, height: found.height + (scope ? HEAD : 0) });
    inner.set(scope, { ...found, shift: (w - found.width) / 2 });
  }

  const nodes = new Map(), boxes = new Map(), origins = new Map([["", [0, 0]]]);
  for (const scope of order.reverse()) {
    const [x0, y0] = origins.get(scope);
    const { at, shift } = inner.get(scope);
    for (const key of children.get(scope)) {
      const { width, height } = sizes.get(key);
      const place = { x: x0 + at.get(key)[0] + shift, y: y0 + at.get(key)[1], width, height };
      if (inner.has(key)) {
        boxes.set(key, place);
        origins.set(key, [place.x - width / 2, place.y - height / 2 + HEAD]);
      } else nodes.set(key, place);
    }
  }
  const edges = [...drawn.values()].map((line) => {
    const middle = line.legs.flatMap(([scope, a, b], i) => {
      const { at, bends, shift } = inner.get(scope);
      const [x0, y0] = origins.get(scope);
      const bent = bends.get(`${a}\n${b}`) || [];
      const port = i < line.legs.length - 1 && b.startsWith(OUT) ? [at.get(b)] : [];
      const entry = a.startsWith(IN) ? [at.get(a)] : [];
      return [...entry, ...bent, ...port].map(([x, y]) => [x + x0 + shift, y + y0]);
    });
    return { ...line, points: route(nodes.get(line.from), nodes.get(line.to), middle, line.loose) };
  });
  const all = sizes.get("");
  return { nodes, boxes, edges, width: all.width, height: all.height };
}

// Sweeps stand side by side on one ground: where the way there ends, the way back begins.
function beside(scope, content, pairs, sizes) {
  const at = new Map();
  const height = Math.max(...content.map((key) => sizes.get(key).height)) + 2 * PAD;
  let x = PAD;
  for (const key of content) {
    const size = sizes.get(key);
    at.set(key, [x + size.width / 2, height - PAD - size.height / 2]);
    x += size.width + 90;
  }
  return { at, bends: new Map(), width: x - 90 + PAD, height };
}

// The content of one box in layers. Ports are drawn to the upper or lower edge.
function stacked(scope, content, pairs, sizes) {
  const g = new Graph();
  const up = upwards(scope);
  g.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 30, ranker: content.length > 150 ? "longest-path" : "network-simplex" });
  g.setDefaultEdgeLabel(() => ({}));
  for (const key of content) g.setNode(key, { ...sizes.get(key) });
  const ports = new Set(pairs.flat().filter((key) => key.startsWith(IN) || key.startsWith(OUT)));
  for (const port of ports) g.setNode(port, { width: 1, height: 1 });
  for (const [a, b] of pairs) {
    const item = items.get(a);
    const weight = item && (item.isBox || item.kind === "operation") ? 4 : 1;
    if (up) g.setEdge(b, a, { weight });
    else g.setEdge(a, b, { weight });
  }
  if (ports.size) {
    const first = g.sources(), last = g.sinks();
    g.setNode(TOP, { width: 1, height: 1 });
    g.setNode(BOTTOM, { width: 1, height: 1 });
    for (const key of first) g.setEdge(TOP, key, { weight: ports.has(key) ? 60 : 0 });
    for (const key of last) g.setEdge(key, BOTTOM, { weight: ports.has(key) ? 60 : 0 });
  }
  dagre(g);
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  const reach = (x, y, w, h) => {
    box.left = Math.min(box.left, x - w);
    box.right = Math.max(box.right, x + w);
    box.top = Math.min(box.top, y - h);
    box.bottom = Math.max(box.bottom, y + h);
  };
  for (const key of content) {
    const n = g.node(key);
    reach(n.x, n.y, n.width / 2, n.height / 2);
  }
  const lines = pairs.map(([a, b]) => {
    const points = (up ? [...g.edge(b, a).points].reverse() : g.edge(a, b).points).slice(1, -1);
    for (const p of points) reach(p.x, (box.top + box.bottom) / 2, 2, 0);
    return [`${a}\n${b}`, points];
  });
  if (!content.length) reach(0, 0, 20, 5);
  const move = (x, y) => [x - box.left + PAD, y - box.top + PAD];
  const at = new Map([...content, ...ports].map((key) => [key, move(g.node(key).x, g.node(key).y)]));
  const bends = new Map(lines.map(([id, points]) => [id, points.map((p) => move(p.x, p.y))]));
  return { at, bends, width: box.right - box.left + 2 * PAD, height: box.bottom - box.top + 2 * PAD };
}

// Whether what is in a box is drawn upwards: a way back is, beside the way there.
function upwards(scope) {
  return scope !== "" && graph.vertices[items.get(scope).first].sweep % 2 === 1;
}

function route(from, to, middle, loose) {
  if (loose) {
    const right = to.x > from.x;
    return [
      [from.x + (right ? from.width : -from.width) / 2, from.y],
      [to.x + (right ? -to.width : to.width) / 2, to.y],
    ];
  }
  const down = to.y >= from.y;
  const start = [from.x, from.y + (down ? from.height : -from.height) / 2];
  const end = [to.x, to.y + (down ? -to.height : to.height) / 2];
  const points = [start];
  for (const p of middle) {
    const [, y] = points[points.length - 1];
    if (down ? p[1] > y + 1 && p[1] < end[1] - 1 : p[1] < y - 1 && p[1] > end[1] + 1) points.push(p);
  }
  return [...points, end];
}

export function curve(points, loose) {
  let d = `M${points[0].map(round).join(" ")}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i];
    const m = loose ? (x0 + x1) / 2 : (y0 + y1) / 2;
    const c = loose ? [m, y0, m, y1] : [x0, m, x1, m];
    d += `C${c.map(round).join(" ")} ${round(x1)} ${round(y1)}`;
  }
  return d;
}
const round = (x) => Math.round(x * 10) / 10;
