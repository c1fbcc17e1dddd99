// The service as the page sees it: one function that asks, one that sends, one that watches a job.
import { t } from "./words.js";

const PAGE = { "X-Facechange": "page" }; // no other site can send it, so that a cookie alone changes nothing

/** What went wrong, in the service's words: a sentence and what to do about it. */
export class Problem extends Error {
  constructor({ detail, title, remedy = "", status = 0, retryAfter = 0 }) {
    super(detail || title || t("problem.unknown"));
    Object.assign(this, { remedy, status, retryAfter });
  }
}

let signedOut = () => {};
export const onSignedOut = (then) => (signedOut = then);

function problemOf(status, text, retryAfter) {
  let stated = {};
  try {
    stated = JSON.parse(text);
  } catch {
    stated = { detail: t("problem.status", { status }), remedy: t("problem.status.remedy") };
  }
  if (Array.isArray(stated.detail)) stated = { detail: stated.detail.map((part) => part.msg).join(" "), remedy: "" };
  if (status === 413 && !stated.remedy) stated.remedy = t("problem.large.remedy");
  if (status === 429 && !stated.remedy) stated.remedy = t("problem.busy.remedy");
  return new Problem({ ...stated, status, retryAfter: Number(retryAfter) || 0 });
}

const away = () => new Problem({ detail: t("problem.away"), remedy: t("problem.away.remedy") });

/** Ask the service; gives what it answered as JSON, null where it answered nothing. Raises `Problem`. */
export async function ask(method, path, body = null, { signal, quiet = false, headers = {} } = {}) {
  const form = body instanceof FormData;
  const options = { method, signal, headers: { ...PAGE, ...headers }, credentials: "same-origin" };
  if (body) options.body = form ? body : JSON.stringify(body);
  if (body && !form) options.headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : away();
  }
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  if (answer.status === 401 && !quiet) signedOut();
  throw problemOf(answer.status, text, answer.headers.get("Retry-After"));
}

export const get = (path, options) => ask("GET", path, null, options);

/** `ask`, tried again where the service is busy, for as long as it says. */
export async function patiently(method, path, body, options = {}) {
  for (let tries = 0; ; tries++) {
    try {
      return await ask(method, path, body, options);
    } catch (error) {
      if (error.status !== 429 || tries >= 20 || options.signal?.aborted) throw error;
      await new Promise((done) => setTimeout(done, 1000 * Math.min(30, error.retryAfter || 2)));
    }
  }
}

/** Send `body`, telling `sent` how many bytes have left; gives status, text and headers of what was answered. */
export function send(method, path, body, { headers = {}, sent = () => {}, signal } = {}) {
  const request = new XMLHttpRequest(); // fetch does not tell how much has left
  return new Promise((done, failed) => {
    request.open(method, path);
    for (const [name, value] of Object.entries({ ...PAGE, ...headers })) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => sent(event.loaded));
    request.addEventListener("error", () => failed(away()));
    request.addEventListener("abort", () => failed(new DOMException("stopped", "AbortError")));
    request.addEventListener("load", () => {
      const { status, responseText: text } = request;
      const header = (name) => request.getResponseHeader(name);
      if (status < 300) return done({ text, header });
      if (status === 401) signedOut();
      failed(problemOf(status, text, header("Retry-After")));
    });
    signal?.addEventListener("abort", () => request.abort());
    if (!signal?.aborted) request.send(body);
    else failed(new DOMException("stopped", "AbortError"));
  });
}

export const OVER = ["done", "failed", "cancelled"];

/** Tell `seen` each state of a job until it is over; events where they come through, asking again where not. */
export function watch(id, seen, signal) {
  let events = null;
  let timer = 0;
  const stop = () => {
    events?.close();
    clearTimeout(timer);
  };
  const tell = (job) => {
    if (OVER.includes(job.state)) stop();
    if (!signal.aborted) seen(job);
  };
  const poll = async () => {
    try {
      const job = await get(`/v1/jobs/${id}`, { signal });
      tell(job);
      if (OVER.includes(job.state)) return;
    } catch (error) {
      if (signal.aborted || [401, 404].includes(error.status)) return;
    }
    timer = setTimeout(poll, 2000);
  };
  events = new EventSource(`/v1/jobs/${id}/events`);
  events.addEventListener("job", (event) => tell(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    if (signal.aborted) return;
    events.close();
    clearTimeout(timer);
    timer = setTimeout(poll, 500);
  });
  signal.addEventListener("abort", stop);
}

export const content = (item) => `/v1/library/${item.id ?? item}/content`;
export const thumbnail = (item) => `/v1/library/${item.id ?? item}/thumbnail`;
export const result = (job, download = false) => `/v1/jobs/${job.id}/result${download ? "?download=1" : ""}`;
