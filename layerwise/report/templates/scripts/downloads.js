// What can be taken away from a figure: the numbers behind it as CSV, its picture as SVG or PNG.
//
// A kind of content says how with `layerwise.offerTables(selector, read)` or `layerwise.offer(kind, selector, make)`;
// a figure then gets one link for each kind, which saves what is visible in it at that moment.
Object.assign(layerwise, (() => {
  const makers = new Map();

  // `make(element)` gives, or promises, a list of { name, blob }; `kind` is the ending of the files, such as "csv".
  function offer(kind, selector, make) {
    if (!makers.has(kind)) makers.set(kind, []);
    makers.get(kind).push({ selector, make });
  }

  // `read(element)` gives, or promises, a list of { name, columns, rows }; cells are texts, numbers or null.
  function offerTables(selector, read) {
    offer("csv", selector, async (element) => (await read(element)).map((table) => ({
      name: table.name, blob: new Blob([csv(table)], { type: "text/csv;charset=utf-8" }),
    })));
  }

  // A text that a spreadsheet would take for a formula gets an apostrophe in front; a number never does.
  function cell(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    const text = String(value);
    const safe = /^[\s\u0000-\u001f]*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) || /^[\t\r\n]/.test(text) ? `'${text}` : text;
    return /[",;\t\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  const csv = ({ columns, rows }) => [columns, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");

  // Rows given as objects: one column for each key that any of them has.
  function tabulate(name, records) {
    const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
    return { name, columns, rows: records.map((record) => columns.map((column) => record[column])) };
  }

  const isSeen = (element) => element.checkVisibility ? element.checkVisibility() : element.offsetParent !== null;

  function save({ name, blob }, kind) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name.replace(/[^\w.-]+/g, "-").slice(0, 120)}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function saveAll(figure, kind) {
    for (const { selector, make } of makers.get(kind)) {
      for (const element of figure.querySelectorAll(selector)) {
        if (isSeen(element)) for (const file of await make(element)) save(file, kind);
      }
    }
  }

  const WORDS = {
    csv: ["CSV", "the data behind this figure"], svg: ["SVG", "this picture"], png: ["PNG", "this picture"],
  };

  function addLinks(figure) {
    const box = figure.querySelector(".downloads");
    for (const [kind, offered] of makers) {
      if (!box || !offered.some(({ selector }) => figure.querySelector(selector))) continue;
      const [word, what] = WORDS[kind] || [kind.toUpperCase(), "this figure"];
      const link = layerwise.make("a", "download", word);
      link.href = `#${figure.id}`;
      link.dataset.kind = kind;
      link.title = `Save ${what} as ${word}`;
      link.setAttribute("role", "button");
      link.setAttribute("aria-label", `Save ${what} as ${word}`);
      link.addEventListener("click", (event) => {
        event.preventDefault();
        saveAll(figure, kind).catch((error) => { console.error(error); });
      });
      link.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); link.click(); } });
      box.append(link);
      box.hidden = false;
    }
  }

  return { offer, offerTables, tabulate, csv, addLinks };
})());
