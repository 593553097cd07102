// Tells times in the time zone of the browser.

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });

for (const time of document.querySelectorAll("time[data-moment]")) {
  time.textContent = moment.format(new Date(time.dateTime));
  time.title = time.dateTime;
}
