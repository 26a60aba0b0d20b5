// Pictures of what is drawn on a canvas, made to stand alone in a slide: with title, axes, scale of colours and key.
Object.assign(layerwise, (() => {
  const INK = "#1b1f24", SOFT = "#57606b", LINE = "#dfe3e8"; // dark on white, whatever the page is
  const FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Noto Sans, sans-serif";
  const RATIO = 2, EDGE = 28, SIDE = 640;

  function write(context, text, x, y, { size = 12, weight = 400, colour = INK, align = "left", turned = false } = {}) {
    context.save();
    Object.assign(context, { font: `${weight} ${size}px ${FONT}`, fillStyle: colour, textAlign: align, textBaseline: "middle" });
    context.translate(x, y);
    if (turned) context.rotate(-Math.PI / 2);
    context.fillText(text, 0, 0);
    context.restore();
  }

  function wrap(context, text, width, size, weight) {
    context.font = `${weight} ${size}px ${FONT}`;
    const lines = [""];
    for (const word of text.split(/\s+/)) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (context.measureText(longer).width <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  function line(context, points, { colour = LINE, width = 1, dash = [] } = {}) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width });
    context.setLineDash(dash);
    context.beginPath();
    points.forEach(([x, y], place) => (place ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
    context.setLineDash([]);
  }

  // A vertical scale of colours: `colours` from low to high, three numbers each, and what is written at its ends.
  function drawBar(context, x, y, side, { colours, low, middle, high, title }) {
    const count = colours.length / 3, top = y + side * 0.2, height = side * 0.6;
    for (let i = 0; i < count; i += 1) {
      context.fillStyle = `rgb(${colours.slice(3 * i, 3 * i + 3).join(" ")})`;
      context.fillRect(x, top + height * (1 - (i + 1) / count), 14, height / count + 0.6);
    }
    [[low, 1], [middle, 0.5], [high, 0]].forEach(([text, part]) => write(context, text, x + 21, top + height * part));
    context.font = `400 12px ${FONT}`;
    const wide = Math.max(...[low, middle, high].map((text) => context.measureText(text).width));
    write(context, title, x + 34 + wide, top + height / 2, { align: "center", colour: SOFT, turned: true });
  }

  // Axes around a square: `ends` and `titles` of the horizontal and of the vertical one.
  function drawAxes(context, x, y, side, { ends, titles }) {
    const place = (axis, value) => (value - ends[axis][0]) / (ends[axis][1] - ends[axis][0]) * side;
    const look = (value) => (value === 0 ? { colour: "#9aa3ad", dash: [3, 3] } : {});
    for (const { value, text } of layerwise.ticks(...ends[0])) {
      const at = x + place(0, value);
      line(context, [[at, y], [at, y + side]], look(value));
      write(context, text, at, y + side + 14, { align: "center" });
    }
    for (const { value, text } of layerwise.ticks(...ends[1])) {
      const at = y + side - place(1, value);
      line(context, [[x, at], [x + side, at]], look(value));
      write(context, text, x - 8, at, { align: "right" });
    }
    line(context, [[x, y], [x, y + side], [x + side, y + side]], { colour: SOFT });
    write(context, titles[0], x + side / 2, y + side + 38, { size: 13, align: "center", colour: SOFT });
    write(context, titles[1], x - 56, y + side / 2, { size: 13, align: "center", colour: SOFT, turned: true });
  }

  // Swatches with their meanings, as many in a line as fit; how high they are together.
  function drawKey(context, x, y, width, key) {
    let at = 0, down = 0;
    for (const [colour, text] of key) {
      context.font = `400 12px ${FONT}`;
      const wide = context.measureText(text).width + 34;
      if (at && at + wide > width) { at = 0; down += 19; }
      context.fillStyle = colour;
      context.fillRect(x + at, y + down + 4, 11, 11);
      write(context, text, x + at + 17, y + down + 10);
      at += wide;
    }
    return key.length ? down + 28 : 0;
  }

  // A picture of a figure that `paint(context)` draws into a square of `side`: { name, blob }.
  async function compose({ root, layer, lines, paint, side = SIDE, bar = null, axes = null, key = [] }) {
    const title = root.closest("figure").querySelector("h3").textContent.trim();
    const left = axes ? 70 : 0, right = bar ? 110 : 0, below = axes ? 52 : 0;
    const canvas = layerwise.make("canvas"), context = canvas.getContext("2d");
    const width = 2 * EDGE + left + side + right, room = width - 2 * EDGE;
    const heading = wrap(context, layer ? `${title}: ${layer}` : title, room, 19, 650);
    const small = lines.filter(Boolean).flatMap((text) => wrap(context, text, room, 13, 400));
    const head = EDGE + 26 * heading.length + 19 * small.length + 14;
    const keyed = drawKey(context, 0, 0, room, key); // drawn again below; here for its height
    canvas.width = Math.round(width * RATIO);
    canvas.height = Math.round((head + keyed + side + below + EDGE) * RATIO);
    context.scale(RATIO, RATIO);
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, canvas.height);
    heading.forEach((text, i) => write(context, text, EDGE, EDGE + 26 * i + 10, { size: 19, weight: 650 }));
    small.forEach((text, i) => write(context, text, EDGE, EDGE + 26 * heading.length + 19 * i + 8, { size: 13, colour: SOFT }));
    drawKey(context, EDGE, head, room, key);
    const x = EDGE + left, y = head + keyed;
    if (axes) drawAxes(context, x, y, side, axes);
    context.save();
    context.translate(x, y);
    paint(context, side);
    context.restore();
    if (bar) drawBar(context, x + side + 18, y, side, bar);
    return new Promise((done) => { canvas.toBlob((blob) => done([{ name: layer ? `${root.id}-${layer}` : root.id, blob }])); });
  }

  return { compose };
})());
