// The browser's tab says whether the platform keeps its promises, also while another tab is looked at.

const POLL_MS = 10000;

export default function (component) {
  const script = document.querySelector('script[src*="/static/js/"]');
  const base = script ? script.src.split("/static/js/")[0] : window.location.origin;
  const { name } = component.data;
  const ask = async () => {
    let line = "? No answer";
    try {
      const answer = await fetch(`${base}/api/first-line`, { cache: "no-store", signal: AbortSignal.timeout(POLL_MS) });
      if (answer.ok) line = (await answer.json()).title;
    } catch {
      // The console has ended or is out of reach: that is what the title says.
    }
    document.title = `${line} · ${name}`;
  };
  const timer = setInterval(ask, POLL_MS);
  ask();
  return () => clearInterval(timer);
}
