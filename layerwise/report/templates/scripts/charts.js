// Charts: drawn when they come near the window, the others when the browser has nothing better to do.
(() => {
  const { read, nearby } = layerwise;
  const views = new WeakMap();
  const drawings = new WeakMap();

  const theme = {
    background: null,
    font: "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Noto Sans, sans-serif",
    view: { stroke: null },
    axis: { labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 10, labelPadding: 5 },
    legend: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", symbolSize: 90, labelLimit: 240 },
  };

  // Legends in the room that there is beside the labels of the rows.
  function fitLegends(part, columns, length) {
    if (part === null || typeof part !== "object") return;
    const legend = part.legend || {};
    if (legend.columns) legend.columns = columns;
    if (legend.gradientLength) legend.gradientLength = Math.min(legend.gradientLength, length);
    for (const [key, inner] of Object.entries(part)) if (key !== "datasets" && key !== "data") fitLegends(inner, columns, length);
  }

  function fit(spec, host) {
    const wish = (spec.usermeta || {}).layerwise;
    const width = host.clientWidth;
    const labels = wish?.square ?? wish?.labels ?? 0;
    fitLegends(spec, Math.max(1, Math.floor((width - 60) / 170)), Math.max(80, width - labels - 40));
    if (!wish) return spec;
    let cell = (width - (wish.labels || 0)) / wish.cells;
    if (wish.square !== undefined) {
      const side = Math.max(120, Math.min(wish.cells * 44, 720, width - wish.square - 8));
      spec.width = spec.height = side;
      cell = side / wish.cells;
    }
    host.classList.toggle("square", wish.square !== undefined);
    host.classList.toggle("dense", cell < 24);
    return spec;
  }

  // What the reader has chosen with a chart's slider or list, for the next drawing of it.
  function keepChoices(spec, view) {
    for (const param of spec.params || []) if (param.bind && !param.select) param.value = view.signal(param.name);
  }

  // Draws a chart, unless it is as wide as when it was drawn last, or hidden; promises that what is begun is done.
  function draw(host) {
    const width = String(host.clientWidth);
    if (width !== "0" && host.dataset.drawn !== width) {
      host.dataset.drawn = width;
      delete host.dataset.state;
      drawings.set(host, Promise.resolve(drawings.get(host)).then(() => drawAt(host, width)));
    }
    return Promise.resolve(drawings.get(host));
  }

  async function drawAt(host, width) {
    if (host.dataset.drawn !== width) return; // it has become another since
    try {
      const spec = fit(read(host.dataset.spec), host);
      const before = views.get(host);
      if (before) keepChoices(spec, before);
      const held = [...host.querySelectorAll(".vega-bind :is(input, select)")].indexOf(document.activeElement);
      const { view } = await vegaEmbed(host, spec, {
        mode: "vega-lite", ast: true, renderer: "svg", config: theme, actions: false,
      });
      before?.finalize();
      views.set(host, view);
      if (held >= 0) host.querySelectorAll(".vega-bind :is(input, select)")[held]?.focus({ preventScroll: true });
      if (spec.usermeta?.layerwise?.pairs) layerwise.leadCloser(host, view, spec.usermeta.layerwise.pairs);
      const picture = host.querySelector("svg");
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", spec.description);
      if (host.dataset.drawn === width) host.dataset.state = "done";
    } catch (error) {
      console.error(error);
      host.dataset.state = "failed";
      host.textContent = "This chart could not be drawn: " + error.message;
    }
  }

  const charts = [...document.querySelectorAll(".chart")];
  const idle = (action) => (window.requestIdleCallback ? requestIdleCallback(action, { timeout: 500 }) : setTimeout(action, 60));
  const watcher = nearby(draw);
  charts.forEach((chart) => watcher.observe(chart));
  const waiting = [...charts];
  const drawNext = () => { const next = waiting.shift(); if (next) draw(next).then(() => idle(drawNext)); };
  setTimeout(() => idle(drawNext), 400);

  // The page's colours are no part of a saved picture: it is dark on white, as for paper.
  async function picture(host, kind) {
    await draw(host);
    const view = views.get(host);
    const before = view.background();
    view.background("#ffffff");
    const blob = kind === "svg"
      ? new Blob([await view.toSVG()], { type: "image/svg+xml" })
      : await view.toCanvas(2).then((canvas) => new Promise((done) => { canvas.toBlob(done); }));
    view.background(before);
    return [{ name: host.id, blob }];
  }

  // All that is drawn from: decorations, which are given without a name of their own, are left out.
  function tables(host) {
    const spec = read(host.dataset.spec);
    const found = Object.values(spec.datasets || {});
    return found.map((records, index) => layerwise.tabulate(found.length > 1 ? `${host.id}-${index + 1}` : host.id, records));
  }

  layerwise.offerTables(".chart", tables);
  layerwise.offer("svg", ".chart", (host) => picture(host, "svg"));
  layerwise.offer("png", ".chart", (host) => picture(host, "png"));

  // Also what was hidden before and is seen now, such as the figure that was chosen instead of another.
  let resized = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => charts.filter((chart) => chart.dataset.drawn !== String(chart.clientWidth)).forEach(draw), 150);
  });
})();
