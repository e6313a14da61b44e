// The mouse wheel, keys and the list of slices to check move the slice slider; where there is one picture alone, the
// wheel and the mouse zoom and move it. What is too large is not sent at all. Gradio does the rest.
(() => {
  const WHEEL_PX = 40; // trackpads send many small steps
  const MOST_ZOOM = 1 / 16;
  let rolled = 0;
  const range = () => document.querySelector("#slice input[type=range]");

  function go(number) {
    const slider = range();
    if (!slider) return;
    const to = Math.min(Math.max(number, +slider.min), +slider.max);
    if (to === +slider.value) return;
    slider.value = to;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }

  const picture = (event) => event.target.closest && event.target.closest("#viewer .gi-svg");
  const several = (svg) => +svg.dataset.positions > 1;

  document.addEventListener(
    "wheel",
    (event) => {
      const svg = picture(event);
      if (!svg || event.ctrlKey) return;
      event.preventDefault();
      if (!several(svg)) return zoom(svg, event.deltaY < 0 ? 0.8 : 1.25, share(svg, event));
      rolled += event.deltaMode ? event.deltaY * WHEEL_PX : event.deltaY;
      if (Math.abs(rolled) < WHEEL_PX) return;
      go(+range().value + Math.sign(rolled));
      rolled = 0;
    },
    { passive: false },
  );

  document.addEventListener("keydown", (event) => {
    const svg = picture(event);
    if (!svg) return;
    if (!several(svg)) {
      const factor = { "+": 0.8, "-": 1.25, 0: 1e9 }[event.key];
      return factor && zoom(svg, factor, [0.5, 0.5]);
    }
    const at = +range().value;
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10 };
    const ends = { Home: 1, End: +svg.dataset.positions };
    if (!(event.key in steps) && !(event.key in ends)) return;
    event.preventDefault();
    go(event.key in steps ? at + steps[event.key] : ends[event.key]);
  });

  // What part of a lone picture is seen: [x, y, width, height] of 1; Gradio draws it anew at every switch.
  let seen = [0, 0, 1, 1];
  let whole = "";

  function share(svg, event) {
    const box = svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  function show(svg) {
    const [, , width, height] = whole.split(" ").map(Number);
    const box = [seen[0] * width, seen[1] * height, seen[2] * width, seen[3] * height].join(" ");
    if (svg.getAttribute("viewBox") !== box) svg.setAttribute("viewBox", box);
  }

  function move(svg, x, y, size) {
    const inside = (start) => Math.min(Math.max(start, 0), 1 - size);
    seen = [inside(x), inside(y), size, size];
    show(svg);
  }

  function zoom(svg, factor, [x, y]) {
    const size = Math.min(Math.max(seen[2] * factor, MOST_ZOOM), 1);
    move(svg, seen[0] + x * (seen[2] - size), seen[1] + y * (seen[3] - size), size);
  }

  new MutationObserver(() => {
    const svg = document.querySelector("#viewer .gi-svg");
    if (!svg) return;
    if (svg.dataset.view !== whole || several(svg)) seen = [0, 0, 1, 1];
    whole = svg.dataset.view;
    if (seen[2] < 1) show(svg);
  }).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["viewBox", "data-view"],
  });

  // Gradio measures every file alone, and forgets after some seconds what it said.
  function refuse(event, files) {
    const bytes = [...files].reduce((sum, file) => sum + file.size, 0);
    const most = window.giMostBytes;
    if (!(bytes > most)) return false;
    event.preventDefault();
    event.stopImmediatePropagation();
    const text = (number) => `${+(number / 1e6).toFixed(number < 1e7 ? 1 : 0)} MB`;
    const message = document.querySelector("#message .gi-message");
    message.className = "gi-message gi-wrong";
    message.setAttribute("role", "alert");
    message.textContent = `${text(bytes)} are too many, at most ${text(most)} are taken. Upload a part of it.`;
    return true;
  }

  const uploads = (event) => event.target.closest && event.target.closest("#upload, #truth");
  document.addEventListener("drop", (event) => uploads(event) && refuse(event, event.dataTransfer.files), true);
  document.addEventListener(
    "change",
    (event) => {
      if (uploads(event) && event.target.type === "file" && refuse(event, event.target.files)) event.target.value = "";
    },
    true,
  );

  let held = null;
  document.addEventListener("pointerdown", (event) => {
    const svg = picture(event);
    if (!svg || several(svg) || seen[2] === 1) return;
    event.preventDefault();
    held = { svg, from: share(svg, event), seen: [...seen] };
  });
  document.addEventListener("pointermove", (event) => {
    if (!held || !held.svg.isConnected) return;
    const [x, y] = share(held.svg, event);
    move(held.svg, held.seen[0] - (x - held.from[0]) * seen[2], held.seen[1] - (y - held.from[1]) * seen[3], seen[2]);
  });
  document.addEventListener("pointerup", () => (held = null));

  document.addEventListener("click", (event) => {
    const check = event.target.closest && event.target.closest(".gi-check");
    if (!check) return;
    go(+check.dataset.position);
    document.querySelector("#viewer").scrollIntoView({ block: "nearest", behavior: "smooth" });
  });
})();
