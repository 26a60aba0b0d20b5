// Figures of which one is seen at a time: the list, the two buttons and the keyboard choose which.
(() => {
  for (const root of document.querySelectorAll(".alternatives")) {
    const select = root.querySelector(":scope > .pick select");
    if (!select) continue;
    const panels = [...root.children].filter((child) => child.classList.contains("panel"));
    const show = (index) => {
      const chosen = (index + panels.length) % panels.length;
      select.value = String(chosen);
      panels.forEach((panel, place) => { panel.hidden = place !== chosen; });
      window.dispatchEvent(new Event("resize")); // charts that were hidden while the window changed
    };
    panels.forEach((panel, place) => panel.addEventListener("reveal", () => show(place)));
    select.addEventListener("change", () => show(Number(select.value)));
    if (panels[select.value]?.hidden) show(Number(select.value)); // what a browser remembers of a page that is loaded again
    root.querySelector(":scope > .pick .previous").addEventListener("click", () => show(Number(select.value) - 1));
    root.querySelector(":scope > .pick .next").addEventListener("click", () => show(Number(select.value) + 1));
  }
})();
