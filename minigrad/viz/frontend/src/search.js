// The search: every item whose text has all the words, those of just this name first. Arrow keys go
// through the list of hits.
import { items, plural, shape, short, shown, size, title } from "./data.js";
import { mark } from "./draw.js";
import { h } from "./panel.js";

const MOST = 60; // hits that are listed
const box = document.getElementById("search");
const list = document.getElementById("found");
const count = document.getElementById("hits");

const sought = [...items.values()].map((item) => {
  const words = [title(item), item.name];
  if (!item.isBox) {
    words.push(shape(item.shape), item.shape.join("x"), item.shape.join(","), `(${item.shape.join(", ")})`);
    words.push(item.dtype, item.kind, item.role);
  }
  return [item.key, words.join(" ").toLowerCase()];
});

function search(act) {
  const words = box.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const found = sought.filter(([, text]) => words.length && words.every((word) => text.includes(word)));
  const exact = ([key]) => items.get(key).name.toLowerCase() === words.join(" ");
  const hits = [...found.filter(exact), ...found.filter((x) => !exact(x))].map(([key]) => key);
  list.replaceChildren(...hits.slice(0, MOST).map((key, i) => {
    const item = items.get(key);
    const quiet = h("span", { class: "quiet" }, item.isBox ? "" : ` ${size(item)}`);
    const attributes = { "data-key": key, tabindex: i ? "-1" : "0", onclick: () => act.choose(key, true) };
    return h("li", {}, h("button", attributes, short(title(item), 40), quiet));
  }));
  count.textContent = words.length ? plural(hits.length, "match").replace("matchs", "matches") : "";
  list.hidden = hits.length === 0;
  mark("hit", hits.map(shown));
  return hits;
}

function leave(act) {
  box.value = "";
  search(act);
  act.enter();
}

export function begin(act) {
  box.addEventListener("input", () => search(act));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      const hits = search(act);
      const at = hits.indexOf(act.selected());
      const next = event.shiftKey ? (at > 0 ? at : hits.length) - 1 : (at + 1) % hits.length;
      if (hits.length) act.choose(hits[next]);
    } else if (event.key === "Escape") leave(act);
    else if (event.key === "ArrowDown") list.querySelector("button")?.focus();
    event.stopPropagation();
  });
  list.addEventListener("keydown", (event) => {
    const buttons = [...list.querySelectorAll("button")];
    const i = buttons.indexOf(document.activeElement);
    const does = {
      ArrowDown: () => buttons[i + 1]?.focus(),
      ArrowUp: () => (i ? buttons[i - 1] : box).focus(),
      Escape: () => leave(act),
    }[event.key];
    if (!does) return;
    does();
    event.preventDefault();
    event.stopPropagation();
  });
}
