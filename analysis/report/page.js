"use strict";

const root = document.documentElement;
root.classList.add("js");

// What is wider than its place can be scrolled by keyboard; the rest is no stop.
const reach = () => {
  for (const each of document.querySelectorAll(".scroll")) {
    if (each.scrollWidth > each.clientWidth + 1) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  }
};
reach();
window.addEventListener("resize", reach);

// A minus as it is typed finds the minus that is shown.
const plain = (text) => text.toLowerCase().replaceAll("−", "-");

const number = (cell) => {
  const value = cell.dataset.value;
  return value === undefined || value === "" || isNaN(value) ? NaN : Number(value);
};

// Missing values stay at the end, whichever way a column is sorted.
function compare(one, other, column, sign) {
  const [a, b] = [one.cells[column], other.cells[column]];
  const numeric = a.classList.contains("number") || b.classList.contains("number");
  if (!numeric) return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
  const [x, y] = [number(a), number(b)];
  if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
  return sign * (x - y);
}

for (const grid of document.querySelectorAll(".grid")) {
  const body = grid.querySelector("tbody");
  const rows = [...body.rows];
  const headings = [...grid.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const was = heading.getAttribute("aria-sort");
      const now = { null: "ascending", ascending: "descending", descending: null }[was];
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      if (now) heading.setAttribute("aria-sort", now);
      const sign = now === "descending" ? -1 : 1;
      const sorted = now ? [...rows].sort((a, b) => compare(a, b, column, sign)) : rows;
      body.append(...sorted);
    });
  });
  const input = grid.querySelector(".filter input");
  if (!input) continue;
  const output = grid.querySelector(".filter output");
  input.addEventListener("input", () => {
    const words = plain(input.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = plain(row.textContent);
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    output.textContent = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
  });
}

const button = document.getElementById("theme");
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
const show = () => {
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-pressed", String(isDark()));
};
button.hidden = false;
button.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept */ }
  show();
});
prefersDark.addEventListener("change", show);
try { const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept; } catch { /* none */ }
show();
