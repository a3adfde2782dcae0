/* What every page has: messages that can be dismissed, dialogs, preferences at once, and a few functions for other scripts.
   Nothing here is needed to read or to send a form. */
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");

  /** Say something to whoever listens instead of looking. */
  function announce(text) {
    const place = document.getElementById("announcer");
    if (!place) return;
    place.textContent = "";
    window.setTimeout(function () { place.textContent = text; }, 50);
  }

  /** The colour that a custom property has in the theme of now, as the canvas takes it: colour("--lag0"). */
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function colour(name) {
    probe.style.color = "var(" + name + ")";
    return getComputedStyle(probe).color;
  }

  /** Our own JSON, by GET. Rejects with the answer's words; without a session goes to sign in. */
  async function read(path, signal) {
    const answer = await fetch(path, { headers: { Accept: "application/json" }, credentials: "same-origin", signal: signal });
    if (answer.status === 401) {
      window.location.assign("/console/sign-in?next=" + encodeURIComponent(window.location.pathname + window.location.search));
      throw new Error("sign in first");
    }
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail || answer.statusText);
    return body;
  }

  /** Hear what happens to cases (service/console/sse.py): `heard` gets {case, what, by, version, at_us}. One stream a page, and only
      while the page is in sight: a browser has few connections to one host. */
  function live(path, heard) {
    let source = null, last = 0;
    const had = new Set();
    function open() {
      if (source || document.hidden) return;
      source = new EventSource(last ? path.replace(/since=\d+/, "since=" + (last - 1)) : path);
      source.addEventListener("case", function (event) {
        const change = JSON.parse(event.data);
        const key = [change.at_us, change.case, change.what].join(" ");
        last = Math.max(last, change.at_us);
        if (had.has(key)) return;
        had.add(key);
        heard(change);
      });
    }
    function shut() { if (source) source.close(); source = null; }
    document.addEventListener("visibilitychange", function () { if (document.hidden) shut(); else open(); });
    window.addEventListener("pagehide", shut);
    window.addEventListener("pageshow", open);
    open();
  }

  /** Call `redraw` when the colours change: the theme was switched here, or in the system. */
  const redraws = [];
  function onTheme(redraw) { redraws.push(redraw); }
  function themed() { redraws.forEach(function (redraw) { redraw(); }); }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);

  /* Long lists begin folded: data-fold rows are shown (data-fold-narrow in a narrow window), the others at a click. What was unfolded
     once on this page stays so when its list is fetched anew. */
  const unfolded = new Set();
  function fold(list) {
    const rows = Array.from(list.tBodies ? list.tBodies[0].rows : list.children);
    const narrow = window.matchMedia("(max-width: 44rem)").matches;
    const shown = Number((narrow && list.dataset.foldNarrow) || list.dataset.fold);
    const asked = document.getElementById(window.location.hash.slice(1)); // our ids are as the address has them, percent signs included
    if (rows.length <= shown + 2) return; // a click for two rows is no help
    rows.slice(shown).forEach(function (row) { row.dataset.folded = ""; });
    const what = list.dataset.foldOf, button = document.createElement("button"), line = document.createElement("p");
    function tell() {
      const open = list.classList.contains("unfolded");
      button.textContent = open ? "Show fewer" : "Show all " + rows.length.toLocaleString("en-GB") + " " + what;
      button.setAttribute("aria-expanded", String(open));
    }
    list.classList.toggle("unfolded", unfolded.has(what) || rows.some(function (row) { return row.contains(asked); }));
    button.type = "button";
    button.className = "button small";
    button.addEventListener("click", function () {
      if (list.classList.toggle("unfolded")) unfolded.add(what);
      else { unfolded.delete(what); list.scrollIntoView({ block: "nearest" }); }
      tell();
    });
    tell();
    line.className = "fold";
    line.append(button);
    (list.closest(".scroll") || list).after(line);
  }
  document.querySelectorAll("[data-fold]").forEach(fold);
  document.addEventListener("htmx:load", function (event) { if (event.target !== document.body) event.target.querySelectorAll("[data-fold]:not(:has(+ .fold))").forEach(function (list) { if (!list.querySelector("[data-folded]")) fold(list); }); });

  /* What was loaded may have something to say; and the place where one is, is in sight in its menu. */
  document.addEventListener("htmx:load", function (event) { if (event.target.dataset && event.target.dataset.announce) announce(event.target.dataset.announce); });
  document.querySelectorAll(".menu a[aria-current], .tabs a[aria-current]").forEach(function (here) {
    here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;
  });

  document.addEventListener("click", function (event) {
    const at = event.target instanceof Element ? event.target : null;
    if (!at) return;
    const dismiss = at.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(dismiss.dataset.dismiss).remove();
    const opens = at.closest("[data-opens]");
    if (opens) { document.getElementById(opens.dataset.opens).showModal(); event.preventDefault(); }
    document.querySelectorAll("details.me[open]").forEach(function (menu) { if (!menu.contains(at)) menu.open = false; });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.me[open]").forEach(function (menu) { menu.open = false; menu.querySelector("summary").focus(); });
  });

  /* Preferences: seen at once, kept by the form behind them. */
  document.addEventListener("change", function (event) {
    const form = event.target.form;
    if (!form || !form.hasAttribute("data-preferences")) return;
    if (event.target.name === "theme") { root.dataset.theme = event.target.value; themed(); }
    if (event.target.name === "keys") { if (event.target.value === "on") root.dataset.keys = "on"; else delete root.dataset.keys; }
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "HX-Request": "true" }, credentials: "same-origin" })
      .then(function (answer) { announce(answer.ok ? "Kept." : "This could not be kept."); });
  });
  /* A filter form sends no empty fields: the address says what is asked, and nothing else. */
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method !== "get" || !form.hasAttribute("data-sparse")) return;
    form.querySelectorAll("input, select").forEach(function (field) { if (field.value === "" && field.name) field.disabled = true; });
    window.setTimeout(function () { form.querySelectorAll(":disabled").forEach(function (field) { field.disabled = false; }); }, 0);
  });

  window.brigadewatch = { announce: announce, colour: colour, read: read, live: live, onTheme: onTheme };
})();
