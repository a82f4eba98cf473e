// The video with everything that seeks it: timeline, ribbons, lists, lens. A seek never asks the server.
// What is written down (marks, corrections) goes there as the trigger "act"; the server checks every word of it.

const players = new WeakMap();

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const player = players.get(parentElement) || new Player(parentElement);
  players.set(parentElement, player);
  player.act = (what) => setTriggerValue("act", what);
  player.show(data);
  return () => player.end();
}

const STEP_S = 5;
const LEAP_S = 60;

function make(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

class Player {
  constructor(parent) {
    this.root = parent.querySelector(".player");
    for (const name of ["screen", "missing", "lanes", "class", "shelf", "ribbons", "hover", "playhead", "readout",
      "legend", "side", "tip"]) {
      this[name] = this.root.querySelector(`.${name}`);
    }
    this.video = this.root.querySelector("video");
    this.still = 0; // the moment, where there is no video
    this.drawn = {};
    this.desk = new Desk(this.root.querySelector(".desk"), this);
    const tell = () => this.moved();
    for (const event of ["timeupdate", "seeking", "seeked", "loadedmetadata", "pause"]) {
      this.video.addEventListener(event, tell);
    }
    this.video.addEventListener("play", () => this.follow());
    this.lanes.addEventListener("pointerdown", (event) => this.press(event));
    this.lanes.addEventListener("pointermove", (event) => this.pointed(event));
    this.lanes.addEventListener("pointerleave", () => this.unpointed());
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.lanes);
  }

  end() {
    this.sizes.disconnect();
    this.video.pause();
    this.address = null;
    this.video.removeAttribute("src");
    this.video.load(); // lets go of the connection
  }

  show(data) {
    const wanted = data.timeline;
    this.data = {
      ...data,
      letters: [],
      timeline: wanted && {
        step: wanted.step,
        engagement: bytes(wanted.engagement),
        coverage: bytes(wanted.coverage),
        shares: wanted.shares.map(bytes),
      },
      ribbons: {
        step: data.ribbons.step,
        rows: data.ribbons.rows.map((row) => ({
          student: row.student, state: bytes(row.state), sure: bytes(row.sure), seen: bytes(row.seen),
        })),
      },
      lens: data.lens && { ...data.lens, state: bytes(data.lens.state), sure: bytes(data.lens.sure) },
    };
    this.screen.classList.toggle("bare", !data.video);
    this.video.hidden = !data.video;
    this.missing.hidden = Boolean(data.video);
    this.missing.textContent = data.words.missing;
    if (data.video && this.address !== data.video) {
      this.address = data.video;
      this.video.src = data.video;
    }
    this.lanes.setAttribute("aria-valuemax", Math.floor(data.duration));
    this.lanes.setAttribute("aria-label", data.words.timeline);
    this.legendAnew();
    this.lists();
    this.desk.show(this.data);
    this.draw();
  }

  get t() {
    return this.data.video ? this.video.currentTime : this.still;
  }

  seek(t) {
    const to = Math.min(Math.max(t, 0), this.data.duration);
    if (this.data.video) this.video.currentTime = to;
    this.still = to;
    this.moved();
  }

  follow() {
    const frame = () => {
      this.moved();
      if (!this.video.paused && !this.video.ended) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  draw() {
    if (!this.data || !this.lanes.clientWidth) return;
    this.width = this.shelf.clientWidth || this.lanes.clientWidth;
    drawClass(this.class, this.width, this.data);
    this.class.style.width = this.ribbons.style.width = `${this.width}px`;
    this.shelf.hidden = !this.data.ribbons.rows.length;
    if (!this.shelf.hidden) drawRibbons(this.ribbons, this.width, this.data);
    this.drawn.second = undefined;
    this.moved();
  }

  moved() {
    if (!this.data) return;
    const t = this.t;
    this.playhead.style.transform = `translateX(${along(t, this.data.duration, this.width || 1)}px)`;
    const second = Math.floor(t);
    if (this.drawn.second !== second) {
      this.drawn.second = second;
      this.lanes.setAttribute("aria-valuenow", second);
      this.lanes.setAttribute("aria-valuetext", this.told(t));
      this.readout.textContent = this.told(t);
      for (const item of this.side.querySelectorAll("li")) {
        item.classList.toggle("now", Number(item.dataset.t) <= t && t < Number(item.dataset.end));
      }
    }
    this.desk.at(t);
  }

  // What is known of the class at a moment, in words.
  told(t) {
    const { timeline, words } = this.data;
    const parts = [clock(t)];
    if (timeline) {
      const bin = Math.min(Math.floor(t / timeline.step), timeline.coverage.length - 1);
      const index = timeline.engagement[bin];
      const seen = timeline.coverage[bin];
      const none = seen > 0 && seen !== NONE ? words.withheld : words.notSeen;
      parts.push(`${words.engagement} ${index === NONE ? none : share(index).toFixed(2)}`);
      parts.push(`${words.coverage} ${Math.round(100 * share(seen === NONE ? 0 : seen))}%`);
      const most = this.data.states
        .map((state, at) => [timeline.shares[at][bin], state.label])
        .filter(([value]) => value !== NONE && value >= 10)
        .sort((a, b) => b[0] - a[0])
        .slice(0, 3);
      if (most.length) parts.push(most.map(([v, label]) => `${label} ${Math.round(100 * share(v))}%`).join(", "));
    }
    return parts.join(" · ");
  }

  // What is known of a student in a bin, as doubtful as it is.
  toldOf(row, bin, step) {
    const { states, words } = this.data;
    const state = states[row.state[bin]];
    const head = `${words.student} ${row.student} · ${clock(bin * step)}`;
    if (!state) return `${head} · ${words.notSeen}`;
    const sure = share(row.sure[bin]);
    const level = words.levels.find(([bound]) => sure >= bound)[1];
    return `${head} · ${state.label}: ${level} (${sure.toFixed(2)}), ${words.seen} ${Math.round(100 * share(row.seen[bin]))}%`;
  }

  place(event) {
    const box = this.lanes.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  press(event) {
    if (event.button !== 0) return;
    const { x, y } = this.place(event);
    if (x > this.width) return; // the scroll bar
    let t = moment(x, this.data.duration, this.width);
    if (y < MARKS) {
      const off = (mark) => Math.abs(along(mark.t, this.data.duration, this.width) - x);
      const near = [...this.data.marks].sort((a, b) => off(a) - off(b))[0];
      if (near && off(near) < 10) t = near.t;
    }
    this.seek(t);
  }

  pointed(event) {
    const { x, y } = this.place(event);
    const t = moment(x, this.data.duration, this.width);
    if (event.buttons & 1 && event.pointerType === "mouse") this.seek(t);
    this.hover.hidden = this.tip.hidden = false;
    this.hover.style.transform = `translateX(${along(t, this.data.duration, this.width)}px)`;
    let text = this.told(t);
    const at = Math.floor((y - this.shelf.offsetTop + this.shelf.scrollTop) / RIBBON);
    const row = y > this.shelf.offsetTop && !this.shelf.hidden ? this.data.ribbons.rows[at] : undefined;
    if (row) {
      const step = this.data.ribbons.step;
      text = this.toldOf(row, Math.min(Math.floor(t / step), row.state.length - 1), step);
    } else if (y < MARKS) {
      const mark = this.data.marks.find((one) => one.t - 1 <= t && t <= one.end + 1);
      if (mark) text = `${clock(mark.t)}: ${mark.text}`;
    }
    this.tip.textContent = text;
    this.tip.style.left = `${Math.min(x + 12, Math.max(this.lanes.clientWidth - 220, 0))}px`;
    this.tip.style.top = `${this.lanes.offsetTop + y + 16}px`;
  }

  unpointed() {
    this.hover.hidden = this.tip.hidden = true;
  }

  key(event) {
    const target = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || target === this.video) return;
    const onButton = target.tagName === "BUTTON";
    const leaps = { ArrowLeft: -STEP_S, ArrowRight: STEP_S, PageUp: -LEAP_S, PageDown: LEAP_S };
    if (event.key in leaps) this.seek(this.t + (event.shiftKey ? Math.sign(leaps[event.key]) : leaps[event.key]));
    else if (event.key === "Home") this.seek(0);
    else if (event.key === "End") this.seek(this.data.duration);
    else if (event.key === " " && !onButton) this.toggle();
    else if (event.key === "n" || event.key === "p") this.next(event.key === "n");
    else if (!this.desk.key(event.key))
      return;
    event.preventDefault();
    event.stopPropagation();
  }

  toggle() {
    if (!this.data.video) return;
    if (this.video.paused) this.video.play();
    else this.video.pause();
  }

  next(forward) {
    const times = [...new Set([...this.side.querySelectorAll("li")].map((item) => Number(item.dataset.t)))];
    times.sort((a, b) => (forward ? a - b : b - a));
    const to = times.find((t) => (forward ? t > this.t + 0.5 : t < this.t - 0.5));
    if (to !== undefined) this.seek(to);
  }

  legendAnew() {
    const entries = this.data.states.map((state) => {
      const entry = make("span", `${state.letter} ${state.label}`, state.on ? "" : "off");
      const box = make("i");
      box.style.background = state.colour;
      entry.prepend(box);
      return entry;
    });
    this.root.classList.toggle("correcting", Boolean(this.data.lens));
    const unusual = make("span", this.data.words.unusual);
    const box = make("i");
    box.style.background = this.data.colours.unusual;
    unusual.prepend(box);
    this.legend.replaceChildren(...entries, unusual);
  }

  lists() {
    const text = JSON.stringify(this.data.lists);
    if (this.drawn.lists === text) return;
    this.drawn.lists = text;
    const focused = this.root.getRootNode().activeElement?.dataset?.id;
    this.side.replaceChildren(...this.data.lists.map((list) => this.list(list)));
    this.root.classList.toggle("alone", !this.data.lists.length);
    if (focused) this.side.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  list({ id, title, help, rows }) {
    const section = make("section");
    section.append(make("h3", title));
    if (help) section.append(make("p", help));
    const items = make("ul");
    rows.forEach((row, place) => {
      const item = make("li", undefined, row.faded ? "faded" : "");
      item.dataset.t = row.t;
      item.dataset.end = row.end;
      const go = make("button", undefined, "go");
      go.dataset.id = `${id} ${place}`;
      go.append(make("b", row.when), ` ${row.text}`);
      if (row.more) go.append(make("small", row.more));
      go.addEventListener("click", () => {
        this.seek(row.t);
        if (row.span) this.desk.pick(row.span);
      });
      item.append(go);
      if (row.notes) item.append(make("div", row.notes, "notes"));
      if (row.acts) {
        const acts = make("div", undefined, "acts");
        for (const act of row.acts) {
          const button = make("button", act.label);
          button.dataset.id = `${id} ${place} ${act.label}`;
          if (act.on !== undefined) button.setAttribute("aria-pressed", act.on);
          button.addEventListener("click", () => this.act(act.what));
          acts.append(button);
        }
        item.append(acts);
      }
      items.append(item);
    });
    section.append(items);
    return section;
  }
}
