// The plane of a map: stimuli as photos or dots at places that may move, to be found, magnified and dragged.
(() => {
  const ZOOMS = [1, 1.5, 2.2, 3.3, 5];
  const SEEN = 0.5; // a stimulus that is fainter cannot be pointed at

  layerwise.Plane = class {
    // `places` has three numbers for each stimulus: x and y within 1, and how visible it is.
    constructor(canvas, atlas) {
      this.canvas = canvas;
      this.atlas = atlas;
      this.n = atlas.n;
      this.places = new Float32Array(3 * atlas.n);
      this.photos = atlas.thumbnails.length > 0;
      this.tints = null;
      this.marked = []; // the stimulus that is pointed at, and those that lines lead to
      this.zoom = 0;
      this.pan = [0, 0];
      const decoded = this.atlas.names.map((_, i) => this.atlas.image(i)?.decode().then(() => this.later(), () => {}));
      this.decoded = Promise.all(decoded);
      this.decoded.then(() => { this.ready = true; this.later(); });
      new ResizeObserver(() => this.later()).observe(canvas);
      layerwise.onTheme(() => this.later());
    }

    // Draws with the next frame, once.
    later() {
      this.due ||= requestAnimationFrame(() => { this.due = 0; this.draw(); });
    }

    get scale() { return (this.side / 2 - Math.min(24, this.side / 20)) * ZOOMS[this.zoom]; }

    screen(i) {
      return [
        this.side / 2 + (this.places[3 * i] - this.pan[0]) * this.scale,
        this.side / 2 - (this.places[3 * i + 1] - this.pan[1]) * this.scale,
      ];
    }

    isSeen(i) { return this.places[3 * i + 2] >= SEEN; }

    draw() {
      const ratio = window.devicePixelRatio || 1;
      this.side = this.canvas.clientWidth || 300;
      const pixels = Math.round(this.side * ratio);
      if (this.canvas.width !== pixels) this.canvas.width = this.canvas.height = pixels;
      const context = this.canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, this.side, this.side);
      const style = getComputedStyle(this.canvas);
      this.paint(context, style.getPropertyValue("--points").trim() || "#0072b2", style.getPropertyValue("--accent").trim() || "#0b63a5");
      if (this.ready) this.canvas.dataset.state = "done"; // no photo is missing any more
    }

    // Draws all stimuli into a square of `this.side`.
    paint(context, plain, mark) {
      this.plain = plain;
      this.mark = mark;
      this.size = this.photos
        ? Math.max(15, Math.min(72, Math.sqrt(this.side * this.side * 0.45 / this.n))) * Math.sqrt(ZOOMS[this.zoom])
        : Math.max(5, Math.min(11, this.side / 60));
      const near = new Set(this.marked);
      for (let i = 0; i < this.n; i += 1) if (!near.has(i)) this.drawOne(context, i, near.size ? 0.55 : 1, false);
      if (near.size) this.drawMarked(context);
      context.globalAlpha = 1;
    }

    // The same as a picture to be kept, with every photo.
    async save(options) {
      await this.decoded;
      const paint = (context, side) => {
        context.fillStyle = "#eef0f3";
        context.fillRect(0, 0, side, side);
        context.beginPath();
        context.rect(0, 0, side, side);
        context.clip();
        this.side = side;
        this.paint(context, "#0b63a5", "#0b63a5");
        this.draw();
      };
      return layerwise.compose({ ...options, paint });
    }

    drawMarked(context) {
      const [centre, ...others] = this.marked;
      context.globalAlpha = 0.9;
      context.strokeStyle = this.mark;
      context.lineWidth = 2;
      for (const other of others) {
        context.beginPath();
        context.moveTo(...this.screen(centre));
        context.lineTo(...this.screen(other));
        context.stroke();
      }
      for (const i of [...others.reverse(), centre]) this.drawOne(context, i, 1, true);
    }

    drawOne(context, i, alpha, marked) {
      const [x, y] = this.screen(i);
      const size = marked && this.photos ? this.size * 1.35 : this.size, half = size / 2;
      const visible = alpha * this.places[3 * i + 2];
      if (!visible || x < -half || y < -half || x > this.side + half || y > this.side + half) return;
      context.globalAlpha = visible;
      const image = this.photos ? this.atlas.image(i) : null;
      const tint = this.tints?.[i];
      if (image?.complete && image.naturalWidth) {
        const least = Math.min(image.naturalWidth, image.naturalHeight);
        context.drawImage(image, (image.naturalWidth - least) / 2, (image.naturalHeight - least) / 2, least, least, x - half, y - half, size, size);
        if (!tint && !marked) return;
        context.strokeStyle = marked ? this.mark : tint;
        context.lineWidth = marked ? 2.5 : 2;
        context.strokeRect(x - half, y - half, size, size);
        return;
      }
      context.beginPath();
      context.arc(x, y, marked ? half * 1.3 : half, 0, 2 * Math.PI);
      context.fillStyle = tint || this.plain;
      context.fill();
      if (marked) { context.strokeStyle = this.mark; context.lineWidth = 2; context.stroke(); }
    }

    // The visible stimulus for which a cost is least; null where it is nowhere finite.
    least(cost) {
      let best = null, lowest = Infinity;
      for (let i = 0; i < this.n; i += 1) {
        const found = this.isSeen(i) ? cost(...this.screen(i), i) : Infinity;
        if (found < lowest) { lowest = found; best = i; }
      }
      return best;
    }

    // The stimulus at a place on the canvas.
    nearest(x, y) {
      const reach = Math.max(14, this.size * 0.75) ** 2;
      return this.least((px, py) => {
        const far = (px - x) ** 2 + (py - y) ** 2;
        return far < reach ? far : Infinity;
      });
    }

    // The next stimulus in a direction, such as [1, 0]; from the middle where there is none yet.
    next(from, [right, down]) {
      const [x, y] = from === null ? [this.side / 2, this.side / 2] : this.screen(from);
      return this.least((px, py, i) => {
        const along = (px - x) * right + (py - y) * down;
        const beside = Math.abs((px - x) * down) + Math.abs((py - y) * right);
        return i !== from && along > 0 ? along + 2 * beside : Infinity;
      });
    }

    // Magnifies or reduces by a step, around a stimulus where there is one.
    magnify(by, around) {
      this.zoom = Math.max(0, Math.min(ZOOMS.length - 1, this.zoom + by));
      if (!this.zoom) this.pan = [0, 0];
      else if (around !== null) this.pan = [this.places[3 * around], this.places[3 * around + 1]];
      this.canvas.classList.toggle("magnified", this.zoom > 0);
      this.later();
    }

    grasp(event) { this.held = [event.clientX, event.clientY, ...this.pan]; }

    release() { this.held = null; }

    // Drags the plane where it is magnified; whether it did.
    drag(event) {
      if (!this.held || !event.buttons || !this.zoom) return false;
      const [x, y, left, up] = this.held;
      this.pan = [left - (event.clientX - x) / this.scale, up + (event.clientY - y) / this.scale];
      this.later();
      return true;
    }
  };
})();
