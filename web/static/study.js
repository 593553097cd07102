// Makes the study page work by keyboard: judge, save, go on in place; keeps the claim; loses no note.
// Everything here is also a form or a link, so the page works without this script, only slower.

const study = document.querySelector("#study"); // absent on the page that says "nothing left to read"
const viewerRoot = document.querySelector("[data-viewer]");
const alertBox = document.querySelector("#alert");
const statusBox = document.querySelector("#status");
const keysDialog = document.querySelector("#keys");

const ASK_AGAIN_MS = 5000;
const TYPING = "textarea, input:not([type=radio], [type=checkbox], [type=range]), select, [contenteditable]";
const SIGNED_OUT = "Your session has ended. Sign in in another tab, then come back and save again: nothing is lost.";
const OWN_KEYS = JSON.parse(document.querySelector("[data-keys]").dataset.keys); // key -> action, see web/keys.py
const OWN_ENTER = "button, a, summary";

let busy = false;
let warned = null; // the way of leaving that a first press has warned about
let lastActivity = Date.now();
let lastRenewal = Date.now();
let isLost = false; // somebody else has the study now
let savedNote = note()?.value ?? "";
let ownSources = []; // the images of this study, whatever is shown beside them
let beside = -1; // which of the patient's other studies is shown

function form() { return document.querySelector("#reading"); }
function note() { return document.querySelector("#note"); }
const mode = () => study?.dataset.mode;

// ---- Words -----------------------------------------------------------------------------------------------

const hourMinute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayMonth = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function tellTimes(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const moment = new Date(time.dateTime);
    const isToday = moment.toDateString() === new Date().toDateString();
    time.textContent = (isToday ? "" : `${dayMonth.format(moment)}, `) + hourMinute.format(moment);
    time.title = whole.format(moment);
  }
}

const keyOf = (action) => Object.keys(OWN_KEYS).find((key) => OWN_KEYS[key] === action) ?? "";
const withKey = (action) => [keyOf(action), action].filter(Boolean).join(" ");

function say(sentence) {
  statusBox.textContent = sentence;
}

/** Show a sentence that the reader must not miss, with a way out. */
function warn(sentence, { way = null, act = null } = {}) {
  const words = document.createElement("p");
  words.textContent = sentence;
  alertBox.replaceChildren(words);
  if (!act) return;
  const button = document.createElement("button");
  button.type = "button";
  button.append(`${way} `);
  if (keyOf("warning")) {
    const key = document.createElement("kbd");
    key.textContent = keyOf("warning");
    button.append(key);
  }
  button.addEventListener("click", act);
  alertBox.append(button);
}

function clearWarning() {
  warned = null;
  alertBox?.replaceChildren();
}

// ---- Requests --------------------------------------------------------------------------------------------

const token = () => document.querySelector("meta[name=csrf-token]")?.content ?? "";

class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Refused(0, "There is no connection to the server. Nothing you entered is lost: try again.");
  }
  if (response.ok) return response;
  if (response.status === 401) throw new Refused(401, SIGNED_OUT);
  const body = await response.json().catch(() => null);
  throw new Refused(response.status, body?.error ?? `The server answered ${response.status}.`);
}

async function post(address, fields, { background = false } = {}) {
  const send = () => ask(address, {
    method: "POST",
    body: new URLSearchParams({ ...fields, csrf_token: token() }),
    headers: { Accept: "application/json", ...(background ? { "X-Background": "renew" } : {}) },
  });
  try {
    return await (await send()).json();
  } catch (error) {
    // After signing in again in another tab, this page's token is the old session's.
    if (error.status !== 400) throw error;
    if (!(await freshenToken())) throw new Refused(401, SIGNED_OUT);
    return (await send()).json();
  }
}

async function freshenToken() {
  const other = await page(study?.dataset.accountUrl ?? location.href).catch(() => null);
  const fresh = other?.document.querySelector("meta[name=csrf-token]");
  if (fresh) document.querySelector("meta[name=csrf-token]").content = fresh.content;
  return Boolean(fresh);
}

async function page(address) {
  const response = await ask(address, { headers: { Accept: "text/html" } });
  const text = await response.text();
  return { document: new DOMParser().parseFromString(text, "text/html"), address: response.url };
}

// ---- From study to study, in place -----------------------------------------------------------------------

async function show(address, { keep = false } = {}) {
  const kept = keep && form() ? Object.fromEntries(new FormData(form())) : null;
  const fresh = await page(address);
  const next = fresh.document.querySelector("#study");
  savedNote = note()?.value ?? ""; // it is saved or given up: no warning on the way out
  if (!next || !study) {
    location.assign(fresh.address);
    return;
  }
  swap(fresh.document, next);
  if (fresh.address !== location.href) history.pushState(null, "", fresh.address);
  begin();
  if (kept && form()) restore(kept);
  ownSources = sourcesIn(next);
  settleLock();
  await window.worklistViewer?.showStudy(ownSources);
  showOwnMarks();
}

/** On a study that the reader has read, what they marked; elsewhere marks that are not saved yet stay. */
function showOwnMarks() {
  const kept = form()?.elements.marks?.value;
  if (mode() === "read" && kept) window.worklistViewer?.putMarks(JSON.parse(kept));
}

function swap(fresh, next) {
  document.title = fresh.title;
  document.querySelector("meta[name=csrf-token]").content = fresh.querySelector("meta[name=csrf-token]").content;
  document.querySelector("#back").href = fresh.querySelector("#back").getAttribute("href");
  for (const name of Object.keys(study.dataset)) delete study.dataset[name];
  Object.assign(study.dataset, next.dataset);
  for (const part of study.querySelectorAll("[data-swap]")) {
    part.replaceWith(next.querySelector(`[data-swap="${part.dataset.swap}"]`));
  }
  document.querySelector("#stage-message").replaceWith(next.querySelector("#stage-message"));
  document.querySelector("#preload").replaceWith(fresh.querySelector("#preload"));
}

/** What every study needs at its start, the first one and those that come in place. */
function begin() {
  clearWarning();
  beside = -1;
  busy = false;
  isLost = false;
  lastRenewal = lastActivity = Date.now();
  savedNote = note()?.value ?? "";
  tellTimes(document);
  settleFocus();
  say(`${document.querySelector("#name").textContent}. ${obstacle()}`);
}

const obstacle = () => document.querySelector(".held h2")?.textContent ?? "";

let wished = { heatMap: "off", cropBox: "off" }; // what the reader had on before the result was hidden

/** Until the first opinion nothing of the classifier is fetched; then everything is as the reader had it. */
function settleLock() {
  const isHidden = study.dataset.hidden === "yes";
  const isLocked = viewerRoot.dataset.heatMap === "locked";
  if (isHidden && !isLocked) {
    wished = { heatMap: viewerRoot.dataset.heatMap, cropBox: viewerRoot.dataset.cropBox };
    Object.assign(viewerRoot.dataset, { heatMap: "locked", cropBox: "locked" });
  } else if (!isHidden && isLocked) Object.assign(viewerRoot.dataset, wished);
}

/** The image has the focus, so that arrow keys and space mean it. */
function settleFocus() {
  (viewerRoot.querySelector(".view") ?? document.querySelector("#name")).focus({ preventScroll: true });
}

function restore({ note: text, ...choices }) {
  if (text && note()) note().value = text;
  for (const name of ["opinion", "finding", "heat_map"]) {
    const radio = radioOf(name, choices[name] ?? "");
    if (radio) radio.checked = true;
  }
}

function sourcesIn(root) {
  return [...root.querySelectorAll(".view")].map(({ dataset }) => ({ ...dataset }));
}

/** A viewer that could not start has no view in which to say so. */
function tellViewerFailure() {
  if (!viewerRoot.dataset.error || viewerRoot.querySelector(".viewer-status")) return;
  const message = document.querySelector("#stage-message");
  message.textContent = viewerRoot.dataset.error;
  message.hidden = false;
}

// ---- What the reader does --------------------------------------------------------------------------------

const chosen = () => form()?.querySelector("[name=opinion]:checked");

async function act(work) {
  if (busy) return;
  busy = true;
  study?.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    warn(error.message, wayOut(error));
  } finally {
    busy = false;
    study?.removeAttribute("aria-busy");
  }
}

function wayOut({ status }) {
  if (status === 401) return { way: "Sign in in another tab", act: () => window.open(study.dataset.accountUrl, "_blank") };
  if (status === 409) return { way: "Show the study as it is now", act: () => act(() => show(location.href, { keep: true })) };
  return {};
}

function save() {
  if (!form()) return;
  if (!chosen()) {
    warn(`Choose first: ${withKey("normal")}, ${withKey("abnormal")} or ${withKey("unsure")}.`);
    return;
  }
  const fields = Object.fromEntries(new FormData(form()));
  fields.visible = JSON.stringify(window.worklistViewer?.visible() ?? {});
  if (window.worklistViewer) fields.marks = JSON.stringify(window.worklistViewer.marks());
  act(async () => {
    const { next } = await post(form().action, fields);
    await show(next);
  });
}

/** Leave by a key or button; with an unsaved note only at the second press. */
function leave(way, key, work) {
  if (isUnsaved() && warned !== way) {
    warn(`Your note is not saved. ${key ? `Press ${key}` : "Do it"} again to leave without it, or Enter to save.`);
    warned = way;
    setTimeout(() => { if (warned === way) clearWarning(); }, ASK_AGAIN_MS);
    return;
  }
  act(work);
}

const isUnsaved = () => Boolean(note()) && note().value.trim() !== savedNote.trim();

const defer = () => mode() === "reading" && leave("defer", keyOf("defer"), async () => {
  const { next } = await post(document.querySelector("[data-way=defer]").formAction, {});
  await show(next);
});

const skip = () => study && leave("next", keyOf("next-study"), async () => {
  await release();
  await show(study.dataset.nextUrl);
});

const back = () => leave("back", "Esc", async () => {
  await release();
  savedNote = note()?.value ?? "";
  location.assign(document.querySelector("#back").href);
});

async function release() {
  if (mode() === "reading" && !isLost) await post(study.dataset.releaseUrl, {});
}

function undo() {
  const retract = document.querySelector("#retract");
  if (!retract) {
    if (study) warn("There is no verdict of the last half hour to undo.");
    return;
  }
  leave("undo", keyOf("undo"), async () => {
    const { next } = await post(retract.action, Object.fromEntries(new FormData(retract)));
    await show(next);
  });
}

function takeOver() {
  const taking = document.querySelector("#take-over");
  if (taking) act(async () => show((await post(taking.action, {})).next));
}

const wordOf = (radio) => radio.parentElement.querySelector("span").textContent.trim();
const radioOf = (name, value) => form()?.querySelector(`[name=${name}][value="${value}"]`);

function choose(opinion) {
  const radio = radioOf("opinion", opinion);
  if (!radio) return;
  radio.checked = true;
  withoutFindingIfNormal();
  clearWarning();
  say(`${wordOf(radio)} chosen. Enter saves.`);
}

/** A finding is a verdict: it takes "abnormal" with it, unless the reader is unsure. */
function chooseFinding(place) {
  const radio = form()?.querySelector(`[name=finding][data-place="${place}"]`);
  if (!radio) return;
  const isAgain = radio.checked;
  (isAgain ? radioOf("finding", "") : radio).checked = true;
  if (chosen()?.value !== "unsure") radioOf("opinion", "abnormal").checked = true;
  clearWarning();
  say(isAgain ? `${wordOf(radio)} taken away.` : `${wordOf(chosen())}, ${wordOf(radio)} chosen. Enter saves.`);
}

function withoutFindingIfNormal() {
  if (chosen()?.value === "normal" && radioOf("finding", "")) radioOf("finding", "").checked = true;
}

function chooseNextPlace() {
  const places = [...(form()?.querySelectorAll("[name=heat_map]") ?? [])];
  if (!places.length) return;
  const next = places[(places.findIndex((place) => place.checked) + 1) % places.length];
  next.checked = true;
  say(`Place of the heat map: ${wordOf(next)}.`);
}

// ---- Other studies of the patient ------------------------------------------------------------------------

const priors = () => [...document.querySelectorAll("[data-prior]")];

/** Show the images of another study beside those of this one; of none with -1. Nobody waits for it. */
async function showBeside(index) {
  const prior = priors()[index];
  const asked = study.dataset.study;
  beside = prior ? index : -1;
  priors().forEach((one, at) => one.querySelector("button").setAttribute("aria-pressed", String(at === beside)));
  try {
    const others = prior ? sourcesIn((await page(prior.dataset.prior)).document) : [];
    if (asked !== study.dataset.study || beside !== (prior ? index : -1)) return;
    await window.worklistViewer?.showStudy([...ownSources, ...others]);
    say(prior ? `Beside: ${prior.querySelector("button").textContent.trim().replace(/\s+/g, " ")}` : "No other study beside.");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    warn(error.message, wayOut(error));
  }
}

function compareNext() {
  if (!priors().length) say("There is no other study of this patient.");
  else showBeside(beside + 1 < priors().length ? beside + 1 : -1);
}

const FIXED = { Enter: save, Escape: back };
const ACTIONS = {
  ...Object.fromEntries(["normal", "abnormal", "unsure"].map((opinion) => [opinion, () => choose(opinion)])),
  ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((place) => [`finding-${place}`, () => chooseFinding(place)])),
  "heat-map-place": chooseNextPlace, note: () => note()?.focus(), defer, "next-study": skip, undo,
  "take-over": takeOver, warning: () => alertBox?.querySelector("button")?.click(), beside: compareNext,
  "study-keys": () => keysDialog?.showModal(),
};

function onKey(event) {
  lively();
  if (keysDialog?.open || event.isComposing || event.defaultPrevented) return;
  const isTyping = event.target.matches?.(TYPING);
  if (isTyping) return onKeyWhileTyping(event);
  if (isShortcutOfBrowser(event) || event.repeat) return;
  if (event.key === "Enter" && event.target.closest?.(OWN_ENTER)) return;
  const action = event.key.length === 1 ? ACTIONS[OWN_KEYS[event.key.toLowerCase()]] : FIXED[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

// Brackets and braces are typed with AltGr on many keyboards, which reports itself as Ctrl + Alt.
const isShortcutOfBrowser = (event) =>
  (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");

function onKeyWhileTyping(event) {
  if (event.key === "Escape") {
    event.preventDefault();
    settleFocus();
  } else if (event.key === "Enter" && event.ctrlKey && !event.repeat) {
    event.preventDefault();
    save();
  }
}

function onSubmit(event) {
  const { target, submitter } = event;
  if (!study?.contains(target) && target.id !== "retract") return;
  event.preventDefault();
  if (target.id === "retract") undo();
  else if (target.id === "take-over") takeOver();
  else if (submitter?.dataset.way === "defer") defer();
  else if (submitter?.dataset.way === "next") skip();
  else if (target.id === "reading") save();
  else act(async () => show((await post(target.action, {})).next));
}

function onClick(event) {
  lively();
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest?.("a");
  if (link?.id === "back" && study) { event.preventDefault(); back(); }
  if (link?.dataset.way === "next") { event.preventDefault(); skip(); }
  const prior = event.target.closest?.("[data-way=beside]")?.closest("[data-prior]");
  if (prior) showBeside(priors().indexOf(prior) === beside ? -1 : priors().indexOf(prior));
}

// ---- The claim -------------------------------------------------------------------------------------------

function lively() {
  const wasAsleep = Date.now() - lastRenewal > leaseMs() * 0.6;
  lastActivity = Date.now();
  if (wasAsleep) renew();
}

function leaseMs() { return Number(study?.dataset.leaseSeconds ?? 300) * 1000; }

/** An open page keeps its claim as long as somebody sits before it. */
function renewIfActive() {
  if (Date.now() - lastActivity < leaseMs()) renew();
}

async function renew() {
  if (mode() !== "reading" || isLost || busy) return;
  lastRenewal = Date.now();
  const asked = study.dataset.study;
  try {
    const now = await post(study.dataset.renewUrl, {}, { background: true });
    if (asked !== study.dataset.study || busy) return;
    study.dataset.until = now.until;
    tellChanges(now);
  } catch (error) {
    if (!(error instanceof Refused) || asked !== study.dataset.study || busy) return;
    isLost = error.status === 409;
    warn(isLost ? `${error.message} What you enter here cannot be saved any more.` : error.message, wayOut(error));
  }
}

function tellChanges(now) {
  const reload = { way: "Show it", act: () => act(() => show(location.href, { keep: true })) };
  if (String(now.content_version) !== study.dataset.contentVersion) warn("A new image has come for this study.", reload);
  else if (String(now.result_version) !== study.dataset.resultVersion) warn("The result has changed.", reload);
}

function onLeaving() {
  // Also when the window is closed: the list should not say "open" for another five minutes. On reloading, this
  // arrives after the new page has renewed the claim, and is known by its earlier end to be out of date.
  if (mode() === "reading" && !isLost) {
    const { releaseUrl, until } = study.dataset;
    navigator.sendBeacon(releaseUrl, new URLSearchParams({ csrf_token: token(), until }));
  }
}

// ---- Start -----------------------------------------------------------------------------------------------

document.addEventListener("keydown", onKey);
document.addEventListener("submit", onSubmit);
document.addEventListener("change", ({ target }) => { if (target.name === "opinion") withoutFindingIfNormal(); });
document.addEventListener("click", onClick);
document.querySelector("#show-keys")?.addEventListener("click", () => keysDialog.showModal());
keysDialog?.addEventListener("close", () => { if (document.activeElement === document.body) settleFocus(); });

if (study) {
  ownSources = sourcesIn(viewerRoot);
  document.addEventListener("pointermove", lively);
  document.addEventListener("wheel", lively, { passive: true });
  window.addEventListener("beforeunload", (event) => { if (isUnsaved()) event.preventDefault(); });
  window.addEventListener("pagehide", onLeaving);
  window.addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });
  window.addEventListener("popstate", () => location.reload());
  viewerRoot.addEventListener("viewer:ready", showOwnMarks, { once: true });
  viewerRoot.addEventListener("viewer:ready", () => {
    const upcoming = sourcesIn(document.querySelector("#preload").content);
    if (upcoming.length) window.worklistViewer.preload(upcoming);
  });
  new MutationObserver(tellViewerFailure).observe(viewerRoot, { attributeFilter: ["data-error"] });
  setInterval(renewIfActive, leaseMs() / 3);
  begin();
}
