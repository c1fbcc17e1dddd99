// Making people unrecognisable, in as many pictures and videos as one likes at once.
import { OVER, ask, get, patiently, result, watch } from "../api.js";
import { consentQuestion } from "../consent.js";
import { announce, h, icon, redraw } from "../dom.js";
import { action, choice, emptyPlace, field, label, measures, problemBox, progressBar, small } from "../parts.js";
import { ANYTHING, pick } from "../pick.js";
import { count, duration, t } from "../words.js";

const AT_ONCE = 2; // requests in flight; the service queues what it cannot do yet

export async function show(root, { query, signal }) {
  const files = []; // {item, job, problem}
  const list = h("ul", { class: "plain list" });
  const said = h("div", {});
  const summary = h("p", { class: "hint", role: "status" });
  const question = consentQuestion({ signal, without: t("anonymise.basis"), legend: t("anonymise.legend") });
  const face = choice(
    [
      ["all", t("anonymise.face.all")],
      ["largest", t("anonymise.face.largest")],
    ],
    "all",
  );
  const fallback = choice(
    ["blur", "mosaic", "box", "none"].map((name) => [name, t(`anonymise.fallback.${name}`)]),
    "blur",
  );
  const seed = h("input", { type: "number", min: 0, step: 1, value: 0 });

  const draw = () => {
    redraw(
      list,
      files.map((file) => (file.node ??= row(file, remove))),
    );
    if (!files.length) list.append(h("li", {}, emptyPlace(t("anonymise.empty"), t("anonymise.empty.text"))));
    const over = files.filter((file) => file.problem || OVER.includes(file.job?.state)).length;
    summary.textContent = files.some((file) => file.job || file.problem)
      ? t("anonymise.progress", { done: over, total: files.length })
      : files.length
        ? count("anonymise.ready", files.length)
        : "";
    question.ask(count("anonymise.asked", files.length));
    const done = files.filter((file) => file.job?.state === "done");
    everything.toggleAttribute("hidden", done.length < 2);
  };
  const remove = (file) => {
    files.splice(files.indexOf(file), 1);
    draw();
  };
  const add = (item) => {
    files.push({ item, job: null, problem: null });
    draw();
  };
  const everything = action(
    t("anonymise.download"),
    async () => {
      for (const { job } of files.filter((file) => file.job?.state === "done")) {
        h("a", { href: result(job, true), download: "" }).click();
        await new Promise((then) => setTimeout(then, 400)); // a browser drops downloads that begin together
      }
    },
    { symbol: "download" },
  );

  const one = async (file, request) => {
    try {
      file.job = await patiently("POST", "/v1/anonymizations", { target: file.item.id, ...request }, { signal });
      draw();
      if (!OVER.includes(file.job.state))
        await new Promise((done) =>
          watch(
            file.job.id,
            (job) => {
              file.job = job;
              file.update();
              if (OVER.includes(job.state)) done();
            },
            signal,
          ),
        );
    } catch (error) {
      if (signal.aborted) return;
      file.problem = error;
    }
    file.update();
    draw();
  };
  const start = async () => {
    const waiting = files.filter((file) => !file.job && !file.problem);
    if (!waiting.length) throw Object.assign(new Error(t("anonymise.need")), { remedy: t("anonymise.need.remedy") });
    const agreed = question.read();
    if (!agreed) return;
    const request = { seed: Number(seed.value) || 0, fallback: fallback.value, wait: false };
    if (face.value !== "all") request.only = [face.value];
    if (agreed.consent) request.consent = agreed.consent;
    if (agreed.purpose) request.purpose = agreed.purpose;
    const worker = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await one(next, request);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    announce(t("anonymise.done"));
  };

  root.append(
    h("p", { class: "lead" }, t("anonymise.lead")),
    h(
      "div",
      { class: "columns" },
      h(
        "section",
        { class: "card", "aria-label": t("anonymise.pictures") },
        pick({
          title: t("anonymise.drop"),
          hint: t("anonymise.drop.hint"),
          accept: ANYTHING,
          several: true,
          kind: "",
          signal,
          got: add,
          id: "anonymise-files",
        }),
        summary,
        list,
        h("p", { class: "buttons" }, everything),
      ),
      h(
        "div",
        { class: "stack" },
        h(
          "section",
          { class: "card", "aria-labelledby": "basis-title" },
          h("h2", { id: "basis-title" }, t("anonymise.why")),
          question.node,
        ),
        h(
          "section",
          { class: "card", "aria-label": t("change.options") },
          h(
            "details",
            {},
            h("summary", {}, t("change.options")),
            field(t("anonymise.face"), face),
            field(t("anonymise.fallback"), fallback, t("anonymise.fallback.hint")),
            field(t("anonymise.seed"), seed, t("anonymise.seed.hint")),
          ),
          said,
          h("p", { class: "buttons" }, action(t("anonymise.start"), start, { kind: "main", said, id: "start" })),
        ),
      ),
    ),
  );
  draw();
  if (query.get("target")) add(await get(`/v1/library/${encodeURIComponent(query.get("target"))}`, { signal }));
}

function row(file, remove) {
  const bar = progressBar(label(file.item));
  const state = h("div", { class: "state" });
  const node = h(
    "li",
    { class: "file" },
    small(file.item),
    h(
      "div",
      { class: "words" },
      h("strong", {}, label(file.item)),
      h("span", { class: "hint" }, measures(file.item)),
      state,
    ),
  );
  const said = h("div", {});
  file.update = () => {
    const { job, problem } = file;
    if (problem) return redraw(state, problemBox(problem));
    if (!job)
      return redraw(
        state,
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            "aria-label": t("anonymise.remove", { name: label(file.item) }),
            click: () => remove(file),
          },
          icon("close"),
          t("anonymise.remove.short"),
        ),
      );
    if (job.state === "done") {
      return redraw(
        state,
        h("span", { class: "good" }, icon("good"), job.summary || t("job.state.done")),
        h(
          "p",
          { class: "buttons" },
          h(
            "a",
            { class: "button", href: `#/jobs/${job.id}`, "aria-label": t("anonymise.see", { name: label(file.item) }) },
            t("anonymise.see.short"),
          ),
          h(
            "a",
            {
              class: "button",
              href: result(job, true),
              download: "",
              "aria-label": t("anonymise.get", { name: label(file.item) }),
            },
            icon("download"),
            t("job.download"),
          ),
        ),
      );
    }
    if (OVER.includes(job.state))
      return redraw(
        state,
        job.problem
          ? problemBox({ message: job.problem.detail, remedy: job.problem.remedy })
          : h("span", {}, t(`job.state.${job.state}`)),
      );
    const { done, total, seconds_left: left } = job.progress ?? {};
    bar.set(total ? done / total : null, left ? t("job.left", { time: duration(left) }) : t(`job.state.${job.state}`));
    if (!bar.node.isConnected)
      redraw(
        state,
        bar.node,
        said,
        action(t("job.cancel"), () => ask("POST", `/v1/jobs/${job.id}/cancel`), { kind: "quiet", said }),
      );
  };
  file.update();
  return node;
}
