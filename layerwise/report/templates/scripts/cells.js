// Cells of a drawn layer x layer matrix: reached by pointer and by keyboard, they lead to the pairs of stimuli behind them.
(() => {
  const { read, make } = layerwise;
  const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const HINT = "Click a cell, or move with the arrow keys and press Enter, to look closer: the pairs of stimuli behind its number.";

  class Cells {
    constructor(host, run) {
      this.host = host;
      this.run = run;
      const cells = Object.values(read(host.dataset.spec).datasets).flat().filter(({ row, column }) => row !== undefined && column !== undefined);
      this.values = new Map(cells.map(({ row, column, value }) => [JSON.stringify([row, column]), value]));
      this.names = [...new Set(cells.map(({ row }) => row))];
      this.at = null;
      this.hint = make("p", "closer-hint", HINT);
      this.hint.setAttribute("aria-live", "polite");
      host.after(this.hint);
      host.classList.add("leads");
      host.tabIndex = 0;
      host.setAttribute("role", "group");
      host.setAttribute("aria-label", "Cells of the matrix. Arrow keys move from cell to cell, Enter looks closer.");
      host.addEventListener("keydown", (event) => this.key(event));
      host.addEventListener("blur", () => this.leave());
    }

    open(row, column) {
      document.dispatchEvent(new CustomEvent("layerwise:pair", { detail: { run: this.run, row, column } }));
    }

    key(event) {
      if (event.target !== this.host) return;
      if (event.key === "Escape") this.leave();
      if (event.key === "Enter" && this.at) this.open(...this.at.map((place) => this.names[place]));
      const step = KEYS[event.key];
      if (!step) return;
      event.preventDefault();
      const last = this.names.length - 1;
      this.at = this.at ? this.at.map((place, axis) => Math.max(0, Math.min(last, place + step[axis]))) : [0, last];
      this.tell();
    }

    tell() {
      const [row, column] = this.at.map((place) => this.names[place]);
      const value = this.values.get(JSON.stringify([row, column]));
      this.hint.replaceChildren(make("bdi", "", row), " and ", make("bdi", "", column),
        `: ${value === null || value === undefined ? "undefined" : layerwise.signed(value, 3)}. Enter looks closer.`);
      this.mark((datum) => datum?.row === row && datum?.column === column);
    }

    leave() {
      this.at = null;
      this.hint.textContent = HINT;
      this.mark(() => false);
    }

    mark(isAt) {
      for (const path of this.host.querySelectorAll(".mark-rect path")) path.classList.toggle("at", isAt(path.__data__?.datum));
    }
  }

  const known = new Map();
  layerwise.leadCloser = (host, view, run) => {
    if (![...document.querySelectorAll(".explorer")].some((root) => root.dataset.run === run)) return;
    if (!known.has(host)) known.set(host, new Cells(host, run));
    const cells = known.get(host);
    view.addEventListener("click", (_, item) => {
      const { row, column } = item?.datum || {};
      if (row !== undefined && column !== undefined) cells.open(row, column);
    });
    if (cells.at) cells.tell();
  };
})();
