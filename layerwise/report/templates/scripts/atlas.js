// Atlases: the matrices of a run's layers, a byte a pair, with the stimuli they are about. Each is opened once, whoever asks.
(() => {
  const { UNDEFINED, read, inflate, make } = layerwise;

  class Atlas {
    constructor(id) {
      Object.assign(this, read(id));
      this.n = this.names.length;
      this.nPairs = this.n * (this.n - 1) / 2;
      this.thumbnails = this.pictures ? read(this.pictures) : [];
      this.lost = this.matrices.map((matrix) => new Set(matrix.undefined));
      this.inflated = new Map();
      this.images = new Map();
      this.widths = new Map();
    }

    codes(layer) {
      if (!this.inflated.has(layer)) this.inflated.set(layer, inflate(this.matrices[layer].codes));
      return this.inflated.get(layer);
    }

    // Where a pair's code is.
    place(i, j) {
      const a = Math.min(i, j), b = Math.max(i, j);
      return a * (2 * this.n - a - 1) / 2 + b - a - 1;
    }

    // The pair whose code is at a place.
    pairAt(place) {
      let low = 0, high = this.n - 2;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (middle * (2 * this.n - middle - 1) / 2 <= place) low = middle; else high = middle - 1;
      }
      return [low, place - low * (2 * this.n - low - 1) / 2 + low + 1];
    }

    value(layer, code) {
      const { step, offset } = this.matrices[layer];
      return (code + offset) * step;
    }

    // The same, rounded to what is known of it, for tables; null where undefined.
    number(layer, code) {
      return code === UNDEFINED ? null : Number(this.value(layer, code).toPrecision(4));
    }

    own(layer, i) {
      const { diagonal } = this.matrices[layer];
      return diagonal.length > 1 ? diagonal[i] : diagonal[0];
    }

    // A value that is known to half a step, written with what it may be off by.
    about(layer, code) {
      if (code === UNDEFINED) return "undefined";
      const half = this.matrices[layer].step / 2;
      const decimals = Math.max(0, Math.min(9, Math.ceil(-Math.log10(half))));
      const unit = 10 ** -decimals;
      const off = Math.ceil((half + unit / 2) / unit - 1e-6) * unit;
      return `${signed(this.value(layer, code), decimals)} ± ${off.toFixed(decimals)}`;
    }

    // A value that is known exactly, with three decimals or four digits.
    exactly(value) {
      const [low, high] = this.measure.range;
      if (low !== null && high !== null) return signed(value, 3);
      return Math.abs(value) >= 1000 ? signed(value, 0) : Number(value.toPrecision(4)).toString().replace("-", "−");
    }

    // Smallest and largest value of a layer, and the two between which nearly all lie (1 in 500 is left out at either end).
    async width(layer) {
      if (!this.widths.has(layer)) {
        const counts = new Uint32Array(256);
        for (const code of await this.codes(layer)) counts[code] += 1;
        const total = this.nPairs - counts[UNDEFINED];
        let low = 0, high = UNDEFINED - 1;
        for (let below = counts[0]; low < high && below <= total / 500; below += counts[low += 1]);
        for (let above = counts[UNDEFINED - 1]; high > low && above <= total / 500; above += counts[high -= 1]);
        let first = 0, last = UNDEFINED - 1;
        while (first < last && !counts[first]) first += 1;
        while (last > first && !counts[last]) last -= 1;
        const at = (code) => this.value(layer, code);
        this.widths.set(layer, { low: at(low), high: at(high), least: at(first), most: at(last), defined: total });
      }
      return this.widths.get(layer);
    }

    // What a stimulus is called in a sentence: its label, or its name where nothing is known of it.
    call(i) {
      return this.labels[i] ? this.labels[i].split(",")[0] : this.names[i];
    }

    image(i) {
      if (!this.thumbnails[i]) return null;
      if (!this.images.has(i)) {
        const image = new Image();
        image.src = this.thumbnails[i];
        this.images.set(i, image);
      }
      return this.images.get(i);
    }

    // A stimulus as its picture, where there is one, above what it is and what it is called.
    portray(i) {
      const found = make("div", "stimulus");
      if (this.thumbnails[i]) {
        const image = make("img");
        image.src = this.thumbnails[i];
        image.alt = "";
        found.append(image);
      }
      if (this.labels[i]) found.append(make("bdi", "label", this.labels[i]));
      const name = make("bdi", "name", this.names[i]);
      name.title = this.names[i];
      found.append(name);
      return found;
    }

    colourWord(place) {
      const at = 3 * Math.max(0, Math.min(254, Math.round(place)));
      return 0xff000000 | (this.colours[at + 2] << 16) | (this.colours[at + 1] << 8) | this.colours[at];
    }
  }

  const signed = (value, decimals) => {
    const plain = Math.abs(value).toFixed(decimals);
    const text = Math.abs(value) >= 10000 ? Number(plain).toLocaleString("en") : plain;
    return (value < 0 && Number(text) !== 0 ? "−" : "") + text;
  };

  // About five round numbers between two values.
  function ticks(low, high, count = 5) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const far = (size) => Math.abs(Math.log(size / rough));
    const step = [1, 2, 2.5, 5, 10].map((many) => many * power).reduce((best, size) => far(size) < far(best) ? size : best);
    const found = [];
    for (let many = Math.ceil(low / step - 1e-9); many * step <= high + step * 1e-9; many += 1) found.push(many * step);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0));
    return found.map((value) => ({ value, text: signed(value, Math.min(9, decimals)) }));
  }

  const opened = new Map();
  layerwise.openAtlas = (id) => {
    if (!opened.has(id)) opened.set(id, new Atlas(id));
    return opened.get(id);
  };

  // Calls `action` when the page turns light or dark.
  const onTheme = (action) => {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", action);
    new MutationObserver(action).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  };

  Object.assign(layerwise, { signed, ticks, onTheme });
})();
