/* The lockstep raster: rows are reporters by first complaint, columns targets in time, a mark is a complaint.
   The larger and darker, the sooner it followed the target's first complaint by a member. With a single target, time runs to the right. */
(() => {
  "use strict";
  const bw = window.brigadewatch;
  const TOP = 22, BOTTOM = 40, RIGHT = 12, GAP = 5, NUMBERED = 20, NAMED = 11;
  const COLOURS = ["text", "muted", "line", "picture-ground", "lag0", "lag1", "lag2", "lag3", "excluded", "exempt", "focus", "mark"];

  bw.raster = (host, data) => {
    const whole = { rows: data.reporters.length, columns: data.targets.length, cells: data.rows.length };
    const crowd = whole.columns === 1;
    const excluded = new Set(data.excluded), exempt = new Set(data.exempt);
    const kind = Uint8Array.from(data.lags, (lag) => data.classes.findIndex((c) => c.within === null || Math.abs(lag) <= c.within));
    const time = Float64Array.from(data.lags, (lag, k) => data.first_ms[data.columns[k]] + lag * 1000);
    const at = new Map(); // row * columns + column -> cell
    for (let k = 0; k < whole.cells; k++) at.set(data.rows[k] * whole.columns + data.columns[k], k);

    const scroller = bw.element("div", { class: "scroller" }), stage = bw.element("div", { class: "stage" });
    const base = bw.element("canvas", { "aria-hidden": "true" }), over = bw.element("canvas", { "aria-hidden": "true", class: "over" });
    stage.append(base, over);
    scroller.append(stage);
    host.replaceChildren(scroller);
    scroller.tabIndex = 0;
    scroller.setAttribute("role", "application");
    scroller.setAttribute("aria-roledescription", "picture");
    scroller.setAttribute("aria-label", `Lockstep raster: ${whole.rows} reporters in rows, ${whole.columns} targets in columns, ${whole.cells} complaints. Arrow keys move between cells, Enter filters the tables, Escape clears.`);
    const hint = bw.hint(host);

    let zoom = null, chosen = { reporter: null, target: null }, focus = null, letters = 20, shown, place, ink;

    /* Rows, columns and cells to show: all, or those in the selected period. */
    const select = () => {
      const cells = [];
      for (let k = 0; k < whole.cells; k++) if (!zoom || (time[k] >= zoom.from && time[k] < zoom.to)) cells.push(k);
      const rows = [...new Set(cells.map((k) => data.rows[k]))].sort((a, b) => a - b);
      const columns = [...new Set(cells.map((k) => data.columns[k]))].sort((a, b) => a - b);
      shown = { cells, rows, columns, row: new Map(rows.map((r, k) => [r, k])), column: new Map(columns.map((c, k) => [c, k])) };
      if (crowd) {
        const lags = cells.map((k) => data.lags[k]);
        shown.low = Math.min(0, ...lags);
        shown.high = Math.max(shown.low + 1, ...lags);
      }
    };

    const measure = () => {
      const rows = Math.max(1, shown.rows.length), room = host.clientWidth;
      const high = bw.clamp(Math.floor(1280 / rows) / 2, 1.5, 18), named = high >= NAMED;
      let left = 40;
      if (named) {
        const pen = base.getContext("2d");
        pen.font = bw.MONO;
        left = Math.min(room * 0.38, Math.max(...shown.rows.map((r) => pen.measureText(bw.cut(data.reporters[r], 20)).width), 20)) + 14;
        letters = Math.max(4, Math.floor((left - 13) / pen.measureText("0").width));
      }
      const spare = room - left - RIGHT;
      const wide = crowd ? spare : bw.clamp(Math.floor(spare / Math.max(1, shown.columns.length)), 6, 56);
      const across = crowd ? spare : wide * shown.columns.length;
      place = { left, top: TOP, high, wide, named, right: left + across, bottom: TOP + high * rows, width: Math.max(room, left + across + RIGHT), height: TOP + high * rows + BOTTOM };
    };
    const x = (k) => crowd ? place.left + (data.lags[k] - shown.low) / (shown.high - shown.low) * (place.right - place.left - 8) : place.left + shown.column.get(data.columns[k]) * place.wide;
    const y = (k) => place.top + shown.row.get(data.rows[k]) * place.high;

    const draw = () => {
      const began = performance.now();
      select();
      measure();
      const pen = bw.fit(base, place.width, place.height);
      stage.style.width = `${place.width}px`;
      stage.style.height = `${place.height}px`;
      bw.fit(over, place.width, place.height);
      ink = bw.colours(COLOURS);
      pen.fillStyle = ink["picture-ground"];
      pen.fillRect(place.left, place.top, place.right - place.left, place.bottom - place.top);
      rules(pen);
      marks(pen);
      names(pen);
      overlay();
      host.dataset.drawnMs = (performance.now() - began).toFixed(1);
      host.dataset.cells = String(shown.cells.length);
      host.dispatchEvent(new CustomEvent("picture:drawn", { bubbles: true }));
    };

    /* Faint row lines, and a line at each new day or quarter of the span. */
    const rules = (pen) => {
      pen.strokeStyle = ink.line;
      pen.lineWidth = 1;
      pen.beginPath();
      const step = place.high >= 8 ? 5 : Math.max(10, Math.round(40 / place.high / 10) * 10);
      for (let r = step; r < shown.rows.length; r += step) { const at_ = Math.round(place.top + r * place.high) + 0.5; pen.moveTo(place.left, at_); pen.lineTo(place.right, at_); }
      pen.stroke();
      pen.font = bw.FONT;
      pen.fillStyle = ink.muted;
      pen.textBaseline = "top";
      pen.strokeStyle = ink.muted;
      pen.setLineDash([2, 3]);
      pen.beginPath();
      if (crowd) {
        for (let part = 0; part <= 4; part++) {
          const px = Math.round(place.left + part / 4 * (place.right - place.left - 8)) + 0.5;
          pen.moveTo(px, place.top); pen.lineTo(px, place.bottom + 5);
          pen.textAlign = part === 4 ? "right" : part ? "center" : "left";
          const lag = shown.low + part / 4 * (shown.high - shown.low);
          pen.fillText(part ? `+${bw.lasting(lag - shown.low)}` : bw.clock(data.first_ms[0] + shown.low * 1000), part === 4 ? place.right : px, place.bottom + 8);
        }
      } else {
        let day = null, free = 0;
        pen.textAlign = "left";
        shown.columns.forEach((c, k) => {
          const own = bw.day(data.first_ms[c]);
          if (own === day) return;
          day = own;
          const px = Math.round(place.left + k * place.wide) + 0.5;
          if (px < free) return; // a line for every day would hide the marks
          pen.moveTo(px, place.top); pen.lineTo(px, place.bottom + 6);
          if (px + 3 + pen.measureText(own).width <= place.width) pen.fillText(own, px + 3, place.bottom + 8);
          free = px + pen.measureText(own).width + 12;
        });
        pen.fillText("targets, by time →", place.left, place.bottom + 24);
      }
      pen.stroke();
      pen.setLineDash([]);
    };

    const marks = (pen) => {
      const wide = crowd ? 8 : place.wide, fine = place.high < 5;
      for (let level = data.classes.length - 1; level >= 0; level--) {
        const size = data.classes[level].size;
        const w = Math.max(2, Math.min(wide - 2, Math.max(6, 2.4 * place.high)) * size), h = fine ? place.high : Math.max(2, (place.high - 2) * size);
        for (const colour of [`lag${level}`, "excluded"]) {
          pen.fillStyle = ink[colour];
          for (const k of shown.cells) {
            if (kind[k] !== level || excluded.has(data.rows[k]) !== (colour === "excluded")) continue;
            pen.fillRect(x(k) + (wide - w) / 2, y(k) + (place.high - h) / 2, w, h);
          }
        }
      }
      if (exempt.size) { // a ring: never discounted
        pen.strokeStyle = ink.exempt;
        pen.lineWidth = 1.5;
        for (const k of shown.cells) if (exempt.has(k)) { const w = Math.min(wide - 3, Math.max(6, 2.4 * place.high)); pen.strokeRect(x(k) + (wide - w) / 2, y(k) + (fine ? 0 : 1.5), w, Math.max(1, place.high - (fine ? 0 : 3))); }
      }
    };

    const names = (pen) => {
      pen.textBaseline = "middle";
      pen.textAlign = "right";
      shown.rows.forEach((r, k) => {
        const middle = place.top + (k + 0.5) * place.high;
        if (place.named) {
          pen.font = bw.MONO;
          pen.fillStyle = excluded.has(r) ? ink.muted : ink.text;
          pen.fillText(bw.cut(data.reporters[r], Math.min(20, letters)), place.left - 6, middle);
          if (excluded.has(r)) pen.fillRect(8, middle, place.left - 14, 1);
        } else if (k === 0 || (k + 1) % Math.max(10, Math.round(40 / place.high / 10) * 10) === 0) {
          pen.font = bw.FONT;
          pen.fillStyle = ink.muted;
          pen.fillText(String(r + 1), place.left - 6, middle);
        }
      });
      if (crowd) return;
      pen.font = bw.FONT;
      pen.fillStyle = ink.muted;
      pen.textAlign = "center";
      const every = place.wide >= NUMBERED ? 1 : 5;
      shown.columns.forEach((c, k) => { if ((c + 1) % every === 0 || k === 0) pen.fillText(String(c + 1), place.left + (k + 0.5) * place.wide, place.top - 10); });
    };

    /* Crosshair, selection and keyboard focus, on a separate canvas so that moving is cheap. */
    const overlay = (hover = null) => {
      const pen = over.getContext("2d");
      pen.clearRect(0, 0, place.width, place.height);
      const chosenRow = shown.row.get(data.reporters.indexOf(chosen.reporter)), chosenColumn = shown.column.get(data.targets.indexOf(chosen.target));
      pen.strokeStyle = ink.mark;
      pen.lineWidth = 2;
      if (chosenRow !== undefined) pen.strokeRect(place.left - 1, place.top + chosenRow * place.high - 1, place.right - place.left + 2, place.high + 2);
      if (chosenColumn !== undefined && !crowd) pen.strokeRect(place.left + chosenColumn * place.wide - 1, place.top - 1, place.wide + 2, place.bottom - place.top + 2);
      const spot = hover ?? focus;
      if (spot === null) return;
      const row = shown.row.get(data.rows[spot]), px = x(spot), wide = crowd ? 8 : place.wide;
      if (row === undefined) return;
      pen.globalAlpha = 0.55;
      pen.fillStyle = ink.mark;
      pen.fillRect(place.left, place.top + (row + 0.5) * place.high - 0.5, place.right - place.left, 1);
      pen.fillRect(px + wide / 2 - 0.5, place.top, 1, place.bottom - place.top);
      pen.globalAlpha = 1;
      pen.strokeStyle = hover === null ? ink.focus : ink.mark;
      pen.strokeRect(px - 1, place.top + row * place.high - 1, wide + 2, Math.max(4, place.high + 2));
    };

    const words = (k) => [
      data.reporters[data.rows[k]], `complained about ${crowd ? "" : `target ${data.columns[k] + 1}: `}${bw.cut(data.targets[data.columns[k]], 60)}`, `${bw.moment(time[k])}, ${bw.delay(data.lags[k])}`,
      excluded.has(data.rows[k]) && "excluded from the group by a moderator", exempt.has(k) && "never discounted (trusted reporter or illegal content)",
    ];

    /* The cell under a point, or the nearest within a few pixels. */
    const hit = (px, py) => {
      const row = shown.rows[Math.floor((py - place.top) / place.high)];
      if (row === undefined || px < place.left - 2 || px > place.right + 2) return null;
      if (!crowd) {
        const column = shown.columns[Math.floor((px - place.left) / place.wide)];
        const k = column === undefined ? undefined : at.get(row * whole.columns + column);
        return k === undefined || (zoom && !(time[k] >= zoom.from && time[k] < zoom.to)) ? null : k;
      }
      let best = null;
      for (const k of shown.cells) if (data.rows[k] === row && (best === null || Math.abs(x(k) + 4 - px) < Math.abs(x(best) + 4 - px))) best = k;
      return best !== null && Math.abs(x(best) + 4 - px) < 24 ? best : null;
    };

    const spot = (event) => { const box = stage.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    stage.addEventListener("pointermove", (event) => {
      const [px, py] = spot(event), k = hit(px, py);
      overlay(k);
      const inside = [px - scroller.scrollLeft, py];
      if (k !== null) { hint.show(words(k), ...inside); return; }
      const row = shown.rows[Math.floor((py - place.top) / place.high)], column = shown.columns[Math.floor((px - place.left) / place.wide)];
      if (px < place.left && row !== undefined) hint.show([data.reporters[row], "click to filter by this reporter"], ...inside);
      else if (!crowd && py < place.top && column !== undefined && px >= place.left) hint.show([`target ${column + 1}: ${bw.cut(data.targets[column], 60)}`, `first complaint ${bw.moment(data.first_ms[column])}`, "click to filter by this target"], ...inside);
      else hint.hide();
    });
    stage.addEventListener("pointerleave", () => { hint.hide(); overlay(); });
    stage.addEventListener("click", (event) => {
      const [px, py] = spot(event), k = hit(px, py);
      const row = shown.rows[Math.floor((py - place.top) / place.high)], column = shown.columns[Math.floor((px - place.left) / place.wide)];
      if (k !== null) choose(data.reporters[data.rows[k]], data.targets[data.columns[k]]);
      else if (px < place.left && row !== undefined) choose(data.reporters[row], null);
      else if (!crowd && py < place.top && px >= place.left && column !== undefined) choose(null, data.targets[column]);
      else choose(null, null);
      focus = k;
    });
    const choose = (reporter, target) => {
      const same = reporter === chosen.reporter && target === chosen.target;
      bw.emit("case:select", same ? { reporter: null, target: null } : { reporter, target });
    };

    /* Move along the row, or to the nearest cell in the next row. */
    const step = (across, down) => {
      if (!shown.cells.length) return null;
      if (focus === null || !shown.row.has(data.rows[focus])) return shown.cells[0];
      const inRow = (r) => shown.cells.filter((k) => data.rows[k] === r).sort((a, b) => x(a) - x(b));
      if (across) { const mine = inRow(data.rows[focus]); return mine[bw.clamp(mine.indexOf(focus) + across, 0, mine.length - 1)]; }
      const next = shown.rows[bw.clamp(shown.row.get(data.rows[focus]) + down, 0, shown.rows.length - 1)];
      return inRow(next).reduce((best, k) => best === null || Math.abs(x(k) - x(focus)) < Math.abs(x(best) - x(focus)) ? k : best, null);
    };
    scroller.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], PageUp: [0, -10], PageDown: [0, 10], Home: [-1e6, 0], End: [1e6, 0] };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (moves[event.key]) {
        focus = step(...moves[event.key]);
        if (focus !== null) {
          overlay();
          bw.announce(words(focus).filter(Boolean).join(", "));
          const px = x(focus);
          if (px < scroller.scrollLeft + place.left || px > scroller.scrollLeft + scroller.clientWidth - 40) scroller.scrollLeft = px - scroller.clientWidth / 2;
          hint.show(words(focus), px - scroller.scrollLeft, y(focus));
        }
      } else if (event.key === "Enter" && focus !== null) choose(data.reporters[data.rows[focus]], data.targets[data.columns[focus]]);
      else if (event.key === "Escape") { focus = null; hint.hide(); bw.emit("case:select", { reporter: null, target: null }); bw.emit("case:zoom", null); }
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    scroller.addEventListener("blur", () => hint.hide());

    document.addEventListener("case:select", (event) => { chosen = event.detail; overlay(); });
    document.addEventListener("case:zoom", (event) => { zoom = event.detail; draw(); });
    bw.redraws(host, draw);
    draw();
  };
})();
