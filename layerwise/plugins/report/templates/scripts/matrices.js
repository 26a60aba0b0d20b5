// Matrices: one byte a pair, ordered and coloured here.
(() => {
  const { UNDEFINED, read, inflate, nearby, portray } = layerwise;

  class Browser {
    constructor(root) {
      this.root = root;
      this.data = read(root.dataset.matrices);
      this.n = this.data.stimuli.length;
      this.codes = new Map();
      this.layer = 0;
      this.order = this.data.orders[0].permutation;
      this.own = false;
      this.at = null;
      this.canvas = root.querySelector("canvas.matrix");
      this.cursor = root.querySelector(".cursor");
      this.tiles = [...root.querySelectorAll("[data-matrix]")];
      this.listen();
      this.refresh();
    }

    listen() {
      const select = this.root.querySelector("select");
      const go = (step) => this.choose((this.layer + step + this.tiles.length) % this.tiles.length);
      select.addEventListener("change", () => this.choose(Number(select.value)));
      this.root.querySelector(".previous").addEventListener("click", () => go(-1));
      this.root.querySelector(".next").addEventListener("click", () => go(1));
      this.root.querySelectorAll("input[type=radio]").forEach((input) => input.addEventListener("change", () => {
        if (input.name.endsWith("-order")) this.order = this.data.orders[Number(input.value)].permutation;
        else this.own = input.value === "own";
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

    async read(layer) {
      if (!this.codes.has(layer)) this.codes.set(layer, inflate(this.data.matrices[layer].codes));
      return this.codes.get(layer);
    }

    code(codes, lost, i, j) {
      if (i === j) return lost.has(i) ? UNDEFINED : 254;
      const a = Math.min(i, j), b = Math.max(i, j);
      return codes[a * (2 * this.n - a - 1) / 2 + b - a - 1];
    }

    limit(codes) {
      if (!this.own) return 127;
      const counts = new Uint32Array(128);
      let total = 0;
      for (const code of codes) if (code !== UNDEFINED) { counts[Math.abs(code - 127)] += 1; total += 1; }
      let far = 127;
      for (let beyond = 0; far > 1 && (beyond += counts[far]) <= total / 500; far -= 1);
      return far;
    }

    table(limit) {
      const words = new Uint32Array(256);
      const pack = (r, g, b) => 0xff000000 | (b << 16) | (g << 8) | r;
      const colours = this.data.colours;
      for (let code = 0; code < UNDEFINED; code += 1) {
        const place = Math.round(Math.max(-1, Math.min(1, (code - 127) / limit)) * 127) + 127;
        words[code] = pack(colours[3 * place], colours[3 * place + 1], colours[3 * place + 2]);
      }
      words[UNDEFINED] = pack(...this.data.undefined);
      return words;
    }

    async picture(layer) {
      const codes = await this.read(layer);
      const lost = new Set(this.data.matrices[layer].undefined);
      const limit = this.limit(codes);
      const words = this.table(limit);
      const n = this.n, order = this.order;
      const image = new ImageData(n, n);
      const pixels = new Uint32Array(image.data.buffer);
      for (let row = 0; row < n; row += 1) {
        pixels[row * n + row] = words[lost.has(order[row]) ? UNDEFINED : 254];
        for (let column = row + 1; column < n; column += 1) {
          const word = words[this.code(codes, lost, order[row], order[column])];
          pixels[row * n + column] = word;
          pixels[column * n + row] = word;
        }
      }
      return { image, limit };
    }

    async choose(layer) {
      this.layer = layer;
      this.root.querySelector("select").value = String(layer);
      await this.paintLarge();
      this.describe();
    }

    refresh() {
      this.paintLarge().then(() => this.describe());
      for (const tile of this.tiles) { tile.painted = ""; if (tile.near) this.paintTile(tile); }
    }

    async paintLarge() {
      const layer = this.layer;
      const { image, limit } = await this.picture(layer);
      if (layer !== this.layer) return;
      this.canvas.width = this.canvas.height = this.n;
      this.canvas.getContext("2d").putImageData(image, 0, 0);
      const matrix = this.data.matrices[layer];
      const order = this.data.orders.find((found) => found.permutation === this.order);
      const [name, about] = this.root.querySelector(".shown").children;
      name.textContent = matrix.name;
      about.textContent = `${this.n} stimuli, ordered by: ${order.name}` +
        (matrix.undefined.length ? `; ${matrix.undefined.length} with constant activations (grey)` : "");
      this.paintLegend(limit / 127);
      this.tiles.forEach((tile) => tile.setAttribute("aria-pressed", String(Number(tile.dataset.matrix) === layer)));
      this.root.dataset.state = `${matrix.name}|${order.name}`;
    }

    paintLegend(limit) {
      const canvas = this.root.querySelector(".legend canvas");
      const colours = this.data.colours;
      canvas.width = 255;
      canvas.height = 1;
      const image = new ImageData(255, 1);
      for (let i = 0; i < 255; i += 1) image.data.set([colours[3 * i], colours[3 * i + 1], colours[3 * i + 2], 255], 4 * i);
      canvas.getContext("2d").putImageData(image, 0, 0);
      const [low, , high] = this.root.querySelectorAll(".legend span");
      const own = this.own && limit < 1;
      low.textContent = (own ? "≤ −" : "−") + limit.toFixed(limit < 1 ? 2 : 0);
      high.textContent = (own ? "≥ " : "") + limit.toFixed(limit < 1 ? 2 : 0);
    }

    async paintTile(tile) {
      const wanted = `${this.data.orders.findIndex((order) => order.permutation === this.order)}|${this.own}`;
      if (tile.painted === wanted) return;
      tile.painted = wanted;
      const { image } = await this.picture(Number(tile.dataset.matrix));
      if (tile.painted !== wanted) return;
      const canvas = tile.querySelector("canvas");
      const side = Math.min(this.n, Math.round(130 * (window.devicePixelRatio || 1)));
      const whole = document.createElement("canvas");
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
      const pair = [this.order[row], this.order[column]];
      const codes = await this.read(this.layer);
      const code = this.code(codes, new Set(this.data.matrices[this.layer].undefined), ...pair);
      const box = this.root.querySelector(".pair");
      const value = document.createElement("p");
      value.className = "value";
      value.textContent = code === UNDEFINED ? "undefined" : pair[0] === pair[1] ? "the same stimulus" : `r = ${((code - 127) / 127).toFixed(2)}`;
      const two = document.createElement("div");
      two.className = "two";
      for (const index of pair) two.append(portray(this.data.stimuli, this.data.thumbnails, index));
      box.replaceChildren(value, two);
      const size = Math.max(8, this.canvas.clientWidth / this.n);
      Object.assign(this.cursor.style, { left: `${(column + 0.5) / this.n * 100}%`, top: `${(row + 0.5) / this.n * 100}%`, width: `${size}px`, height: `${size}px` });
      this.cursor.hidden = false;
    }
  }

  const opener = nearby((root) => new Browser(root));
  document.querySelectorAll(".matrices").forEach((root) => opener.observe(root));
})();
