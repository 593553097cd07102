// Keeps the ranked list up to date without moving what the reader looks at, and makes it work by keyboard.

const EVERY_MS = 3000;
const CLOCK_MS = 10_000;
const list = document.querySelector("#list");
const filters = document.querySelector("#filters");
const search = document.querySelector("#search");
const pendingButton = document.querySelector("#pending");
const connection = document.querySelector("#connection");
const keys = document.querySelector("#keys");
const dialogs = [...document.querySelectorAll("dialog")];
const SOON_MS = 3_600_000;

let pending = null; // the newest list that the reader has not taken over yet
let selectedId = null;
let hovering = false;
let lastContact = Date.now();
let ahead = 0; // how far the server's clock is ahead of this one, in milliseconds

// ---- Times -----------------------------------------------------------------------------------------------

const hourMinute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localTime(moment) {
  const text = hourMinute.format(moment);
  return moment.toDateString() === new Date().toDateString() ? text : `${day.format(moment)} ${text}`;
}

function waited(milliseconds) {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
  return `${Math.floor(minutes / (24 * 60))} days`;
}

function tellTimes(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const moment = new Date(time.dateTime);
    time.textContent = localTime(moment);
    time.title = whole.format(moment);
  }
  countWaiting(root);
}

function countWaiting(root) {
  const now = Date.now() + ahead;
  for (const time of root.querySelectorAll("time[data-waiting]")) {
    const text = waited(now - new Date(time.dateTime).getTime());
    if (time.textContent !== text) time.textContent = text;
  }
  for (const time of root.querySelectorAll("time[data-due]")) tellDue(time, new Date(time.dateTime).getTime() - now);
}

function tellDue(time, left) {
  const text = left < 0 ? `${waited(-left)} late` : `due in ${waited(left)}`;
  if (time.textContent !== text) time.textContent = text;
  time.parentElement.className = `due ${left < 0 ? "late" : left < SOON_MS ? "soon" : "ok"}`;
}

// ---- Rows and the selection ------------------------------------------------------------------------------

const rowsOf = (root) => [...root.querySelectorAll("tr[data-study]")];
const rowOf = (root, id) => (id === null ? null : root.querySelector(`tr[data-study="${id}"]`));
const linkOf = (row) => row.querySelector("a.open");

function mark(row) {
  rowOf(list, selectedId)?.removeAttribute("aria-selected");
  selectedId = row ? row.dataset.study : null;
  row?.setAttribute("aria-selected", "true");
}

function select(row) {
  if (!row) return;
  mark(row);
  linkOf(row).focus({ preventScroll: true });
  // Under the sticky head and above the footer.
  const box = row.getBoundingClientRect();
  if (box.top < 48) window.scrollBy(0, box.top - 48);
  else if (box.bottom > window.innerHeight - 48) window.scrollBy(0, box.bottom - window.innerHeight + 48);
}

function drop() {
  const row = rowOf(list, selectedId);
  mark(null);
  if (row?.contains(document.activeElement)) document.activeElement.blur();
  settle();
}

function move(step) {
  const rows = rowsOf(list);
  const at = rows.findIndex((row) => row.dataset.study === selectedId);
  if (at < 0) select(step > 0 ? rows[0] : rows.at(-1));
  else select(rows[Math.min(Math.max(at + step, 0), rows.length - 1)]);
}

// ---- What the poll brings --------------------------------------------------------------------------------

// The reader is at a row: it must stay where it is.
const isBusy = () => selectedId !== null || hovering;

function arrive(fresh) {
  if (isBusy() && rowsOf(list).length) hold(fresh);
  else swap(fresh);
}

function swap(fresh) {
  const anchor = rowOf(list, selectedId);
  const top = anchor?.getBoundingClientRect().top;
  const hadFocus = anchor?.contains(document.activeElement);
  list.replaceChildren(...fresh.childNodes);
  setPending(null, "");
  const row = rowOf(list, selectedId);
  mark(row);
  if (!row) return;
  window.scrollBy(0, row.getBoundingClientRect().top - top);
  if (hadFocus) linkOf(row).focus({ preventScroll: true });
}

// Brings rows up to date where they stand; new rows and another order wait for the reader.
function hold(fresh) {
  for (const row of rowsOf(list)) {
    const other = rowOf(fresh, row.dataset.study);
    if (other) refresh(row, other);
    else if (!isPushedToNextPage(row, fresh)) setGone(row);
  }
  for (const part of ["#trouble", "#counts"]) {
    document.querySelector(part).replaceWith(fresh.querySelector(part).cloneNode(true));
  }
  setPending(fresh, difference(fresh));
}

function refresh(row, other) {
  const focused = row.contains(document.activeElement);
  row.className = other.className;
  const number = row.cells[0].cloneNode(true); // the place is that of the order on the screen
  row.replaceChildren(number, ...[...other.cells].slice(1).map((cell) => cell.cloneNode(true)));
  if (focused) linkOf(row).focus({ preventScroll: true });
}

function isPushedToNextPage(row, fresh) {
  const last = rowsOf(fresh).at(-1);
  return Boolean(fresh.querySelector("a[rel=next]")) && Number(row.dataset.rank) >= Number(last.dataset.rank);
}

function setGone(row) {
  row.classList.add("gone");
  row.querySelector("td.state").textContent = "Not in this list any more";
}

function difference(fresh) {
  const before = rowsOf(list).map((row) => row.dataset.study);
  const after = rowsOf(fresh).map((row) => row.dataset.study);
  const focus = after.indexOf(selectedId ?? before[0]);
  const isNew = (id) => !before.includes(id);
  const above = after.filter((id, at) => isNew(id) && (focus < 0 || at < focus)).length;
  const below = after.filter(isNew).length - above;
  const kept = after.filter((id) => !isNew(id));
  const moved = kept.join() !== before.filter((id) => after.includes(id)).join();
  const gone = list.querySelectorAll("tr.gone").length;
  const parts = [above && `${above} new above`, below && `${below} new below`, moved && "order changed", gone && `${gone} gone`];
  return parts.filter(Boolean).join(" · ");
}

function setPending(fresh, text) {
  pending = text ? fresh : null;
  pendingButton.hidden = !text;
  pendingButton.querySelector("span").textContent = text;
}

function settle() {
  if (pending && !isBusy()) swap(pending);
}

// ---- The poll --------------------------------------------------------------------------------------------

function version() {
  const newest = pending ?? list;
  return newest.querySelector("#rows").dataset.version;
}

async function poll() {
  const separator = list.dataset.url.includes("?") ? "&" : "?";
  // "X-Background" tells the server that nobody asked: it does not keep the session alive.
  const response = await fetch(`${list.dataset.url}${separator}v=${version()}`, {
    headers: { "X-Background": "list" },
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status === 401) return setSignedOut();
  if (!response.ok) throw new Error(response.statusText);
  noteContact(response);
  if (response.status === 204) return true;
  const fresh = document.createElement("div");
  fresh.append(...new DOMParser().parseFromString(await response.text(), "text/html").body.childNodes);
  tellTimes(fresh);
  const rows = list.querySelector("#rows");
  arrive(fresh);
  // Rows that were only brought up to date stand for the new version from now on.
  if (rows.isConnected && !pending) rows.dataset.version = fresh.querySelector("#rows").dataset.version;
  return true;
}

function noteContact(response) {
  lastContact = Date.now();
  const served = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds; a smaller difference is no difference.
  if (Number.isFinite(served)) ahead = Math.abs(served - lastContact) < 2000 ? 0 : served - lastContact;
  setConnection("live", "Live");
}

function setConnection(state, text) {
  if (connection.textContent !== text) connection.textContent = text;
  connection.dataset.state = state;
}

function setSignedOut() {
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Sign in again";
  connection.replaceChildren("You are signed out, the list is not live. ", link);
  connection.dataset.state = "signed-out";
  return false;
}

async function keepPolling() {
  timer = null;
  try {
    if (!(await poll())) return;
  } catch {
    setConnection("lost", `Not connected since ${localTime(new Date(lastContact))}, the list may be old`);
  }
  timer = setTimeout(keepPolling, EVERY_MS);
  if (document.hidden) pause();
}

function pause() {
  clearTimeout(timer);
  timer = PAUSED;
}

// A request in flight has no timer: it starts the next one, or pauses, when it is done.
const PAUSED = -1;
let timer = setTimeout(keepPolling, EVERY_MS);
document.addEventListener("visibilitychange", () => {
  if (document.hidden && timer !== null) pause();
  else if (!document.hidden && timer === PAUSED) keepPolling();
});

// ---- Keyboard and mouse ----------------------------------------------------------------------------------

function follow(selector) {
  const link = document.querySelector(selector);
  if (link) location.assign(link.href);
}

function previousPage() {
  if (Number(document.querySelector("#pages").dataset.page) < 2) return;
  if (new URL(document.referrer || location.origin).pathname === location.pathname) history.back();
  else follow("a[rel=first]");
}

const FIXED = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Enter: () => linkOf(rowOf(list, selectedId) ?? list)?.click(),
  Escape: drop,
};
// The names are those of web/keys.py; any other name there is that of a filter.
const ACTIONS = {
  "next-row": () => move(1),
  "previous-row": () => move(-1),
  "take-over-news": () => pending && swap(pending),
  search: () => search.select(),
  views: () => document.querySelector("#views").showModal(),
  columns: () => document.querySelector("#columns").showModal(),
  "next-page": () => follow("a[rel=next]"),
  "previous-page": previousPage,
  "list-keys": () => keys.showModal(),
};
const OWN_KEYS = JSON.parse(list.dataset.keys);

function actionOf({ key }) {
  const name = OWN_KEYS[key.length === 1 ? key.toLowerCase() : key];
  if (!name) return FIXED[key];
  return ACTIONS[name] ?? (() => follow(`[data-filter="${name}"]`));
}

document.addEventListener("keydown", (event) => {
  // Brackets and braces are typed with AltGr on many keyboards, which reports itself as Ctrl + Alt.
  const isModified = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");
  if (isModified || dialogs.some((one) => one.open)) return;
  const element = event.target;
  if (element.matches("input, select, textarea")) {
    if (event.key === "Escape") element.blur();
    return;
  }
  if (event.key === "Enter" && element.matches("a, button")) return;
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});

list.addEventListener("focusin", (event) => {
  const row = event.target.closest("tr[data-study]");
  if (row) mark(row);
});
list.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-study]");
  if (row && !event.target.closest("a") && !String(getSelection())) select(row);
});
list.addEventListener("dblclick", (event) => {
  const row = event.target.closest("tr[data-study]");
  if (row) linkOf(row).click();
});
list.addEventListener("pointerover", (event) => {
  hovering = Boolean(event.target.closest("tbody"));
  settle();
});
list.addEventListener("pointerleave", () => {
  hovering = false;
  settle();
});
pendingButton.addEventListener("click", () => pending && swap(pending));
document.querySelector("#show-keys").addEventListener("click", ACTIONS["list-keys"]);
document.querySelector(".choices").hidden = false;
document.querySelector("#show-views").addEventListener("click", ACTIONS.views);
document.querySelector("#show-columns").addEventListener("click", ACTIONS.columns);

// ---- Filters: applied at once, and only those that filter stand in the address ----------------------------

filters.dataset.live = "";
filters.addEventListener("change", (event) => {
  if (event.target.matches("select")) filters.requestSubmit();
});
filters.addEventListener("submit", () => {
  for (const field of filters.elements) {
    if (field.name) field.disabled = field.value === "" || (field.name === "state" && field.value === "open");
  }
});
addEventListener("pageshow", () => {
  for (const field of filters.elements) field.disabled = false;
});

// ---- Back from a study: stand where the reader left --------------------------------------------------------

addEventListener("pagehide", () => sessionStorage.setItem("worklist.selected", selectedId ?? ""));
if (document.referrer && new URL(document.referrer).pathname.startsWith("/studies/")) {
  select(rowOf(list, sessionStorage.getItem("worklist.selected")));
}
tellTimes(document);
setInterval(() => countWaiting(document), CLOCK_MS);
