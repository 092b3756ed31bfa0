// The outline: all that is in the graph as a tree, for the keyboard and for who does not see it.
// A branch of it is filled when it is unfolded.
import { children, describe, items, kind, open, short, title } from "./data.js";

const tree = document.getElementById("outline");
const MOST = 300; // items shown of one branch

export function draw(selected, act) {
  const focused = tree.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  tree.replaceChildren(...branch("", selected, act));
  const wanted = tree.querySelector(`[data-key="${focused || selected}"]`) || tree.querySelector("[data-key]");
  if (wanted) wanted.tabIndex = 0;
  if (focused && wanted) wanted.focus();
}

function branch(box, selected, act) {
  const keys = children.get(box);
  const found = keys.slice(0, MOST).map((key) => leaf(key, selected, act));
  if (keys.length > MOST) {
    const rest = document.createElement("li");
    rest.textContent = `and ${keys.length - MOST} more`;
    rest.setAttribute("role", "none");
    found.push(rest);
  }
  return found;
}

function leaf(key, selected, act) {
  const item = items.get(key);
  const row = document.createElement("li");
  row.setAttribute("role", "none");
  const label = document.createElement("div");
  label.className = `row ${kind(item)}`;
  label.dataset.key = key;
  label.tabIndex = -1;
  label.setAttribute("role", "treeitem");
  label.setAttribute("aria-label", describe(item));
  label.setAttribute("aria-selected", String(key === selected));
  label.textContent = short(title(item), 48);
  label.addEventListener("click", () => act.choose(key));
  row.append(label);
  if (item.isBox) {
    label.setAttribute("aria-expanded", String(open.has(key)));
    label.addEventListener("dblclick", () => act.fold(key));
    if (open.has(key)) {
      const group = document.createElement("ul");
      group.setAttribute("role", "group");
      group.append(...branch(key, selected, act));
      row.append(group);
    }
  }
  return row;
}

export function keys(act) {
  tree.addEventListener("keydown", (event) => {
    const rows = [...tree.querySelectorAll("[role=treeitem]")];
    const i = rows.indexOf(document.activeElement);
    if (i < 0) return;
    const key = rows[i].dataset.key;
    const box = items.get(key).isBox;
    const go = (row) => {
      if (!row) return;
      rows[i].tabIndex = -1;
      row.tabIndex = 0;
      row.focus();
    };
    const does = {
      ArrowDown: () => go(rows[i + 1]),
      ArrowUp: () => go(rows[i - 1]),
      Home: () => go(rows[0]),
      End: () => go(rows[rows.length - 1]),
      ArrowRight: () => (box && !open.has(key) ? act.fold(key) : go(rows[i + 1])),
      ArrowLeft: () => {
        if (box && open.has(key)) act.fold(key);
        else go(rows.find((row) => row.dataset.key === (items.get(key).isBox ? items.get(key).parent : items.get(key).box)));
      },
      Enter: () => act.choose(key),
      " ": () => act.choose(key),
    }[event.key];
    if (does) {
      does();
      event.preventDefault();
      event.stopPropagation();
    }
  });
}
