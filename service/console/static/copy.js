/* Buttons that copy a text, or choose all of a list; without scripting they are not there, and the text can be marked and copied. */
(function () {
  "use strict";
  document.querySelectorAll("[data-copy]").forEach(function (button) {
    const field = document.querySelector(button.dataset.copy);
    if (!field) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      function said(text) { const before = button.textContent; button.textContent = text; window.brigadewatch.announce(text); window.setTimeout(function () { button.textContent = before; }, 2000); }
      function byHand() { field.focus(); field.select(); said(document.execCommand("copy") ? "Copied" : "Marked: copy it with the keyboard"); }
      if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(field.value).then(function () { said("Copied"); }, byHand);
      else byHand();
    });
  });
  document.querySelectorAll("[data-select-all]").forEach(function (all) {
    all.hidden = false;
    const boxes = document.querySelectorAll(all.dataset.selectAll);
    all.addEventListener("change", function () { boxes.forEach(function (box) { box.checked = all.checked; }); });
  });
})();
