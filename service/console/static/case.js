/* The case page: loads chart data, keeps charts and tables in sync, and handles shortcuts. The page can be read and decided without it. */
(() => {
  "use strict";
  const bw = window.brigadewatch;
  const body = document.querySelector("[data-case]");
  if (!body) return;
  const address = body.dataset.case, root = document.documentElement;
  root.classList.add("scripted");
  const only = { reporter: null, target: null, from: null, to: null };
  let raster = null, waiting = 0;

  /* --- charts */
  const failed = (host, error) => host.replaceChildren(bw.element("p", { class: "picture-failed" }, `This chart could not be loaded: ${error.message}. The table next to it has the same data.`));
  const timeline = document.getElementById("timeline"), lockstep = document.getElementById("raster");
  if (timeline && lockstep) {
    bw.read(timeline.dataset.pictures).then((data) => {
      raster = data.raster;
      const out = new Set(raster.excluded), members = raster.rows.map((row, k) => out.has(row) ? NaN : raster.first_ms[raster.columns[k]] + raster.lags[k] * 1000);
      bw.raster(lockstep, raster);
      bw.timeline(timeline, { ...data.timeline, members_ms: Float64Array.from(members.filter((at) => !Number.isNaN(at))).sort() });
      if (only.reporter !== null || only.target !== null) bw.emit("case:select", { reporter: only.reporter, target: only.target });
    }).catch((error) => { failed(timeline, error); failed(lockstep, error); });
  }
  const drawGraph = (host) => bw.read(host.dataset.graph).then((data) => {
    bw.graph(host, data);
    const note = host.parentElement.querySelector("[data-left-out]");
    const missing = [data.nodes_left_out && `${bw.number(data.nodes_left_out)} less connected nodes`, data.edges_left_out && `${bw.number(data.edges_left_out)} weaker lines`].filter(Boolean);
    if (note) note.textContent = missing.length ? `Not shown: ${missing.join(", ")}.` : "";
  }).catch((error) => failed(host, error));
  /* Draw small graphs when the page is idle, large ones (layout takes the server up to a second) when scrolled near, and all of them for printing. */
  const graphs = new Set(document.querySelectorAll("[data-graph]"));
  const drawOnce = (host) => { if (graphs.delete(host)) drawGraph(host); };
  const near = new IntersectionObserver((entries) => entries.forEach((entry) => { if (entry.isIntersecting) drawOnce(entry.target); }), { rootMargin: "300px" });
  const quiet = window.requestIdleCallback || ((work) => window.setTimeout(work, 200));
  graphs.forEach((host) => { if (Number(host.dataset.nodes) <= 200) quiet(() => drawOnce(host)); else near.observe(host); });
  window.addEventListener("beforeprint", () => graphs.forEach(drawOnce));

  /* --- charts filter the tables and the other way round */
  const query = new URLSearchParams(window.location.search);
  only.reporter = query.get("reporter");
  only.target = query.get("target");
  const line = document.getElementById("narrowed"), words = line?.querySelector("[data-narrowed]");

  /* Who complained about this target, or what this reporter complained about; null while data is loading. */
  const beside = (kind) => {
    if (!raster) return null;
    const mine = raster[`${kind}s`], other = kind === "reporter" ? only.target : only.reporter;
    if (other === null) return null;
    const place = raster[kind === "reporter" ? "targets" : "reporters"].indexOf(other), found = new Set();
    const own = kind === "reporter" ? raster.rows : raster.columns, theirs = kind === "reporter" ? raster.columns : raster.rows;
    for (let k = 0; k < own.length; k++) if (theirs[k] === place) found.add(mine[own[k]]);
    return found;
  };
  const inTime = (kind) => {
    if (!raster || only.from === null) return null;
    const found = new Set(), mine = raster[`${kind}s`], own = kind === "reporter" ? raster.rows : raster.columns;
    for (let k = 0; k < own.length; k++) { const at = raster.first_ms[raster.columns[k]] + raster.lags[k] * 1000; if (at >= only.from && at < only.to) found.add(mine[own[k]]); }
    return found;
  };
  const narrow = (fetchComplaints = true) => {
    for (const kind of ["reporter", "target"]) {
      const related = beside(kind), timed = inTime(kind);
      document.querySelectorAll(`[data-table="${kind}"]`).forEach((table) => table.classList.toggle("narrowed-down", only[kind] !== null || related !== null || timed !== null));
      document.querySelectorAll(`tr[data-${kind}]`).forEach((row) => {
        const id = row.dataset[kind];
        row.hidden = !(only[kind] !== null ? id === only[kind] : (!related || related.has(id)) && (!timed || timed.has(id)));
        row.classList.toggle("current", id === only[kind]);
      });
    }
    const filters = [only.reporter !== null && `reporter ${only.reporter}`, only.target !== null && `target ${only.target}`, only.from !== null && `${bw.moment(only.from)} to ${bw.moment(only.to)}`].filter(Boolean);
    if (line) { line.hidden = !filters.length; words.textContent = bw.visible(filters.join(", ")); }
    if (!fetchComplaints) return;
    window.clearTimeout(waiting); // one request for several changes
    waiting = window.setTimeout(() => fetchMatching(filters), 60);
  };
  const fetchMatching = (filters) => {
    const parameters = new URLSearchParams();
    if (only.reporter !== null) parameters.set("reporter", only.reporter);
    if (only.target !== null) parameters.set("target", only.target);
    if (only.from !== null) { parameters.set("since", new Date(only.from).toISOString()); parameters.set("until", new Date(only.to).toISOString()); }
    if (document.getElementById("complaints")) window.htmx?.ajax("GET", `${address}?${parameters}`, { source: "#narrowed", target: "#complaints", swap: "outerHTML" });
    bw.announce(filters.length ? `Showing only ${filters.join(", ")}` : "Showing everything");
  };
  document.addEventListener("case:select", (event) => { only.reporter = event.detail.reporter; only.target = event.detail.target; narrow(); });
  document.addEventListener("case:zoom", (event) => { only.from = event.detail ? Math.round(event.detail.from) : null; only.to = event.detail ? Math.round(event.detail.to) : null; narrow(); });
  document.addEventListener("click", (event) => {
    const at = event.target instanceof Element ? event.target.closest("[data-only-reporter], [data-only-target], [data-clear]") : null;
    if (!at || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (at.hasAttribute("data-clear")) { bw.emit("case:zoom", null); bw.emit("case:select", { reporter: null, target: null }); }
    else {
      bw.emit("case:select", { reporter: at.dataset.onlyReporter ?? null, target: at.dataset.onlyTarget ?? null });
      document.getElementById("complaints")?.scrollIntoView({ block: "start" });
    }
  });
  if (only.reporter !== null || only.target !== null) narrow(false);

  /* --- the panel */
  const panel = document.getElementById("decide"), form = document.getElementById("decision");
  if (panel && window.matchMedia("(max-width: 60rem)").matches && !document.getElementById("changed") && !panel.hasAttribute("data-filled")) panel.open = false;
  const changed = document.getElementById("changed");
  if (changed) changed.focus();
  document.querySelectorAll("details.export").forEach((menu) => document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; }));
  let submitted = false;
  form?.addEventListener("submit", (event) => { if (submitted) event.preventDefault(); submitted = true; });
  window.addEventListener("pageshow", () => { submitted = false; });

  /* --- changes by others */
  const news = document.getElementById("news");
  const actions = { decided: "decided this case", claimed: "claimed this case", unclaimed: "released this case", noted: "added a note", grown: "reported growth of this group", revoked: "no longer flags this group", flagged: "flagged this group" };
  if (news && bw.live) {
    bw.live(body.dataset.live, (change) => {
      if (change.case !== body.dataset.id || change.by === body.dataset.me) return;
      news.hidden = false;
      news.querySelector("[data-news]").textContent = `${change.by === "detector" ? "The detector" : change.by} ${actions[change.what] ?? "changed this case"} just now. Your entries stay until you reload.`;
    });
  }

  /* --- shortcuts; those that click or focus one element use data-key (keys.js) */
  const typing = (element) => element instanceof Element && element.closest("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && form && !form.querySelector("fieldset").disabled) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("[data-submit-next]"));
      return;
    }
    if (event.defaultPrevented || !root.hasAttribute("data-keys") || event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (!/^[1-4]$/.test(event.key)) return;
    const choice = form?.querySelector(`[data-verdict="${event.key}"]`);
    if (!choice || choice.matches(":disabled")) return;
    event.preventDefault();
    panel.open = true;
    choice.checked = true;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    form.querySelector("[data-submit-next]")?.focus();
  });
})();
