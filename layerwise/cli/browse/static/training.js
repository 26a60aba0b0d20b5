"use strict";
// Watches one training: asks again and again for the checkpoints that the page has not seen, and draws what has grown.
(() => {
  const EVERY = 2000;
  const MOST_PICTURES = 16;
  const here = new URL(location.href);
  const find = (id) => document.getElementById(id);
  const moments = [];
  let layers = [], scale = null, kind = "similarity", end = "the output", chosen = null, asked = 0, timer = 0, lit = null;

  const CARDS = [
    ["dimension", "Dimensions", "participation ratio of each layer", { low: 0 }],
    ["change", "Change", "since the checkpoint before; logarithmic", { log: true }],
    ["output", "", "of each layer, at the same checkpoint", {}],
    ["dead", "Dead units", "share that is 0 for every stimulus", { low: 0 }],
    ["sparseness", "Sparseness", "over units, from 0 to 1", { low: 0, high: 1 }],
  ];

  function question() {
    const wish = new URLSearchParams(here.search);
    const last = moments.at(-1);
    if (last) wish.set("seen", last.id);
    return `/training.json?${wish}`;
  }

  // Asking. A later question's answer counts; while the page is hidden nothing is asked.

  async function ask() {
    clearTimeout(timer);
    const mine = ++asked;
    let pause = EVERY;
    if (!document.hidden) {
      try {
        const answer = await fetch(question());
        const told = await answer.json();
        if (mine !== asked) return;
        if (told.error) say("failed", told.error);
        else if (told.waiting) say("running", `waiting for a first checkpoint: ${told.waiting}`);
        else { take(told); if (told.n_more) pause = 0; }
      } catch {
        if (mine !== asked) return;
        say("failed", "Layerwise has stopped; start `layerwise browse` again, and this page goes on");
      }
    }
    timer = setTimeout(ask, pause);
  }

  function say(status, words) {
    const state = find("state");
    state.className = `status ${status}`;
    if (state.textContent !== words) state.textContent = words;
  }

  function take(told) {
    const names = JSON.stringify(told.layers.map((layer) => layer.name));
    const isOther = names !== JSON.stringify(layers.map((layer) => layer.name));
    if (isOther && told.from > 0) { moments.length = 0; layers = []; ask(); return; }
    layers = told.layers;
    kind = told.kind;
    end = told.end;
    moments.splice(told.from, moments.length, ...told.moments);
    if (told.moments.length || !scale || isOther) {
      scale = told.scale;
      draw();
    }
    facts(told);
    alarm(told.alarms);
  }

  function facts(told) {
    const last = moments.at(-1);
    const age = Math.max(0, (Date.now() - Date.parse(last.at)) / 1000);
    const ago = age < 90 ? `${Math.round(age)} s` : age < 5400 ? `${Math.round(age / 60)} min` : age < 172800 ? `${Math.round(age / 3600)} h` : `${Math.round(age / 86400)} days`;
    say(age < 600 ? "running" : "finished", told.n_more ? `reading ${told.n_more} more checkpoints` : `last checkpoint ${ago} ago`);
    find("facts").textContent = `${moments.length} ${moments.length === 1 ? "checkpoint" : "checkpoints"}, up to ${nameOf(last)} · ${told.stimuli} · ${told.comparator}`;
  }

  function alarm(alarms) {
    const on = alarms.filter((one) => one.is_on);
    const items = alarms.map((one) => {
      const item = document.createElement("li");
      item.className = one.is_on ? "on" : "over";
      const word = document.createElement("b");
      word.textContent = one.is_on ? one.kind : `${one.kind}, over`;
      item.append(word, ` ${one.message}`);
      return item;
    });
    if (!on.length) {
      const item = document.createElement("li");
      item.className = "none";
      item.textContent = "No alarm is on.";
      items.unshift(item);
    }
    const list = find("alarms");
    if (list.textContent !== items.map((item) => item.textContent).join("")) list.replaceChildren(...items);
    const title = document.title.replace(/^⚠ /, "");
    document.title = on.length ? `⚠ ${title}` : title;
  }

  // Drawing.

  const nameOf = (moment) => moment.checkpoint || (moment.step === null ? `number ${moments.indexOf(moment)}` : `step ${moment.step}`);
  const steps = () => moments.map((moment, place) => `${moment.step ?? place}`);

  function draw() {
    const stepNames = steps();
    const values = [...new Set(moments.flatMap((moment) => Object.keys(moment.values)))];
    const losses = values.filter((name) => /loss/i.test(name)), others = values.filter((name) => !losses.includes(name));
    const drawn = [];
    for (const [id, title, some] of [["loss", "Loss", losses], ["scores", "Metrics and accuracy", others]]) {
      const series = some.map((name, place) => ({ name, colour: Plots.seriesColour(place), values: moments.map((moment) => moment.values[name] ?? null) }));
      drawn.push([card(id, title, "", series, true), series, { title }]);
    }
    for (const [id, title, words, options] of CARDS) {
      const series = layers.map((layer, place) => ({
        name: layer.name, colour: Plots.depthColour(place, layers.length),
        values: moments.map((moment) => moment.curves[id]?.[place] ?? null),
      })).filter((one, place) => layers[place].role !== "input" || id === "output");
      const heading = id === "output" ? `${kind === "distance" ? "Distance" : "Similarity"} to ${end}` : title;
      drawn.push([card(id, heading, words, series, false), series, { ...options, title: heading }]);
    }
    // Only now, when all are there, is it known how wide they are.
    for (const [figure, series, options] of drawn) if (figure) Plots.lines(figure, series, stepNames, options);
    legend();
    light();
    matrices();
  }

  // The figure of some series; none where nothing is known of them.
  function card(id, title, words, series, isNamed) {
    const plots = find("plots");
    let figure = find(`plot-${id}`);
    const known = series.some((one) => one.values.some((value) => value !== null));
    if (!known) { figure?.remove(); return null; }
    if (!figure) {
      figure = document.createElement("figure");
      figure.id = `plot-${id}`;
      figure.className = "plot";
      figure.innerHTML = "<figcaption><b></b> <span class='note'></span><span class='readout'></span><span class='names'></span></figcaption><svg></svg>";
      plots.append(figure);
    }
    figure.querySelector("b").textContent = title;
    figure.querySelector(".note").textContent = words;
    const labels = series.map((one) => {
      const label = document.createElement("span");
      label.textContent = one.name;
      label.style.setProperty("--swatch", one.colour);
      return label;
    });
    figure.querySelector(".names").replaceChildren(...(isNamed ? labels : []));
    return figure;
  }

  function legend() {
    const list = find("legend");
    if (list.children.length === layers.length && [...list.children].every((item, place) => item.textContent === layers[place].name)) return;
    list.replaceChildren(...layers.map((layer, place) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.textContent = layer.name;
      button.setAttribute("aria-pressed", "false");
      button.style.setProperty("--swatch", Plots.depthColour(place, layers.length));
      button.addEventListener("click", () => { lit = lit === layer.name ? null : layer.name; light(); });
      item.append(button);
      return item;
    }));
  }

  function light() {
    for (const line of document.querySelectorAll("#plots .series")) line.classList.toggle("pale", lit !== null && line.dataset.name !== lit && layers.some((layer) => layer.name === line.dataset.name));
    for (const button of document.querySelectorAll("#legend button")) button.setAttribute("aria-pressed", `${button.textContent === lit}`);
  }

  function matrices() {
    find("matrices").hidden = !moments.length || layers.length < 2;
    const last = moments.length - 1, slider = find("at");
    slider.max = last;
    const at = chosen === null || chosen > last ? last : chosen;
    slider.value = at;
    slider.disabled = last === 0;
    const shown = last < MOST_PICTURES ? moments.map((_, place) => place)
      : [...new Set(Array.from({ length: MOST_PICTURES }, (_, place) => Math.round(place * last / (MOST_PICTURES - 1))))];
    find("strip").replaceChildren(...shown.map((place) => picture(place, place === at)));
    const words = kind === "similarity" ? "similarity" : "distance";
    find("matrix-words").textContent = `Colour is the ${words} of two layers; ${chosen === null ? "the newest checkpoint is shown" : "choose the last one to follow the training again"}.`;
    find("matrix-name").textContent = nameOf(moments[at]);
    const room = Math.max(...layers.map((layer) => layer.name.length)) * 6.6 + 60;
    const width = Math.min(find("matrices").clientWidth - room, 680);
    const cell = Math.max(12, Math.min(54, Math.floor(width / layers.length)));
    Plots.matrix(find("matrix"), moments[at].matrix, layers.map((layer) => layer.name), scale, cell);
    find("low").textContent = Plots.short(scale.low);
    find("high").textContent = Plots.short(scale.high);
    find("ramp").style.background = `linear-gradient(to right, ${scale.colours.join(",")})`;
  }

  function picture(place, isShown) {
    const button = document.createElement("button"), canvas = document.createElement("canvas"), name = document.createElement("span");
    button.type = "button";
    button.setAttribute("aria-pressed", `${isShown}`);
    name.textContent = `${moments[place].step ?? place}`;
    Plots.thumbnail(canvas, moments[place].matrix, scale);
    button.append(canvas, name);
    button.setAttribute("aria-label", nameOf(moments[place]));
    button.addEventListener("click", () => choose(place));
    return button;
  }

  function choose(place) {
    chosen = place === moments.length - 1 ? null : place;
    const focused = document.activeElement?.closest?.("#strip button") ? [...find("strip").children].indexOf(document.activeElement) : -1;
    matrices();
    if (focused >= 0) find("strip").children[focused]?.focus();
  }

  // Alarms are set in the address, which can be kept and sent.

  find("limits").addEventListener("input", (event) => {
    if (!event.currentTarget.checkValidity()) return;
    for (const field of event.currentTarget.elements) {
      if (field.value === field.dataset.usual) here.searchParams.delete(field.name);
      else here.searchParams.set(field.name, field.value);
    }
    history.replaceState(null, "", here);
    ask();
  });
  find("limits").addEventListener("submit", (event) => event.preventDefault());
  find("at").addEventListener("input", (event) => choose(Number(event.target.value)));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  let resizing = 0;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => { if (moments.length) draw(); }, 100); });
  Plots.dark.addEventListener("change", () => { find("legend").replaceChildren(); if (moments.length) draw(); });
  ask();
})();
