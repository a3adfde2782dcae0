/* A case's graph on a canvas, laid out by the server. Drag to move, use the wheel (with Ctrl, or while focused) to zoom, hover for a
   node's neighbours, click to filter the tables. */
(() => {
  "use strict";
  const bw = window.brigadewatch;
  const HEIGHT = 440, PAD = 26;
  const COLOURS = ["text", "muted", "line", "picture-ground", "card", "edge", "node-reporter", "node-target", "mark", "focus"];

  bw.graph = (host, data) => {
    const canvas = bw.element("canvas", { "aria-hidden": "true" }), board = bw.element("div", { class: "board" }, canvas);
    const summary = data.view === "bipartite" ? "reporters on the left, targets on the right, a line for each complaint" : "reporters, linked if they complained about the same targets";
    board.tabIndex = 0;
    board.setAttribute("role", "application");
    board.setAttribute("aria-roledescription", "picture");
    board.setAttribute("aria-label", `Graph of ${data.nodes.length} nodes and ${data.edges.length} lines: ${summary}. Arrow keys move between nodes, plus and minus zoom, 0 shows all, Enter filters the tables.`);
    host.replaceChildren(board);
    const hint = bw.hint(host);
    const tools = ["+", "−", "Show all"].map((text) => bw.element("button", { type: "button", class: "button small", "aria-label": { "+": "Zoom in", "−": "Zoom out" }[text] ?? text }, text));
    host.append(bw.element("p", { class: "picture-tools" }, ...tools));

    const near = data.nodes.map(() => []);
    for (const [a, b, w] of data.edges) { near[a].push([b, w]); near[b].push([a, w]); }
    const most = data.edges.reduce((top, edge) => Math.max(top, edge[2]), 1), counts = data.nodes.map((n) => n[4]), top = Math.max(1, ...counts);
    const columns = data.view === "bipartite";
    let view = { x: 0, y: 0, scale: 1 }, hover = null, focus = null, chosen = { reporter: null, target: null }, drag = null, width;

    const margin = () => columns ? Math.min(150, width * 0.27) : PAD;
    const place = (n) => {
      const x = margin() + n[2] * (width - 2 * margin()), y = PAD + n[3] * (HEIGHT - 2 * PAD);
      return [(x - width / 2) * view.scale + width / 2 + view.x, (y - HEIGHT / 2) * view.scale + HEIGHT / 2 + view.y];
    };
    const radius = (k) => (columns ? 4 : 3.5 + 4.5 * Math.sqrt(counts[k] / top)) * Math.min(2, Math.sqrt(view.scale));

    /* Show the end of a long id: many ids share a beginning. */
    const ending = (id, most) => { const shown = [...bw.visible(id)]; return shown.length > most ? `…${shown.slice(1 - most).join("")}` : shown.join(""); };

    const draw = () => {
      width = host.clientWidth;
      const pen = bw.fit(canvas, width, HEIGHT), ink = bw.colours(COLOURS), spots = data.nodes.map(place);
      pen.fillStyle = ink["picture-ground"];
      pen.fillRect(0, 0, width, HEIGHT);
      const spot = hover ?? focus, lit = spot === null ? null : new Set([spot, ...near[spot].map(([other]) => other)]);
      pen.strokeStyle = ink.edge;
      for (let level = 0; level < 3; level++) { // three strengths, one path each
        pen.globalAlpha = lit ? 0.06 : Math.min(0.45, Math.max(0.1, 160 / Math.max(1, data.edges.length))) * (0.5 + level * 0.5);
        pen.lineWidth = 0.7 + level * 0.7;
        pen.beginPath();
        for (const [a, b, w] of data.edges) if (Math.min(2, Math.floor(3 * w / (most + 1))) === level) { pen.moveTo(...spots[a]); pen.lineTo(...spots[b]); }
        pen.stroke();
      }
      if (lit) {
        pen.globalAlpha = 0.9;
        pen.strokeStyle = ink.mark;
        pen.lineWidth = 1.4;
        pen.beginPath();
        for (const [other] of near[spot]) { pen.moveTo(...spots[spot]); pen.lineTo(...spots[other]); }
        pen.stroke();
      }
      const room = (HEIGHT - 2 * PAD) * view.scale;
      pen.font = bw.MONO;
      const letter = pen.measureText("0").width;
      const tall = { reporter: data.nodes.filter((n) => n[0] === "reporter").length, target: data.nodes.filter((n) => n[0] === "target").length };
      data.nodes.forEach((n, k) => {
        const [x, y] = spots[k], r = radius(k), isChosen = n[1] === chosen[n[0]];
        pen.globalAlpha = lit && !lit.has(k) ? 0.25 : 1;
        pen.fillStyle = ink[`node-${n[0]}`];
        pen.strokeStyle = isChosen || k === spot ? ink.mark : ink.card;
        pen.lineWidth = isChosen || k === spot ? 3 : 1;
        pen.beginPath();
        if (n[0] === "target") pen.rect(x - r, y - r, 2 * r, 2 * r); else pen.arc(x, y, r, 0, 2 * Math.PI);
        pen.fill();
        pen.stroke();
        if (k === spot || (columns && room / tall[n[0]] >= 12) || (!columns && view.scale >= 2.5)) {
          pen.font = bw.MONO;
          pen.fillStyle = ink.text;
          pen.textBaseline = "middle";
          const left = columns && n[0] === "reporter";
          pen.textAlign = left ? "right" : "left";
          pen.fillText(ending(n[1], columns ? Math.floor((margin() - r - 8) / letter) : 18), x + (left ? -r - 4 : r + 4), y);
        }
      });
      pen.globalAlpha = 1;
      host.dispatchEvent(new CustomEvent("picture:drawn", { bubbles: true }));
    };

    const words = (k) => {
      const n = data.nodes[k];
      const heaviest = [...near[k]].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([other, w]) => `${bw.cut(data.nodes[other][1], 24)}${columns ? "" : ` (${w} in common)`}`);
      return [n[1], `${n[0]}, ${n[4]} complaint${n[4] === 1 ? "" : "s"} in this case, linked to ${near[k].length}`, heaviest.length > 0 && `strongest links: ${heaviest.join(", ")}`];
    };
    const hit = (px, py) => {
      let best = null, least = 12;
      data.nodes.forEach((n, k) => { const [x, y] = place(n), away = Math.hypot(x - px, y - py); if (away < Math.max(least, 0) && away < radius(k) + 6) { best = k; least = away; } });
      return best;
    };
    const choose = (k) => {
      const n = data.nodes[k], same = chosen[n[0]] === n[1];
      bw.emit("case:select", { reporter: null, target: null, [n[0]]: same ? null : n[1] });
    };
    const zoom = (factor, px = width / 2, py = HEIGHT / 2) => {
      const scale = bw.clamp(view.scale * factor, 0.8, 24), by = scale / view.scale;
      view = { scale, x: (view.x + width / 2 - px) * by + px - width / 2, y: (view.y + HEIGHT / 2 - py) * by + py - HEIGHT / 2 };
      draw();
    };
    const all = () => { view = { x: 0, y: 0, scale: 1 }; draw(); };
    tools[0].addEventListener("click", () => zoom(1.5));
    tools[1].addEventListener("click", () => zoom(1 / 1.5));
    tools[2].addEventListener("click", all);

    const spot = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    canvas.addEventListener("pointerdown", (event) => { if (!event.button) { drag = { at: spot(event), from: { ...view }, moved: false }; canvas.setPointerCapture(event.pointerId); } });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = spot(event);
      if (drag) {
        drag.moved ||= Math.hypot(x - drag.at[0], y - drag.at[1]) > 4;
        if (drag.moved) { view = { ...drag.from, x: drag.from.x + x - drag.at[0], y: drag.from.y + y - drag.at[1] }; hint.hide(); draw(); }
        return;
      }
      const k = hit(x, y);
      if (k !== hover) { hover = k; draw(); }
      if (k === null) hint.hide(); else hint.show(words(k), x, y);
    });
    canvas.addEventListener("pointerup", (event) => { const moved = drag?.moved; drag = null; if (!moved) { const k = hit(...spot(event)); if (k !== null) choose(k); } });
    canvas.addEventListener("pointerleave", () => { hint.hide(); if (hover !== null) { hover = null; draw(); } });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== board) return; // the page scrolls
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 400), ...spot(event));
    }, { passive: false });
    board.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !data.nodes.length) return;
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) {
        focus = ((focus ?? (step > 0 ? -1 : 0)) + step + data.nodes.length) % data.nodes.length;
        draw();
        bw.announce(words(focus).filter(Boolean).join(", "));
        hint.show(words(focus), ...place(data.nodes[focus]));
      } else if (event.key === "+" || event.key === "=") zoom(1.5);
      else if (event.key === "-") zoom(1 / 1.5);
      else if (event.key === "0") all();
      else if (event.key === "Enter" && focus !== null) choose(focus);
      else if (event.key === "Escape") { focus = null; hint.hide(); bw.emit("case:select", { reporter: null, target: null }); }
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    board.addEventListener("blur", () => { hint.hide(); focus = null; draw(); });
    document.addEventListener("case:select", (event) => { chosen = event.detail; draw(); });
    bw.redraws(host, draw);
    draw();
  };
})();
