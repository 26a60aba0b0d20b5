// Contents, copying, the light and the dark page.
(() => {
  document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }));

  document.querySelectorAll("main figure").forEach(layerwise.addLinks);

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.querySelector(".theme");
  const page = document.documentElement;
  const isDark = () => (page.dataset.theme ? page.dataset.theme === "dark" : dark.matches);
  const remember = (theme) => { try { localStorage.setItem("layerwise-theme", theme); } catch { /* a file may not */ } };
  const recall = () => { try { return localStorage.getItem("layerwise-theme"); } catch { return null; } };
  function name() {
    toggle.textContent = isDark() ? "Light page" : "Dark page";
    toggle.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} page`);
  }
  toggle.addEventListener("click", () => {
    page.dataset.theme = isDark() ? "light" : "dark";
    remember(page.dataset.theme);
    name();
  });
  dark.addEventListener("change", name);
  if (["light", "dark"].includes(recall())) page.dataset.theme = recall();
  toggle.hidden = false;
  name();

  // A link into a folded section opens it, one to a figure that another hides chooses it; printing unfolds all.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const fold = target?.closest("details.fold") ?? target?.querySelector(":scope > details.fold");
    const panel = target?.closest(".panel[hidden]");
    if (!panel && (!fold || fold.open)) return;
    if (fold) fold.open = true;
    panel?.dispatchEvent(new Event("reveal"));
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => { if (event.target.closest?.("a[href^='#']:not([role=button])")) setTimeout(reveal); });
  window.addEventListener("beforeprint", () => document.querySelectorAll("details.fold").forEach((fold) => { fold.open = true; }));
  reveal();

  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  if (matchMedia("(max-width: 1000px)").matches) document.querySelector(".contents details").open = false;
  const current = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "0px 0px -75% 0px" });
  document.querySelectorAll("main > section").forEach((section) => current.observe(section));
})();
