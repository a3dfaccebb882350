// Times as their reader's clock and language have them; the server writes them in UTC.
const SECONDS = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const WHOLE = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "long" });
const FORMAT = new Intl.DateTimeFormat([], { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

/** Return a moment as words; what is no moment comes back as it is. */
export function when(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : FORMAT.format(at);
}

/** Write every <time> below `root` in the reader's zone, which its title names; to the second with data-format="time". */
export function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-is-local])")) {
    time.dataset.isLocal = "";
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.textContent = (time.dataset.format === "time" ? SECONDS : FORMAT).format(at);
    time.title ||= WHOLE.format(at);
  }
}
