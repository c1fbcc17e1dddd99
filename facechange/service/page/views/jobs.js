// Jobs: those there are, and one: its progress, and its result beside what it was made from.
import { OVER, ask, content, get, result, thumbnail, watch } from "../api.js";
import { comparePictures, compareVideos } from "../compare.js";
import { announce, h, icon, redraw } from "../dom.js";
import { action, choice, dialog, emptyPlace, field, problemBox, progressBar, small } from "../parts.js";
import { recall } from "../requests.js";
import { duration, has, t, when } from "../words.js";

const STATES = ["", "queued", "running", "done", "failed", "cancelled"];

export async function show(root, context) {
  return context.id ? showOne(root, context) : showAll(root, context);
}

const stateWords = (job) => t(`job.state.${job.state}`);
const kindWords = (job) => (has(`job.kind.${job.kind}`) ? t(`job.kind.${job.kind}`) : job.kind);

function progressWords({ progress }) {
  if (!progress?.total) return t("job.starting");
  const parts = [t("job.progress", { done: progress.done, total: progress.total })];
  if (progress.seconds_left !== null && progress.seconds_left !== undefined)
    parts.push(t("job.left", { time: duration(progress.seconds_left) }));
  return parts.join(" · ");
}

async function showAll(root, { signal, query }) {
  const list = h("ul", { class: "plain list" });
  const more = h("p", { class: "buttons" });
  const said = h("div", {});
  const draw = async (before = null) => {
    const asked = new URLSearchParams({ limit: "30" });
    if (state.value) asked.set("state", state.value);
    if (before) asked.set("before", before);
    const { items, next } = await get(`/v1/jobs?${asked}`, { signal });
    if (!before) list.replaceChildren();
    list.append(...items.map((job) => h("li", {}, row(job))));
    if (!list.children.length)
      list.append(
        h(
          "li",
          {},
          emptyPlace(
            t("jobs.empty"),
            t("jobs.empty.text"),
            h("a", { class: "button main", href: "#/change" }, t("jobs.begin")),
          ),
        ),
      );
    redraw(more, next && action(t("list.more"), () => draw(next), { said }));
  };
  const state = choice(
    STATES.map((name) => [name, t(`jobs.filter.${name || "all"}`)]),
    query.get("state") ?? "",
    {
      change: () => draw().catch((error) => redraw(said, problemBox(error))),
    },
  );
  root.append(h("div", { class: "filters" }, field(t("jobs.filter"), state)), said, list, more);
  await draw();
  const again = setInterval(() => {
    const open = list.querySelector(".state-queued, .state-running");
    if (open && !document.hidden && !list.contains(document.activeElement)) draw().catch(() => {});
  }, 4000);
  signal.addEventListener("abort", () => clearInterval(again));
}

function row(job) {
  return h(
    "a",
    { class: "job", href: `#/jobs/${job.id}` },
    job.target ? small({ id: job.result ?? job.target }) : h("span", { class: "thumb none" }, icon("picture")),
    h(
      "span",
      { class: "words" },
      h("strong", {}, kindWords(job)),
      h("span", { class: "hint" }, when(job.created)),
      h(
        "span",
        { class: "hint" },
        job.state === "running" ? progressWords(job) : (job.problem?.detail ?? job.summary ?? ""),
      ),
    ),
    h("span", { class: `badge state-${job.state}` }, stateWords(job)),
  );
}

async function showOne(root, { id, signal, heading }) {
  const place = h("div", { class: "card" }, h("p", { class: "hint" }, t("job.loading")));
  root.append(place);
  let drawn = "";
  let update = () => {};
  const see = async (job) => {
    if (job.state !== drawn) {
      if (drawn || OVER.includes(job.state)) announce(`${kindWords(job)}: ${stateWords(job)}`);
      heading.textContent = `${kindWords(job)}: ${stateWords(job)}`;
      drawn = job.state;
      if (job.state === "done") await drawResult(place, job, signal);
      else if (OVER.includes(job.state)) drawEnd(place, job);
      else update = drawProgress(place, job, signal);
    }
    update(job);
  };
  const job = await get(`/v1/jobs/${encodeURIComponent(id)}`, { signal });
  await see(job);
  if (!OVER.includes(job.state)) watch(job.id, see, signal);
}

function drawProgress(place, job, signal) {
  const bar = progressBar(kindWords(job));
  const said = h("div", {});
  const cancel = () => ask("POST", `/v1/jobs/${job.id}/cancel`, null, { signal });
  redraw(
    place,
    h("h2", {}, t("job.working")),
    bar.node,
    said,
    h("p", { class: "hint" }, t("job.leave")),
    h("p", { class: "buttons" }, action(t("job.cancel"), cancel, { said, id: "cancel" })),
  );
  return (seen) =>
    !OVER.includes(seen.state) &&
    bar.set(seen.progress?.total ? seen.progress.done / seen.progress.total : null, progressWords(seen));
}

function drawEnd(place, job) {
  const what = job.problem
    ? problemBox({ message: job.problem.detail ?? job.problem.title, remedy: job.problem.remedy })
    : h("p", {}, t("job.cancelled.text"));
  redraw(
    place,
    what,
    outcomes(job),
    h(
      "p",
      { class: "buttons" },
      h("a", { class: "button", href: job.target ? `#/change?target=${job.target}` : "#/change" }, t("job.again")),
    ),
  );
}

/** What became of each face, from the left. */
function outcomes(job) {
  const faces = (job.outcomes ?? [])
    .filter((one) => one.done)
    .sort((one, other) => (one.box?.[0] ?? 0) - (other.box?.[0] ?? 0));
  const lines = faces.map((one, index) => {
    const words = t("outcome.face", { number: index + 1, done: t(`outcome.${one.done.replaceAll(" ", "-")}`) });
    return one.why ? `${words}: ${one.why}` : one.recognisable === false ? `${words}, ${t("outcome.unlike")}` : words;
  });
  return [
    job.summary && h("p", { class: "summary" }, job.summary),
    lines.length > 0 &&
      h(
        "ul",
        { class: "outcomes" },
        lines.map((line) => h("li", {}, line)),
      ),
  ];
}

async function drawResult(place, job, signal) {
  const target = job.target ? await get(`/v1/library/${job.target}`, { signal }).catch(() => null) : null;
  const name = target?.name ?? "";
  const download = h(
    "a",
    { class: "button main", href: result(job, true), download: "" },
    icon("download"),
    t("job.download"),
  );
  const said = h("div", {});
  const shown = [];
  if (job.kind === "masks")
    shown.push(
      h("img", { class: "sheet", src: result(job), alt: t("masks.alt") }),
      h("p", { class: "hint" }, t("masks.text")),
    );
  else if (!target)
    shown.push(
      h("img", { class: "sheet", src: result(job), alt: t("compare.after.alt", { name }) }),
      h("p", { class: "hint" }, t("job.nobefore")),
    );
  else if (target.kind === "video") shown.push(compareVideos(content(target), result(job), name));
  else shown.push(comparePictures(content(target), result(job), name));
  for (const image of shown[0].querySelectorAll?.("img") ?? []) {
    image.addEventListener(
      "error",
      () =>
        image.src.includes("/library/")
          ? (image.src = thumbnail(target))
          : redraw(said, problemBox({ message: t("job.unshown"), remedy: t("job.unshown.remedy") })),
      { once: true },
    );
  }
  const request = recall(job.id);
  redraw(
    place,
    shown,
    said,
    outcomes(job),
    h(
      "p",
      { class: "buttons" },
      download,
      request &&
        target?.kind !== "video" &&
        job.kind === "change" &&
        action(t("masks.see"), () => masks(job, request, signal), { said, id: "masks" }),
      job.result && h("a", { class: "button", href: `#/library/${job.result}` }, t("job.inlibrary")),
      h("a", { class: "button", href: "#/change" }, t("job.another")),
    ),
    job.kind !== "masks" && h("p", { class: "hint" }, t("job.marked")),
  );
}

/** The sheet of control masks of the first person's first picture with the target, in a dialog. */
async function masks(job, request, signal) {
  const body = {
    source: request.rules[0].sources[0],
    target: request.target,
    consent: request.consent,
    purpose: request.purpose,
  };
  const asked = await ask("POST", "/v1/masks", body, { signal });
  await dialog(
    t("masks.title"),
    (close, inner) => {
      const place = h("div", {}, h("p", { class: "hint" }, t("job.working")));
      const see = (seen) => {
        if (seen.state === "done")
          redraw(
            place,
            h("p", {}, t("masks.text")),
            h(
              "div",
              { class: "stage", tabindex: 0, role: "group", "aria-label": t("masks.title") },
              h("img", { class: "sheet", src: result(seen), alt: t("masks.alt") }),
            ),
            h(
              "p",
              { class: "buttons" },
              h("a", { class: "button", href: result(seen, true), download: "" }, icon("download"), t("job.download")),
            ),
          );
        else if (OVER.includes(seen.state)) redraw(place, problemBox(seen.problem ?? { message: stateWords(seen) }));
      };
      if (OVER.includes(asked.state)) see(asked);
      else watch(asked.id, see, inner);
      return place;
    },
    { kind: "full" },
  );
}
