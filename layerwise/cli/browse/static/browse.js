"use strict";
(() => {
  const rows = document.getElementById("rows");
  const filters = document.querySelector(".filters");
  const place = `chosen of ${document.querySelector(".where").textContent}`;
  const chosen = new Set(JSON.parse(sessionStorage.getItem(place) || "[]"));  // kept while one looks at a report
  const none = document.querySelector(".none");

  // The list answers while one types; the address follows, so that it can be kept and sent.

  let asked = 0;
  async function show(address, { keep = true } = {}) {
    const mine = ++asked;
    const part = new URL(address, location.href);
    if (keep) history.replaceState(null, "", part);
    part.searchParams.set("part", "1");
    const answer = await fetch(part);
    const text = await answer.text();
    if (mine !== asked || !answer.ok) return;
    rows.innerHTML = text;
    restore();
  }

  function restore() {
    for (const box of rows.querySelectorAll("input[name=run]")) box.checked = chosen.has(box.value);
    count();
  }

  function count() {
    const bar = document.querySelector(".chosen");
    const n = chosen.size;
    bar.textContent = n === 0 ? "Choose one run, or several to compare them." : n === 1 ? "1 run chosen" : `${n} runs chosen`;
    document.querySelector(".bar button").disabled = n === 0;
    none.hidden = n === 0;
    sessionStorage.setItem(place, JSON.stringify([...chosen]));
  }

  if (rows && filters) {
    let typed = 0;
    const ask = () => {
      const wish = new URLSearchParams(new FormData(filters));
      for (const [name, value] of [...wish]) if (!value) wish.delete(name);
      show(`/?${wish}`);
    };
    filters.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(ask, 80); });
    filters.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
    rows.addEventListener("click", (event) => {
      const link = event.target.closest("thead a, .pages a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      for (const hidden of filters.querySelectorAll("input[type=hidden]")) hidden.remove();
      for (const name of ["sort", "order"]) {
        const value = new URL(link.href).searchParams.get(name);
        if (value) filters.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      }
      show(link.href);
    });
    rows.addEventListener("change", (event) => {
      if (event.target.name !== "run") return;
      if (event.target.checked) chosen.add(event.target.value); else chosen.delete(event.target.value);
      count();
    });
    document.getElementById("choice").addEventListener("submit", (event) => {
      event.preventDefault();
      location.href = `/report?${new URLSearchParams([...chosen].map((run) => ["run", run]))}`;
    });
    none.addEventListener("click", () => { chosen.clear(); restore(); });
    restore();
    setInterval(() => {
      if (!document.hidden && rows.querySelector(".running")) show(location.href, { keep: false });
    }, 5000);
  }

  // Parts that take a moment to compute.

  const waiting = document.querySelector("[data-part]");
  if (waiting) {
    fetch(waiting.dataset.part).then(async (answer) => {
      const text = await answer.text();
      if (answer.ok) { waiting.innerHTML = text; return; }
      waiting.querySelector(".waiting").textContent = "The layers could not be read.";
    });
  }

  const drawing = document.getElementById("drawing");
  async function wait() {
    const said = drawing.querySelector("span");
    try {
      const answer = await fetch(drawing.dataset.ready);
      const told = await answer.json();
      if (told.drawn) location.replace(drawing.dataset.then);
      else if (told.error) { said.textContent = told.error; said.className = "problem"; drawing.querySelector("progress").remove(); }
      else wait();
    } catch {
      said.textContent = "Layerwise has stopped; start `layerwise browse` again, and reload.";
      drawing.querySelector("progress").remove();
    }
  }
  if (drawing) wait();

  const sql = document.getElementById("sql");
  if (sql) sql.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); sql.form.requestSubmit(); }
  });
})();
