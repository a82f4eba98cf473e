// Drawing: the class over time and the ribbons of students. All functions only paint what they are given.
// Arrays are bytes: 0 to 200 stand for 0 to 1, NONE for no value (`dashboard/player.py`).

const NONE = 255;
const GUTTER = 40;
const RIGHT = 8;
const MARKS = 11; // px of the strip of unusual spans
const INDEX = 62; // px of the engagement plot
const SHARES = 52; // px of the states
const AXIS = 18;
const RIBBON = 15;

const share = (byte) => byte / 200;

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// The colour of letters on a state's colour of this opacity: white where that is dark (WCAG 2.2, relative luminance).
function inkOn(colour, opacity, ink) {
  const [r, g, b] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
  return opacity > 0.7 && 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.2 ? "#ffffff" : ink;
}

// A clock as people read it: 83 as 1:23, 3723 as 1:02:03.
function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor(s / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

// The x of a moment (s), px.
const along = (t, duration, width) => GUTTER + (t / Math.max(duration, 1e-9)) * (width - GUTTER - RIGHT);

// The moment (s) at x, px.
const moment = (x, duration, width) =>
  Math.min(Math.max((x - GUTTER) / (width - GUTTER - RIGHT), 0), 1) * duration;

// A canvas of this height, sharp on any screen; its context in CSS px.
function ready(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px sans-serif";
  return context;
}

const classHeight = (made) => MARKS + (made.timeline ? INDEX + 4 + SHARES : 0) + AXIS;

// The class: marks of unusual spans, engagement over coverage, states, clock.
function drawClass(canvas, width, made) {
  const context = ready(canvas, width, classHeight(made));
  const x = (t) => along(t, made.duration, width);
  let top = MARKS;
  if (made.timeline) {
    drawIndex(context, x, top, width, made);
    top += INDEX + 4;
    drawShares(context, x, top, made);
    top += SHARES;
  }
  context.fillStyle = made.colours.unusual;
  for (const event of made.marks) {
    context.globalAlpha = event.faded ? 0.3 : 1;
    context.fillRect(x(event.t) - 1, 1, Math.max(x(event.end) - x(event.t), 3) + 1, MARKS - 3);
  }
  context.globalAlpha = 1;
  drawClock(context, x, top, width, made);
}

function drawIndex(context, x, top, width, made) {
  const { step, engagement, coverage } = made.timeline;
  const y = (value) => top + INDEX - 2 - value * (INDEX - 4);
  context.fillStyle = made.colours.muted;
  for (let bin = 0; bin < coverage.length; bin++) {
    const [from, to] = [x(bin * step), x(Math.min((bin + 1) * step, made.duration))];
    if (coverage[bin] !== NONE) {
      context.globalAlpha = engagement[bin] === NONE ? 0.25 : 0.5;
      context.fillRect(from, y(share(coverage[bin])), to - from + 0.4, y(0) - y(share(coverage[bin])));
    }
  }
  context.globalAlpha = 1;
  context.strokeStyle = made.colours.line;
  context.lineWidth = 2;
  context.beginPath();
  let open = false;
  for (let bin = 0; bin < engagement.length; bin++) {
    if (engagement[bin] === NONE) {
      open = false;
      continue;
    }
    const [from, to] = [x(bin * step), x(Math.min((bin + 1) * step, made.duration))];
    const level = y(share(engagement[bin]));
    if (open) context.lineTo(from, level);
    else context.moveTo(from, level);
    context.lineTo(to, level);
    open = true;
  }
  context.stroke();
  context.fillStyle = made.colours.ink;
  context.textAlign = "right";
  for (const [value, text] of [[0, "0"], [0.5, "0.5"], [1, "1"]]) {
    context.fillText(text, GUTTER - 5, y(value) + (value === 1 ? 8 : value === 0 ? 0 : 4));
    context.globalAlpha = 0.15;
    context.fillRect(GUTTER, y(value), width - GUTTER - RIGHT, 1);
    context.globalAlpha = 1;
  }
}

function drawShares(context, x, top, made) {
  const { step, shares } = made.timeline;
  const count = shares.length ? shares[0].length : 0;
  for (let bin = 0; bin < count; bin++) {
    const [from, to] = [x(bin * step), x(Math.min((bin + 1) * step, made.duration))];
    let below = top + SHARES;
    made.states.forEach((state, at) => {
      if (!state.on || shares[at][bin] === NONE) return;
      const high = share(shares[at][bin]) * SHARES;
      context.fillStyle = state.colour;
      context.fillRect(from, below - high, to - from + 0.4, high);
      below -= high;
    });
  }
  context.fillStyle = made.colours.ink;
  context.textAlign = "right";
  context.fillText("100%", GUTTER - 5, top + 9);
  context.fillText("0%", GUTTER - 5, top + SHARES);
}

function drawClock(context, x, top, width, made) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = steps.find((length) => made.duration / length <= 9) || 3600;
  context.fillStyle = made.colours.ink;
  context.textAlign = "center";
  for (let t = 0; t <= made.duration; t += step) {
    context.globalAlpha = 0.4;
    context.fillRect(x(t), top, 1, 4);
    context.globalAlpha = 1;
    const half = context.measureText(clock(t)).width / 2;
    context.fillText(clock(t), Math.min(x(t), width - half - 1), top + 15);
  }
}

// One ribbon for each student: the fainter, the less sure or the less seen.
function drawRibbons(canvas, width, made) {
  const { rows, step } = made.ribbons;
  const context = ready(canvas, width, rows.length * RIBBON);
  const x = (t) => along(t, made.duration, width);
  rows.forEach((row, at) => {
    const top = at * RIBBON;
    context.fillStyle = made.colours.muted;
    context.globalAlpha = 0.25;
    context.fillRect(GUTTER, top + 1, width - GUTTER - RIGHT, RIBBON - 2);
    let begun = 0;
    for (let bin = 0; bin < row.state.length; bin++) {
      const state = made.states[row.state[bin]];
      const [from, to] = [x(bin * step), x(Math.min((bin + 1) * step, made.duration))];
      if (row.state[bin + 1] !== row.state[bin]) {
        if (state && to - x(begun * step) > 14) made.letters.push([at, (x(begun * step) + to) / 2, state]);
        begun = bin + 1;
      }
      if (!state || !state.on || row.sure[bin] < made.least || row.sure[bin] > made.most) continue;
      context.globalAlpha = Math.max(share(row.sure[bin]) * (0.3 + 0.7 * share(row.seen[bin])), 0.12);
      context.fillStyle = state.colour;
      context.fillRect(from, top + 1, to - from + 0.4, RIBBON - 2);
    }
    context.globalAlpha = 1;
    context.fillStyle = made.colours.ink;
    context.textAlign = "right";
    context.fillText(row.student, GUTTER - 5, top + RIBBON - 4);
  });
  context.textAlign = "center";
  for (const [at, middle, state] of made.letters.splice(0)) {
    if (!state.on) continue;
    context.fillStyle = inkOn(state.colour, 1, made.colours.ink);
    context.fillText(state.letter, middle, at * RIBBON + RIBBON - 4);
  }
}
