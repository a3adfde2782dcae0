// Draws the page's Mermaid diagrams, and again when the reader switches between the light and the dark theme.
document.addEventListener("DOMContentLoaded", () => {
  const diagrams = [...document.querySelectorAll("pre.mermaid")].map((place) => ({ place, source: place.textContent }));
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const dark = () => {
    const chosen = document.body.dataset.theme;
    return chosen === "dark" || (chosen !== "light" && system.matches);
  };
  let drawn;
  const draw = async () => {
    if (drawn === dark()) return;
    drawn = dark();
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: "strict",
      theme: drawn ? "dark" : "neutral",
      fontFamily: getComputedStyle(document.body).fontFamily,
      flowchart: { useMaxWidth: true, wrappingWidth: 280 },
      sequence: { useMaxWidth: true, width: 110, actorMargin: 20, mirrorActors: false, wrap: true },
    });
    for (const { place, source } of diagrams) {
      place.removeAttribute("data-processed");
      place.textContent = source;
    }
    await mermaid.run({ nodes: diagrams.map(({ place }) => place) });
  };
  draw();
  system.addEventListener("change", draw);
  new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
});
