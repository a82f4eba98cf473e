// Correcting: two minutes of one student around the playhead. A span is picked, then a state: two clicks.

class Desk {
  constructor(root, player) {
    this.root = root;
    this.player = player;
    [this.lens, this.marks, this.choice] = ["lens", "marks", "choice"].map((name) => root.querySelector(`.${name}`));
    this.picked = null;
  }

  show(data) {
    const other = !this.data || !data.lens || this.data.name !== data.name
      || this.data.lens?.student !== data.lens.student;
    this.data = data;
    if (other) this.picked = null;
    this.root.hidden = !data.lens;
    this.page = undefined;
  }

  // The keys that work here; whether it was one of them.
  key(name) {
    if (!this.data.lens || !this.picked) return false;
    if (name === "[") this.edge("start");
    else if (name === "]") this.edge("end");
    else if (this.data.states[Number(name) - 1]) this.save(Number(name) - 1);
    else return false;
    return true;
  }

  // Show the minutes around a moment (s).
  at(t) {
    if (!this.data?.lens) return;
    const page = Math.floor(t / LEAP_S);
    const from = Math.max(page * LEAP_S - LEAP_S / 2, 0);
    const to = Math.min(from + 2 * LEAP_S, this.data.duration);
    const part = (s) => (100 * (s - from)) / Math.max(to - from, 1e-9);
    if (this.page !== page) {
      this.page = page;
      this.anew(from, to, part);
    }
    this.lens.querySelector(".now").style.left = `${part(t)}%`;
  }

  anew(from, to, part) {
    const focused = this.root.getRootNode().activeElement?.dataset?.id;
    const between = (start, end) =>
      `left:${part(Math.max(start, from))}%;right:${100 - part(Math.min(end, to))}%;`;
    const spans = this.runs(from, to).map((span) => this.span(span, between));
    this.lens.replaceChildren(...spans, make("div", undefined, "now"));
    this.marks.replaceChildren(...this.data.lens.marks.map(({ who, spans: named }) => {
      const row = make("div", undefined, "row");
      for (const [start, end, at] of named) {
        if (end <= from || start >= to) continue;
        const state = this.data.states[at];
        const block = make("i", state.letter);
        block.title = `${who}: ${clock(start)}–${clock(end)} ${state.label}`;
        block.style.cssText = between(start, end);
        block.style.background = `${state.colour}80`;
        row.append(block);
      }
      row.append(make("b", who));
      return row;
    }));
    this.choices();
    if (focused) this.root.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  // Runs of one state that touch these seconds, whole.
  runs(from, to) {
    const { state } = this.data.lens;
    const found = [];
    let at = Math.min(Math.floor(from), state.length - 1);
    while (at > 0 && state[at - 1] === state[at]) at--;
    while (at < Math.min(Math.ceil(to), state.length)) {
      let stop = at + 1;
      while (stop < state.length && state[stop] === state[at]) stop++;
      if (state[at] !== NONE) found.push({ start: at, end: Math.min(stop, this.data.duration), state: state[at] });
      at = stop;
    }
    return found;
  }

  span(span, between) {
    const { lens, states, words } = this.data;
    const state = states[span.state];
    const seconds = lens.sure.subarray(span.start, Math.ceil(span.end));
    const sure = seconds.reduce((sum, byte) => sum + share(byte), 0) / Math.max(seconds.length, 1);
    const level = words.levels.find(([bound]) => sure >= bound)[1];
    const button = make("button", state.letter);
    button.style.cssText = between(span.start, span.end);
    button.style.color = inkOn(state.colour, sure, this.data.colours.ink);
    button.style.background = state.colour + Math.round(255 * Math.max(0.15, sure)).toString(16).padStart(2, "0");
    button.title = `${clock(span.start)}–${clock(span.end)} ${state.label}: ${level} (${sure.toFixed(2)})`;
    button.setAttribute("aria-label", button.title);
    button.setAttribute("aria-pressed", Boolean(this.picked && this.picked.start < span.end && this.picked.end > span.start));
    button.dataset.id = `lens ${span.start}`;
    button.addEventListener("click", () => {
      this.player.seek(span.start);
      this.pick(span);
    });
    return button;
  }

  pick(span) {
    if (!this.data.lens) return;
    this.picked = span && { ...span };
    this.page = undefined;
    this.player.moved();
  }

  edge(which) {
    const span = { ...this.picked, [which]: Math.round(this.player.t) };
    if (span.start < span.end) this.pick(span);
  }

  choices() {
    const { words, states, lens } = this.data;
    const { start, end, state: now } = this.picked || {};
    const asked = `${words.student} ${lens.student}, ${clock(start)}–${clock(end)}: ${words.name}`;
    const what = make("div", this.picked ? asked : words.pick, "what");
    const named = states.map((state, at) => {
      const button = make("button", `${at + 1} ${state.label}${at === now ? ` (${words.confirm})` : ""}`);
      const box = make("i");
      box.style.background = state.colour;
      button.prepend(box);
      button.dataset.id = `state ${at}`;
      button.disabled = !this.picked;
      button.addEventListener("click", () => this.save(at));
      return button;
    });
    const edges = [["start", words.fromHere], ["end", words.toHere]].map(([which, label]) => {
      const button = make("button", label);
      button.dataset.id = which;
      button.disabled = !this.picked;
      button.addEventListener("click", () => this.edge(which));
      return button;
    });
    this.choice.replaceChildren(what, ...named, ...edges);
  }

  save(at) {
    const { start, end } = this.picked;
    this.player.act({ do: "correct", student: this.data.lens.student, start, end, state: this.data.states[at].name });
    this.pick(null);
  }
}
