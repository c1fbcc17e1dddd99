// Changing faces: a picture or a video, the persons who give theirs, which becomes whom, who agreed, and go.
import { ask, get } from "../api.js";
import { announce, h, redraw } from "../dom.js";
import { consentQuestion } from "../consent.js";
import { facePicker, findFaces, rulesOf } from "../faces.js";
import { action, choice, field, label, measures, problemBox } from "../parts.js";
import { peopleList } from "../people.js";
import { ANYTHING, pick } from "../pick.js";
import { remember } from "../requests.js";
import { targetVideo } from "../video.js";
import { count, t } from "../words.js";

export async function show(root, { query, signal }) {
  const state = { target: null, found: null, given: new Map(), picker: null, video: null };
  const left = h("section", { class: "card target", "aria-labelledby": "target-title" });
  const list = peopleList(signal, () => {
    state.picker?.update();
    retell();
  });
  const { people } = list;
  const question = consentQuestion({ signal });
  const said = h("div", {});
  const chosen = options(signal);

  const retell = () => {
    const rules = state.found ? rulesOf(state.found, state.given, people) : [];
    const faces = rules.reduce((sum, rule) => sum + rule.numbers.length, 0);
    const names = people.map((person) => person.name).join(", ");
    if (!state.target || !people.length) return question.ask(t("change.asked.nothing"));
    if (state.video?.everybody())
      return question.ask(t("change.asked.everybody", { people: names, target: label(state.target) }));
    question.ask(count("change.asked", faces, { people: names, target: label(state.target) }));
  };

  const drawTarget = () => {
    state.picker = null;
    const change = h("button", { type: "button", class: "quiet", click: () => setTarget(null) }, t("change.another"));
    const head = h(
      "div",
      { class: "head" },
      h("h2", { id: "target-title", tabindex: -1 }, t("change.target")),
      state.target && change,
    );
    if (!state.target) {
      redraw(
        left,
        head,
        pick({
          title: t("change.drop"),
          hint: t("change.drop.hint"),
          accept: ANYTHING,
          kind: "",
          signal,
          id: "target-file",
          got: setTarget,
        }),
      );
      return;
    }
    const place = h("div", { "aria-busy": "true" }, h("p", { class: "hint" }, t("faces.looking")));
    redraw(left, head, h("p", { class: "hint" }, `${label(state.target)} · ${measures(state.target)}`), place);
    if (state.target.kind === "video") {
      state.video = targetVideo(state.target, people, state.given, {
        signal,
        retell,
        question,
        model: chosen.read,
        found: (found, picker) => {
          Object.assign(state, { found, picker });
          retell();
        },
      });
      place.removeAttribute("aria-busy");
      redraw(place, state.video.node);
    } else lookForFaces(place);
  };

  const lookForFaces = async (place) => {
    const target = state.target;
    try {
      const found = await findFaces(target, signal);
      if (target !== state.target) return;
      state.found = found;
      state.picker = facePicker(target, found, () => people, state.given, retell);
      redraw(place, state.picker.node);
      announce(count("faces.found", found.faces.length));
    } catch (error) {
      if (!signal.aborted) redraw(place, problemBox(error));
    }
    place.removeAttribute("aria-busy");
    retell();
  };

  const setTarget = (item) => {
    Object.assign(state, { target: item, found: null, given: new Map(), video: null });
    drawTarget();
    retell();
    document.getElementById("target-title").focus();
  };

  const start = async () => {
    const missing = !state.target ? "change.need.target" : !people.length ? "change.need.source" : "";
    if (missing) return redraw(said, problemBox({ message: t(missing), remedy: t(`${missing}.remedy`) }));
    const rules = state.video ? await state.video.rules() : rulesOf(state.found ?? { faces: [] }, state.given, people);
    if (!rules.length)
      return redraw(said, problemBox({ message: t("change.need.faces"), remedy: t("change.need.faces.remedy") }));
    const agreed = question.read();
    if (!agreed) return;
    const request = {
      target: state.target.id,
      rules: rules.map(({ sources, selector }) => ({ sources, selector })),
      ...chosen.read(),
      ...agreed,
      wait: false,
    };
    const job = await ask("POST", "/v1/changes", request, {
      signal,
      headers: { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) },
    });
    remember(job.id, request);
    location.hash = `#/jobs/${job.id}`;
  };

  root.append(
    h("p", { class: "lead" }, t("change.lead")),
    h(
      "div",
      { class: "columns" },
      left,
      h(
        "div",
        { class: "stack" },
        h(
          "section",
          { class: "card", "aria-labelledby": "people-title" },
          h("h2", { id: "people-title" }, t("people.title")),
          list.node,
        ),
        h(
          "section",
          { class: "card", "aria-labelledby": "consent-title" },
          h("h2", { id: "consent-title" }, t("consent.title")),
          question.node,
        ),
        h(
          "section",
          { class: "card", "aria-label": t("change.options") },
          chosen.node,
          said,
          h("p", { class: "buttons" }, action(t("change.start"), start, { kind: "main", said, id: "start" })),
        ),
      ),
    ),
  );
  drawTarget();
  retell();
  for (const [name, take] of [
    ["target", setTarget],
    ["source", (item) => list.add({ items: [item], character: null, name: "" })],
  ]) {
    if (query.get(name)) take(await get(`/v1/library/${encodeURIComponent(query.get(name))}`, { signal }));
  }
}

/** How it is done, folded away: detail, strength, what is kept. */
function options(signal) {
  const model = choice([["", t("options.model.default")]], "");
  get("/v1/models", { signal })
    .then((answer) => {
      const models = answer.items.filter((one) => one.there !== false);
      model.append(...models.map((one) => h("option", { value: one.name ?? one.id }, one.title ?? one.name ?? one.id)));
    })
    .catch(() => {}); // the default remains
  const strength = h("input", { type: "range", min: 0, max: 1.3, step: 0.05, value: 1 });
  const shown = h("output", {}, "1.00");
  strength.addEventListener("input", () => (shown.textContent = Number(strength.value).toFixed(2)));
  const keep = choice(
    [
      ["mask", t("options.keep.mask")],
      ["crop", t("options.keep.crop")],
    ],
    "mask",
  );
  const beyond = choice(
    ["", "left", "faded", "covered"].map((value) => [value, t(`options.beyond.${value || "default"}`)]),
    "",
  );
  const node = h(
    "details",
    {},
    h("summary", {}, t("change.options")),
    field(t("options.model"), model, t("options.model.hint")),
    h("div", { class: "with-output" }, field(t("options.strength"), strength, t("options.strength.hint")), shown),
    field(t("options.keep"), keep),
    field(t("options.beyond"), beyond),
  );
  const read = () => ({
    ...(model.value && { model: model.value }),
    strength: Number(strength.value),
    keep: keep.value,
    ...(beyond.value && { beyond: beyond.value }),
  });
  return { node, read };
}
