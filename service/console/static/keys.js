/* Single-key shortcuts on any page. data-key="d" clicks or focuses an element; in a table with data-rows, j and k move between rows,
   x selects, Enter opens, and data-row-key applies to the current row. Ignored while typing, with a modifier, in a dialog, and when
   the person has switched shortcuts off (html without data-keys). */
(function () {
  "use strict";
  const root = document.documentElement;

  function typing(target) {
    return target instanceof Element && target.closest("textarea, select, [contenteditable], input:not([type=checkbox]):not([type=radio]):not([type=submit]):not([type=button])") !== null;
  }
  function rows() { return Array.from(document.querySelectorAll("table[data-rows] tbody > tr")); }
  function current() { return document.querySelector("table[data-rows] tbody > tr.current"); }
  function go(row) {
    if (!row) return;
    const before = current();
    if (before) before.classList.remove("current");
    row.classList.add("current");
    const link = row.querySelector("a[href]");
    if (link) link.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  function walk(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(current());
    go(all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)]);
  }
  function use(element) {
    if (!element || element.disabled) return false;
    if (element.matches("select, textarea, input:not([type=checkbox]):not([type=radio])")) { element.focus(); if (element.select) element.select(); } else element.click();
    return true;
  }

  document.addEventListener("focusin", function (event) {
    const row = event.target instanceof Element ? event.target.closest("table[data-rows] tbody > tr") : null;
    if (row && row !== current()) { const before = current(); if (before) before.classList.remove("current"); row.classList.add("current"); }
  });
  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (!root.hasAttribute("data-keys") || typing(event.target) || document.querySelector("dialog[open]")) return;
    let done = true;
    if (event.key === "?") document.getElementById("keys-help")?.showModal();
    else if (event.key === "j") walk(1);
    else if (event.key === "k") walk(-1);
    else if (event.key === "x" && current()) use(current().querySelector("input[type=checkbox]")) || (done = false);
    else if (event.key === "Enter" && current() && event.target === document.body) use(current().querySelector("a[href]"));
    else {
      const name = CSS.escape(event.key);
      const own = current()?.querySelector("[data-row-key=" + name + "]");
      const found = own || Array.from(document.querySelectorAll("[data-key=" + name + "]")).find(function (one) { return !one.disabled; });
      done = event.key.length === 1 && use(found);
    }
    if (done) event.preventDefault();
  });
  /* Keep focus on the row's link when x clicks a checkbox. */
  document.addEventListener("click", function (event) {
    if (event.detail === 0 && event.target instanceof HTMLInputElement && event.target.type === "checkbox" && event.target.closest("table[data-rows]")) {
      event.target.closest("tr").querySelector("a[href]")?.focus({ preventScroll: true });
    }
  });
  /* Restore the current row after htmx replaced it. */
  document.addEventListener("htmx:load", function (event) {
    const row = event.detail.elt;
    if (row instanceof Element && row.matches("table[data-rows] tr") && !current()) go(row);
  });
})();
