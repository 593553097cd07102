/** Requests to our own server, with failures turned into a sentence for the reader. */

/** Fetch, or throw an Error whose message finishes "This image could not be shown: …". */
export async function fetchOk(url, options = {}) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('there is no connection to the server.');
  }
  if (!response.ok) throw new Error(await sentenceOf(response));
  // A session that ended shows as a page where data were asked for.
  if (response.headers.get('Content-Type')?.startsWith('text/html')) throw new Error('please sign in again.');
  return response;
}

/** Fetch and parse JSON, with the same errors. */
export async function fetchJson(url, options = {}) {
  const response = await fetchOk(url, options);
  return response.json();
}

/** The server's own sentence from a body {"error": "…"}, or the status in words. */
async function sentenceOf(response) {
  if (response.status === 401) return 'please sign in again.';
  const body = await response.json().catch(() => null);
  return body?.error ?? `the server answered ${response.status} ${response.statusText}`.trim() + '.';
}
