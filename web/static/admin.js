// Tells times in the time zone of the browser, and why there is no picture of an image.

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });

for (const time of document.querySelectorAll("time[data-moment]")) {
  time.textContent = moment.format(new Date(time.dateTime));
  time.title = time.dateTime;
}

async function explain(picture) {
  const reason = document.createElement("p");
  try {
    const answer = await fetch(picture.src, { headers: { Accept: "application/json", "X-Background": "picture" } });
    const { error } = answer.ok ? { error: "it did not arrive; load the page again." } : await answer.json();
    reason.textContent = `No picture: ${error}`;
  } catch {
    reason.textContent = "No picture: the server does not answer.";
  }
  picture.parentElement.replaceChildren(reason);
}

for (const picture of document.querySelectorAll("img[data-picture]")) {
  // It may have failed before this script began to listen.
  if (picture.complete && picture.naturalWidth === 0) explain(picture);
  else picture.addEventListener("error", () => explain(picture), { once: true });
}
