// Maps of the stimuli: one for each layer, moving from one to the next.
(() => {
  const { UNDEFINED, read, nearby, make, openAtlas, onTheme } = layerwise;
  const MOVE = 900, REST = 700; // milliseconds
  const N_NEIGHBOURS = 5;
  const ZOOMS = [1, 1.5, 2.2, 3.3, 5];
  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const ramp = (part) => {
    const place = Math.max(0, Math.min(1, part)) * (RAMP.length - 1);
    const low = Math.min(RAMP.length - 2, Math.floor(place));
    return `rgb(${RAMP[low].map((from, i) => Math.round(from + (RAMP[low + 1][i] - from) * (place - low))).join(" ")})`;
  };

  class StimulusMap {
    constructor(root) {
      this.root = root;
      const data = read(root.dataset.map);
      this.atlas = openAtlas(data.atlas);
      this.n = this.atlas.n;
      this.maps = new Map(data.maps.map((map) => [map.matrix, map]));
      this.select = root.querySelector("select[id$=-layer]");
      this.slider = root.querySelector("input[type=range]");
      this.steps = [...this.select.querySelector("optgroup").children].map((option) => Number(option.value));
      this.canvas = root.querySelector("canvas");
      this.closer = root.querySelector(".closer");
      this.photos = this.atlas.thumbnails.length > 0;
      this.zoom = 0;
      this.pan = [0, 0];
      this.at = null;
      this.now = this.target(this.layer);
      this.colouring = root.querySelector(".colouring")?.value || "plain";
      this.drawSteps();
      this.colour();
      this.listen();
      this.go(this.layer, false);
      for (let i = 0; i < this.n; i += 1) this.atlas.image(i)?.decode().then(() => this.later(), () => {});
    }

    get layer() { return Number(this.select.value); }

    listen() {
      this.select.addEventListener("change", () => { this.stop(); this.go(this.layer); });
      this.slider.addEventListener("input", () => { this.stop(); this.go(this.steps[Number(this.slider.value)]); });
      this.root.querySelector(".play").addEventListener("click", () => this.playing ? this.stop() : this.play());
      this.root.querySelectorAll("input[name$=-as]").forEach((input) => input.addEventListener("change", () => {
        this.photos = input.value === "photos";
        this.later();
      }));
      this.root.querySelector(".colouring")?.addEventListener("change", (event) => {
        this.colouring = event.target.value;
        this.colour();
        this.later();
      });
      this.root.querySelector(".in").addEventListener("click", () => this.magnify(1));
      this.root.querySelector(".out").addEventListener("click", () => this.magnify(-1));
      this.canvas.addEventListener("pointermove", (event) => this.drag(event) || this.point(event));
      this.canvas.addEventListener("pointerdown", (event) => { this.start = [event.clientX, event.clientY, ...this.pan]; this.point(event); });
      for (const name of ["pointerup", "pointercancel", "pointerleave"]) this.canvas.addEventListener(name, () => { this.start = null; });
      this.canvas.addEventListener("pointerleave", () => { this.closer.hidden = true; });
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => this.later()).observe(this.canvas);
      onTheme(() => this.later());
    }

    // Where the stimuli of a layer lie, so that they fill the plane: x, y and how visible each is.
    target(layer) {
      const { points } = this.maps.get(layer);
      const extent = points.reduce((most, point) => point ? Math.max(most, Math.hypot(...point)) : most, 0) || 1;
      const places = new Float32Array(3 * this.n);
      points.forEach((point, i) => places.set(point ? [point[0] / extent, point[1] / extent, 1] : [0, 0, 0], 3 * i));
      return places;
    }

    go(layer, moving = true) {
      this.select.value = String(layer);
      const step = this.steps.indexOf(layer);
      if (step >= 0) this.slider.value = String(step);
      this.slider.setAttribute("aria-valuetext", this.atlas.matrices[layer].name);
      const from = this.now.slice(), to = this.target(layer);
      for (let i = 0; i < this.n; i += 1) { // what appears or disappears does so where it is
        if (!from[3 * i + 2]) from.set(to.subarray(3 * i, 3 * i + 2), 3 * i);
        if (!to[3 * i + 2]) to.set(from.subarray(3 * i, 3 * i + 2), 3 * i);
      }
      this.describe(layer);
      this.closer.hidden = true;
      if (this.at !== null) this.choose(this.at, false);
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      const begin = performance.now();
      const move = (time) => {
        const part = moving && !still.matches ? Math.min(1, Math.max(0, (time - begin) / MOVE)) : 1;
        const eased = part < 0.5 ? 4 * part ** 3 : 1 - (2 - 2 * part) ** 3 / 2;
        for (let k = 0; k < from.length; k += 1) this.now[k] = from[k] + (to[k] - from[k]) * eased;
        this.draw();
        if (part < 1) { this.frame = requestAnimationFrame(move); return; }
        this.frame = 0;
        this.root.dataset.state = this.atlas.matrices[layer].name;
        if (this.playing) this.playing = setTimeout(() => this.forward(), still.matches ? MOVE + REST : REST);
      };
      this.root.dataset.state = "moving";
      move(begin);
    }

    play() {
      const button = this.root.querySelector(".play");
      button.setAttribute("aria-pressed", "true");
      button.querySelector(".word").textContent = "Pause";
      button.querySelector(".sign").textContent = "❚❚";
      this.playing = true;
      const step = this.steps.indexOf(this.layer);
      if (step === this.steps.length - 1) this.go(this.steps[0]); else this.forward();
    }

    forward() {
      const step = this.steps.indexOf(this.layer);
      if (step === this.steps.length - 1) { this.stop(); return; }
      this.go(this.steps[step + 1]);
    }

    stop() {
      if (this.playing !== true) clearTimeout(this.playing);
      this.playing = null;
      const button = this.root.querySelector(".play");
      button.setAttribute("aria-pressed", "false");
      button.querySelector(".word").textContent = "Play";
      button.querySelector(".sign").textContent = "▶";
    }

    describe(layer) {
      const map = this.maps.get(layer);
      const lost = map.points.filter((point) => !point).length;
      const [name, about] = this.root.querySelector(".shown").children;
      name.textContent = this.atlas.matrices[layer].name;
      about.textContent = `${this.n - lost} stimuli` + (lost ? `; ${lost} with constant activations lie nowhere` : "");
      const [meter, words] = this.root.querySelector(".quality").children;
      meter.firstElementChild.style.width = `${100 * (map.kept || 0)}%`;
      this.root.querySelector(".quality").classList.toggle("poor", map.kept !== null && map.kept < 0.15);
      const stress = map.stress === null ? "" : ` (stress ${map.stress.toFixed(2)})`;
      words.textContent = map.kept === null
        ? `All distances of this layer are the same${stress}: there is nothing to map.`
        : `This map keeps ${(100 * map.kept).toFixed(map.kept < 0.1 ? 1 : 0)} % of the variance of the layer’s distances${stress}.` +
          (map.kept < 0.15 ? " So little that what lies next to what means next to nothing: a plane cannot show this layer." : "");
      this.root.querySelectorAll(".steps span").forEach((bar, step) => bar.classList.toggle("on", this.steps[step] === layer));
    }

    drawSteps() {
      const bars = this.steps.map((layer) => {
        const bar = make("span");
        const inner = make("i");
        inner.style.height = `${Math.max(4, 100 * (this.maps.get(layer).kept || 0))}%`;
        bar.title = this.atlas.matrices[layer].name;
        bar.append(inner);
        return bar;
      });
      this.root.querySelector(".steps").replaceChildren(...bars);
    }

    colour() {
      const { labels, confidence, right, palette } = this.atlas;
      const key = this.root.querySelector(".key");
      const entry = (colour, text) => {
        const item = make("li");
        const swatch = make("i");
        swatch.style.background = colour;
        item.append(swatch, make("bdi", "", text));
        return item;
      };
      const list = make("ul");
      this.tints = null;
      if (this.colouring === "label") {
        const found = [...new Set(labels.filter(Boolean))].sort();
        const tint = (index) => index < palette.length ? palette[index] : `hsl(${(index * 137.5) % 360} 60% 50%)`;
        this.tints = labels.map((label) => label ? tint(found.indexOf(label)) : "#9a9a9a");
        list.append(...found.map((label, index) => entry(tint(index), label)));
      } else if (this.colouring === "confidence") {
        this.tints = confidence.map((part) => part === null ? "#9a9a9a" : ramp(part));
        list.append(...[0, 0.25, 0.5, 0.75, 1].map((part) => entry(ramp(part), `${100 * part} %`)));
      } else if (this.colouring === "right") {
        this.tints = right.map((hit) => hit === null ? "#9a9a9a" : hit ? palette[2] : palette[1]);
        list.append(entry(palette[2], "right"), entry(palette[1], "wrong"));
      }
      key.replaceChildren(...(this.tints ? [list] : []));
    }

    later() {
      if (!this.frame && !this.due) this.due = requestAnimationFrame(() => { this.due = 0; this.draw(); });
    }

    get scale() { return (this.side / 2 - Math.min(24, this.side / 20)) * ZOOMS[this.zoom]; }

    screen(i) {
      return [
        this.side / 2 + (this.now[3 * i] - this.pan[0]) * this.scale,
        this.side / 2 - (this.now[3 * i + 1] - this.pan[1]) * this.scale,
      ];
    }

    draw() {
      const ratio = window.devicePixelRatio || 1;
      this.side = this.canvas.clientWidth || 300;
      if (this.canvas.width !== Math.round(this.side * ratio)) this.canvas.width = this.canvas.height = Math.round(this.side * ratio);
      const context = this.canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, this.side, this.side);
      const style = getComputedStyle(this.root);
      this.plain = style.getPropertyValue("--points").trim() || "#0072b2";
      this.mark = style.getPropertyValue("--accent").trim();
      this.size = this.photos
        ? Math.max(15, Math.min(72, Math.sqrt(this.side * this.side * 0.45 / this.n))) * Math.sqrt(ZOOMS[this.zoom])
        : Math.max(5, Math.min(11, this.side / 60));
      const near = new Set(this.at === null ? [] : [this.at, ...this.neighbours]);
      for (let i = 0; i < this.n; i += 1) if (!near.has(i)) this.drawOne(context, i, near.size ? 0.55 : 1);
      if (this.at === null) return;
      context.globalAlpha = 0.9;
      context.strokeStyle = this.mark;
      context.lineWidth = 2;
      for (const other of this.neighbours) {
        context.beginPath();
        context.moveTo(...this.screen(this.at));
        context.lineTo(...this.screen(other));
        context.stroke();
      }
      for (const i of [...this.neighbours].reverse()) this.drawOne(context, i, 1, true);
      this.drawOne(context, this.at, 1, true);
    }

    drawOne(context, i, alpha, marked = false) {
      const [x, y] = this.screen(i);
      const size = marked && this.photos ? this.size * 1.35 : this.size, half = size / 2;
      if (x < -half || y < -half || x > this.side + half || y > this.side + half) return;
      context.globalAlpha = alpha * this.now[3 * i + 2];
      if (!context.globalAlpha) return;
      const image = this.photos ? this.atlas.image(i) : null;
      const tint = this.tints?.[i];
      if (image?.complete && image.naturalWidth) {
        const least = Math.min(image.naturalWidth, image.naturalHeight);
        context.drawImage(image, (image.naturalWidth - least) / 2, (image.naturalHeight - least) / 2, least, least, x - half, y - half, size, size);
        if (tint || marked) {
          context.strokeStyle = marked ? this.mark : tint;
          context.lineWidth = marked ? 2.5 : 2;
          context.strokeRect(x - half, y - half, size, size);
        }
        return;
      }
      context.beginPath();
      context.arc(x, y, marked ? half * 1.3 : half, 0, 2 * Math.PI);
      context.fillStyle = tint || this.plain;
      context.fill();
      if (marked) { context.strokeStyle = this.mark; context.lineWidth = 2; context.stroke(); }
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const x = event.clientX - box.left, y = event.clientY - box.top;
      let best = null, least = Math.max(14, this.size * 0.75) ** 2;
      for (let i = 0; i < this.n; i += 1) {
        if (this.now[3 * i + 2] < 0.5) continue;
        const [px, py] = this.screen(i);
        const distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance < least) { least = distance; best = i; }
      }
      if (best === this.at && best !== null) { this.enlarge(); return; }
      if (best !== null) this.choose(best);
      else if (this.at !== null && event.type === "pointerdown") { this.at = null; this.closer.hidden = true; this.later(); }
    }

    // Drags the map where it is magnified.
    drag(event) {
      if (!this.start || !event.buttons || !this.zoom) return false;
      const [x, y, left, up] = this.start;
      this.pan = [left - (event.clientX - x) / this.scale, up + (event.clientY - y) / this.scale];
      this.closer.hidden = true;
      this.later();
      return true;
    }

    magnify(by) {
      this.zoom = Math.max(0, Math.min(ZOOMS.length - 1, this.zoom + by));
      if (!this.zoom) this.pan = [0, 0];
      else if (this.at !== null) this.pan = [this.now[3 * this.at], this.now[3 * this.at + 1]];
      this.canvas.classList.toggle("magnified", this.zoom > 0);
      this.closer.hidden = true;
      this.later();
    }

    key(event) {
      const steps = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
      const step = steps[event.key];
      if (event.key === "Escape") { this.at = null; this.closer.hidden = true; this.later(); }
      if (!step) return;
      event.preventDefault();
      const [x, y] = this.at === null ? [this.side / 2, this.side / 2] : this.screen(this.at);
      let best = null, least = Infinity;
      for (let i = 0; i < this.n; i += 1) {
        if (i === this.at || this.now[3 * i + 2] < 0.5) continue;
        const [px, py] = this.screen(i);
        const along = (px - x) * step[0] + (py - y) * step[1];
        const beside = Math.abs((px - x) * step[1]) + Math.abs((py - y) * step[0]);
        if (along > 0 && along + 2 * beside < least) { least = along + 2 * beside; best = i; }
      }
      if (best !== null) this.choose(best);
    }

    // Shows a stimulus, and what the layer (not the map) finds most like it.
    async choose(i, enlarged = true) {
      if (this.at !== i) this.neighbours = [];
      this.at = i;
      const layer = this.layer;
      const codes = await this.atlas.codes(layer);
      if (this.at !== i || this.layer !== layer) return;
      const sign = this.atlas.measure.kind === "similarity" ? -1 : 1;
      const found = [];
      for (let j = 0; j < this.n; j += 1) {
        if (j === i) continue;
        const code = codes[this.atlas.place(i, j)];
        if (code !== UNDEFINED) found.push([sign * code, j, code]);
      }
      found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      const near = found.slice(0, N_NEIGHBOURS);
      this.neighbours = near.map(([, j]) => j);
      this.tell(i, layer, near);
      if (enlarged) this.enlarge();
      this.later();
    }

    tell(i, layer, near) {
      const box = make("div");
      const head = this.atlas.portray(i);
      head.classList.add("met");
      if (this.atlas.answers[i]) {
        const answer = make("p", "answer", "The model says: ");
        const confidence = this.atlas.confidence[i];
        answer.append(make("bdi", "", this.atlas.answers[i]), confidence === null ? "" : ` (${(100 * confidence).toFixed(0)} %)`);
        head.append(answer);
      }
      const list = make("ol");
      for (const [, j, code] of near) {
        const item = make("li");
        const image = this.atlas.image(j);
        if (image) { const shown = make("img"); shown.src = image.src; shown.alt = ""; item.append(shown); }
        const words = make("span");
        words.append(make("bdi", "", this.atlas.call(j)), make("small", "", `${this.atlas.measure.symbol} = ${this.atlas.about(layer, code)}`));
        item.append(words);
        list.append(item);
      }
      const title = make("p", "title");
      title.append(near.length ? "Most like it in " : "Nothing is defined of it in ", make("bdi", "", this.atlas.matrices[layer].name));
      box.append(head, title, list);
      this.root.querySelector(".neighbours").replaceChildren(box);
    }

    enlarge() {
      const i = this.at;
      if (i === null || this.now[3 * i + 2] < 0.5) { this.closer.hidden = true; return; }
      const [x, y] = this.screen(i);
      if (this.closer.dataset.shows !== String(i)) {
        this.closer.dataset.shows = String(i);
        this.closer.replaceChildren(this.atlas.portray(i));
      }
      this.closer.hidden = false;
      const wide = this.closer.offsetWidth, high = this.closer.offsetHeight, gap = this.size;
      const left = x + gap + wide < this.side ? x + gap : x - gap - wide;
      this.closer.style.left = `${Math.max(0, Math.min(this.side - wide, left))}px`;
      this.closer.style.top = `${Math.max(0, Math.min(this.side - high, y - high / 2))}px`;
    }

    tables() {
      const { names, labels, matrices } = this.atlas;
      const columns = ["layer", "stimulus", "label", "x", "y", "stress", "kept"];
      const rows = [...this.maps.values()].flatMap((map) => map.points.map((point, i) => [
        matrices[map.matrix].name, names[i], labels[i], ...(point || [null, null]), map.stress, map.kept,
      ]));
      return [{ name: this.root.id, columns, rows }];
    }
  }

  const maps = new Map();
  const open = (root) => {
    if (!maps.has(root)) maps.set(root, new StimulusMap(root));
    return maps.get(root);
  };
  const opener = nearby(open);
  document.querySelectorAll(".map").forEach((root) => opener.observe(root));
  layerwise.offerTables(".map", (root) => open(root).tables());
  layerwise.offer("png", ".map", (root) => layerwise.saveCanvas(root.id, open(root).canvas));
})();
