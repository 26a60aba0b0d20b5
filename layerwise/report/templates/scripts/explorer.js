// Look closer: the scatter of pair values of two layers, and the pairs that changed most between them.
(() => {
  const { read, inflate, nearby, make, openAtlas, onTheme, Scatter } = layerwise;
  const REACH = 16, TAP = 26; // pixels around the pointer in which a point is found
  const KEYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const HINT = "Point at the scatter, tap it, or move with the arrow keys, to see which two stimuli a point is.";

  const percent = (part) => `${(100 * part).toFixed(0)} %`;

  class Explorer {
    constructor(root) {
      this.root = root;
      const data = read(root.dataset.explorer);
      this.atlas = openAtlas(data.atlas);
      this.ready = inflate(data.pairs).then((bytes) => {
        const rows = JSON.parse(new TextDecoder().decode(bytes));
        this.pairs = new Map(rows.map((row) => [`${row[0]}|${row[1]}`, row]));
      });
      this.sides = ["across", "up"].map((side) => root.querySelector(`.${side} select`));
      this.layers = [...this.sides[0].options].map((option) => Number(option.value));
      this.scatter = new Scatter(root.querySelector(".plot"), this.atlas);
      this.canvas = this.scatter.canvas;
      this.chosen = null; // { bin, turn } of a point, or { listed } of a pair below
      this.listen();
      this.shown = this.show();
    }

    get across() { return Number(this.sides[0].value); }
    get up() { return Number(this.sides[1].value); }

    listen() {
      this.sides.forEach((select, side) => {
        select.addEventListener("change", () => this.show());
        const step = (by) => {
          select.selectedIndex = (select.selectedIndex + by + select.options.length) % select.options.length;
          this.show();
        };
        const pick = this.root.querySelector(side ? ".up" : ".across");
        pick.querySelector(".previous").addEventListener("click", () => step(-1));
        pick.querySelector(".next").addEventListener("click", () => step(1));
      });
      this.root.querySelector(".swap").addEventListener("click", () => this.choose(this.up, this.across));
      this.canvas.addEventListener("pointermove", (event) => { if (this.pinned === null) this.point(event); });
      this.canvas.addEventListener("pointerdown", (event) => this.press(event));
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => { if (this.scatter.drawnAt !== this.scatter.plot.clientWidth) this.draw(); }).observe(this.scatter.plot);
      onTheme(() => this.draw());
    }

    // Shows two layers by their positions in the atlas.
    choose(across, up) {
      this.sides[0].value = String(across);
      this.sides[1].value = String(up);
      return this.show();
    }

    // What was computed of the two layers, as seen from the one across.
    found() {
      const straight = this.pairs.get(`${this.across}|${this.up}`);
      const row = straight || this.pairs.get(`${this.up}|${this.across}`);
      if (!row) return { r: this.across === this.up ? 1 : null, parted: [], joined: [] };
      const as = (list) => list.map(([i, j, a, b, p, q]) => straight
        ? { i, j, values: [a, b], places: [p, q] } : { i, j, values: [b, a], places: [q, p] });
      const [parted, joined] = [as(row[4]), as(row[5])];
      return { r: row[3], parted: straight ? parted : joined, joined: straight ? joined : parted };
    }

    async show() {
      const layers = [this.across, this.up];
      const wanted = this.wanted = layers.join("|");
      const [loaded] = await Promise.all([this.scatter.load(layers), this.ready]);
      if (this.wanted !== wanted) return;
      this.result = this.found();
      this.chosen = this.pinned = null;
      this.scatter.show(loaded);
      this.ring();
      this.headline();
      this.list();
      this.root.querySelector(".pair").replaceChildren(make("p", "hint", this.scatter.defined ? HINT : "No pair of stimuli is defined in both layers."));
      this.root.dataset.state = `${this.name(0)}|${this.name(1)}`;
    }

    name(side) { return this.scatter.name(side); }

    draw() {
      if (!this.result) return;
      this.scatter.draw();
      this.ring();
    }

    rings() {
      return ["parted", "joined"].flatMap((kind) => this.result[kind].map((pair, index) => (
        { kind, values: pair.values, text: String(index + 1), on: this.chosen?.listed === pair })));
    }

    ring() { this.scatter.ring(this.rings(), this.chosen?.bin ?? null); }

    async save() {
      await this.shown;
      const words = [...this.root.querySelector(".shown").children].map((part) => part.textContent).join(" ");
      return this.scatter.save(this.root, [words], this.rings());
    }

    headline() {
      const [name, about] = this.root.querySelector(".shown").children;
      const { r } = this.result, { defined } = this.scatter;
      name.textContent = r === null ? "r is undefined" : `r = ${layerwise.signed(r, 3)}`;
      const lost = this.atlas.nPairs - defined;
      about.textContent = `between ${this.name(0)} and ${this.name(1)}, over ${defined.toLocaleString("en")} pairs of stimuli` +
        (lost ? `; ${lost.toLocaleString("en")} are undefined in one of them, and left out` : "");
    }

    place(event) {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }

    point(event) {
      const bin = this.scatter.nearest(...this.place(event), REACH);
      if (bin !== null && bin !== this.chosen?.bin) this.select(bin, 0);
    }

    press(event) {
      const bin = this.scatter.nearest(...this.place(event), TAP);
      const again = bin !== null && this.pinned === bin;
      this.pinned = bin;
      if (bin !== null) this.select(bin, again ? this.chosen.turn + 1 : this.chosen?.bin === bin ? this.chosen.turn : 0);
    }

    key(event) {
      const bin = this.chosen?.bin ?? null;
      if (event.key === "Escape") { this.pinned = null; return; }
      if (event.key !== "Enter" && event.key !== " " && !KEYS[event.key]) return;
      event.preventDefault();
      const next = KEYS[event.key] ? this.scatter.next(bin, KEYS[event.key]) : bin;
      if (next === null) return;
      this.pinned = next;
      this.select(next, next === bin ? this.chosen.turn + 1 : 0);
    }

    // Shows the pair at a point; of several, one after the other.
    select(bin, turn) {
      const count = this.scatter.counts[bin];
      this.chosen = { bin, turn: turn % count };
      const [i, j] = this.scatter.pairAt(bin, this.chosen.turn);
      const more = count > 1 ? `pair ${this.chosen.turn + 1} of ${count} at this point; click or press Enter for the next` : "";
      this.describe(i, j, [this.atlas.about(this.across, bin >> 8), this.atlas.about(this.up, bin & 255)], more);
    }

    selectListed(pair) {
      this.chosen = { listed: pair };
      this.pinned = null;
      this.describe(pair.i, pair.j, pair.values.map((value) => this.atlas.exactly(value)), "");
    }

    describe(i, j, values, more) {
      const two = make("div", "two");
      two.append(this.atlas.portray(i), this.atlas.portray(j));
      const rows = make("dl", "values");
      const { symbol, unit } = this.atlas.measure;
      values.forEach((value, side) => {
        const name = make("dt");
        name.append(make("bdi", "", this.name(side)));
        rows.append(name, make("dd", "", `${symbol} = ${value}${unit ? ` ${unit}` : ""}`));
      });
      this.root.querySelector(".pair").replaceChildren(two, rows, make("p", "hint", more));
      this.ring();
      this.root.querySelectorAll(".changed button").forEach((button) => button.classList.toggle("on", button.pair === this.chosen.listed));
    }

    list() {
      const alike = this.atlas.measure.kind === "similarity" ? "More alike" : "Closer";
      const sections = [["parted", 0, 1], ["joined", 1, 0]].map(([kind, more, less]) => {
        const section = make("section", kind);
        const title = make("h4");
        title.append(`${alike} in `, make("bdi", "", this.name(more)), " than in ", make("bdi", "", this.name(less)));
        const items = make("ol");
        this.result[kind].forEach((pair, index) => items.append(this.card(pair, index)));
        const none = this.across === this.up ? "This is the same layer twice." : "No pair moved in this direction.";
        section.append(title, this.result[kind].length ? items : make("p", "hint", none));
        return section;
      });
      const key = make("p", "key hint");
      key.append("The bars run from a layer’s least alike pair to its most alike one: ", make("i", "first"), " in ", make("bdi", "", this.name(0)),
        ", ", make("i", "last"), " in ", make("bdi", "", this.name(1)), ".");
      this.root.querySelector(".changed").replaceChildren(...(this.across === this.up ? [] : [key]), ...sections);
    }

    card(pair, index) {
      const item = make("li");
      const button = make("button");
      button.type = "button";
      button.pair = pair;
      const photos = make("div", "photos");
      for (const i of [pair.i, pair.j]) {
        const source = this.atlas.thumbnails[i];
        if (source) { const shown = make("img"); shown.src = source; shown.alt = ""; photos.append(shown); }
      }
      photos.hidden = !photos.childElementCount;
      const words = make("div", "words");
      const names = make("p", "names");
      names.append(make("bdi", "", this.atlas.call(pair.i)), " and ", make("bdi", "", this.atlas.call(pair.j)));
      const [from, to] = pair.values.map((value) => this.atlas.exactly(value));
      words.append(names, make("p", "change", `${this.atlas.measure.symbol} ${from} → ${to}`), this.bar(pair.places));
      button.append(make("span", "number", String(index + 1)), photos, words);
      button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") this.selectListed(pair); });
      button.addEventListener("focus", () => this.selectListed(pair));
      button.addEventListener("click", () => this.selectListed(pair));
      item.append(button);
      return item;
    }

    // How far a pair moves between the least and the most alike pair of the two layers.
    bar(places) {
      const [start, end] = places.map((part) => 100 * part);
      const box = make("div", "moved");
      const track = make("div", "track");
      const [way, first, last] = [make("span", "way"), make("span", "first"), make("span", "last")];
      Object.assign(way.style, { left: `${Math.min(start, end)}%`, width: `${Math.abs(end - start)}%` });
      first.style.left = `${start}%`;
      last.style.left = `${end}%`;
      track.append(way, first, last);
      box.append(track, make("p", "places", `${percent(places[0])} → ${percent(places[1])}`));
      return box;
    }

    // The pairs that are listed with their stored values, and all pairs with what the page knows of them.
    async tables() {
      await this.ready;
      const { names } = this.atlas, layers = [0, 1].map((side) => this.name(side));
      const listed = ["parted", "joined"].flatMap((kind) => this.result[kind].map((pair, index) => [
        `more alike in ${layers[kind === "parted" ? 0 : 1]}`, index + 1, names[pair.i], names[pair.j], ...pair.values, ...pair.places,
      ]));
      const [xs, ys] = this.scatter.codes;
      const all = Array.from(xs, (x, at) => {
        const [i, j] = this.atlas.pairAt(at);
        return [names[i], names[j], this.atlas.number(this.across, x), this.atlas.number(this.up, ys[at])];
      });
      return [
        { name: `${this.root.id}-changed`, rows: listed, columns: ["direction", "place", "first", "second", ...layers, ...layers.map((name) => `place from least to most alike, ${name}`)] },
        { name: `${this.root.id}-pairs`, rows: all, columns: ["first", "second", ...layers] },
      ];
    }
  }

  const explorers = new Map();
  const open = (root) => {
    if (!explorers.has(root)) explorers.set(root, new Explorer(root));
    return explorers.get(root);
  };
  const opener = nearby(open);
  const roots = [...document.querySelectorAll(".explorer")];
  roots.forEach((root) => opener.observe(root));
  layerwise.offerTables(".explorer", (root) => open(root).tables());
  layerwise.offer("png", ".explorer", (root) => open(root).save());

  // A figure asks to look closer at two layers of a run, by their names; the earlier one is shown across.
  document.addEventListener("layerwise:pair", ({ detail }) => {
    const root = roots.find((candidate) => candidate.dataset.run === detail.run);
    if (!root) return;
    const explorer = open(root);
    const place = (name) => explorer.layers.find((layer) => explorer.atlas.matrices[layer].name === name);
    const found = [place(detail.row), place(detail.column)];
    if (found.includes(undefined)) return;
    const depth = (layer) => explorer.atlas.matrices[layer].position;
    explorer.choose(...found.sort((a, b) => depth(a) - depth(b)));
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    root.closest("figure").scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  });
})();
