// Look closer: the scatter of pair values of two layers, and the pairs that changed most between them.
(() => {
  const { UNDEFINED, read, inflate, nearby, make, openAtlas, onTheme, ticks } = layerwise;
  const MARGIN = { left: 58, right: 12, top: 12, bottom: 50 };
  const AROUND = [[13, 0], [0, -14], [-13, 0], [0, 14], [10, -12], [-10, -12], [0, -27], [10, 13], [-10, 13], [0, 27], [0, -40]];
  const REACH = 16; // pixels around the pointer in which a point is found

  const svg = (tag, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

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
      this.canvas = root.querySelector("canvas");
      this.chosen = null;
      this.listen();
      this.show();
    }

    get across() { return Number(this.sides[0].value); }
    get up() { return Number(this.sides[1].value); }

    listen() {
      this.sides.forEach((select, side) => {
        select.addEventListener("change", () => this.show());
        const step = (by) => {
          const options = select.options.length;
          select.selectedIndex = (select.selectedIndex + by + options) % options;
          this.show();
        };
        const pick = this.root.querySelector(side ? ".up" : ".across");
        pick.querySelector(".previous").addEventListener("click", () => step(-1));
        pick.querySelector(".next").addEventListener("click", () => step(1));
      });
      this.root.querySelector(".swap").addEventListener("click", () => this.choose(this.up, this.across));
      this.canvas.addEventListener("pointermove", (event) => { if (!this.pinned) this.point(event); });
      this.canvas.addEventListener("pointerdown", (event) => this.press(event));
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => { if (this.drawnAt !== this.root.querySelector(".plot").clientWidth) this.draw(); })
        .observe(this.root.querySelector(".plot"));
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
      const turned = this.pairs.get(`${this.up}|${this.across}`);
      const row = straight || turned;
      if (!row) return { n: null, r: this.across === this.up ? 1 : null, parted: [], joined: [] };
      const as = (list) => list.map(([i, j, a, b, p, q]) => straight
        ? { i, j, values: [a, b], places: [p, q] } : { i, j, values: [b, a], places: [q, p] });
      const [parted, joined] = [as(row[4]), as(row[5])];
      return { n: row[2], r: row[3], parted: straight ? parted : joined, joined: straight ? joined : parted };
    }

    async show() {
      const across = this.across, up = this.up;
      const wanted = this.wanted = `${across}|${up}`;
      const [xs, ys] = await Promise.all([this.atlas.codes(across), this.atlas.codes(up), this.ready]);
      const widths = [await this.atlas.width(across), await this.atlas.width(up)];
      if (this.wanted !== wanted) return;
      const counts = new Uint32Array(1 << 16);
      let defined = 0;
      for (let place = 0; place < xs.length; place += 1) {
        if (xs[place] === UNDEFINED || ys[place] === UNDEFINED) continue;
        counts[xs[place] << 8 | ys[place]] += 1;
        defined += 1;
      }
      this.codes = [xs, ys];
      this.bins = [];
      this.counts = counts;
      for (let bin = 0; bin < counts.length; bin += 1) if (counts[bin]) this.bins.push(bin);
      this.ends = widths.map(({ least, most }) => {
        const pad = (most - least) * 0.03 || Math.abs(least) || 1;
        return [least - pad, most + pad];
      });
      this.result = this.found();
      this.chosen = this.pinned = null;
      this.draw();
      this.headline(defined);
      this.list();
      this.root.querySelector(".pair").replaceChildren(make("p", "hint", defined
        ? "Point at the scatter, tap it, or move with the arrow keys, to see which two stimuli a point is."
        : "No pair of stimuli is defined in both layers."));
      this.root.dataset.state = `${this.atlas.matrices[across].name}|${this.atlas.matrices[up].name}`;
    }

    headline(defined) {
      const [name, about] = this.root.querySelector(".shown").children;
      const { r } = this.result;
      name.textContent = r === null ? "r is undefined" : `r = ${layerwise.signed(r, 3)}`;
      const lost = this.atlas.nPairs - defined;
      about.textContent = `between ${this.name(0)} and ${this.name(1)}, over ${defined.toLocaleString("en")} pairs of stimuli` +
        (lost ? `; ${lost.toLocaleString("en")} are undefined in one of them, and left out` : "");
    }

    name(side) { return this.atlas.matrices[side ? this.up : this.across].name; }

    position(side, value) {
      const [low, high] = this.ends[side];
      const part = (value - low) / (high - low);
      return side ? (1 - part) * this.height : part * this.width;
    }

    draw() {
      if (!this.bins) return;
      const plot = this.root.querySelector(".plot");
      const full = this.drawnAt = plot.clientWidth;
      this.width = Math.max(60, full - MARGIN.left - MARGIN.right);
      this.height = this.width;
      const ratio = window.devicePixelRatio || 1;
      Object.assign(this.canvas.style, { left: `${MARGIN.left}px`, top: `${MARGIN.top}px`, width: `${this.width}px`, height: `${this.height}px` });
      plot.style.height = `${this.height + MARGIN.top + MARGIN.bottom}px`;
      this.canvas.width = Math.round(this.width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      const context = this.canvas.getContext("2d");
      context.scale(ratio, ratio);
      context.fillStyle = getComputedStyle(this.root).getPropertyValue("--points").trim() || "#0072b2";
      const size = [this.across, this.up].map((layer, side) => {
        const [low, high] = this.ends[side];
        return Math.max(2.2, this.atlas.matrices[layer].step / (high - low) * (side ? this.height : this.width));
      });
      let top = 1;
      for (const bin of this.bins) top = Math.max(top, this.counts[bin]);
      for (const bin of this.bins) {
        context.globalAlpha = 0.34 + 0.66 * Math.log(this.counts[bin]) / (Math.log(top) || 1);
        const [x, y] = this.middle(bin);
        context.fillRect(x - size[0] / 2, y - size[1] / 2, size[0], size[1]);
      }
      this.drawAxes();
      this.drawRings();
    }

    middle(bin) {
      return [this.position(0, this.atlas.value(this.across, bin >> 8)), this.position(1, this.atlas.value(this.up, bin & 255))];
    }

    drawAxes() {
      const axes = this.root.querySelector(".axes");
      const { left, top } = MARGIN;
      const { symbol, unit } = this.atlas.measure;
      const title = (side) => `${this.name(side)}: ${symbol}${unit ? ` (${unit})` : ""}`;
      const parts = [svg("path", { d: `M${left} ${top}V${top + this.height}H${left + this.width}`, class: "line" })];
      for (const { value, text } of ticks(...this.ends[0], this.width < 320 ? 3 : 5)) {
        const x = left + this.position(0, value);
        parts.push(svg("path", { d: `M${x} ${top}v${this.height}`, class: value === 0 ? "zero" : "grid" }));
        parts.push(svg("text", { x, y: top + this.height + 17, "text-anchor": "middle" }, text));
      }
      for (const { value, text } of ticks(...this.ends[1])) {
        const y = top + this.position(1, value);
        parts.push(svg("path", { d: `M${left} ${y}h${this.width}`, class: value === 0 ? "zero" : "grid" }));
        parts.push(svg("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, text));
      }
      parts.push(svg("text", { x: left + this.width / 2, y: top + this.height + 40, "text-anchor": "middle", class: "title" }, title(0)));
      parts.push(svg("text", { x: 0, y: 0, "text-anchor": "middle", class: "title", transform: `translate(13 ${top + this.height / 2}) rotate(-90)` }, title(1)));
      axes.replaceChildren(...parts);
    }

    drawRings() {
      const rings = this.root.querySelector(".rings");
      const { left, top } = MARGIN;
      const parts = [], written = [];
      for (const kind of ["parted", "joined"]) {
        this.result[kind].forEach((pair, index) => {
          const x = left + this.position(0, pair.values[0]), y = top + this.position(1, pair.values[1]);
          const group = svg("g", { class: `${kind}${this.chosen?.listed === pair ? " on" : ""}` });
          const [tx, ty] = AROUND.map(([dx, dy]) => [x + dx, y + dy])
            .find(([a, b]) => !written.some(([c, d]) => Math.abs(a - c) < 9 && Math.abs(b - d) < 11)) || [x, y - 11];
          written.push([tx, ty]);
          group.append(svg("circle", { cx: x, cy: y, r: 6 }), svg("text", { x: tx, y: ty + 4, "text-anchor": "middle" }, String(index + 1)));
          parts.push(group);
        });
      }
      if (this.chosen && !this.chosen.listed) {
        const [x, y] = this.middle(this.chosen.bin);
        parts.push(svg("circle", { cx: left + x, cy: top + y, r: 7, class: "chosen" }));
      }
      rings.replaceChildren(...parts);
    }

    // The occupied point that is nearest to a place on the canvas, if any is near enough.
    nearest(x, y, reach = REACH) {
      let best = null, least = reach * reach;
      for (const bin of this.bins) {
        const [px, py] = this.middle(bin);
        const distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance < least) { least = distance; best = bin; }
      }
      return best;
    }

    place(event) {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }

    point(event) {
      const bin = this.bins ? this.nearest(...this.place(event)) : null;
      if (bin !== null && bin !== this.chosen?.bin) this.select(bin, 0);
    }

    press(event) {
      const bin = this.bins ? this.nearest(...this.place(event), 26) : null;
      if (bin === null) { this.pinned = null; return; }
      const again = this.pinned === bin;
      this.pinned = bin;
      this.select(bin, again ? this.chosen.turn + 1 : this.chosen?.bin === bin ? this.chosen.turn : 0);
    }

    key(event) {
      if (!this.bins?.length) return;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        if (this.chosen && !this.chosen.listed) this.select(this.chosen.bin, this.chosen.turn + 1);
        return;
      }
      if (event.key === "Escape") { this.pinned = null; return; }
      const steps = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      if (!this.chosen || this.chosen.listed) {
        this.pinned = this.nearest(this.width / 2, this.height / 2, 1e6);
      } else {
        const [x, y] = this.middle(this.chosen.bin);
        let best = null, least = Infinity;
        for (const bin of this.bins) {
          const [px, py] = this.middle(bin);
          const along = (px - x) * step[0] + (py - y) * step[1];
          const beside = Math.abs((px - x) * step[1]) + Math.abs((py - y) * step[0]);
          if (along > 0.01 && along + 3 * beside < least) { least = along + 3 * beside; best = bin; }
        }
        if (best === null) return;
        this.pinned = best;
      }
      this.select(this.pinned, 0);
    }

    // Shows the pair at a point; of several, one after the other.
    select(bin, turn) {
      const [xs, ys] = this.codes;
      const x = bin >> 8, y = bin & 255, count = this.counts[bin];
      let left = turn % count, at = 0;
      for (; at < xs.length; at += 1) if (xs[at] === x && ys[at] === y) { if (left === 0) break; left -= 1; }
      this.chosen = { bin, turn: turn % count };
      const [i, j] = this.atlas.pairAt(at);
      const more = count > 1 ? `pair ${this.chosen.turn + 1} of ${count} at this point; click or press Enter for the next` : "";
      this.describe(i, j, [this.atlas.about(this.across, x), this.atlas.about(this.up, y)], more);
      this.drawRings();
    }

    selectListed(pair) {
      this.chosen = { listed: pair };
      this.describe(pair.i, pair.j, pair.values.map((value) => this.atlas.exactly(value)), "");
      this.drawRings();
      this.root.querySelectorAll(".changed button").forEach((button) => button.classList.toggle("on", button.pair === pair));
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
    }

    list() {
      const alike = this.atlas.measure.kind === "similarity" ? "More alike" : "Closer";
      const sections = [["parted", 0, 1], ["joined", 1, 0]].map(([kind, more, less]) => {
        const section = make("section", kind);
        const title = make("h4");
        title.append(`${alike} in `, make("bdi", "", this.name(more)), " than in ", make("bdi", "", this.name(less)));
        const items = make("ol");
        this.result[kind].forEach((pair, index) => items.append(this.card(kind, pair, index)));
        section.append(title);
        section.append(this.result[kind].length ? items : make("p", "hint", this.across === this.up ? "This is the same layer twice." : "No pair moved in this direction."));
        return section;
      });
      this.root.querySelector(".changed").replaceChildren(...sections);
    }

    card(kind, pair, index) {
      const item = make("li");
      const button = make("button");
      button.type = "button";
      button.pair = pair;
      const photos = make("div", "photos");
      for (const i of [pair.i, pair.j]) {
        const image = this.atlas.image(i);
        if (image) { const shown = make("img"); shown.src = image.src; shown.alt = ""; photos.append(shown); }
      }
      if (!photos.childElementCount) photos.hidden = true;
      const words = make("div", "words");
      const names = make("p", "names");
      names.append(make("bdi", "", this.atlas.call(pair.i)), " and ", make("bdi", "", this.atlas.call(pair.j)));
      const { symbol } = this.atlas.measure;
      const [from, to] = pair.values.map((value) => this.atlas.exactly(value));
      words.append(names, make("p", "change", `${symbol} ${from} → ${to}`));
      const track = make("div", "track");
      const [start, end] = pair.places.map((part) => 100 * part);
      const way = make("span", "way");
      Object.assign(way.style, { left: `${Math.min(start, end)}%`, width: `${Math.abs(end - start)}%` });
      const [first, last] = [make("span", "first"), make("span", "last")];
      first.style.left = `${start}%`;
      last.style.left = `${end}%`;
      track.append(way, first, last);
      words.append(track, make("p", "rank", `at ${percent(pair.places[0])} of the way from least to most alike → ${percent(pair.places[1])}`));
      button.append(make("span", "number", String(index + 1)), photos, words);
      button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") this.selectListed(pair); });
      button.addEventListener("focus", () => this.selectListed(pair));
      button.addEventListener("click", () => this.selectListed(pair));
      item.append(button);
      return item;
    }

    // The pairs that are listed with their stored values, and all pairs with what the page knows of them.
    async tables() {
      await this.ready;
      const { names } = this.atlas, layers = [0, 1].map((side) => this.name(side));
      const listed = ["parted", "joined"].flatMap((kind) => this.result[kind].map((pair, index) => [
        `more alike in ${layers[kind === "parted" ? 0 : 1]}`, index + 1, names[pair.i], names[pair.j], ...pair.values, ...pair.places,
      ]));
      const [xs, ys] = this.codes;
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
  layerwise.offer("png", ".explorer", (root) => layerwise.saveCanvas(root.id, open(root).canvas));

  // Cells of a drawn layer x layer matrix lead here.
  layerwise.leadCloser = (host, view, run) => {
    if (!roots.some((root) => root.dataset.run === run)) return;
    view.addEventListener("click", (_, item) => {
      const { row, column } = item?.datum || {};
      if (row !== undefined && column !== undefined) document.dispatchEvent(new CustomEvent("layerwise:pair", { detail: { run, row, column } }));
    });
    if (host.classList.contains("leads")) return;
    host.classList.add("leads");
    host.after(make("p", "closer-hint", "Click a cell to look closer: the pairs of stimuli behind its number."));
  };

  // A figure asks to look closer at two layers of a run, by their names.
  document.addEventListener("layerwise:pair", ({ detail }) => {
    const root = roots.find((candidate) => candidate.dataset.run === detail.run);
    if (!root) return;
    const explorer = open(root);
    const place = (name) => explorer.layers.find((layer) => explorer.atlas.matrices[layer].name === name);
    const found = [place(detail.row), place(detail.column)];
    if (found.includes(undefined)) return;
    const depth = (layer) => explorer.atlas.matrices[layer].position;
    const [across, up] = found.sort((a, b) => depth(a) - depth(b));
    explorer.choose(across, up);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    root.closest("figure").scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  });
})();
