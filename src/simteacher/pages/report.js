"use strict";
// The before/after slider. Without this script the page still shows the first photograph with a mask.
(() => {
  const root = document.querySelector(".compare");
  if (root) {
    const find = (query, from = root) => from.querySelector(query);
    const all = (query, from = root) => [...from.querySelectorAll(query)];
    const views = all(".view"), frame = find(".views"), divide = find(".divide"), truth = find(".show-truth"), readout = find(".readout");
    const left = find(".left-stage"), right = find(".right-stage"), thumbs = all(".thumbs button");
    const names = new Map(Object.entries(JSON.parse(root.dataset.names)).map(([name, colour]) => [colour, name]));
    const pixels = new Map();
    let current = 0, asked = false; // whether the true labels are wanted on the right, where there are some

    const label = (select) => select.selectedOptions[0].textContent;
    const maskOf = (select, view) => {
      const image = find(`.mask[data-stage="${CSS.escape(select.value)}"]`, view);
      return { image, name: label(select) + (image ? "" : ": no mask") };
    };
    // What stands on the right of a view, and what it is called.
    const onTheRight = (view) => {
      const image = asked && find(".truth", view);
      return image ? { image, name: "True labels" } : maskOf(right, view);
    };

    function draw() {
      views.forEach((view, n) => {
        view.hidden = n !== current;
        all(".mask, .truth", view).forEach((image) => { image.hidden = true; image.classList.remove("on-left", "on-right"); });
        const a = maskOf(left, view).image, b = onTheRight(view).image;
        if (a) { a.hidden = false; a.classList.add(a === b ? "both" : "on-left"); }
        if (b) { b.hidden = false; if (a !== b) b.classList.add("on-right"); }
      });
      thumbs.forEach((thumb, n) => thumb.setAttribute("aria-pressed", String(n === current)));
      const names = [maskOf(left, views[current]).name, onTheRight(views[current]).name];
      find(".tag.left").textContent = names[0];
      find(".tag.right").textContent = names[1];
      frame.style.setProperty("--at", divide.value + "%");
      divide.setAttribute("aria-valuetext", `${divide.value} % ${names[0]}, the rest ${names[1]}`);
      if (truth) {
        const there = find(".truth", views[current]) !== null;
        truth.disabled = !there;
        truth.title = there ? "" : "Nobody has labelled this photograph";
        truth.setAttribute("aria-pressed", String(asked && there));
      }
    }

    // What a mask says at a point: its colour is a class.
    function classAt(image, x, y) {
      if (!image) return null;
      if (!pixels.has(image)) {
        const canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(image, 0, 0);
        pixels.set(image, context);
      }
      const [r, g, b, a] = pixels.get(image).getImageData(Math.floor(x * image.naturalWidth), Math.floor(y * image.naturalHeight), 1, 1).data;
      const colour = "#" + [r, g, b].map((v) => v.toString(16).padStart(2, "0")).join("");
      return a && names.has(colour) ? { colour, name: names.get(colour) } : null;
    }

    divide.addEventListener("pointermove", (event) => {
      const box = frame.getBoundingClientRect(), view = views[current];
      const x = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.9999), y = Math.min(Math.max((event.clientY - box.top) / box.height, 0), 0.9999);
      const said = [[label(left), maskOf(left, view).image], [label(right), maskOf(right, view).image], ["Truth", find(".truth", view)]];
      readout.replaceChildren(...said.flatMap(([who, image]) => {
        const found = classAt(image, x, y);
        if (!found) return [];
        const chip = document.createElement("i"), word = document.createElement("b"), part = document.createElement("span");
        chip.style.background = found.colour; word.textContent = found.name;
        part.append(who + ": ", chip, word, "\u2003");
        return [part];
      }));
    });
    divide.addEventListener("pointerleave", () => readout.replaceChildren("\u00a0"));
    divide.addEventListener("input", draw);
    [left, right].forEach((select) => select.addEventListener("change", draw));
    find(".strength").addEventListener("input", (event) => frame.style.setProperty("--paint", event.target.value / 100));
    if (truth) truth.addEventListener("click", () => { asked = !asked; draw(); });
    thumbs.forEach((thumb, n) => {
      find("img", thumb).src = find(".photo", views[n]).src;
      thumb.addEventListener("click", () => { current = n; draw(); });
    });
    draw();
  }
  document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", async () => {
    const text = button.previousElementSibling.textContent;
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(button.previousElementSibling); button.textContent = "Press Ctrl+C"; }
  }));
})();
