/* The queue: what is chosen, and what happens to cases while the page is open. Rows are never moved: a line above tells of new ones. */
(function () {
  "use strict";
  const list = document.querySelector("[data-live]");
  if (!list) return;

  /* What is chosen */
  const bulk = document.getElementById("bulk");
  const all = document.getElementById("choose-all");
  if (bulk) {
    const boxes = function () { return Array.from(document.querySelectorAll("tbody input[name=case]")); };
    const count = document.getElementById("bulk-count");
    const none = document.getElementById("choose-none");
    const tell = function () {
      const every = boxes(), chosen = every.filter(function (box) { return box.checked; });
      count.textContent = chosen.length === 1 ? "1 case chosen" : chosen.length + " cases chosen";
      bulk.classList.toggle("idle", chosen.length === 0);
      bulk.querySelectorAll("button:not([type=reset])").forEach(function (button) { button.disabled = chosen.length === 0; });
      if (all) { all.checked = chosen.length > 0 && chosen.length === every.length; all.indeterminate = chosen.length > 0 && chosen.length < every.length; }
      every.forEach(function (box) { box.closest("tr").toggleAttribute("data-chosen", box.checked); });
    };
    if (all) {
      all.hidden = false;
      all.addEventListener("change", function () { boxes().forEach(function (box) { box.checked = all.checked; }); tell(); });
    }
    none.hidden = false;
    document.getElementById("chosen-form").addEventListener("reset", function () { window.setTimeout(tell, 0); });
    document.addEventListener("change", function (event) { if (event.target.name === "case") tell(); });
    document.addEventListener("htmx:load", tell);
    window.addEventListener("pageshow", tell);
    tell();
  }

  /* What happens meanwhile */
  const news = document.getElementById("news");
  const fresh = new Set();
  const words = { decided: "decided", claimed: "claimed", unclaimed: "given back", noted: "noted", grown: "grown", revoked: "revoked", flagged: "flagged again" };
  brigadewatch.live(list.dataset.live, function (change) {
    const row = document.getElementById("case-" + change.case);
    if (row) {
      if (change.by === list.dataset.me) return;
      row.querySelector(".row-news").textContent = (words[change.what] || "changed") + (change.by === "detector" ? "" : " by " + change.by) + " just now";
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
