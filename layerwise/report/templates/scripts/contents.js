// Tables, numbers and galleries as data: read from the page itself, where they stand in full precision.
(() => {
  const text = (element) => element ? element.textContent.trim() : "";
  const number = (element) => Number(element.dataset.value);

  layerwise.offerTables(".table", (root) => {
    const columns = [...root.querySelectorAll("thead th")].map(text);
    const rows = [...root.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => {
      if (cell.dataset.value !== undefined) return number(cell);
      return cell.dataset.empty === undefined ? text(cell) : null;
    }));
    return [{ name: root.dataset.name, columns, rows }];
  });

  layerwise.offerTables(".facts", (root) => {
    const rows = [...root.children].map((fact) => [fact.children[0], fact.children[1], fact.children[2]].map(text));
    return [{ name: root.id, columns: ["number", "value", "note"], rows }];
  });

  layerwise.offerTables(".gallery", (root) => {
    const columns = ["stimulus", "label", "verdict", "rank", "class", "probability", "right"];
    const rows = [...root.children].flatMap((card) => [...card.querySelectorAll(".bars > li")].map((bar, rank) => [
      card.dataset.title, card.dataset.label, card.dataset.verdict, rank + 1, text(bar.querySelector(".class")),
      number(bar), bar.classList.contains("marked"),
    ]));
    return [{ name: root.id, columns, rows }];
  });
})();
