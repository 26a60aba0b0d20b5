// Matrices: ordered and coloured here, from the bytes of an atlas.
(() => {
  const { UNDEFINED, nearby, make, openAtlas, signed } = layerwise;

  class Browser {
    constructor(root) {
      this.root = root;
      this.atlas = openAtlas(root.dataset.atlas);
      this.n = this.atlas.n;
      this.layer = Number(root.querySelector("select.layer").value); // a browser may remember it
      this.order = 0;
      this.own = root.querySelector("input[value=own]").checked;
      this.at = null;
      this.canvas = root.querySelector("canvas.matrix");
      this.cursor = root.querySelector(".cursor");
      this.tiles = [...root.querySelectorAll("[data-matrix]")];
      this.listen();
      this.refresh();
    }

    get permutation() { return this.atlas.orders[this.order].permutation; }

    listen() {
      const select = this.root.querySelector("select.layer");
      const by = this.root.querySelector("select.by");
      const go = (step) => this.choose((this.layer + step + this.tiles.length) % this.tiles.length);
      select.addEventListener("change", () => this.choose(Number(select.value)));
      this.root.querySelector(".previous").addEventListener("click", () => go(-1));
      this.root.querySelector(".next").addEventListener("click", () => go(1));
      const orders = [...this.root.querySelectorAll(".orders input")];
      if (!orders.find((input) => input.checked)) orders[0].checked = true;
      const reorder = () => {
        const value = orders.find((input) => input.checked).value;
        this.order = Number(value === "layer" ? by.value : value);
        this.refresh();
      };
      orders.forEach((input) => input.addEventListener("change", reorder));
      by?.addEventListener("change", () => {
        orders.find((input) => input.value === "layer").checked = true;
        reorder();
      });
      this.order = Number(orders.find((input) => input.checked).value === "layer" ? by.value : orders.find((input) => input.checked).value);
      this.root.querySelectorAll("input[name$=-scale]").forEach((input) => input.addEventListener("change", () => {
        this.own = input.value === "own";
        this.refresh();
      }));
      this.watcher = new IntersectionObserver((entries) => {
        for (const entry of entries) {
          entry.target.near = entry.isIntersecting;
          if (entry.isIntersecting) this.paintTile(entry.target);
        }
      }, { rootMargin: "300px" });
      for (const tile of this.tiles) {
        tile.addEventListener("click", () => this.choose(Number(tile.dataset.matrix)));
        this.watcher.observe(tile);
      }
      this.canvas.addEventListener("pointermove", (event) => this.point(event));
      this.canvas.addEventListener("pointerdown", (event) => this.point(event));
      this.canvas.addEventListener("keydown", (event) => this.move(event));
    }

    code(codes, lost, i, j) {
      return lost.has(i) || lost.has(j) ? UNDEFINED : codes[this.atlas.place(i, j)];
    }

    // The values at the ends of the colours: around zero where zero means something of its own.
    async ends(layer) {
      const { diverging, range: [low, high] } = this.atlas.measure;
      const found = this.own ? [await this.atlas.width(layer)] : low !== null && high !== null
        ? [{ low, high }] : await this.widest();
      const least = Math.min(...found.map((width) => width.low)), most = Math.max(...found.map((width) => width.high));
      if (diverging) {
        const reach = Math.max(Math.abs(least), Math.abs(most)) || 1;
        return { low: -reach, high: reach, cut: this.own || high === null };
      }
      return { low: this.own || low === null ? least : low, high: most > least ? most : least + 1, cut: this.own || high === null };
    }

    widest() {
      this.widths ??= Promise.all(this.atlas.matrices.map((_, layer) => this.atlas.width(layer)));
      return this.widths;
    }

    async picture(layer) {
      const codes = await this.atlas.codes(layer);
      const ends = await this.ends(layer);
      const lost = this.atlas.lost[layer];
      const colour = (value) => this.atlas.colourWord((value - ends.low) / (ends.high - ends.low) * 254);
      const words = Uint32Array.from({ length: 256 }, (_, code) => colour(this.atlas.value(layer, code)));
      const [r, g, b] = this.atlas.undefined;
      words[UNDEFINED] = 0xff000000 | (b << 16) | (g << 8) | r;
      const n = this.n, order = this.permutation;
      const image = new ImageData(n, n);
      const pixels = new Uint32Array(image.data.buffer);
      for (let row = 0; row < n; row += 1) {
        pixels[row * n + row] = lost.has(order[row]) ? words[UNDEFINED] : colour(this.atlas.own(layer, order[row]));
        for (let column = row + 1; column < n; column += 1) {
          const word = words[this.code(codes, lost, order[row], order[column])];
          pixels[row * n + column] = word;
          pixels[column * n + row] = word;
        }
      }
      return { image, ends };
    }

    async choose(layer) {
      this.layer = layer;
      this.root.querySelector("select.layer").value = String(layer);
      await this.paintLarge();
      this.describe();
    }

    refresh() {
      this.paintLarge().then(() => this.describe());
      for (const tile of this.tiles) { tile.painted = ""; if (tile.near) this.paintTile(tile); }
    }

    async paintLarge() {
      const wanted = `${this.layer}|${this.order}|${this.own}`;
      this.wanted = wanted;
      const layer = this.layer;
      const { image, ends } = await this.picture(layer);
      if (this.wanted !== wanted) return;
      this.canvas.width = this.canvas.height = this.n;
      this.canvas.getContext("2d").putImageData(image, 0, 0);
      const matrix = this.atlas.matrices[layer];
      const order = this.atlas.orders[this.order];
      const [name, about] = this.root.querySelector(".shown").children;
      name.textContent = matrix.name;
      about.textContent = `${this.n} stimuli, ordered by: ${order.name}` +
        (matrix.undefined.length ? `; ${matrix.undefined.length} with constant activations (grey)` : "");
      this.paintLegend(ends);
      this.tiles.forEach((tile) => tile.setAttribute("aria-pressed", String(Number(tile.dataset.matrix) === layer)));
      this.root.dataset.state = `${matrix.name}|${order.name}|${this.own ? "own" : "shared"}`;
    }

    paintLegend(ends) {
      const canvas = this.root.querySelector(".legend canvas");
      const { colours } = this.atlas;
      canvas.width = 255;
      canvas.height = 1;
      const image = new ImageData(255, 1);
      for (let i = 0; i < 255; i += 1) image.data.set([colours[3 * i], colours[3 * i + 1], colours[3 * i + 2], 255], 4 * i);
      canvas.getContext("2d").putImageData(image, 0, 0);
      const words = this.words(ends);
      this.root.querySelectorAll(".legend span").forEach((part, place) => { part.textContent = words[place]; });
    }

    // What is written at the low end of the scale of colours, in its middle and at its high end.
    words({ low, high, cut }) {
      const { diverging, range } = this.atlas.measure;
      const write = (value) => Number.isInteger(value) ? signed(value, 0) : this.atlas.exactly(value);
      const beyond = (sign) => cut && high < (range[1] ?? Infinity) ? `${sign} ` : "";
      const below = diverging || low > (range[0] ?? -Infinity) ? beyond("≤") : "";
      return [below + write(low), diverging ? "0" : "", beyond("≥") + write(high)];
    }

    async paintTile(tile) {
      const wanted = `${this.order}|${this.own}`;
      if (tile.painted === wanted) return;
      tile.painted = wanted;
      const { image } = await this.picture(Number(tile.dataset.matrix));
      if (tile.painted !== wanted) return;
      const canvas = tile.querySelector("canvas");
      const side = Math.min(this.n, Math.round(130 * (window.devicePixelRatio || 1)));
      const whole = make("canvas");
      whole.width = whole.height = this.n;
      whole.getContext("2d").putImageData(image, 0, 0);
      canvas.width = canvas.height = side;
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(whole, 0, 0, side, side);
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const place = (value, size) => Math.max(0, Math.min(this.n - 1, Math.floor(value / size * this.n)));
      this.at = [place(event.clientY - box.top, box.height), place(event.clientX - box.left, box.width)];
      this.describe();
    }

    move(event) {
      const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      const from = this.at || [0, 0];
      this.at = from.map((place, axis) => Math.max(0, Math.min(this.n - 1, place + step[axis] * (event.shiftKey ? 10 : 1))));
      this.describe();
    }

    async describe() {
      if (!this.at) return;
      const [row, column] = this.at;
      const layer = this.layer;
      const [first, second] = [this.permutation[row], this.permutation[column]];
      const codes = await this.atlas.codes(layer);
      const code = first === second ? 0 : this.code(codes, this.atlas.lost[layer], first, second);
      const { symbol, unit } = this.atlas.measure;
      const words = code === UNDEFINED ? "undefined" : `${symbol} = ${this.atlas.about(layer, code)}${unit ? ` ${unit}` : ""}`;
      const two = make("div", "two");
      two.append(this.atlas.portray(first), this.atlas.portray(second));
      this.root.querySelector(".pair").replaceChildren(make("p", "value", first === second ? "the same stimulus" : words), two);
      const size = Math.max(8, this.canvas.clientWidth / this.n);
      Object.assign(this.cursor.style, { left: `${(column + 0.5) / this.n * 100}%`, top: `${(row + 0.5) / this.n * 100}%`, width: `${size}px`, height: `${size}px` });
      this.cursor.hidden = false;
    }

    // The matrix that is shown with its scale of colours; each pair is the same whole number of pixels.
    async save() {
      const { measure, colours, matrices } = this.atlas;
      const { image, ends } = await this.picture(this.layer);
      const whole = make("canvas");
      whole.width = whole.height = this.n;
      whole.getContext("2d").putImageData(image, 0, 0);
      const [low, middle, high] = this.words(ends);
      return layerwise.compose({
        root: this.root,
        layer: matrices[this.layer].name,
        lines: [this.root.querySelector(".shown span").textContent, this.root.querySelector(".unit").textContent.trim()],
        side: this.n * Math.max(1, Math.round(1280 / this.n)) / 2,
        paint: (context, side) => { context.imageSmoothingEnabled = false; context.drawImage(whole, 0, 0, side, side); },
        bar: { colours, low, middle, high, title: `${measure.symbol}${measure.unit ? ` (${measure.unit})` : ""}` },
      });
    }

    // The matrix that is shown, in the order in which it is shown.
    async tables() {
      const layer = this.layer, order = this.permutation, codes = await this.atlas.codes(layer), lost = this.atlas.lost[layer];
      const value = (i, j) => i === j ? (lost.has(i) ? null : this.atlas.own(layer, i)) : this.atlas.number(layer, this.code(codes, lost, i, j));
      const rows = order.map((i) => [this.atlas.names[i], ...order.map((j) => value(i, j))]);
      return [{ name: `${this.root.id}-${this.atlas.matrices[layer].name}`, columns: ["stimulus", ...order.map((i) => this.atlas.names[i])], rows }];
    }
  }

  const browsers = new Map();
  const open = (root) => {
    if (!browsers.has(root)) browsers.set(root, new Browser(root));
    return browsers.get(root);
  };
  const opener = nearby(open);
  document.querySelectorAll(".matrices").forEach((root) => opener.observe(root));
  layerwise.offerTables(".matrices", (root) => open(root).tables());
  layerwise.offer("png", ".matrices", (root) => open(root).save());
})();
