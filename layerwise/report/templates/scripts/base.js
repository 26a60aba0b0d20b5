"use strict";

// What the scripts of the page share. They are joined in the order of `assets.SCRIPTS`; each keeps to a function of its own.
const layerwise = (() => {
  const UNDEFINED = 255;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);

  async function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Calls `action` with each watched element once, when it comes near the window, or the page is printed.
  const waiting = new Set();
  function nearby(action) {
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) entry.target.dispatchEvent(new Event("near"));
    }, { rootMargin: "400px" });
    const observe = (element) => {
      const run = () => { waiting.delete(run); observer.unobserve(element); element.removeEventListener("near", run); action(element); };
      waiting.add(run);
      element.addEventListener("near", run);
      observer.observe(element);
    };
    return { observe };
  }
  window.addEventListener("beforeprint", () => [...waiting].forEach((run) => run()));

  // An element with a class and a text, which is never taken for markup.
  function make(tag, kind = "", text = "") {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== "") made.textContent = text;
    return made;
  }

  return { UNDEFINED, read, inflate, nearby, make };
})();
