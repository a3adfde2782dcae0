/* The queue: selection, and live changes to cases while the page is open. Rows never move: a line above the list announces new cases. */
(function () {
  "use strict";
  const list = document.querySelector("[data-live]");
  if (!list) return;

  /* Selection */
  const bulk = document.getElementById("bulk");
  const all = document.getElementById("choose-all");
  if (bulk) {
    const boxes = function () { return Array.from(document.querySelectorAll("tbody input[name=case]")); };
    const count = document.getElementById("bulk-count");
    const none = document.getElementById("choose-none");
    const update = function () {
      const every = boxes(), selected = every.filter(function (box) { return box.checked; });
      count.textContent = selected.length === 1 ? "1 case selected" : selected.length + " cases selected";
      bulk.classList.toggle("idle", selected.length === 0);
      bulk.querySelectorAll("button:not([type=reset])").forEach(function (button) { button.disabled = selected.length === 0; });
      if (all) { all.checked = selected.length > 0 && selected.length === every.length; all.indeterminate = selected.length > 0 && selected.length < every.length; }
      every.forEach(function (box) { box.closest("tr").toggleAttribute("data-chosen", box.checked); });
    };
    if (all) {
      all.hidden = false;
      all.addEventListener("change", function () { boxes().forEach(function (box) { box.checked = all.checked; }); update(); });
    }
    none.hidden = false;
    document.getElementById("chosen-form").addEventListener("reset", function () { window.setTimeout(update, 0); });
    document.addEventListener("change", function (event) { if (event.target.name === "case") update(); });
    document.addEventListener("htmx:load", update);
    window.addEventListener("pageshow", update);
    update();
  }

  /* Live changes */
  const news = document.getElementById("news");
  const fresh = new Set();
  const texts = { decided: "decided", claimed: "claimed", unclaimed: "released", noted: "note added", grown: "grown", revoked: "no longer flagged", flagged: "flagged again" };
  brigadewatch.live(list.dataset.live, function (change) {
    const row = document.getElementById("case-" + change.case);
    if (row) {
      if (change.by === list.dataset.me) return;
      row.querySelector(".row-news").textContent = (texts[change.what] || "changed") + (change.by === "detector" ? "" : " by " + change.by) + " just now";
      if (change.what === "decided" || change.what === "revoked") row.classList.add("gone");
    } else if (change.what === "flagged" && !fresh.has(change.case)) {
      fresh.add(change.case);
      const link = document.createElement("a");
      link.href = list.dataset.tab === "new" ? window.location.href : "/console/clusters";
      link.textContent = "Show";
      news.replaceChildren(fresh.size + " new ", link);
    }
  });
})();
