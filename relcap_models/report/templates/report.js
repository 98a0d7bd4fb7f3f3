"use strict";
// The contents stand beside a wide page and fold away on a narrow one.
document.querySelector(".contents details").open = matchMedia("(min-width: 72rem)").matches;
// Sorting by column. Without it the tables stand in their own order.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  if (body.rows.length < 3) continue;
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = [...body.rows].some((row) => row.cells[column].dataset.sort !== undefined);
      const value = (row) => {
        const cell = row.cells[column];
        return numeric ? parseFloat(cell.dataset.sort ?? "NaN") : cell.textContent;
      };
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (!numeric) return (up ? 1 : -1) * x.localeCompare(y, document.documentElement.lang);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return up ? x - y : y - x;
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}
