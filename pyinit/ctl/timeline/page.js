"use strict";
// Zoom and tooltips. The Python code has drawn everything: here shapes are moved along the time axis, where each has
// its place, 0 to 1, and ticks and labels are laid out anew.

const element = document.getElementById("picture");
const layout = JSON.parse(element.dataset.layout);
const picture = element.querySelector("svg");
const tip = document.getElementById("tip");
const CLOSEST = 1e-5; // of the axis
const TICKS = 9;
const SHORTEST = 1e-6; // seconds: the journal tells no less
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]; // seconds
let from = 0; // what is shown
let to = 1;

const bars = [...picture.querySelectorAll("[data-from]")].map((bar) => ({
  bar, left: Number(bar.dataset.from), right: Number(bar.dataset.to),
}));
const points = [...picture.querySelectorAll(".at")].filter((point) => !point.closest(".tick")).map((point) => ({
  point, place: Number(point.dataset.at),
}));
const headings = [...picture.querySelectorAll(".heading")].map((heading) => {
  const [line, text] = heading.children;
  const bottom = Number(line.getAttribute("y")) + Number(line.getAttribute("height"));
  return { ...heading.dataset, important: heading.dataset.important === "1", bottom, line, label: text,
    place: Number(heading.closest(".at").dataset.at) };
});

const x = (place) => layout.left + layout.chart * (place - from) / (to - from);
const shown = (place) => place >= from - 1e-9 && place <= to + 1e-9;

// ---- The time axis

function timeAt(place) {
  const piece = layout.pieces.find(([, , , right]) => place <= right) ?? layout.pieces[layout.pieces.length - 1];
  const [start, end, left, right] = piece;
  return start + (end - start) * (place - left) / (right - left);
}

function roundStep(seconds) {
  const step = seconds >= 1 && STEPS.find((each) => each >= seconds);
  if (step) return step;
  const unit = seconds > 1 ? 86400 : 1;
  const power = 10 ** Math.floor(Math.log10(seconds / unit)) * unit;
  return power * ([1, 2, 5].find((factor) => power * factor >= seconds) ?? 10);
}

function clock(seconds, step) {
  let digits = 0;
  while (digits < 6 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-9) digits++;
  if (seconds < 60) return `${seconds.toFixed(digits)} s`;
  const units = Math.round(seconds * 10 ** digits);
  const minutes = Math.floor(units / (60 * 10 ** digits));
  const rest = (units % (60 * 10 ** digits) / 10 ** digits).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

function nearACut(place) {
  const clear = 0.03 * (to - from); // the cut has a label of its own
  return layout.pieces.some(([, , left, right, cut]) => cut && left - clear < place && place < right + clear);
}

function ticks() {
  const found = [];
  for (const [start, end, left, right, cut] of layout.pieces) {
    const first = Math.max(left, from);
    const last = Math.min(right, to);
    const number = TICKS * (last - first) / (to - from);
    if (cut || number < 0.5) continue;
    const seconds = (end - start) / (right - left);
    const step = Math.max(SHORTEST, roundStep((last - first) * seconds / number));
    const count = Math.ceil((start + (first - left) * seconds) / step - 1e-9);
    // So many at most: from 2 ** 53 on a count may have no next one.
    for (let tick = 0; tick <= TICKS + 1; tick++) {
      const time = (count + tick) * step;
      const place = left + (time - start) / seconds;
      if (place > last + 1e-9) break;
      if (!nearACut(place)) found.push([place, clock(time, step)]);
    }
  }
  return found;
}

function make(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function drawTicks() {
  picture.querySelectorAll(".tick").forEach((tick) => tick.remove());
  const below = picture.querySelector(".row, .happening, .legend");
  for (const [place, text] of ticks()) {
    const tick = make("g", { class: "tick" });
    const height = layout.barsBottom - layout.barsTop;
    tick.append(make("rect", { class: "grid", x: x(place) - 0.5, y: layout.barsTop, width: 1, height }));
    const label = make("text", { class: "dim", x: x(place), y: layout.barsBottom + 16, "text-anchor": "middle" });
    label.textContent = text;
    tick.append(label);
    below.before(tick);
  }
}

// ---- The labels above: as labels.py places them

function collide(start, end, level, [otherStart, otherEnd, otherLevel]) {
  if (level === otherLevel) return start < otherEnd && otherStart < end;
  if (level < otherLevel) return otherStart + layout.inset < start && start < otherEnd;
  return start + layout.inset < otherStart && otherStart < end;
}

function placeLabels(here, brief) {
  const taken = [];
  return here.map((heading) => {
    const start = x(heading.place);
    const reach = (text) => start + layout.character * text.length + layout.gap;
    let text = brief ? heading.brief : heading.text;
    if (reach(text) > layout.width) text = heading.brief;
    const end = reach(text);
    for (let level = 0; level < layout.levels; level++) {
      if (taken.some((other) => collide(start, end, level, other))) continue;
      taken.push([start, end, level]);
      return { level, text };
    }
    return null;
  });
}

function drawLabels() {
  const here = headings.filter((heading) => shown(heading.place));
  let placed = placeLabels(here, false);
  if (placed.includes(null)) placed = placeLabels(here, true);
  if (placed.includes(null)) {
    here.sort((one, other) => other.important - one.important || one.place - other.place);
    placed = placeLabels(here, true);
  }
  here.forEach(({ line, label, bottom }, number) => {
    const found = placed[number];
    const top = found ? layout.labelsTop + layout.level * found.level : layout.barsTop - 6;
    line.setAttribute("y", top);
    line.setAttribute("height", Math.max(0, bottom - top));
    label.classList.toggle("off", !found);
    label.textContent = found ? found.text : "";
    label.setAttribute("y", top + 12);
  });
}

// ---- Zoom

function draw() {
  for (const { bar, left, right } of bars) {
    const start = x(Math.max(left, from));
    bar.classList.toggle("off", right < from || left > to);
    bar.setAttribute("x", start);
    bar.setAttribute("width", Math.max(1, x(Math.min(right, to)) - start));
  }
  for (const { point, place } of points) {
    point.classList.toggle("off", !shown(place));
    point.setAttribute("transform", `translate(${x(place)} 0)`);
  }
  drawTicks();
  drawLabels();
  document.getElementById("out").disabled = document.getElementById("whole").disabled = to - from >= 1;
  document.getElementById("in").disabled = to - from <= CLOSEST;
}

function show(start, length) {
  length = Math.min(1, Math.max(CLOSEST, length));
  from = Math.min(1 - length, Math.max(0, start));
  to = from + length;
  requestAnimationFrame(draw);
}

// Zoom so that `place` stays where it is.
function zoom(factor, place = (from + to) / 2) {
  const length = Math.min(1, Math.max(CLOSEST, (to - from) / factor));
  show(place - (place - from) * length / (to - from), length);
}

const move = (part) => show(from + part * (to - from), to - from);

function placeUnder(event) {
  const size = picture.getBoundingClientRect();
  const across = (event.clientX - size.left) * layout.width / size.width;
  return from + (to - from) * Math.min(1, Math.max(0, (across - layout.left) / layout.chart));
}

document.getElementById("in").addEventListener("click", () => zoom(2));
document.getElementById("out").addEventListener("click", () => zoom(0.5));
document.getElementById("whole").addEventListener("click", () => show(0, 1));
element.addEventListener("dblclick", (event) => zoom(3, placeUnder(event)));
element.addEventListener("wheel", (event) => {
  if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), placeUnder(event));
  else if (event.deltaX || event.shiftKey) move((event.deltaX || event.deltaY) / 1000);
  else return;
  event.preventDefault();
}, { passive: false });

let dragged = null;
element.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  dragged = { place: placeUnder(event), start: event.clientX, moves: false };
});
addEventListener("pointerup", () => { dragged = null; });
addEventListener("pointercancel", () => { dragged = null; });

// ---- What things are

const items = [...picture.querySelectorAll("g > title")].map((title) => {
  const item = title.parentElement;
  item.dataset.tip = title.textContent;
  item.setAttribute("role", "img");
  item.setAttribute("aria-label", title.textContent);
  item.setAttribute("tabindex", "-1");
  title.remove(); // the browser would show it, too
  return item;
});
picture.setAttribute("role", "group");
const ordered = items.filter((item) => item.matches(".row")).concat(items.filter((item) => item.matches(".happening")));
let current = null;

function tell(item, left, top) {
  current?.classList.remove("current");
  current = item;
  tip.hidden = !item;
  if (!item) return;
  item.classList.add("current");
  tip.textContent = item.dataset.tip;
  tip.style.left = `${Math.max(4, Math.min(left + scrollX, scrollX + innerWidth - tip.offsetWidth - 24))}px`;
  const above = top + tip.offsetHeight + 24 > innerHeight && top > tip.offsetHeight + 12;
  tip.style.top = `${scrollY + (above ? top - tip.offsetHeight - 12 : top + 18)}px`;
}

// Where an item is on the screen: of what has a time, the part that is shown.
function whereIs(item) {
  const inside = [...item.querySelectorAll("[data-from]:not(.off), .at:not(.off)")].map((each) => each.getBoundingClientRect());
  const first = inside[0] ?? item.getBoundingClientRect();
  return [first.left, item.querySelector(".hit") ? item.querySelector(".hit").getBoundingClientRect().bottom - 14 : first.top];
}

element.addEventListener("pointermove", (event) => {
  const place = placeUnder(event);
  document.getElementById("time").textContent = `${timeAt(place).toFixed(3)} s`;
  if (dragged && (dragged.moves || Math.abs(event.clientX - dragged.start) > 3)) {
    dragged.moves = true;
    tell(null);
    show(from + dragged.place - place, to - from);
    return;
  }
  tell(event.target.closest("[data-tip]"), event.clientX + 8, event.clientY);
});
element.addEventListener("pointerleave", () => tell(null));

const everywhere = {
  "+": () => zoom(2),
  "=": () => zoom(2),
  "-": () => zoom(0.5),
  "0": () => show(0, 1),
  ArrowLeft: () => move(-0.2),
  ArrowRight: () => move(0.2),
  Escape: () => tell(null),
};
// Elsewhere these move the page.
const inPicture = {
  Home: () => show(0, to - from),
  End: () => show(1, to - from),
  ArrowUp: () => step(-1),
  ArrowDown: () => step(1),
};

// Go to the next thing, or the one before, and tell of it.
function step(by) {
  const at = ordered.indexOf(current);
  const next = ordered[at < 0 ? (by > 0 ? 0 : ordered.length - 1) : Math.min(ordered.length - 1, Math.max(0, at + by))];
  if (!next) return;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  tell(next, ...whereIs(next));
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const act = everywhere[event.key] ?? (element.contains(event.target) ? inPicture[event.key] : undefined);
  if (!act) return;
  event.preventDefault();
  act();
});

draw();
