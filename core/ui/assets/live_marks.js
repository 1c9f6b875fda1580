// The marks of the live charts: bands behind the lines, flags above the plot, and a list under the title for keyboard and reader.
//
// They lie beside Plotly, not in its layout: a refresh of a chart costs the same with a thousand of them, and a zoom only moves
// them. All charts of a window share one poll of GET /api/marks/live, and what is not new is not sent.

const POLL_MS = 5000;
const LONGEST_PAUSE_MS = 30000;
const REQUEST_TIMEOUT_MS = 8000;
const OLD_SECONDS = 60;
const NEAR_PX = 14; // Flags that would touch each other are one.
const LISTED_MOST = 100;
const TOLD_MOST = 6;
const FLAG_PX = 10;
const LINK = /^(https?:\/\/|\/(?![/\\]))/; // As MarkBody has it; what is no address of the web or path of the console is no link.
const WORD_OF = { load: "traffic", alert: "incident", warm: "warm run", index: "indexes" };
const SPANS = new Set(["warm", "index", "import", "load", "remedy", "alert"]);

const feeds = new Map(); // window in seconds -> MarksFeed

class MarksFeed {
  constructor(windowSeconds, base) {
    this.url = `${base}/api/marks/live?window=${windowSeconds}`;
    this.layers = new Set();
    this.marks = [];
    this.tag = null;
    this.at = 0;
    this.failures = 0;
    this.running = false;
    this.timer = null;
  }

  wake() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!document.hidden && [...this.layers].some((layer) => layer.wanted())) this.poll();
  }

  async poll() {
    if (this.running) return;
    this.running = true;
    let changed = false;
    try {
      changed = await this.ask();
      this.failures = 0;
    } catch {
      this.failures += 1; // The chart says what is wrong with the server; marks stay as they are, with their age.
    } finally {
      this.running = false;
    }
    if (changed) for (const layer of this.layers) layer.changed();
    for (const layer of this.layers) layer.tell();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.wake(), Math.min(POLL_MS * 2 ** Math.min(this.failures, 4), LONGEST_PAUSE_MS));
  }

  async ask() {
    const known = this.tag ? { "If-None-Match": this.tag } : {};
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const answer = await fetch(this.url, { headers: known, cache: "no-store", signal });
    if (answer.status !== 304 && !answer.ok) throw new Error(String(answer.status));
    this.at = answer.headers.has("Age") ? Date.now() - 1000 * Number(answer.headers.get("Age")) : 0;
    if (answer.status === 304) return false;
    this.marks = (await answer.json()).marks;
    this.tag = answer.headers.get("ETag");
    return true;
  }

  old() {
    return this.at > 0 && Date.now() - this.at > OLD_SECONDS * 1000;
  }
}

export class MarkLayer {
  constructor(chart) {
    this.chart = chart;
    this.bands = chart.part("bands");
    this.flags = chart.part("flags");
    this.tip = chart.part("tip");
    this.list = chart.part("marks");
    this.summary = this.list.querySelector("summary");
    this.items = this.list.querySelector("ol");
    this.list.addEventListener("toggle", () => this.fill());
    this.list.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.list.open = false;
      this.summary.focus();
    });
    this.listed = "";
    this.feed = null;
  }

  wanted() {
    return this.chart.inView && this.chart.data.live;
  }

  // The window that the chart shows now.
  follow(windowSeconds) {
    const { base } = this.chart;
    if (!feeds.has(windowSeconds)) feeds.set(windowSeconds, new MarksFeed(windowSeconds, base));
    const feed = feeds.get(windowSeconds);
    if (feed === this.feed) return;
    this.feed?.layers.delete(this);
    this.feed = feed;
    feed.layers.add(this);
    this.changed();
    if (!feed.running && (!feed.timer || !feed.tag)) feed.poll();
  }

  changed() {
    this.place();
  }

  wake() {
    if (this.feed && !this.feed.timer) this.feed.wake();
  }

  // Where the axis has them now: after a refresh, a zoom or another width.
  place() {
    const { plot } = this.chart;
    const layout = plot._fullLayout;
    this.tell();
    if (!layout?.xaxis?.d2p || !plot.data?.length) return;
    const box = layout._size;
    const ends = plot.data.map((trace) => trace.x[trace.x.length - 1]);
    const last = Math.max(...ends);
    const position = (ms) => layout.xaxis.d2p(Math.min(ms, last)); // What came after the last point is drawn there.
    const bands = [];
    const moments = [];
    for (const mark of this.feed?.marks ?? []) {
      const begin = position(mark.at * 1000);
      const end = mark.running ? position(Date.now()) : mark.end ? position(mark.end * 1000) : begin;
      if (end < -1 || begin > box.w + 1) continue;
      const left = Math.max(0, begin);
      if (SPANS.has(mark.kind) || mark.end || mark.running) bands.push(band(mark, box, left, Math.min(box.w, end) - left));
      if (begin >= -1) moments.push({ mark, at: left });
    }
    const groups = apart(moments);
    for (const group of groups) bands.push(line(group, box));
    this.bands.replaceChildren(...bands);
    this.flags.replaceChildren(...groups.map((group) => this.flag(group, box)));
    if (this.tip.dataset.at && !groups.some((group) => String(group.marks[0].at) === this.tip.dataset.at)) this.hide();
  }

  flag(group, box) {
    const flag = document.createElement("span");
    const counted = count(group.marks);
    flag.className = `live-chart__flag live-chart__mark--${tone(group.marks)}`;
    flag.textContent = counted > 1 ? String(counted) : "";
    flag.classList.toggle("live-chart__flag--many", counted > 1);
    flag.style.left = `${box.l + group.at}px`;
    flag.style.top = `${box.t - FLAG_PX}px`;
    flag.onmouseenter = () => this.show(group, box);
    flag.onmouseleave = () => this.hide();
    flag.onclick = () => {
      this.hide();
      this.list.open = true;
      this.summary.focus({ preventScroll: true });
    };
    return flag;
  }

  show(group, box) {
    const told = group.marks.slice(-TOLD_MOST).reverse();
    const more = count(group.marks) - count(told);
    this.tip.replaceChildren(...told.map((mark) => words("div", mark)));
    if (more > 0) this.tip.append(text("div", `and ${more.toLocaleString()} more; press to list them`));
    this.tip.dataset.at = String(group.marks[0].at);
    this.tip.hidden = false;
    const width = this.tip.offsetWidth;
    const most = this.chart.plot.offsetWidth - width - 4;
    this.tip.style.left = `${Math.max(4, Math.min(box.l + group.at - width / 2, most))}px`;
    this.tip.style.top = `${box.t + 6}px`;
  }

  hide() {
    this.tip.hidden = true;
    delete this.tip.dataset.at;
  }

  shown() {
    const since = Date.now() / 1000 - this.chart.data.window;
    return (this.feed?.marks ?? []).filter((mark) => mark.running || (mark.end ?? mark.at) >= since);
  }

  tell() {
    const total = count(this.shown());
    const old = this.feed?.old() ? `, as of ${clock(this.feed.at / 1000)}: the store does not answer` : "";
    const told = `${total.toLocaleString()} mark${total === 1 ? "" : "s"}${old}`;
    this.list.hidden = !total;
    if (this.summary.textContent !== told) this.summary.textContent = told;
    if (this.list.open) this.fill();
  }

  // The newest first; written anew only when they are others, so that a link keeps the focus.
  fill() {
    if (!this.list.open) return;
    const marks = this.shown();
    const key = JSON.stringify(marks);
    if (key === this.listed) return;
    this.listed = key;
    const listed = marks.slice(-LISTED_MOST).reverse();
    const more = count(marks) - count(listed);
    this.items.replaceChildren(...listed.map((mark) => words("li", mark, this.chart.base)));
    if (more > 0) this.items.append(text("li", `and ${more.toLocaleString()} earlier ones`));
  }

  close() {
    this.feed?.layers.delete(this);
  }
}

document.addEventListener("visibilitychange", () => {
  for (const feed of feeds.values()) feed.wake();
});

document.addEventListener("pointerdown", ({ target }) => {
  for (const list of document.querySelectorAll(".live-chart__marks[open]")) list.open = list.contains(target);
});

// Flags with three digits need twice the room.
function apart(moments) {
  moments.sort((one, other) => one.at - other.at);
  const groups = near(moments, NEAR_PX);
  return groups.some((group) => count(group.marks) >= 100) ? near(moments, 2 * NEAR_PX) : groups;
}

function near(moments, pixels) {
  const groups = [];
  for (const { mark, at } of moments) {
    const group = groups[groups.length - 1];
    if (group && at - group.at < pixels) group.marks.push(mark);
    else groups.push({ at, marks: [mark] });
  }
  return groups;
}

function band(mark, box, left, width) {
  const element = document.createElement("div");
  const alert = mark.kind === "alert";
  const height = alert ? box.h : 4;
  element.className = `live-chart__band live-chart__mark--${tone([mark])}${alert ? " live-chart__band--alert" : ""}`;
  element.style.left = `${box.l + left}px`;
  element.style.top = `${box.t + box.h - height}px`;
  element.style.width = `${Math.max(2, width)}px`;
  element.style.height = `${height}px`;
  return element;
}

function line(group, box) {
  const element = document.createElement("div");
  element.className = `live-chart__line live-chart__mark--${tone(group.marks)}`;
  element.style.left = `${box.l + group.at}px`;
  element.style.top = `${box.t}px`;
  element.style.height = `${box.h}px`;
  return element;
}

// The colour of the worst of them.
function tone(marks) {
  if (marks.some((mark) => mark.level === "critical")) return "critical";
  if (marks.some((mark) => mark.level === "warning")) return "warning";
  if (marks.some((mark) => mark.kind === "remedy")) return "remedy";
  return marks.some((mark) => !SPANS.has(mark.kind)) ? "made" : "run";
}

function count(marks) {
  return marks.reduce((sum, mark) => sum + (mark.count ?? 1), 0);
}

// Only ever as text: what is written in a mark comes from anybody.
function words(tag, mark, base = null) {
  const element = document.createElement(tag);
  const many = (mark.count ?? 1) > 1;
  const what = mark.level || WORD_OF[mark.kind] || mark.kind;
  element.append(text("time", when(mark)), " ");
  element.append(text("span", many ? `${mark.count} × ${what}, the last:` : what, `live-chart__kind live-chart__mark--${tone([mark])}`), " ");
  element.append(text("bdi", mark.text));
  if (mark.who) element.append(" · ", text("bdi", mark.who));
  if (base !== null && LINK.test(mark.link ?? "")) element.append(" ", link(mark.link, base));
  return element;
}

function link(address, base) {
  const element = document.createElement("a");
  const outside = !address.startsWith("/");
  element.href = outside ? address : base + address;
  if (outside) Object.assign(element, { target: "_blank", rel: "noopener noreferrer" });
  element.textContent = "open";
  return element;
}

function when(mark) {
  if (mark.running) return `${clock(mark.at)} – now`;
  return mark.end ? `${clock(mark.at)} – ${clock(mark.end)}` : clock(mark.at);
}

function clock(second) {
  const moment = new Date(second * 1000);
  const time = moment.toLocaleTimeString([], { hour12: false });
  const today = moment.toDateString() === new Date().toDateString();
  return today ? time : `${moment.toLocaleDateString([], { day: "numeric", month: "short" })} ${time.slice(0, 5)}`;
}

function text(tag, content, name = "") {
  const element = document.createElement(tag);
  element.textContent = content;
  if (name) element.className = name;
  return element;
}
