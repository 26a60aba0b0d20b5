// Galleries: a few cards at first, those of one verdict on request.
(() => {
  const FEW = 6;

  document.querySelectorAll(".gallery").forEach((gallery) => {
    const [sieve, more] = [gallery.previousElementSibling, gallery.nextElementSibling];
    const [select, button] = [sieve.querySelector("select"), more.querySelector("button")];
    const cards = [...gallery.children];
    let all = false;

    function show() {
      const wanted = cards.filter((card) => !select.value || card.dataset.verdict === select.value);
      cards.forEach((card) => { card.hidden = !wanted.includes(card) || (!all && wanted.indexOf(card) >= FEW); });
      more.hidden = wanted.length <= FEW;
      button.textContent = all ? `Show ${FEW} only` : `Show all ${wanted.length}`;
      button.setAttribute("aria-expanded", String(all));
    }

    select.addEventListener("change", show);
    button.addEventListener("click", () => { all = !all; show(); });
    window.addEventListener("beforeprint", () => { all = true; show(); });
    sieve.hidden = select.options.length < 3;
    show();
  });
})();
