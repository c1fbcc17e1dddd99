// Consents: what was agreed to, by whom and until when; adding one, and revoking one.
import { ask, get } from "../api.js";
import { announce, h, icon, redraw } from "../dom.js";
import { action, choice, dialog, emptyPlace, field, small } from "../parts.js";
import { pick } from "../pick.js";
import { count, day, t, when } from "../words.js";

const ROLES = ["both", "source", "target"];
const BASES = ["release", "self", "synthetic", "public-domain"];

export async function show(root, { signal }) {
  const list = h("ul", { class: "plain list" });
  const said = h("div", {});
  const draw = async () => {
    const { items } = await get("/v1/consents?everything=true", { signal });
    const added = items.filter((record) => record.added).reverse(); // the newest first, without changes' own statements
    redraw(
      list,
      added.map((record) => row(record, draw, signal)),
    );
    if (!added.length) list.append(h("li", {}, emptyPlace(t("consents.empty"), t("consents.empty.text"))));
  };
  const add = async () => {
    const made = await newRecord();
    if (!made) return;
    await draw();
    redraw(said, h("p", { class: "good" }, icon("good"), t("consents.made", { id: made.id })));
    announce(t("consents.made", { id: made.id }));
  };
  root.append(
    h("p", { class: "lead" }, t("consents.lead")),
    h("p", { class: "buttons" }, action(t("consents.add"), add, { kind: "main", said, symbol: "add" })),
    said,
    list,
  );
  await draw();
}

const STATES = { "in force": "holds", expired: "ended", revoked: "revoked" };

function roleOf({ sources, targets }) {
  return sources.length && targets.length ? "both" : sources.length ? "source" : "target";
}

function row(record, draw, signal) {
  const state = STATES[record.state];
  const facts = [
    t(`consents.role.${roleOf(record)}`),
    t(`consents.basis.${record.basis}`),
    record.purpose && t("consents.for", { purpose: record.purpose }),
    record.until && t("consents.until", { day: day(record.until) }),
    count("consents.pictures", new Set([...record.sources, ...record.targets]).size),
  ];
  const revoke = async () => {
    if (await askForReason(record)) await draw();
    announce(t("consents.revoked"));
  };
  const said = h("div", {});
  return h(
    "li",
    { class: "card record" },
    h(
      "div",
      { class: "words" },
      h("h2", {}, record.who),
      h("p", { class: "hint" }, facts.filter(Boolean).join(" · ")),
      h(
        "p",
        { class: "hint" },
        h("code", {}, record.id),
        ` · ${t("consents.recorded", { when: when(record.recorded_at) })}`,
        record.reason ? ` · ${record.reason}` : "",
      ),
    ),
    h("span", { class: `badge state-${state}` }, t(`consents.state.${state}`)),
    state !== "revoked" && action(t("consents.revoke"), revoke, { kind: "danger", said }),
    said,
  );
}

function askForReason(record) {
  return dialog(
    t("consents.revoke.title", { who: record.who }),
    (close, signal) => {
      const reason = h("input", { type: "text", maxlength: 400, "data-first": true });
      const said = h("div", {});
      const revoke = async () => {
        await ask("POST", `/v1/consents/${record.id}/revoke`, { reason: reason.value.trim() }, { signal });
        close(true);
      };
      return [
        h("p", {}, t("consents.revoke.text")),
        field(t("consents.reason"), reason),
        said,
        h(
          "p",
          { class: "buttons" },
          action(t("consents.revoke.yes"), revoke, { kind: "danger", said }),
          h("button", { type: "button", click: () => close() }, t("dialog.no")),
        ),
      ];
    },
    { kind: "narrow" },
  );
}

function newRecord() {
  return dialog(t("consents.add"), (close, signal) => {
    const pictures = [];
    const shown = h("div", { class: "pictures" });
    const zone = pick({
      title: t("consents.which"),
      hint: t("consents.which.hint"),
      several: true,
      compact: true,
      kind: "",
      signal,
      got: (item) => {
        if (!pictures.some((one) => one.id === item.id)) pictures.push(item);
        redraw(
          shown,
          pictures.map((one) => small(one)),
        );
      },
    });
    const who = h("input", { type: "text", maxlength: 200, "data-first": true });
    const role = choice(
      ROLES.map((name) => [name, t(`consents.role.${name}`)]),
      "both",
    );
    const basis = choice(
      BASES.map((name) => [name, t(`consents.basis.${name}`)]),
      "release",
      { change: () => written.toggleAttribute("hidden", basis.value !== "release") },
    );
    let release = null;
    const its = h("div", { class: "pictures" });
    const written = h(
      "div",
      {},
      pick({
        title: t("consents.release"),
        hint: t("consents.release.hint"),
        compact: true,
        signal,
        id: "release-file",
        got: (item) => {
          release = item;
          redraw(its, small(item, t("consents.release")));
        },
      }),
      its,
    );
    const purpose = h("input", { type: "text", maxlength: 200 });
    const until = h("input", { type: "date" });
    const said = h("div", {});
    const make = async () => {
      if (!who.value.trim()) throw new Error(t("consents.nowho"));
      if (!pictures.length) throw new Error(t("consents.nopictures"));
      if (basis.value === "release" && !release) throw new Error(t("consents.norelease"));
      const body = {
        pictures: pictures.map((item) => item.id),
        who: who.value.trim(),
        role: role.value,
        basis: basis.value,
      };
      if (basis.value === "release") body.release = release.id;
      if (purpose.value.trim()) body.purpose = purpose.value.trim();
      if (until.value) body.until = until.value;
      close(await ask("POST", "/v1/consents", body, { signal }));
    };
    return [
      field(t("consents.who"), who, t("consents.who.hint")),
      zone,
      shown,
      field(t("consents.role"), role),
      field(t("consents.basis"), basis),
      written,
      field(t("consents.purpose"), purpose, t("consents.purpose.hint")),
      field(t("consents.until.field"), until, t("consents.until.hint")),
      said,
      h("p", { class: "buttons" }, action(t("consents.make"), make, { kind: "main", said })),
    ];
  });
}
