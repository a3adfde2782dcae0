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

  /** Hear what happens to cases (service/console/live.py): `heard` gets {case, what, by, version, at_us}. One stream a page, and only
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
    const copies = at.closest("[data-copies]");
    if (copies) {
      const shown = document.getElementById(copies.dataset.copies);
      shown.select();
      if (navigator.clipboard) navigator.clipboard.writeText(shown.value).then(function () { announce("Copied."); copies.textContent = "Copied"; }, function () {});
    }
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
