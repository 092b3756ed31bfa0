// The page: what is chosen, folded and searched for, and the keys.
import { amount, bytes, children, graph, items, open, reveal, shown, title, unfoldSome } from "./data.js";
import * as draw from "./draw.js";
import * as outline from "./outline.js";
import { describe, h, panel } from "./panel.js";
import * as search from "./search.js";
import * as steps from "./steps.js";

const byId = (id) => document.getElementById(id);
let selected = null;

function changed() {
  draw.render();
  outline.draw(selected, act);
  mark();
}

function mark() {
  draw.mark("selected", selected ? [shown(selected)] : []);
  for (const g of draw.elements.values()) g.setAttribute("tabindex", "-1");
  const first = selected ? draw.elements.get(shown(selected)) : draw.elements.values().next().value;
  if (first) first.setAttribute("tabindex", "0");
  steps.repaint();
}

function choose(key, focus = false) {
  selected = key;
  if (reveal(key)) changed();
  else {
    outline.draw(selected, act);
    mark();
  }
  draw.show(key);
  describe(key, choose);
  document.body.classList.add("chosen");
  if (focus) draw.elements.get(shown(key))?.focus({ preventScroll: true });
}

function fold(key) {
  const focus = draw.svg.contains(document.activeElement);
  draw.hold(key, () => {
    if (open.has(key)) open.delete(key); // what is open inside is so again when this is unfolded
    else {
      reveal(key);
      open.add(key);
    }
    changed();
  });
  byId("said").textContent = `${title(items.get(key))} ${open.has(key) ? "unfolded" : "folded"}`;
  if (focus) draw.elements.get(key)?.focus({ preventScroll: true });
}

// Put the keyboard into the picture: on what is chosen, else on the picture itself.
function enter() {
  const element = selected && draw.elements.get(shown(selected));
  (element || draw.svg).focus({ preventScroll: true });
}

const act = { choose, fold, enter, selected: () => selected };

function overview() {
  const t = graph.totals;
  panel.replaceChildren(
    h("h2", {}, graph.title || "Computational graph"),
    h("p", { class: "quiet" }, graph.caption),
    h("dl", {},
      ...[["flops", amount(t.flops)], ["kept for backward", bytes(t.kept)], ["… of which parameters and inputs", bytes(t.kept_by_leaves)]]
        .flatMap(([a, b]) => [h("dt", {}, a), h("dd", {}, b)])),
    h("section", {}, h("h3", {}, "Keys"), h("dl", { class: "keys" },
      ...[["/", "search"], ["arrows", "move along edges"], ["Enter", "choose, unfold, fold"], ["+  −  0", "zoom, fit"],
        ...(graph.steps.length ? [["b", "step through the backward pass"], ["n  p", "next and previous step (also Page Down, Page Up)"], ["Home  End", "first and last step"]] : []),
        ["Esc", "leave"]].flatMap(([a, b]) => [h("dt", {}, h("kbd", {}, a)), h("dd", {}, b)]))));
}

// Pointer and keys --------------------------------------------------------------------------------

draw.svg.addEventListener("click", (event) => {
  const g = event.target.closest("[data-key]");
  if (!g) return;
  if (event.target.closest(".fold")) fold(g.dataset.key);
  else choose(g.dataset.key);
});
draw.svg.addEventListener("dblclick", (event) => {
  const g = event.target.closest("[data-key]");
  if (g && items.get(g.dataset.key).isBox) fold(g.dataset.key);
});

// The item that an arrow key leads to: along an edge up or down, to an operation before a parameter;
// else the nearest on either side.
function neighbour(key, arrow) {
  const here = shown(key);
  const p = draw.placed.nodes.get(here) || draw.placed.boxes.get(here);
  const linked = draw.placed.edges.filter((e) => !e.tie).map((e) => (e.from === here ? e.to : e.to === here ? e.from : null)).filter(Boolean);
  const all = arrow === "ArrowUp" || arrow === "ArrowDown" ? linked : [...draw.placed.nodes.keys()];
  let best = null, least = Infinity;
  for (const other of all) {
    const q = draw.placed.nodes.get(other) || draw.placed.boxes.get(other);
    const dx = q.x - p.x, dy = q.y - p.y;
    const along = { ArrowUp: -dy, ArrowDown: dy, ArrowLeft: -dx, ArrowRight: dx }[arrow];
    const aside = arrow === "ArrowUp" || arrow === "ArrowDown" ? Math.abs(dx) : Math.abs(dy) * 4;
    const item = items.get(other);
    const far = along + aside + (all === linked && !item.isBox && item.kind !== "operation" ? 1e6 : 0);
    if (along > 1 && far < least) [best, least] = [other, far];
  }
  return best;
}

const hooks = {
  choose,
  changed,
  left: () => {
    if (selected) describe(selected, choose);
    else overview();
    mark();
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  const g = event.target.closest("svg [data-key]");
  const stepping = steps.at >= 0;
  let does = null;
  if (event.key === "Escape") does = () => (stepping ? steps.leave(hooks) : (selected = null, overview(), mark()));
  else if (typing && event.target.type !== "range") return;
  else if (event.key === "/") does = () => byId("search").focus();
  else if (event.key === "+" || event.key === "=") does = () => draw.scaleBy(1.25);
  else if (event.key === "-") does = () => draw.scaleBy(0.8);
  else if (event.key === "0") does = draw.fit;
  else if (event.key === "b" && graph.steps.length) does = () => (stepping ? steps.leave(hooks) : steps.goTo(0, hooks));
  else if (["n", "PageDown"].includes(event.key) && graph.steps.length) does = () => steps.goTo(steps.at + 1, hooks);
  else if (["p", "PageUp"].includes(event.key) && stepping) does = () => steps.goTo(steps.at - 1, hooks);
  else if (stepping && event.key === "Home") does = () => steps.goTo(0, hooks);
  else if (stepping && event.key === "End") does = () => steps.goTo(graph.steps.length - 1, hooks);
  else if (g && event.key.startsWith("Arrow")) does = () => {
    const next = neighbour(g.dataset.key, event.key);
    if (next) choose(next, true);
  };
  else if (g && (event.key === "Enter" || event.key === " ")) does = () => {
    if (items.get(g.dataset.key).isBox) fold(g.dataset.key);
    choose(g.dataset.key, true);
  };
  else if (stepping && event.key === "ArrowRight") does = () => steps.goTo(steps.at + 1, hooks);
  else if (stepping && event.key === "ArrowLeft") does = () => steps.goTo(steps.at - 1, hooks);
  else if (event.target === draw.svg && event.key.startsWith("Arrow")) does = () =>
    draw.panBy(...{ ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key]);
  if (does) {
    does();
    event.preventDefault();
  }
});

byId("zoom-in").addEventListener("click", () => draw.scaleBy(1.25));
byId("zoom-out").addEventListener("click", () => draw.scaleBy(0.8));
byId("fit").addEventListener("click", draw.fit);
byId("fold-all").addEventListener("click", () => {
  open.clear();
  changed();
  draw.fit();
});
byId("unfold").addEventListener("click", () => {
  const level = [...items.values()].filter((x) => x.isBox && !open.has(x.key) && shown(x.key) === x.key);
  let seen = draw.placed.nodes.size;
  for (const box of level) {
    if (seen + children.get(box.key).length > 600) break;
    seen += children.get(box.key).length;
    open.add(box.key);
  }
  changed();
  draw.fit();
});
byId("colors").addEventListener("change", (event) => draw.colorBy(event.target.value));
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
});
if (!graph.steps.length) byId("colors").querySelector("[value=gradient]").remove();
if (!graph.vertices.some((v) => v.value)) byId("colors").querySelector("[value=value]").remove();

unfoldSome(graph.depth === null && graph.repeats ? 70 : 600);
outline.keys(act);
search.begin(act);
steps.begin(hooks);
overview();
changed();
draw.fit();
window.addEventListener("resize", () => selected || draw.fit());
document.body.dataset.ready = "true";
