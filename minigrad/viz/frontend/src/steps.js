// The sweep backward, step by step, as the engine took it.
import { graph, items, number, reveal, shape, short, shown, title } from "./data.js";
import { lightEdges, mark, show } from "./draw.js";
import { h, rule, statistics } from "./panel.js";

const bar = document.getElementById("steps");
const slider = document.getElementById("step");
const said = document.getElementById("said");
const panel = document.getElementById("facts");
const button = document.getElementById("step-mode");
export let at = -1; // the step that is shown; -1 outside the step-through

export function begin(hooks) {
  button.hidden = graph.steps.length === 0;
  slider.max = graph.steps.length - 1;
  const go = (i) => goTo(i, hooks);
  button.addEventListener("click", () => (at < 0 ? go(0) : leave(hooks)));
  document.getElementById("first").addEventListener("click", () => go(0));
  document.getElementById("back").addEventListener("click", () => go(at - 1));
  document.getElementById("next").addEventListener("click", () => go(at + 1));
  document.getElementById("last").addEventListener("click", () => go(graph.steps.length - 1));
  document.getElementById("leave").addEventListener("click", () => leave(hooks));
  slider.addEventListener("input", () => go(Number(slider.value)));
}

export function leave(hooks) {
  at = -1;
  bar.hidden = true;
  button.setAttribute("aria-pressed", "false");
  for (const name of ["current", "done", "target"]) mark(name, []);
  lightEdges(() => false);
  document.body.classList.remove("stepping");
  hooks.left();
}

export function goTo(i, hooks) {
  if (!graph.steps.length) return;
  at = Math.max(0, Math.min(graph.steps.length - 1, i));
  const step = graph.steps[at];
  bar.hidden = false;
  document.body.classList.add("stepping");
  button.setAttribute("aria-pressed", "true");
  slider.value = at;
  if (shown(step.vertex) !== step.vertex) {
    reveal(step.vertex);
    hooks.changed();
  }
  repaint();
  show(step.vertex);
  const item = items.get(step.vertex);
  const text = `Step ${at + 1} of ${graph.steps.length}: ${item.name}`;
  document.getElementById("step-text").textContent = text;
  slider.setAttribute("aria-valuetext", text);
  const gains = step.adds.map((add) => `${short(title(items.get(add.target)), 60)}: norm ${number(add.after.norm, 4)}`);
  said.textContent = `${text}. Its gradient has norm ${number(step.gradient.norm, 4)}. It adds to ${gains.join("; ") || "nothing"}.`;
  describe(step, hooks.choose);
}

export function repaint() {
  if (at < 0) return;
  const step = graph.steps[at];
  mark("done", graph.steps.slice(0, at).map((s) => shown(s.vertex)));
  mark("target", step.adds.map((add) => shown(add.target)));
  mark("current", [shown(step.vertex)]);
  const targets = new Set(step.adds.map((add) => add.target));
  lightEdges((e) => e[1] === step.vertex && targets.has(e[0]));
}

function describe(step, choose) {
  const item = items.get(step.vertex);
  const known = graph.rules[item.name];
  const inputs = known ? known.rules.map((r) => r.input) : [];
  panel.replaceChildren(
    h("h2", {}, `Step ${at + 1}: ${item.name}`),
    h("p", { class: "quiet" }, `All that read this ${shape(item.shape)} result have added to its gradient, so it is complete.`),
    h("section", { id: "step-gradient" }, h("h3", {}, "g, the gradient of its result"), statistics(step.gradient)),
    ...step.adds.map((add) => {
      const target = items.get(add.target);
      const name = inputs[Math.min(add.slot, inputs.length - 1)];
      return h("section", { class: "add", "data-target": add.target },
        h("h3", {}, "Adds to the gradient of ",
          h("button", { class: "link", onclick: () => choose(add.target) }, short(title(target), 60))),
        name ? rule(item.name, inputs.includes(known.rules[add.slot]?.input) ? known.rules[add.slot].input : name) : null,
        add.before ? h("div", { class: "before" }, h("h4", {}, "before"), statistics(add.before)) : h("p", { class: "quiet" }, "Nothing was there before."),
        h("div", { class: "after" }, h("h4", {}, "now"), statistics(add.after)));
    }),
    ...(step.adds.length ? [] : [h("p", {}, "It has no input that needs a gradient.")]),
    h("section", {}, h("h3", {}, "Value of its result"), statistics(item.value)),
  );
  panel.scrollTop = 0;
}
