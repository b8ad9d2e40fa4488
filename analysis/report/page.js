"use strict";

const root = document.documentElement;
root.classList.add("js");

// The keyboard stops only at regions that scroll.
const updateStops = () => {
  for (const region of document.querySelectorAll(".scroll")) {
    if (region.scrollWidth > region.clientWidth + 1) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  }
};
updateStops();
window.addEventListener("resize", updateStops);
document.addEventListener("toggle", updateStops, true);

// A link opens the folded parts that its target is in, and the target itself.
const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target; part; part = part.parentElement) {
    if (part.tagName === "DETAILS") part.open = true;
  }
  if (target.tagName === "ARTICLE") target.querySelector("details").open = true;
  target.scrollIntoView();
};
openTarget();
window.addEventListener("hashchange", openTarget);
// A second click on the same link does not change the hash.
document.addEventListener("click", (event) => {
  if (event.target.closest(`a[href="${CSS.escape(location.hash)}"]`)) openTarget();
});

// Everything is printed.
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});

// A hyphen from the keyboard also finds the minus sign that the page shows.
const plain = (text) => text.toLowerCase().replaceAll("−", "-");

const number = (cell) => {
  const value = cell.dataset.value;
  return value === undefined || value === "" || isNaN(value) ? NaN : Number(value);
};

// Missing values stay at the end for both directions.
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
      headings.forEach((other) => other.removeAttribute("aria-sort"));
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
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* no storage: the choice lasts until the page is closed */ }
  show();
});
prefersDark.addEventListener("change", show);
try { const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept; } catch { /* no storage */ }
show();
