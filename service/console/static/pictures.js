/* Shared by the charts of a case: theme colours, sharp canvases, hints, formatting of times.
   Charts communicate through document events:
     case:select {reporter, target}   a row, column or cell was selected; null clears
     case:zoom   {from, to}           milliseconds; null shows everything */
(() => {
  "use strict";
  const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (n) => String(n).padStart(2, "0");
  // Invisible and reordering characters, escaped as on the server.
  const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

  const bw = window.brigadewatch;
  bw.SECOND = SECOND; bw.MINUTE = MINUTE; bw.HOUR = HOUR; bw.DAY = DAY;
  bw.clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  bw.visible = (text) => String(text).replace(UNSEEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
  bw.cut = (text, most) => { const shown = [...bw.visible(text)]; return shown.length > most ? `${shown.slice(0, most - 1).join("")}…` : shown.join(""); };
  bw.number = (value) => value.toLocaleString("en-GB", { maximumFractionDigits: 2 });
  /** A moment as numbers in the person's time zone. */
  const zone = document.documentElement.dataset.zone || "UTC";
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
  const local = (ms) => Object.fromEntries(parts.formatToParts(new Date(ms)).map((part) => [part.type, Number(part.value)]));
  bw.day = (ms) => { const d = local(ms); return `${d.day} ${MONTHS[d.month - 1]}`; };
  bw.clock = (ms, seconds = false) => { const d = local(ms); return `${two(d.hour)}:${two(d.minute)}${seconds ? `:${two(d.second)}` : ""}`; };
  bw.moment = (ms) => `${bw.day(ms)} ${local(ms).year}, ${bw.clock(ms, true)}`;

  /* A duration in its largest fitting unit. */
  bw.lasting = (seconds) => {
    for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
      if (seconds >= size) return `${seconds < 10 * size && seconds % size ? (seconds / size).toFixed(1) : Math.round(seconds / size)} ${unit}`;
    }
    return `${Math.round(seconds)} s`;
  };
  /* A duration as an adjective: "3-hour". */
  bw.interval = (seconds) => {
    const [word, size] = [["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]].find(([, size]) => seconds % size === 0) ?? ["second", 1];
    return `${bw.number(seconds / size)}-${word}`;
  };
  bw.delay = (seconds) => seconds === 0 ? "the first one" : seconds > 0 ? `${bw.lasting(seconds)} after the first` : `${bw.lasting(-seconds)} before the group’s first`;

  /* The theme's colours by name, for canvas drawing. */
  bw.colours = (names) => Object.fromEntries(names.map((name) => [name, bw.colour(`--${name}`)]));

  /* Size a canvas in CSS pixels, sharp at the screen's resolution; returns its scaled context. */
  bw.fit = (canvas, width, height) => {
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    return pen;
  };

  bw.element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  /* A tooltip with lines of text near the pointer. Never HTML: ids are untrusted. */
  bw.hint = (host) => {
    const box = bw.element("div", { class: "hint-box", "aria-hidden": "true" });
    box.hidden = true;
    host.append(box);
    return {
      show(lines, x, y) {
        box.replaceChildren(...lines.filter(Boolean).map((line, k) => bw.element(k ? "div" : "b", {}, bw.visible(line))));
        box.hidden = false;
        const room = host.clientWidth;
        const left = x + 16 + box.offsetWidth > room ? Math.max(0, x - 16 - box.offsetWidth) : x + 16;
        box.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(0, y + 12))}px)`;
      },
      hide() { box.hidden = true; },
    };
  };

  bw.emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  /* Draw again when the width, the theme or the resolution changes; at most once a frame. */
  bw.redraws = (host, draw) => {
    let frame = 0, width = host.clientWidth;
    const schedule = () => { frame ||= requestAnimationFrame(() => { frame = 0; draw(); }); };
    new ResizeObserver(() => { if (host.clientWidth !== width) { width = host.clientWidth; schedule(); } }).observe(host);
    bw.onTheme(schedule);
    matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`).addEventListener("change", schedule);
    return schedule;
  };

  bw.FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
  bw.MONO = '12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
})();
