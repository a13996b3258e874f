"use strict";
// The page shows everything without this script; it adds the controls.
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Colour scheme. Storage fails where the browser forbids it to files.
  const theme = one("#theme");
  const paint = (value) => {
    if (value) document.documentElement.dataset.theme = value;
    else delete document.documentElement.dataset.theme;
  };
  try {
    theme.value = localStorage.getItem("c2l-theme") ?? "";
  } catch {}
  if (theme.selectedIndex < 0) theme.selectedIndex = 0;
  paint(theme.value);
  theme.parentElement.hidden = false;
  theme.addEventListener("change", () => {
    paint(theme.value);
    try {
      localStorage.setItem("c2l-theme", theme.value);
    } catch {}
  });

  const grid = one(".tiles");
  if (!grid) return;
  const tiles = all(".tile", grid);
  const stops = tiles.some((tile) => one(".labels", tile)) ? ["photo", "parts", "labels"] : ["photo", "parts"];

  // A slider from the photo over its parts to its labels; an edge sweeps from left to right.
  const show = (stack, at) => {
    const last = one(".labels", stack) ? 2 : 1;
    const own = Math.min(at, last);
    stack.style.setProperty("--at", own);
    stack.style.setProperty("--edge", `${(own % 1) * 100}%`);
    stack.classList.toggle("split", own % 1 !== 0);
  };
  const slider = (place, moved) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: 0, max: stops.length - 1, step: 0.05, value: 1 });
    input.setAttribute("aria-label", `From ${stops.join(" over ")}`);
    const buttons = stops.map((name, at) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: name });
      button.addEventListener("click", () => set(at));
      return button;
    });
    const set = (at) => {
      input.value = at;
      const value = Number(input.value);
      const near = Math.floor(value);
      input.setAttribute(
        "aria-valuetext",
        value === near ? stops[near] : `${Math.round((value - near) * 100)} % ${stops[near + 1]}, rest ${stops[near]}`,
      );
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === value)));
      moved(value);
    };
    input.addEventListener("input", () => set(Number(input.value)));
    const row = document.createElement("div");
    row.append(...buttons);
    place.append(input, row);
    place.hidden = false;
    return set;
  };
  slider(one(".bar-wipe"), (at) => tiles.forEach((tile) => show(one(".stack", tile), at)))(1);

  // Search, filter and order.
  const find = one("#find");
  const only = one("#show");
  const order = one("#order");
  const shares = new Map(tiles.map((tile) => [tile, tile.dataset.shares.split(" ").map(Number)]));
  const miou = (tile) => (tile.dataset.miou === "" ? NaN : Number(tile.dataset.miou));
  const present = Number(grid.dataset.present);
  const wanted = (tile) => {
    if (!tile.dataset.name.toLowerCase().includes(find.value.trim().toLowerCase())) return false;
    const [by, which] = only.value.split(":");
    if (by === "kind") return tile.dataset.kind === which;
    return by !== "part" || shares.get(tile)[which] >= present;
  };
  const key = (tile) => {
    const [by, which] = order.value.split(":");
    if (by === "part") return -shares.get(tile)[which];
    // A photo without a score comes last either way.
    if (by === "best") return Number.isNaN(miou(tile)) ? Infinity : -miou(tile);
    if (by === "worst") return Number.isNaN(miou(tile)) ? Infinity : miou(tile);
    return 0;
  };
  const byName = new Intl.Collator(undefined, { numeric: true }).compare;
  const visible = () => all(".tile", grid).filter((tile) => !tile.hidden);
  const update = () => {
    const sorted = [...tiles];
    if (order.value === "name") sorted.sort((a, b) => byName(a.dataset.name, b.dataset.name));
    else sorted.sort((a, b) => (key(a) === key(b) ? 0 : key(a) - key(b)));
    for (const tile of sorted) tile.hidden = !wanted(tile);
    grid.append(...sorted);
    one("#count").textContent = `${visible().length} of ${tiles.length} photos`;
  };
  find.addEventListener("input", update);
  only.addEventListener("change", update);
  order.addEventListener("change", update);
  one(".tools").hidden = false;
  update();

  // One photo at a time.
  const viewer = one("#viewer");
  const keys = all("#photos > .keys li");
  let current = null;
  const put = slider(one(".wipe", viewer), (at) => {
    const stack = one(".stack", viewer);
    if (stack) show(stack, at);
  });
  let at = 1;
  const view = (tile) => {
    current = tile;
    const stack = document.createElement("div");
    stack.className = "stack";
    const photo = one(".photo", tile);
    stack.style.setProperty("--ratio", photo.naturalWidth / photo.naturalHeight || 1);
    stack.append(...all("img", tile).map((image) => image.cloneNode()));
    one(".place", viewer).replaceChildren(stack);
    one("#viewed").textContent = tile.dataset.name;
    one(".score", viewer).textContent = one(".score", tile)?.textContent ?? "";
    const rows = keys
      .map((item, part) => [shares.get(tile)[part], item])
      .filter(([share]) => share >= present)
      .map(([share, item]) => {
        const row = document.createElement("li");
        const percent = document.createElement("span");
        const name = document.createElement("span");
        name.textContent = item.textContent;
        percent.textContent = `${(share * 100).toFixed(1)} %`;
        row.append(one(".swatch", item).cloneNode(), name, percent);
        return row;
      });
    one(".shares", viewer).replaceChildren(...rows);
    put(at);
    const drag = (event) => {
      if (event.buttons !== 1) return;
      const box = stack.getBoundingClientRect();
      const across = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      put((stops.length - 2) + across);
    };
    stack.addEventListener("pointerdown", drag);
    stack.addEventListener("pointermove", drag);
  };
  const step = (by) => {
    at = Number(one(".wipe input", viewer).value);
    const shown = visible();
    view(shown[(shown.indexOf(current) + by + shown.length) % shown.length]);
  };
  for (const tile of tiles) {
    const button = one(".stack", tile);
    button.disabled = false;
    button.addEventListener("click", () => {
      at = Number(one(".bar-wipe input").value);
      view(tile);
      viewer.showModal();
    });
  }
  one("#before").addEventListener("click", () => step(-1));
  one("#after").addEventListener("click", () => step(1));
  viewer.addEventListener("keydown", (event) => {
    // On the slider, arrows move the slider.
    if (event.target.matches("input") || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    step(event.key === "ArrowLeft" ? -1 : 1);
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener("close", () => one(".stack", current)?.focus());
})();
