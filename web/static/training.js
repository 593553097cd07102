// Keeps the page of a training up to date while it runs, and says what a listener would miss.

const EVERY_MS = 2000;
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const live = document.querySelector("#live");
const spoken = document.querySelector("#spoken");
const connection = document.querySelector("#connection");

const progress = () => live.querySelector("#progress");
const stateOf = () => live.querySelector(".run-state").textContent.trim().replace(/\s+/g, " ");

function showNewest() {
  const log = live.querySelector(".log");
  if (log) log.scrollTop = log.scrollHeight;
}

function replace(html) {
  const log = live.querySelector(".log");
  const focused = document.activeElement === log && log !== null;
  const place = log && log.scrollTop + log.clientHeight < log.scrollHeight - 8 ? log.scrollTop : null;
  const before = stateOf();
  live.innerHTML = html;
  for (const time of live.querySelectorAll("time[data-moment]")) {
    time.textContent = moment.format(new Date(time.dateTime));
    time.title = time.dateTime;
  }
  if (place === null) showNewest();
  else live.querySelector(".log").scrollTop = place;
  if (focused) live.querySelector(".log")?.focus({ preventScroll: true });
  if (stateOf() !== before) spoken.textContent = stateOf();
}

async function look() {
  const { version } = progress().dataset;
  try {
    const answer = await fetch(`${live.dataset.url}?v=${encodeURIComponent(version)}`, { headers: { "X-Background": "training" } });
    if (answer.status === 200) replace(await answer.text());
    else if (answer.status !== 204) throw new Error(`status ${answer.status}`);
    connection.hidden = true;
  } catch {
    connection.hidden = false;
  }
  // Once it has ended the page has other acts: they come with a new load.
  if (progress().dataset.unfinished === "yes") setTimeout(look, EVERY_MS);
  else location.reload();
}

showNewest();
if (progress().dataset.unfinished === "yes") setTimeout(look, EVERY_MS);
