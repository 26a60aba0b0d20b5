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

  // Calls `action` with each watched element once, when it comes near the window.
  const nearby = (action) => new IntersectionObserver((entries, observer) => {
    for (const entry of entries) {
      if (entry.isIntersecting) { observer.unobserve(entry.target); action(entry.target); }
    }
  }, { rootMargin: "400px" });

  // An element with a class and a text, which is never taken for markup.
  function make(tag, kind = "", text = "") {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== "") made.textContent = text;
    return made;
  }

  // A stimulus as its picture, where there is one, above its name.
  function portray(stimuli, thumbnails, index) {
    const found = make("div");
    if (thumbnails.length) {
      const image = make("img");
      image.src = thumbnails[index];
      image.alt = "";
      found.append(image);
    }
    found.append(make("bdi", "", stimuli[index]));
    return found;
  }

  return { UNDEFINED, read, inflate, nearby, make, portray };
})();
