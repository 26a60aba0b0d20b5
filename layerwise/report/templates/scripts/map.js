// Maps of the stimuli: one for each layer, moving from one to the next.
(() => {
  const { UNDEFINED, read, nearby, make, openAtlas, Plane } = layerwise;
  const MOVE = 900, REST = 700; // milliseconds
  const N_NEIGHBOURS = 5;
  const POOR = 0.15; // of the variance; a map that keeps less shows next to nothing
  const KEYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const UNKNOWN = "#9a9a9a";
  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const ramp = (part) => {
    const place = Math.max(0, Math.min(1, part)) * (RAMP.length - 1);
    const low = Math.min(RAMP.length - 2, Math.floor(place));
    return `rgb(${RAMP[low].map((from, i) => Math.round(from + (RAMP[low + 1][i] - from) * (place - low))).join(" ")})`;
  };

  // A colour for each stimulus and what the colours mean, by what they are coloured by.
  const colourings = {
    label({ labels, palette }) {
      const found = [...new Set(labels.filter(Boolean))].sort();
      const tint = (index) => index < palette.length ? palette[index] : `hsl(${(index * 137.5) % 360} 60% 50%)`;
      return { tints: labels.map((label) => label ? tint(found.indexOf(label)) : UNKNOWN), key: found.map((label, index) => [tint(index), label]) };
    },
    confidence({ confidence }) {
      const key = [0, 0.25, 0.5, 0.75, 1].map((part) => [ramp(part), `${100 * part} %`]);
      return { tints: confidence.map((part) => part === null ? UNKNOWN : ramp(part)), key };
    },
    right({ right, palette }) {
      const key = [[palette[2], "right"], [palette[1], "wrong"]];
      return { tints: right.map((hit) => hit === null ? UNKNOWN : hit ? palette[2] : palette[1]), key };
    },
    plain() { return { tints: null, key: [] }; },
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
      this.plane = new Plane(this.canvas, this.atlas);
      this.closer = root.querySelector(".closer");
      this.at = null;
      this.plane.places = this.target(this.layer);
      this.drawSteps();
      this.colour(root.querySelector(".colouring")?.value || "plain");
      this.listen();
      this.go(this.layer, false);
    }

    get layer() { return Number(this.select.value); }

    listen() {
      const on = (selector, name, action) => this.root.querySelector(selector)?.addEventListener(name, action);
      this.select.addEventListener("change", () => { this.stop(); this.go(this.layer); });
      this.slider.addEventListener("input", () => { this.stop(); this.go(this.steps[Number(this.slider.value)]); });
      on(".play", "click", () => this.playing ? this.stop() : this.play());
      on(".colouring", "change", (event) => this.colour(event.target.value));
      on(".in", "click", () => { this.hideCloser(); this.plane.magnify(1, this.at); });
      on(".out", "click", () => { this.hideCloser(); this.plane.magnify(-1, this.at); });
      this.root.querySelectorAll("input[name$=-as]").forEach((input) => input.addEventListener("change", () => {
        this.plane.photos = input.value === "photos";
        this.plane.later();
      }));
      this.canvas.addEventListener("pointermove", (event) => { if (this.plane.drag(event)) this.hideCloser(); else this.point(event); });
      this.canvas.addEventListener("pointerdown", (event) => { this.plane.grasp(event); this.point(event); });
      for (const name of ["pointerup", "pointercancel", "pointerleave"]) this.canvas.addEventListener(name, () => this.plane.release());
      this.canvas.addEventListener("pointerleave", () => this.hideCloser());
      this.canvas.addEventListener("keydown", (event) => this.key(event));
    }

    // Where the stimuli of a layer lie, so that they fill the plane.
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
      this.describe(layer);
      this.hideCloser();
      if (this.at !== null) this.choose(this.at, false);
      this.move(this.target(layer), moving && !still.matches, () => {
        this.root.dataset.state = this.atlas.matrices[layer].name;
        if (this.playing) this.playing = setTimeout(() => this.forward(), still.matches ? MOVE + REST : REST);
      });
    }

    // Moves all stimuli from where they are; what appears or disappears does so where it is.
    move(to, gently, done) {
      const now = this.plane.places, from = now.slice();
      for (let i = 0; i < this.n; i += 1) {
        if (!from[3 * i + 2]) from.set(to.subarray(3 * i, 3 * i + 2), 3 * i);
        if (!to[3 * i + 2]) to.set(from.subarray(3 * i, 3 * i + 2), 3 * i);
      }
      cancelAnimationFrame(this.frame);
      this.root.dataset.state = "moving";
      const begin = performance.now();
      const step = (time) => {
        const part = gently ? Math.min(1, Math.max(0, (time - begin) / MOVE)) : 1;
        const eased = part < 0.5 ? 4 * part ** 3 : 1 - (2 - 2 * part) ** 3 / 2;
        for (let k = 0; k < from.length; k += 1) now[k] = from[k] + (to[k] - from[k]) * eased;
        this.plane.draw();
        if (part < 1) this.frame = requestAnimationFrame(step); else done();
      };
      step(begin);
    }

    play() {
      this.playing = true;
      this.showPlaying("Pause", "❚❚");
      if (this.steps.indexOf(this.layer) === this.steps.length - 1) this.go(this.steps[0]); else this.forward();
    }

    forward() {
      const step = this.steps.indexOf(this.layer);
      if (step === this.steps.length - 1) this.stop(); else this.go(this.steps[step + 1]);
    }

    stop() {
      if (this.playing !== true) clearTimeout(this.playing);
      this.playing = null;
      this.showPlaying("Play", "▶");
    }

    showPlaying(word, sign) {
      const button = this.root.querySelector(".play");
      button.setAttribute("aria-pressed", String(Boolean(this.playing)));
      button.querySelector(".word").textContent = word;
      button.querySelector(".sign").textContent = sign;
    }

    describe(layer) {
      const map = this.maps.get(layer);
      const lost = map.points.filter((point) => !point).length;
      const [name, about] = this.root.querySelector(".shown").children;
      name.textContent = this.atlas.matrices[layer].name;
      about.textContent = `${this.n - lost} stimuli` + (lost ? `; ${lost} with constant activations lie nowhere` : "");
      const poor = map.kept !== null && map.kept < POOR;
      const [meter, words] = this.root.querySelector(".quality").children;
      meter.firstElementChild.style.width = `${100 * (map.kept || 0)}%`;
      this.root.querySelector(".quality").classList.toggle("poor", poor);
      const stress = map.stress === null ? "" : ` (stress ${map.stress.toFixed(2)})`;
      words.textContent = map.kept === null
        ? `All distances of this layer are the same${stress}: there is nothing to map.`
        : `This map keeps ${(100 * map.kept).toFixed(map.kept < 0.1 ? 1 : 0)} % of the variance of the layer’s distances${stress}.` +
          (poor ? " So little that what lies next to what means next to nothing: a plane cannot show this layer." : "");
      this.root.querySelectorAll(".steps span").forEach((bar, step) => bar.classList.toggle("on", this.steps[step] === layer));
    }

    // A bar for each step of the slider: what its map keeps.
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

    colour(by) {
      const { tints, key } = colourings[by](this.atlas);
      this.meanings = key;
      const list = make("ul");
      for (const [colour, text] of key) {
        const item = make("li");
        const swatch = make("i");
        swatch.style.background = colour;
        item.append(swatch, make("bdi", "", text));
        list.append(item);
      }
      this.root.querySelector(".key").replaceChildren(...(key.length ? [list] : []));
      this.plane.tints = tints;
      this.plane.later();
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const found = this.plane.nearest(event.clientX - box.left, event.clientY - box.top);
      if (found === null) { if (event.type === "pointerdown") this.forget(); } else if (found === this.at) this.enlarge();
      else this.choose(found);
    }

    key(event) {
      if (event.key === "Escape") this.forget();
      if (!KEYS[event.key]) return;
      event.preventDefault();
      const found = this.plane.next(this.at, KEYS[event.key]);
      if (found !== null) this.choose(found);
    }

    forget() {
      this.at = null;
      this.plane.marked = [];
      this.hideCloser();
      this.plane.later();
    }

    // Shows a stimulus, and what the layer (not the map) finds most like it.
    async choose(i, enlarged = true) {
      if (this.at !== i) this.plane.marked = [i];
      this.at = i;
      const layer = this.layer;
      const near = await this.neighbours(i, layer);
      if (this.at !== i || this.layer !== layer) return;
      this.plane.marked = [i, ...near.map(([, j]) => j)];
      this.tell(i, layer, near);
      if (enlarged) this.enlarge();
      this.plane.later();
    }

    async neighbours(i, layer) {
      const codes = await this.atlas.codes(layer);
      const sign = this.atlas.measure.kind === "similarity" ? -1 : 1;
      const found = [];
      for (let j = 0; j < this.n; j += 1) {
        const code = j === i ? UNDEFINED : codes[this.atlas.place(i, j)];
        if (code !== UNDEFINED) found.push([sign * code, j, code]);
      }
      return found.sort((a, b) => a[0] - b[0] || a[1] - b[1]).slice(0, N_NEIGHBOURS);
    }

    tell(i, layer, near) {
      const head = this.atlas.portray(i);
      head.classList.add("met");
      if (this.atlas.answers[i]) {
        const answer = make("p", "answer", "The model says: ");
        const confidence = this.atlas.confidence[i];
        answer.append(make("bdi", "", this.atlas.answers[i]), confidence === null ? "" : ` (${(100 * confidence).toFixed(0)} %)`);
        head.append(answer);
      }
      const title = make("p", "title");
      title.append(near.length ? "Most like it in " : "Nothing is defined of it in ", make("bdi", "", this.atlas.matrices[layer].name));
      const list = make("ol");
      for (const [, j, code] of near) {
        const item = make("li");
        const source = this.atlas.thumbnails[j];
        if (source) { const shown = make("img"); shown.src = source; shown.alt = ""; item.append(shown); }
        const words = make("span");
        words.append(make("bdi", "", this.atlas.call(j)), make("small", "", `${this.atlas.measure.symbol} = ${this.atlas.about(layer, code)}`));
        item.append(words);
        list.append(item);
      }
      this.root.querySelector(".neighbours").replaceChildren(head, title, list);
    }

    // The photo beside its place on the map, large.
    enlarge() {
      const i = this.at;
      if (i === null || !this.plane.isSeen(i)) { this.hideCloser(); return; }
      const [x, y] = this.plane.screen(i), { side, size } = this.plane;
      if (this.closer.dataset.shows !== String(i)) {
        this.closer.dataset.shows = String(i);
        this.closer.replaceChildren(this.atlas.portray(i));
      }
      this.closer.hidden = false;
      const wide = this.closer.offsetWidth, high = this.closer.offsetHeight;
      const left = x + size + wide < side ? x + size : x - size - wide;
      this.closer.style.left = `${Math.max(0, Math.min(side - wide, left))}px`;
      this.closer.style.top = `${Math.max(0, Math.min(side - high, y - high / 2))}px`;
    }

    hideCloser() { this.closer.hidden = true; }

    save() {
      const lines = [".shown span", ".quality p"].map((part) => this.root.querySelector(part).textContent);
      return this.plane.save({ root: this.root, layer: this.atlas.matrices[this.layer].name, lines, key: this.meanings });
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
  layerwise.offer("png", ".map", (root) => open(root).save());
})();
