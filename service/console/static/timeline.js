/* The timeline: members' complaints as bars, everyone else's as rings, over the band of the normal range.
   The selected period is above, the whole period below; drag in either to zoom, and the raster follows. */
(() => {
  "use strict";
  const bw = window.brigadewatch;
  const LEFT = 40, RIGHT = 12, TOP = 12, PLOT = 132, AXIS = 34, WHOLE = 34, FOOT = 6;
  const COLOURS = ["text", "muted", "line", "picture-ground", "bar", "ring", "band", "card", "mark", "focus"];
  const TICKS = [60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2419200, 7257600, 31449600].map((s) => s * 1000);

  /* The smallest n such that a Poisson variable with this mean stays at or below it in so large a share. */
  const mostOf = (mean, share) => {
    if (mean > 500) return Math.ceil(mean + 2.6 * Math.sqrt(mean));
    let term = Math.exp(-mean), sum = term, n = 0;
    while (sum < share && n < 2000) { n += 1; term *= mean / n; sum += term; }
    return n;
  };

  bw.timeline = (host, data) => {
    const members = data.members_ms, others = data.others_ms;
    if (!members.length) return;
    const margin = Math.max(bw.MINUTE, (members[members.length - 1] - members[0]) * 0.03);
    const all = { from: members[0] - margin, to: members[members.length - 1] + margin };
    const canvas = bw.element("canvas", { "aria-hidden": "true" });
    const board = bw.element("div", { class: "board" }, canvas);
    host.replaceChildren(board);
    board.tabIndex = 0;
    board.setAttribute("role", "application");
    board.setAttribute("aria-roledescription", "picture");
    board.setAttribute("aria-label", `Complaints over time, ${bw.moment(all.from)} to ${bw.moment(all.to)}: ${members.length} by members. Left and right arrows move between intervals, with Shift they select, Enter zooms to the selection, Escape shows everything.`);
    const hint = bw.hint(host);
    const reset = bw.element("button", { type: "button", class: "button small" }, "Show the whole period");
    const densest = bw.element("button", { type: "button", class: "button small" }, "Zoom to the busiest period");
    host.append(bw.element("p", { class: "picture-tools" }, densest, reset));
    reset.hidden = true;

    let view = { ...all }, drag = null, cursor = null, anchor = null, width, seconds, bins, scale;

    const bin = (from, to, most) => {
      const length = (data.bin_seconds.find((s) => (to - from) / 1000 / s <= most) ?? data.bin_seconds[data.bin_seconds.length - 1]) * 1000;
      const start = Math.floor(from / length) * length, count = Math.min(2000, Math.ceil((to - start) / length));
      const tally = (list) => {
        const found = new Uint32Array(count);
        for (const ms of list) { const k = Math.floor((ms - start) / length); if (k >= 0 && k < count) found[k] += 1; }
        return found;
      };
      return { start, length, count, members: tally(members), others: tally(others) };
    };
    const px = (ms) => LEFT + (ms - view.from) / (view.to - view.from) * (width - LEFT - RIGHT);
    const ms = (at) => view.from + (at - LEFT) / (width - LEFT - RIGHT) * (view.to - view.from);
    const wholePx = (t) => LEFT + (t - all.from) / (all.to - all.from) * (width - LEFT - RIGHT);
    const wholeMs = (at) => all.from + (at - LEFT) / (width - LEFT - RIGHT) * (all.to - all.from);

    const draw = () => {
      width = host.clientWidth;
      const height = TOP + PLOT + AXIS + WHOLE + FOOT, pen = bw.fit(canvas, width, height), ink = bw.colours(COLOURS);
      bins = bin(view.from, view.to, Math.max(24, (width - LEFT - RIGHT) / 6));
      seconds = bins.length / 1000;
      const usual = mostOf(data.usual_per_hour * seconds / 3600, data.usual_share);
      const top = Math.max(1, usual, ...bins.members, ...bins.others), tick = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000].find((t) => top <= 5 * t) ?? 20000;
      scale = Math.ceil(top / tick) * tick;
      const bottom = TOP + PLOT, y = (n) => bottom - n / scale * PLOT;
      pen.fillStyle = ink["picture-ground"];
      pen.fillRect(LEFT, TOP, width - LEFT - RIGHT, PLOT);
      pen.fillStyle = ink.band;
      pen.fillRect(LEFT, y(usual), width - LEFT - RIGHT, bottom - y(usual));
      pen.strokeStyle = ink.text;
      pen.setLineDash([5, 3]);
      pen.beginPath(); pen.moveTo(LEFT, y(usual)); pen.lineTo(width - RIGHT, y(usual)); pen.stroke();
      pen.setLineDash([]);
      axes(pen, ink, y, tick, bottom);
      bars(pen, ink, y, bottom);
      overview(pen, ink, bottom + AXIS);
      if (drag?.moved) shade(pen, ink, drag.in === "whole" ? [wholePx(drag.from), wholePx(drag.to)] : [px(drag.from), px(drag.to)], drag.in === "whole" ? [bottom + AXIS, WHOLE] : [TOP, PLOT]);
      if (cursor !== null) {
        const from = Math.min(cursor, anchor ?? cursor), to = Math.max(cursor, anchor ?? cursor);
        pen.strokeStyle = ink.focus;
        pen.lineWidth = 2;
        pen.strokeRect(px(bins.start + from * bins.length), TOP, Math.max(3, px(bins.start + (to + 1) * bins.length) - px(bins.start + from * bins.length)), PLOT);
      }
      reset.hidden = view.from === all.from && view.to === all.to;
      host.dataset.bin = bw.lasting(seconds);
      host.dataset.usual = String(usual);
      const caption = document.getElementById("timeline-parts");
      if (caption) caption.textContent = `${bw.interval(seconds)} intervals; ${usual === 0 ? "normally none" : `up to ${usual} complaint${usual === 1 ? " is" : "s are"} normal`}.${data.others_left_out ? " Only the latest complaints of others are shown." : ""}`;
    };

    const axes = (pen, ink, y, tick, bottom) => {
      pen.font = bw.FONT;
      pen.fillStyle = ink.muted;
      pen.strokeStyle = ink.line;
      pen.lineWidth = 1;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.beginPath();
      for (let n = 0; n <= scale; n += tick) { const at = Math.round(y(n)) + 0.5; pen.fillText(String(n), LEFT - 6, at); pen.moveTo(LEFT, at); pen.lineTo(width - RIGHT, at); }
      const every = TICKS.find((t) => (view.to - view.from) / t <= (width - LEFT) / 84) ?? TICKS[TICKS.length - 1];
      pen.textAlign = "center";
      pen.textBaseline = "top";
      let day = null;
      for (let t = Math.ceil(view.from / every) * every; t <= view.to; t += every) {
        const at = Math.round(px(t)) + 0.5;
        if (at < LEFT + 14 || at > width - RIGHT - 14) continue;
        pen.moveTo(at, bottom); pen.lineTo(at, bottom + 4);
        if (every < bw.DAY) pen.fillText(bw.clock(t), at, bottom + 5);
        if (bw.day(t) !== day) { day = bw.day(t); pen.fillText(day, at, bottom + (every < bw.DAY ? 18 : 6)); }
      }
      pen.stroke();
    };

    const bars = (pen, ink, y, bottom) => {
      pen.save();
      pen.beginPath();
      pen.rect(LEFT, TOP - 6, width - LEFT - RIGHT, PLOT + 8);
      pen.clip();
      const wide = (width - LEFT - RIGHT) * bins.length / (view.to - view.from);
      pen.fillStyle = ink.bar;
      for (let k = 0; k < bins.count; k++) if (bins.members[k]) pen.fillRect(px(bins.start + k * bins.length) + 0.5, y(bins.members[k]), Math.max(1.5, wide - 1), bottom - y(bins.members[k]));
      pen.strokeStyle = ink.ring;
      pen.fillStyle = ink.card;
      pen.lineWidth = 1.5;
      for (let k = 0; k < bins.count; k++) {
        if (!bins.others[k]) continue;
        pen.beginPath();
        pen.arc(px(bins.start + (k + 0.5) * bins.length), y(bins.others[k]), 2.8, 0, 2 * Math.PI);
        pen.fill();
        pen.stroke();
      }
      pen.restore();
    };

    /* The whole period, small, with a frame around the selected one. */
    const overview = (pen, ink, top) => {
      const small = bin(all.from, all.to, (width - LEFT - RIGHT) / 3), most = Math.max(1, ...small.members);
      pen.fillStyle = ink["picture-ground"];
      pen.fillRect(LEFT, top, width - LEFT - RIGHT, WHOLE);
      pen.fillStyle = ink.bar;
      const wide = Math.max(1, (width - LEFT - RIGHT) * small.length / (all.to - all.from) - 0.5);
      for (let k = 0; k < small.count; k++) {
        if (!small.members[k]) continue;
        const at = bw.clamp(wholePx(small.start + k * small.length), LEFT, width - RIGHT - 1), high = Math.max(2, small.members[k] / most * (WHOLE - 4));
        pen.fillRect(at, top + WHOLE - high, Math.min(wide, width - RIGHT - at), high);
      }
      pen.strokeStyle = ink.mark;
      pen.lineWidth = 2;
      const from = wholePx(view.from), to = wholePx(view.to);
      pen.strokeRect(from + 1, top + 1, Math.max(4, to - from - 2), WHOLE - 2);
    };
    const shade = (pen, ink, [a, b], [top, high]) => {
      pen.globalAlpha = 0.25;
      pen.fillStyle = ink.mark;
      pen.fillRect(Math.min(a, b), top, Math.abs(b - a), high);
      pen.globalAlpha = 1;
    };

    const look = (from, to) => {
      const least = 10 * bw.SECOND;
      if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
      view = { from: Math.max(all.from, from), to: Math.min(all.to, to) };
      const everything = view.from <= all.from && view.to >= all.to;
      if (everything) view = { ...all };
      cursor = anchor = null;
      draw();
      bw.emit("case:zoom", everything ? null : { ...view });
    };
    const describe = (k) => {
      const from = bins.start + k * bins.length;
      return [`${bw.moment(from)}, ${bw.lasting(seconds)}`, `${bins.members[k]} by members, ${bins.others[k]} by others`, `normal: up to ${host.dataset.usual}`];
    };

    const spot = (event) => { const box = canvas.getBoundingClientRect(); return [bw.clamp(event.clientX - box.left, LEFT, width - RIGHT), event.clientY - box.top]; };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const [at, y] = spot(event), place = y > TOP + PLOT + AXIS / 2 ? "whole" : "view";
      const t = place === "whole" ? wholeMs(at) : ms(at);
      drag = { in: place, from: t, to: t, start: at, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [at, y] = spot(event);
      if (drag) {
        drag.to = drag.in === "whole" ? wholeMs(at) : ms(at);
        drag.moved ||= Math.abs(at - drag.start) > 4;
        hint.hide();
        draw();
        return;
      }
      const k = Math.floor((ms(at) - bins.start) / bins.length);
      if (y < TOP + PLOT && k >= 0 && k < bins.count) hint.show(describe(k), at, y); else if (y > TOP + PLOT + AXIS) hint.show(["Whole period", "drag to zoom"], at, y - 40); else hint.hide();
    });
    canvas.addEventListener("pointerup", () => {
      if (drag?.moved) { const { from, to } = drag; drag = null; look(Math.min(from, to), Math.max(from, to)); } else { drag = null; draw(); }
    });
    canvas.addEventListener("pointercancel", () => { drag = null; draw(); });
    canvas.addEventListener("pointerleave", () => hint.hide());
    reset.addEventListener("click", () => { look(all.from, all.to); board.focus(); });
    densest.addEventListener("click", () => {
      let best = 0, from = 0;
      const span = Math.max(10 * bw.MINUTE, (all.to - all.from) / 24);
      for (let a = 0, b = 0; a < members.length; a++) { while (b < members.length && members[b] < members[a] + span) b += 1; if (b - a > best) { best = b - a; from = members[a]; } }
      look(from - span * 0.1, from + span * 1.1);
    });
    board.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e6, End: 1e6 }[event.key];
      if (step) {
        if (event.shiftKey) anchor ??= cursor ?? 0; else anchor = null;
        cursor = bw.clamp((cursor ?? (step > 0 ? -1 : bins.count)) + step, 0, bins.count - 1);
        draw();
        bw.announce(describe(cursor).join(", "));
        hint.show(describe(cursor), px(bins.start + cursor * bins.length), TOP);
      } else if (event.key === "Enter" && cursor !== null) {
        const from = Math.min(cursor, anchor ?? cursor), to = Math.max(cursor, anchor ?? cursor);
        look(bins.start + from * bins.length, bins.start + (to + 1) * bins.length);
      } else if (event.key === "Escape") { hint.hide(); look(all.from, all.to); } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    board.addEventListener("blur", () => { hint.hide(); cursor = anchor = null; draw(); });
    document.addEventListener("case:zoom", (event) => { if (event.detail === null && (view.from !== all.from || view.to !== all.to)) { view = { ...all }; draw(); } });
    bw.redraws(host, draw);
    draw();
  };
})();
