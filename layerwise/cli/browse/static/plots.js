"use strict";
// Curves and matrices as SVG and canvas, drawn anew whenever there is more to show.
const Plots = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37]];
  const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const MARGIN = { left: 46, right: 10, top: 8, bottom: 22 };
  const HEIGHT = 190;

  function element(name, attributes = {}, text = null) {
    const made = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== null) made.textContent = text;
    return made;
  }

  // Depth as colour: the part of viridis that can be told from the background.
  function depthColour(place, count) {
    const [from, to] = dark.matches ? [0.4, 1] : [0, 0.78];
    const at = (from + (to - from) * (count > 1 ? place / (count - 1) : 0)) * (VIRIDIS.length - 1);
    const below = VIRIDIS[Math.floor(at)], above = VIRIDIS[Math.min(Math.ceil(at), VIRIDIS.length - 1)];
    const part = at - Math.floor(at);
    return `rgb(${below.map((value, index) => Math.round(value + part * (above[index] - value))).join(",")})`;
  }

  const seriesColour = (place) => PALETTE[place % PALETTE.length];

  function short(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size >= 100) return value.toFixed(0);
    if (size >= 0.01 || value === 0) return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3).replace(/\.?0+$/, "") || "0";
    return value.toExponential(0).replace("e-", "e−");
  }

  function niceTicks(low, high, count) {
    const span = high - low || Math.abs(high) || 1;
    const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999);
    const ticks = [];
    for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + 1e-9 * span; tick += step) ticks.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
    return ticks;
  }

  // The vertical scale: what a value's place is, from 0 at the bottom to 1 at the top, and where there are ticks.
  function scaleOf(values, { log = false, low = null, high = null }) {
    const known = values.filter((value) => value !== null && (!log || value > 0));
    if (!known.length) return null;
    if (log) {
      const floor = Math.max(Math.min(...known), 1e-6), top = Math.max(...known, floor);
      const from = Math.floor(Math.log10(floor)), to = Math.max(Math.ceil(Math.log10(top)), from + 1);
      const every = Math.ceil((to - from) / 4);
      const ticks = [];
      for (let power = from; power <= to; power += every) ticks.push(10 ** power);
      return { place: (value) => (Math.log10(Math.max(value, 10 ** from)) - from) / (to - from), ticks };
    }
    let bottom = low ?? Math.min(...known), top = high ?? Math.max(...known);
    if (top <= bottom) { bottom -= Math.abs(bottom) * 0.1 || 0.5; top += Math.abs(top) * 0.1 || 0.5; }
    else if (low === null || high === null) {
      const room = (top - bottom) * 0.06;
      if (low === null) bottom = bottom >= 0 ? Math.max(0, bottom - room) : bottom - room;
      if (high === null) top += room;
    }
    return { place: (value) => (value - bottom) / (top - bottom), ticks: niceTicks(bottom, top, 4) };
  }

  // Lines over checkpoints. A series: { name, colour, values }, null where there is none.
  function lines(figure, series, names, options = {}) {
    const svg = figure.querySelector("svg"), said = figure.querySelector(".readout");
    const width = Math.max(figure.clientWidth - 24, 220), right = width - MARGIN.right, base = HEIGHT - MARGIN.bottom;
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute("height", HEIGHT);
    const scale = scaleOf(series.flatMap((one) => one.values), options);
    const x = (place) => MARGIN.left + (names.length > 1 ? place / (names.length - 1) : 0.5) * (right - MARGIN.left);
    const y = (value) => base - scale.place(value) * (base - MARGIN.top);
    const parts = [];
    if (scale) for (const tick of scale.ticks) {
      parts.push(element("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(tick), y2: y(tick) }));
      parts.push(element("text", { class: "tick", x: MARGIN.left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)));
    }
    const room = Math.max(...names.map((name) => name.length), 1) * 6.5 + 14;
    const every = Math.max(1, Math.ceil(names.length * room / (right - MARGIN.left)));
    names.forEach((name, place) => {
      if (place % every === 0 || names.length === 1) parts.push(element("text", { class: "tick", x: x(place), y: HEIGHT - 6, "text-anchor": "middle" }, name));
    });
    const rule = element("line", { class: "rule", y1: MARGIN.top, y2: base, visibility: "hidden" });
    parts.push(rule);
    if (scale) for (const one of series) {
      const group = element("g", { class: "series", "data-name": one.name });
      let path = "", pen = "M";
      one.values.forEach((value, place) => {
        if (value === null || value === undefined) { pen = "M"; return; }
        path += `${pen}${x(place).toFixed(1)},${y(value).toFixed(1)}`;
        pen = "L";
      });
      group.append(element("path", { d: path, stroke: one.colour, fill: "none" }));
      one.values.forEach((value, place) => {
        if (value !== null && value !== undefined && names.length <= 40) group.append(element("circle", { cx: x(place), cy: y(value), r: 2.6, fill: one.colour }));
      });
      parts.push(group);
    }
    svg.replaceChildren(...parts);
    svg.setAttribute("role", "img");
    const ends = series.map((one) => `${one.name} ${short(one.values.at(-1))}`).join(", ");
    svg.setAttribute("aria-label", `${options.title}, ${names.length} checkpoints; at the last: ${ends}`);
    svg.onpointermove = (event) => {
      if (!scale || !names.length) return;
      const box = svg.getBoundingClientRect();
      const px = (event.clientX - box.left) * width / box.width, py = (event.clientY - box.top) * HEIGHT / box.height;
      const place = Math.min(names.length - 1, Math.max(0, Math.round((px - MARGIN.left) / (right - MARGIN.left) * (names.length - 1))));
      const near = series.filter((one) => one.values[place] !== null && one.values[place] !== undefined)
        .map((one) => ({ one, gap: Math.abs(y(one.values[place]) - py) })).sort((a, b) => a.gap - b.gap)[0];
      rule.setAttribute("visibility", "visible");
      rule.setAttribute("x1", x(place)); rule.setAttribute("x2", x(place));
      said.textContent = near ? `step ${names[place]} · ${near.one.name} ${short(near.one.values[place])}` : `step ${names[place]}`;
    };
    svg.onpointerleave = () => { rule.setAttribute("visibility", "hidden"); said.textContent = ""; };
  }

  function cellColour(value, scale) {
    if (value === null) return dark.matches ? "#4a4f57" : "#9a9a9a";
    const share = (value - scale.low) / (scale.high - scale.low || 1);
    return scale.colours[Math.round(Math.min(1, Math.max(0, share)) * (scale.colours.length - 1))];
  }

  // A matrix with its names and numbers.
  function matrix(box, values, names, scale, cell) {
    const room = Math.max(...names.map((name) => name.length), 1) * 6.6 + 10;
    const side = names.length * cell;
    const svg = element("svg", { class: "cells", width: room + side, height: side + room, viewBox: `0 0 ${room + side} ${side + room}`, role: "img", "aria-label": `${names.length} by ${names.length} layers` });
    const inked = (value) => {
      const [r, g, b] = cellColour(value, scale).match(/\w\w/g).map((hex) => parseInt(hex, 16));
      return 0.3 * r + 0.59 * g + 0.11 * b > 140 ? "#1b1f24" : "#ffffff";
    };
    values.forEach((row, i) => {
      svg.append(element("text", { class: "tick", x: room - 6, y: i * cell + cell / 2 + 4, "text-anchor": "end" }, names[i]));
      svg.append(element("text", { class: "tick", transform: `translate(${room + i * cell + cell / 2 + 4},${side + 6}) rotate(-90)`, "text-anchor": "end" }, names[i]));
      row.forEach((value, j) => {
        const rect = element("rect", { x: room + j * cell + 0.5, y: i * cell + 0.5, width: cell - 1, height: cell - 1, fill: cellColour(value, scale) });
        rect.append(element("title", {}, `${names[i]} and ${names[j]}: ${short(value)}`));
        svg.append(rect);
        if (cell >= 32 && value !== null) svg.append(element("text", { class: "value", x: room + j * cell + cell / 2, y: i * cell + cell / 2 + 4, "text-anchor": "middle", fill: inked(value) }, (Math.round(value * 100) / 100 || 0).toFixed(2)));
      });
    });
    box.replaceChildren(svg);
  }

  // The same as a small picture, a pixel a cell.
  function thumbnail(canvas, values, scale) {
    canvas.width = canvas.height = values.length;
    const pen = canvas.getContext("2d");
    values.forEach((row, i) => row.forEach((value, j) => { pen.fillStyle = cellColour(value, scale); pen.fillRect(j, i, 1, 1); }));
  }

  return { lines, matrix, thumbnail, depthColour, seriesColour, short, dark };
})();
