/* Buttons that copy a text or select a whole list. Without JavaScript they stay hidden. */
(function () {
  "use strict";
  document.querySelectorAll("[data-copy]").forEach(function (button) {
    const field = document.querySelector(button.dataset.copy);
    if (!field) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      function show(text) { const before = button.textContent; button.textContent = text; window.brigadewatch.announce(text); window.setTimeout(function () { button.textContent = before; }, 2000); }
      function copySelected() { field.focus(); field.select(); show(document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C to copy"); }
      if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(field.value).then(function () { show("Copied"); }, copySelected);
      else copySelected();
    });
  });
  document.querySelectorAll("[data-select-all]").forEach(function (all) {
    all.hidden = false;
    const boxes = document.querySelectorAll(all.dataset.selectAll);
    all.addEventListener("change", function () { boxes.forEach(function (box) { box.checked = all.checked; }); });
  });
})();
