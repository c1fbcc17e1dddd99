// Who agreed: the question that every change is asked, with what is to be done said beside it.
import { get } from "./api.js";
import { h, redraw } from "./dom.js";
import { choice, field, problemBox, radios } from "./parts.js";
import { day, t } from "./words.js";

const LEAST_UNSPACED = 6; // letters that make a sentence in writing that puts no spaces between words

/** Whether `text` can say who agreed, and to what: one word cannot. The service asks again. */
export function isSentence(text) {
  const said = text
    .trim()
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = [...text].filter((letter) => /\p{L}/u.test(letter));
  const unspaced = letters.filter((letter) => letter.toLowerCase() === letter.toUpperCase()).length;
  return said.length > 1 || unspaced >= LEAST_UNSPACED;
}

/** The question. `read()` gives {consent, purpose}, or null after it has said what is missing. */
export function consentQuestion({ signal, without = null, legend = t("consent.legend") } = {}) {
  let way = without ? "none" : "sentence";
  const asked = h("p", { class: "asked", id: "asked" });
  const said = h("div", { id: "consent-said" });
  const sentence = h("textarea", {
    rows: 3,
    maxlength: 4000,
    placeholder: t("consent.example"),
    "aria-describedby": "asked consent-said",
  });
  const records = h("div", {}, h("p", { class: "hint" }, t("consent.loading")));
  const purpose = h("input", { type: "text", maxlength: 200, autocomplete: "off" });
  const words = h("div", { class: "more" }, field(t("consent.sentence"), sentence, t("consent.sentence.hint")));
  const { group } = radios(
    legend,
    [
      ...(without ? [["none", without]] : []),
      ["sentence", t("consent.by.sentence"), words],
      ["self", t("consent.by.self")],
      ["synthetic", t("consent.by.synthetic")],
      ["record", t("consent.by.record"), h("div", { class: "more" }, records)],
    ],
    way,
    (value) => {
      way = value;
      redraw(said);
      if (value === "record") listRecords(records, signal);
    },
  );
  const fail = (text, remedy, control) => {
    redraw(said, problemBox({ message: text, remedy }));
    control?.setAttribute("aria-invalid", "true");
    (control ?? said).focus();
    return null;
  };
  const read = () => {
    redraw(said);
    sentence.removeAttribute("aria-invalid");
    const answer = (consent) => ({ consent, purpose: purpose.value.trim() });
    if (way === "none") return answer("");
    if (way === "self" || way === "synthetic") return answer(way);
    if (way === "record") {
      const number = records.querySelector("select")?.value;
      return number ? answer(number) : fail(t("consent.norecord"), t("consent.norecord.remedy"));
    }
    const text = sentence.value.trim();
    if (!text) return fail(t("consent.nothing"), t("consent.nothing.remedy"), sentence);
    if (!isSentence(text)) return fail(t("consent.oneword", { word: text }), t("consent.oneword.remedy"), sentence);
    return answer(text);
  };
  const node = h(
    "div",
    { class: "consent" },
    asked,
    group,
    field(t("consent.purpose"), purpose, t("consent.purpose.hint")),
    said,
  );
  return { node, read, ask: (text) => (asked.textContent = text) };
}

async function listRecords(place, signal) {
  try {
    const { items } = await get("/v1/consents", { signal });
    if (!items.length) {
      return redraw(
        place,
        h(
          "p",
          { class: "hint" },
          t("consent.records.none"),
          " ",
          h("a", { href: "#/consents" }, t("consent.records.add")),
        ),
      );
    }
    const named = (record) =>
      [record.id, record.who, record.until && t("consents.until", { day: day(record.until) })]
        .filter(Boolean)
        .join(" · ");
    redraw(
      place,
      field(
        t("consent.record"),
        choice(
          items.map((record) => [record.id, named(record)]),
          items[0].id,
        ),
      ),
    );
  } catch (error) {
    if (!signal?.aborted) redraw(place, problemBox(error));
  }
}
