/* For every page: dismissible messages, dialogs, instant preferences, and functions for other scripts.
   Pages and forms work without it. */
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");

  /** Announce a text to screen readers. */
  function announce(text) {
    const place = document.getElementById("announcer");
    if (!place) return;
    place.textContent = "";
    window.setTimeout(function () { place.textContent = text; }, 50);
  }

  /** The value of a colour property in the current theme, for canvas drawing: colour("--lag0"). */
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function colour(name) {
    probe.style.color = "var(" + name + ")";
    return getComputedStyle(probe).color;
  }

  /** GET JSON from our server. Rejects with the server's message; without a session goes to the sign-in page. */
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

  /** Listen to case changes (service/console/sse.py): `onChange` gets {case, what, by, version, at_us}. One stream per page, open only
      while the page is visible: browsers limit connections per host. */
  function live(path, onChange) {
    let source = null, last = 0;
    const seen = new Set();
    function open() {
      if (source || document.hidden) return;
      source = new EventSource(last ? path.replace(/since=\d+/, "since=" + (last - 1)) : path);
      source.addEventListener("case", function (event) {
        const change = JSON.parse(event.data);
        const key = [change.at_us, change.case, change.what].join(" ");
        last = Math.max(last, change.at_us);
        if (seen.has(key)) return;
        seen.add(key);
        onChange(change);
      });
    }
    function shut() { if (source) source.close(); source = null; }
    document.addEventListener("visibilitychange", function () { if (document.hidden) shut(); else open(); });
    window.addEventListener("pagehide", shut);
    window.addEventListener("pageshow", open);
    open();
  }

  /** Call `redraw` when the theme changes, here or in the system. */
  const redraws = [];
  function onTheme(redraw) { redraws.push(redraw); }
  function themed() { redraws.forEach(function (redraw) { redraw(); }); }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);

  /* Long lists start collapsed to data-fold rows (data-fold-narrow in a narrow window). A list that was expanded stays expanded when it
     is fetched again. */
  const unfolded = new Set();
  function fold(list) {
    const rows = Array.from(list.tBodies ? list.tBodies[0].rows : list.children);
    const narrow = window.matchMedia("(max-width: 44rem)").matches;
    const shown = Number((narrow && list.dataset.foldNarrow) || list.dataset.fold);
    const anchor = document.getElementById(window.location.hash.slice(1)); // our ids match the URL, including percent signs
    if (rows.length <= shown + 2) return; // not worth a click for two rows
    rows.slice(shown).forEach(function (row) { row.dataset.folded = ""; });
    const what = list.dataset.foldOf, button = document.createElement("button"), line = document.createElement("p");
    function update() {
      const open = list.classList.contains("unfolded");
      button.textContent = open ? "Show fewer" : "Show all " + rows.length.toLocaleString("en-GB") + " " + what;
      button.setAttribute("aria-expanded", String(open));
    }
    list.classList.toggle("unfolded", unfolded.has(what) || rows.some(function (row) { return row.contains(anchor); }));
    button.type = "button";
    button.className = "button small";
    button.addEventListener("click", function () {
      if (list.classList.toggle("unfolded")) unfolded.add(what);
      else { unfolded.delete(what); list.scrollIntoView({ block: "nearest" }); }
      update();
    });
    update();
    line.className = "fold";
    line.append(button);
    (list.closest(".scroll") || list).after(line);
  }
  document.querySelectorAll("[data-fold]").forEach(fold);
  document.addEventListener("htmx:load", function (event) { if (event.target !== document.body) event.target.querySelectorAll("[data-fold]:not(:has(+ .fold))").forEach(function (list) { if (!list.querySelector("[data-folded]")) fold(list); }); });

  /* Announce loaded fragments; scroll the current menu entry into view. */
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

  /* Preferences: applied immediately, then saved by their form. */
  document.addEventListener("change", function (event) {
    const form = event.target.form;
    if (!form || !form.hasAttribute("data-preferences")) return;
    if (event.target.name === "theme") { root.dataset.theme = event.target.value; themed(); }
    if (event.target.name === "keys") { if (event.target.value === "on") root.dataset.keys = "on"; else delete root.dataset.keys; }
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "HX-Request": "true" }, credentials: "same-origin" })
      .then(function (answer) { announce(answer.ok ? "Saved." : "Could not save."); });
  });
  /* Filter forms omit empty fields, to keep URLs short. */
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method !== "get" || !form.hasAttribute("data-sparse")) return;
    form.querySelectorAll("input, select").forEach(function (field) { if (field.value === "" && field.name) field.disabled = true; });
    window.setTimeout(function () { form.querySelectorAll(":disabled").forEach(function (field) { field.disabled = false; }); }, 0);
  });

  window.brigadewatch = { announce: announce, colour: colour, read: read, live: live, onTheme: onTheme };
})();
