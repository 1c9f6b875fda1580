// The live charts of a page: one module, loaded once, that polls GET /api/live for all of them and draws with plotly.js.
//
// Streamlit calls draw() when a chart is mounted and again whenever its data or the theme changes; everything here is kept by the
// chart's element, so that a second call changes what there is. Plotly keeps zoom and pan, as long as uirevision stays the same.

const POLL_MS = { 60: 1000, 300: 2000, 900: 5000, 3600: 5000, 21600: 10000, 86400: 30000, 604800: 60000, 1209600: 60000 };
const REQUEST_TIMEOUT_MS = 8000;
const LONGEST_PAUSE_MS = 30000;
const MOUNTING_MS = 50;
const STALE_SECONDS = 10;
const STALE_LONG_SECONDS = 150; // Answers of the history are kept for up to a minute, and asked for as seldom.
const LONG_WINDOW_SECONDS = 3600; // Beyond it the history answers, of all processes or of one.
const SMALLEST_SHOWN = 0.0005; // What is less is nothing: half a microsecond on an axis of milliseconds.
const TARGET_SHOWN_FROM = 0.4; // Below this share of the target its line would flatten the chart.
const FLAGS = 12; // pixels above the plot that the flags of marks stand in
const BOTTOM = 24; // pixels below it, for the times
const SHARE_SAMPLES = 100; // A share is of the shortest time that holds so many, as a quantile is; see shares() in live_line.py.
const COLOUR_OF = { p95: 0, p99: 1, rate: 2, p50: 5, count: 3, share: 2 }; // places in the theme's categorical colours
const WIDTH_OF = { p95: 2.25, p99: 1.25, p50: 1.5, rate: 1.75, count: 1.75, share: 2.25 };

const charts = new Map(); // element -> Chart
const feeds = new Map(); // window in seconds, and of the history the process -> Feed
let plotly = null;
let following = false; // While the charts of a group follow one of them, what they report is no news.

function follow(changes) {
  following = true;
  Promise.allSettled(changes).finally(() => { following = false; });
}

export function draw(component, base) {
  const { parentElement, data } = component;
  let chart = charts.get(parentElement);
  if (!chart) {
    chart = new Chart(parentElement, base);
    charts.set(parentElement, chart);
  }
  chart.show(data);
  return () => {
    charts.delete(parentElement);
    chart.close();
  };
}

function loadPlotly(url) {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotly = null;
      script.remove();
      reject(new Error("plotly.js could not be loaded"));
    };
    document.head.append(script);
  });
  return plotly;
}

// Polls one window for every chart that shows it.
class Feed {
  constructor(windowSeconds, process, base) {
    this.windowSeconds = windowSeconds;
    this.process = process;
    this.base = base;
    this.failures = 0;
    this.timer = null;
    this.running = false;
    this.tag = null;
    this.keys = "";
    this.body = null;
    this.at = 0; // when the recorder had last folded what we hold, on this machine's clock
    this.reason = "";
    this.nextAt = 0;
  }

  listeners() {
    return [...charts.values()].filter((chart) => chart.feed === this);
  }

  wanted() {
    return this.listeners().filter((chart) => (chart.inView && chart.data.live) || !chart.drawn);
  }

  wake() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!document.hidden && this.wanted().length) this.poll();
  }

  // The charts of a page are mounted one after the other: one poll is for all of them.
  wakeSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.wake(), MOUNTING_MS);
  }

  missing() {
    return this.listeners().some((chart) => chart.keys().some((key) => !this.body?.series[key]));
  }

  async poll() {
    if (this.running) return;
    this.running = true;
    const keys = [...new Set(this.listeners().flatMap((chart) => chart.keys()))].sort();
    try {
      await this.ask(keys);
      this.failures = 0;
      this.reason = "";
    } catch (error) {
      this.failures += 1;
      this.reason = error.message;
    } finally {
      this.running = false;
    }
    const late = !this.failures && this.missing(); // A chart that came while the answer was on its way.
    const pause = late ? MOUNTING_MS : Math.min(POLL_MS[this.windowSeconds] * 2 ** Math.min(this.failures, 6), LONGEST_PAUSE_MS);
    this.nextAt = Date.now() + pause;
    for (const chart of this.listeners()) chart.refresh();
    if (!document.hidden && this.wanted().length) this.timer = setTimeout(() => this.wake(), pause);
  }

  async ask(keys) {
    const query = new URLSearchParams({ window: this.windowSeconds });
    if (this.long()) query.set("process", this.process);
    for (const key of keys) query.append("series", key);
    const known = this.tag && this.keys === keys.join() ? { "If-None-Match": this.tag } : {};
    let answer;
    try {
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      answer = await fetch(`${this.base}/api/live?${query}`, { headers: known, cache: "no-store", signal });
    } catch {
      throw new Error("no answer");
    }
    if (answer.status !== 304 && !answer.ok) throw new Error(`the server answered ${answer.status}`);
    this.at = Date.now() - 1000 * Number(answer.headers.get("Age") ?? 0);
    if (answer.status === 304) return;
    this.body = await answer.json();
    this.tag = answer.headers.get("ETag");
    this.keys = keys.join();
  }

  ageSeconds() {
    return this.at ? (Date.now() - this.at) / 1000 : 0;
  }

  long() {
    return this.windowSeconds > LONG_WINDOW_SECONDS;
  }

  stale() {
    return this.failures > 0 || this.ageSeconds() > (this.long() ? STALE_LONG_SECONDS : STALE_SECONDS);
  }
}

class Chart {
  constructor(parent, base) {
    this.base = base;
    this.drawn = null; // the body that is on the screen
    this.root = parent.querySelector(".live-chart");
    this.title = this.part("title");
    this.state = this.part("state-text");
    this.plot = this.part("plot");
    this.message = this.part("message");
    this.announcement = this.part("announcement");
    this.reset = this.part("reset");
    this.reset.onclick = () => this.unzoom();
    this.inView = true;
    this.seen = new IntersectionObserver(([entry]) => {
      this.inView = entry.isIntersecting;
      if (!this.inView || !this.feed) return;
      this.refresh();
      this.feed.wakeSoon();
      this.marks?.wake();
    });
    this.seen.observe(this.root);
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.plot);
    this.clock = setInterval(() => this.tell(), 1000);
  }

  part(name) {
    return this.root.querySelector(`.live-chart__${name}`);
  }

  show(data) {
    const moved = this.data && feedKey(this.data) !== feedKey(data);
    const switchedOn = data.live && !(this.data && this.data.live);
    this.data = data;
    this.title.textContent = data.title;
    this.plot.style.height = `${data.height}px`;
    this.plot.setAttribute("aria-label", data.alt);
    const key = feedKey(data);
    if (!feeds.has(key)) feeds.set(key, new Feed(data.window, data.process, this.base));
    this.feed = feeds.get(key);
    this.marks?.follow(data.window);
    if (moved || !this.ready) this.drawn = null;
    if (this.ready) this.redraw();
    else this.start();
    if (switchedOn || moved || !this.drawn) this.feed.wakeSoon();
    if (switchedOn) this.marks?.wake();
  }

  async start() {
    try {
      await loadPlotly(`${this.base}/${this.data.plotly}`);
      this.ready = true;
      this.refresh();
      this.mark();
    } catch (error) {
      this.say(`${error.message}. Reload the page; if it stays so, read the console's log.`);
    }
  }

  // Without them a chart is still a chart.
  async mark() {
    try {
      const { MarkLayer } = await import(`${this.base}/${this.data.marks}`);
      if (!this.root.isConnected) return;
      this.marks = new MarkLayer(this);
      this.marks.follow(this.data.window);
    } catch (error) {
      console.warn("The marks could not be loaded.", error);
    }
  }

  keys() {
    return this.data.lines.flatMap((line) => (line.rest ? [line.series, line.rest] : [line.series]));
  }

  // New data, or none: called after every poll.
  refresh() {
    if (this.feed && this.ready && this.feed.body !== this.drawn && ((this.inView && this.data.live) || !this.drawn)) {
      requestAnimationFrame(() => this.redraw()); // One chart a frame: none of them makes the page wait for all.
    }
    this.tell();
  }

  redraw() {
    const body = this.data.live || !this.drawn ? this.feed.body : this.drawn;
    if (!body || !this.root.isConnected || this.keys().some((key) => !body.series[key])) return;
    const style = getComputedStyle(this.root);
    const traces = this.traces(body, colours(style));
    const first = !this.drawn && !this.plot.data;
    this.drawn = body;
    performance.mark("live-chart-begin");
    window.Plotly.react(this.plot, traces, this.layout(traces, style), CONFIG);
    if (first) this.listen();
    this.marks?.place();
    performance.measure("live-chart", "live-chart-begin");
    const empty = traces.every((trace) => !trace.y.some((value) => value));
    this.say(empty ? this.emptyText(body) : "");
  }

  traces(body, palette) {
    const free = new Set(palette.keys());
    return this.data.lines.map((line) => {
      const series = body.series[line.series];
      const wanted = COLOUR_OF[line.statistic] % palette.length;
      const place = free.has(wanted) ? wanted : [...free][0] ?? 0;
      free.delete(place);
      const values = line.rest ? shares(series, body.series[line.rest]) : series[line.statistic];
      const y = values.map((value) => (value === null ? null : value * this.data.scale));
      const alone = y.map((value, i) => value !== null && (y[i - 1] ?? null) === null && (y[i + 1] ?? null) === null);
      const lonely = alone.includes(true);
      return {
        type: "scatter",
        name: line.name,
        x: times(series),
        y,
        mode: lonely ? "lines+markers" : "lines",
        ...(lonely ? { marker: { size: alone.map((is) => (is ? 4 : 0)), opacity: 1, line: { width: 0 } } } : {}),
        line: { width: WIDTH_OF[line.statistic], color: palette[place], simplify: true },
        customdata: line.rest ? series.count.map((count, i) => count + body.series[line.rest].count[i]) : series.count,
        hovertemplate: this.data.counted ? "%{y:,.4~g} " + this.data.unit + " <i>n=%{customdata}</i>" : "%{y:,.4~g} " + this.data.unit,
      };
    });
  }

  layout(traces, style) {
    const text = style.getPropertyValue("--st-text-color").trim();
    const grid = style.getPropertyValue("--st-border-color").trim();
    const highest = Math.max(0, ...traces.flatMap((trace) => trace.y.map((value) => value ?? 0)));
    // Points drawn alone would widen the axis by their size, and charts of one group would not be in line.
    const [first, last] = [traces[0].x[0], traces[0].x.at(-1)].map(wallClock);
    const aligned = this.data.group ? { autorangeoptions: { minallowed: first, maxallowed: last } } : {};
    const named = traces.length > 1 && !this.data.quiet;
    const top = named ? 24 + FLAGS : 2 + FLAGS;
    const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, tickfont: { size: 11 } };
    return {
      uirevision: feedKey(this.data),
      height: this.data.height,
      // Set, not found out: automargin would draw everything twice, a third of the whole refresh.
      margin: { l: this.data.group || highest >= 1000 || highest < 1 ? 66 : 54, r: 8, t: top, b: BOTTOM },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: style.getPropertyValue("--st-font"), color: text, size: 12 },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // On a touch screen a drag scrolls the page.
      hovermode: "x unified",
      hoverlabel: {
        bgcolor: style.getPropertyValue("--st-secondary-background-color").trim(),
        bordercolor: grid,
        font: { color: text },
      },
      showlegend: named,
      legend: { orientation: "h", x: 0, y: 1 + FLAGS / (this.data.height - top - BOTTOM), yanchor: "bottom", font: { size: 11 } },
      xaxis: { ...axis, ...aligned, type: "date", showgrid: false, hoverformat: this.feed.long() ? "%a %d %b %H:%M" : "%H:%M:%S", nticks: 6, tickformatstops: TICKS },
      yaxis: { ...axis, rangemode: "tozero", ticksuffix: ` ${this.data.unit}`, nticks: 5, ...(highest >= SMALLEST_SHOWN ? {} : { range: [0, 1] }) },
      ...this.target(highest, style),
    };
  }

  target(highest, style) {
    const target = this.data.target;
    if (target === null || !highest) return { shapes: [], annotations: [] };
    const near = highest >= TARGET_SHOWN_FROM * target;
    const colour = style.getPropertyValue(near ? "--st-red-color" : "--st-gray-color").trim();
    const note = {
      xref: "paper", x: 1, xanchor: "right", yanchor: "bottom", showarrow: false, font: { size: 11, color: colour },
      text: `target ${this.data.target_name} ${+target.toPrecision(4)} ${this.data.unit}${near ? "" : " ↑"}`,
    };
    if (!near) return { shapes: [], annotations: [{ ...note, yref: "paper", y: 1, yshift: FLAGS }] };
    const line = { type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: target, y1: target };
    return {
      shapes: [{ ...line, line: { color: colour, width: 1, dash: "dash" } }],
      annotations: [{ ...note, yref: "y", y: target }],
    };
  }

  tell() {
    const { feed, data } = this;
    if (!feed) return;
    const at = feed.at ? new Date(feed.at).toLocaleTimeString([], { hour12: false }) : "";
    const stale = data.live && feed.stale();
    let text = at ? `updated ${at}` : "loading";
    if (at && feed.long()) text = this.longText(at);
    if (!data.live) text = "not live";
    else if (stale) text = this.staleText(at);
    this.state.textContent = this.data.quiet && !stale ? "" : text;
    this.state.parentElement.classList.toggle("live-chart__state--stale", stale);
    this.plot.classList.toggle("live-chart__plot--stale", stale);
    if (stale !== this.wasStale) this.announcement.textContent = stale ? `${data.title}: ${text}` : "";
    this.wasStale = stale;
  }

  emptyText(body) {
    if (!this.feed.long()) return this.data.empty;
    const step = body.series[this.keys()[0]].step_seconds;
    const each = step < 3600 ? `${step / 60} min` : `${step / 3600} h`;
    const since = body.since === null ? "begins now" : `goes back to ${moment(body.since)}`;
    return `Nothing in this window yet: the history ${since}, with a point each ${each}.`;
  }

  // Whose figures these are, and since when there are any where that is later than the window begins.
  longText(at) {
    const { since, processes } = this.feed.body;
    if (since === null) return `history begins now · updated ${at}`;
    const begins = since * 1000 > Date.now() - this.data.window * 1000 ? `since ${moment(since)} · ` : "";
    const whose = this.data.process !== "all" ? "one process" : processes === 1 ? "1 process" : `${processes} processes`;
    return `${begins}${whose} · updated ${at}`;
  }

  staleText(at) {
    const { feed } = this;
    const age = at ? `, ${Math.round(feed.ageSeconds())} s old` : "";
    if (!feed.failures) return `stale${age}: ${feed.long() ? "the store does not answer" : "the recorder has stopped"}`;
    const pause = Math.max(0, Math.ceil((feed.nextAt - Date.now()) / 1000));
    return `stale${age}: ${feed.reason}, next try ${pause ? `in ${pause} s` : "now"}`;
  }

  say(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  listen() {
    this.plot.on("plotly_relayout", (change) => {
      this.zoomed();
      this.marks?.place();
      this.share(change);
    });
    this.plot.on("plotly_hover", ({ xaxes, xvals }) => this.point((plot) => window.Plotly.Fx.hover(plot, { xpx: xaxes[0].d2p(xvals[0]), ypx: 0 }, "xy", true)));
    this.plot.on("plotly_unhover", () => this.point((plot) => window.Plotly.Fx.unhover(plot)));
    this.plot.on("plotly_relayouting", () => this.marks?.place());
  }

  others() {
    return this.data.group ? [...charts.values()].filter((chart) => chart !== this && chart.drawn && chart.data.group === this.data.group) : [];
  }

  // Charts of one group have one time axis: what is done to it in one is done in all.
  share(change) {
    if (following || !Object.keys(change).some((name) => name.startsWith("xaxis"))) return;
    const { range, autorange } = this.plot._fullLayout.xaxis;
    follow(this.others().map((chart) => window.Plotly.relayout(chart.plot, autorange ? UNZOOMED : { "xaxis.range": [...range] })));
  }

  point(at) {
    if (following) return;
    following = true;
    for (const { plot } of this.others()) at(plot);
    following = false;
  }

  zoomed() {
    const { xaxis, yaxis } = this.plot._fullLayout;
    this.reset.hidden = xaxis.autorange && (yaxis.autorange || !this.plot.data.some((trace) => trace.y.some((value) => value)));
  }

  unzoom() {
    window.Plotly.relayout(this.plot, UNZOOMED);
  }

  resize() {
    if (this.drawn && this.plot.offsetWidth && this.plot.offsetWidth !== this.plot._fullLayout.width) {
      window.Plotly.Plots.resize(this.plot).then(() => this.marks?.place());
    }
  }

  close() {
    clearInterval(this.clock);
    this.resized.disconnect();
    this.seen.disconnect();
    this.marks?.close();
    if (window.Plotly) window.Plotly.purge(this.plot);
  }
}

const TICKS = [
  { dtickrange: [null, 59999], value: "%H:%M:%S" },
  { dtickrange: [60000, 43199999], value: "%H:%M" },
  { dtickrange: [43200000, null], value: "%a %d %b" },
];
const UNZOOMED = { "xaxis.autorange": true, "yaxis.autorange": true };
const CONFIG = { displayModeBar: false, displaylogo: false, doubleClick: "autosize", scrollZoom: false };

document.addEventListener("visibilitychange", () => {
  for (const feed of feeds.values()) feed.wake();
});

// Milliseconds since 1970: this Plotly writes numbers on a date axis in the browser's zone by itself.
function times(series) {
  const first = series.first_time * 1000;
  return series.count.map((_, i) => first + i * series.step_seconds * 1000);
}

// Plotly shows the times of points in the browser's zone, but takes the ends of an axis for what a clock there shows.
function wallClock(at) {
  return at - new Date(at).getTimezoneOffset() * 60000;
}

// What a series counted of what both did; null where neither did.
function shares(series, rest) {
  const most = (series.step_seconds >= 10 ? 300 : 60) / series.step_seconds;
  return series.count.map((hit, i) => {
    if (hit + rest.count[i] === 0) return null;
    let [hits, all] = [0, 0];
    for (let back = 0; back < most && back <= i && all < SHARE_SAMPLES; back += 1) {
      hits += series.count[i - back];
      all += series.count[i - back] + rest.count[i - back];
    }
    return hits / all;
  });
}

function feedKey(data) {
  return data.window > LONG_WINDOW_SECONDS ? `${data.window}|${data.process}` : String(data.window);
}

function moment(second) {
  const when = new Date(second * 1000);
  const today = when.toDateString() === new Date().toDateString();
  const time = when.toLocaleTimeString([], { hour12: false, hour: "2-digit", minute: "2-digit" });
  return today ? time : `${when.toLocaleDateString([], { day: "numeric", month: "short" })} ${time}`;
}

function colours(style) {
  const list = style.getPropertyValue("--st-chart-categorical-colors").split(",").map((colour) => colour.trim());
  return list.filter(Boolean).length ? list : ["#2563a8", "#c8731b", "#2a8f7a", "#8a5bb5", "#b3435c", "#5f6b7a"];
}
