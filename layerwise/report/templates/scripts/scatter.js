// The scatter of two layers: a point for each pair of codes that occurs, stronger where more pairs have it.
(() => {
  const { UNDEFINED, ticks } = layerwise;
  const MARGIN = { left: 58, right: 12, top: 16, bottom: 50 };
  // Where a ring's number is written, if there is no other yet.
  const AROUND = [[13, 0], [0, -14], [-13, 0], [0, 14], [10, -12], [-10, -12], [0, -27], [10, 13], [-10, 13], [0, 27], [0, -40]];

  const svg = (tag, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  layerwise.Scatter = class {
    constructor(plot, atlas) {
      this.plot = plot;
      this.atlas = atlas;
      this.canvas = plot.querySelector("canvas");
      this.bins = [];
      this.defined = 0;
    }

    // Takes in two layers, the one across and the one upwards.
    async load(layers) {
      const codes = await Promise.all(layers.map((layer) => this.atlas.codes(layer)));
      const widths = await Promise.all(layers.map((layer) => this.atlas.width(layer)));
      const [xs, ys] = codes;
      const counts = new Uint32Array(1 << 16);
      let defined = 0;
      for (let place = 0; place < xs.length; place += 1) {
        if (xs[place] === UNDEFINED || ys[place] === UNDEFINED) continue;
        counts[xs[place] << 8 | ys[place]] += 1;
        defined += 1;
      }
      const bins = [];
      for (let bin = 0; bin < counts.length; bin += 1) if (counts[bin]) bins.push(bin);
      const ends = widths.map(({ least, most }) => {
        const pad = (most - least) * 0.03 || Math.abs(least) || 1;
        return [least - pad, most + pad];
      });
      return { layers, codes, counts, bins, defined, ends };
    }

    show(loaded) {
      Object.assign(this, loaded);
      this.draw();
    }

    name(side) { return this.atlas.matrices[this.layers[side]].name; }

    // Where on the canvas a value of the layer across (0) or upwards (1) lies.
    position(side, value) {
      const [low, high] = this.ends[side];
      const part = (value - low) / (high - low);
      return side ? (1 - part) * this.side : part * this.side;
    }

    draw() {
      if (!this.layers) return;
      this.drawnAt = this.plot.clientWidth;
      this.side = Math.max(60, this.drawnAt - MARGIN.left - MARGIN.right);
      const ratio = window.devicePixelRatio || 1;
      Object.assign(this.canvas.style, { left: `${MARGIN.left}px`, top: `${MARGIN.top}px`, width: `${this.side}px`, height: `${this.side}px` });
      this.plot.style.height = `${this.side + MARGIN.top + MARGIN.bottom}px`;
      this.canvas.width = this.canvas.height = Math.round(this.side * ratio);
      const context = this.canvas.getContext("2d");
      context.scale(ratio, ratio);
      [this.xs, this.ys] = this.paint(context, getComputedStyle(this.plot).getPropertyValue("--points").trim() || "#0072b2");
      this.drawAxes();
    }

    // Draws the points into a square of `this.side`, and says where they are.
    paint(context, colour) {
      context.fillStyle = colour;
      const size = this.layers.map((layer, side) => {
        const [low, high] = this.ends[side];
        return Math.max(2.2, this.atlas.matrices[layer].step / (high - low) * this.side);
      });
      const [left, up] = this.layers.map((layer, side) => Float64Array.from(
        { length: 256 }, (_, code) => this.position(side, this.atlas.value(layer, code))));
      const most = this.bins.reduce((top, bin) => Math.max(top, this.counts[bin]), 1);
      const xs = new Float64Array(this.bins.length), ys = new Float64Array(this.bins.length);
      this.bins.forEach((bin, at) => {
        xs[at] = left[bin >> 8];
        ys[at] = up[bin & 255];
        context.globalAlpha = 0.34 + 0.66 * Math.log(this.counts[bin]) / (Math.log(most) || 1);
        context.fillRect(xs[at] - size[0] / 2, ys[at] - size[1] / 2, size[0], size[1]);
      });
      context.globalAlpha = 1;
      return [xs, ys];
    }

    // What an axis is called.
    title(side) {
      const { symbol, unit } = this.atlas.measure;
      return `${this.name(side)}: ${symbol}${unit ? ` (${unit})` : ""}`;
    }

    // The same as a picture to be kept, with the rings that are shown.
    save(root, lines, rings) {
      const kept = this.side;
      const paint = (context, side) => {
        this.side = side;
        this.paint(context, "#0b63a5");
        for (const { kind, text, x, y, tx, ty } of this.placeRings(rings)) {
          context.strokeStyle = context.fillStyle = kind === "parted" ? "#b34e00" : "#00785a";
          Object.assign(context, { lineWidth: 1.8, font: "650 11px system-ui, sans-serif", textAlign: "center", textBaseline: "middle" });
          context.beginPath();
          context.arc(x, y, 6, 0, 2 * Math.PI);
          context.stroke();
          context.fillText(text, tx, ty);
        }
        this.side = kept;
      };
      return layerwise.compose({ root, lines, paint, axes: { ends: this.ends, titles: [this.title(0), this.title(1)] } });
    }

    drawAxes() {
      const { left, top } = MARGIN;
      const parts = [svg("path", { d: `M${left} ${top}V${top + this.side}H${left + this.side}`, class: "line" })];
      for (const { value, text } of ticks(...this.ends[0], this.side < 320 ? 3 : 5)) {
        const x = left + this.position(0, value);
        parts.push(svg("path", { d: `M${x} ${top}v${this.side}`, class: value === 0 ? "zero" : "grid" }));
        parts.push(svg("text", { x, y: top + this.side + 17, "text-anchor": "middle" }, text));
      }
      for (const { value, text } of ticks(...this.ends[1])) {
        const y = top + this.position(1, value);
        parts.push(svg("path", { d: `M${left} ${y}h${this.side}`, class: value === 0 ? "zero" : "grid" }));
        parts.push(svg("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, text));
      }
      parts.push(svg("text", { x: left + this.side / 2, y: top + this.side + 40, "text-anchor": "middle", class: "title" }, this.title(0)));
      parts.push(svg("text", { "text-anchor": "middle", class: "title", transform: `translate(13 ${top + this.side / 2}) rotate(-90)` }, this.title(1)));
      this.plot.querySelector(".axes").replaceChildren(...parts);
    }

    // Where rings, { kind, values, text, on } each, and their numbers lie in the square.
    placeRings(rings) {
      const centres = rings.map(({ values }) => values.map((value, side) => this.position(side, value)));
      const written = [];
      const isFree = (a, b) => !written.some(([c, d]) => Math.abs(a - c) < 9 && Math.abs(b - d) < 11) &&
        !centres.some(([c, d]) => Math.hypot(a - c, b - d) < 12);
      return rings.map((ring, place) => {
        const [x, y] = centres[place];
        const [tx, ty] = AROUND.map(([dx, dy]) => [x + dx, y + dy]).find(([a, b]) => isFree(a, b)) || [x, y - 11];
        written.push([tx, ty]);
        return { ...ring, x, y, tx, ty };
      });
    }

    // Draws rings, and one round a point of the scatter.
    ring(rings, chosen) {
      const { left, top } = MARGIN;
      const parts = this.placeRings(rings).map(({ kind, text, on, x, y, tx, ty }) => {
        const group = svg("g", { class: on ? `${kind} on` : kind });
        group.append(svg("circle", { cx: left + x, cy: top + y, r: 6 }), svg("text", { x: left + tx, y: top + ty + 4, "text-anchor": "middle" }, text));
        return group;
      });
      if (chosen !== null) {
        const [x, y] = this.middle(chosen);
        parts.push(svg("circle", { cx: left + x, cy: top + y, r: 7, class: "chosen" }));
      }
      this.plot.querySelector(".rings").replaceChildren(...parts);
    }

    middle(bin) {
      return [this.position(0, this.atlas.value(this.layers[0], bin >> 8)), this.position(1, this.atlas.value(this.layers[1], bin & 255))];
    }

    // The point for which a cost is least; null where it is nowhere finite.
    least(cost) {
      let best = null, lowest = Infinity;
      for (let at = 0; at < this.bins.length; at += 1) {
        const found = cost(this.xs[at], this.ys[at]);
        if (found < lowest) { lowest = found; best = this.bins[at]; }
      }
      return best;
    }

    // The point that is nearest to a place on the canvas, if any is near enough.
    nearest(x, y, reach) {
      return this.least((px, py) => {
        const far = (px - x) ** 2 + (py - y) ** 2;
        return far < reach * reach ? far : Infinity;
      });
    }

    // The next point in a direction, such as [1, 0]; from the middle of the canvas where there is none yet.
    next(bin, [right, down]) {
      if (bin === null) return this.nearest(this.side / 2, this.side / 2, Infinity);
      const [x, y] = this.middle(bin);
      return this.least((px, py) => {
        const along = (px - x) * right + (py - y) * down;
        const beside = Math.abs((px - x) * down) + Math.abs((py - y) * right);
        return along > 0.01 ? along + 3 * beside : Infinity;
      });
    }

    // The pair of stimuli at a point; of several the one whose turn it is.
    pairAt(bin, turn) {
      const [xs, ys] = this.codes;
      const x = bin >> 8, y = bin & 255;
      let left = turn, at = 0;
      for (; at < xs.length; at += 1) if (xs[at] === x && ys[at] === y) { if (left === 0) break; left -= 1; }
      return this.atlas.pairAt(at);
    }
  };
})();
