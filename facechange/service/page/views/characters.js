// Characters: somebody who is kept, with the pictures and videos that show them; rendered again when they change.
import { ask, get } from "../api.js";
import { announce, h, redraw } from "../dom.js";
import { action, dialog, emptyPlace, field, listItems, radios, small } from "../parts.js";
import { pick } from "../pick.js";
import { consentQuestion } from "../consent.js";
import { t } from "../words.js";

export async function show(root, { signal }) {
  const list = h("ul", { class: "plain cards" });
  const said = h("div", {});
  const draw = async () => {
    const { items } = await get("/v1/characters", { signal });
    redraw(
      list,
      items.map((character) => card(character, signal, said)),
    );
    if (!items.length) list.append(h("li", {}, emptyPlace(t("characters.empty"), t("characters.empty.text"))));
  };
  const add = async () => {
    const made = await newCharacter();
    if (!made) return;
    announce(t("characters.made", { name: made.name }));
    await draw();
  };
  root.append(
    h("p", { class: "lead" }, t("characters.lead")),
    h("p", { class: "buttons" }, action(t("characters.add"), add, { kind: "main", said, symbol: "add" })),
    said,
    list,
  );
  await draw();
}

function card(character, signal, said) {
  const shown = h("div", { class: "pictures" });
  if (character.set) {
    listItems("", signal, { set: character.set, limit: "6" })
      .then(({ items }) =>
        redraw(
          shown,
          items.map((item) => small(item)),
        ),
      )
      .catch(() => {});
  }
  const again = async () => (await askWhoPlays(character)) && (location.hash = "#/jobs");
  return h(
    "li",
    { class: "card" },
    h("h2", {}, character.name),
    h(
      "p",
      { class: "hint" },
      t((character.seed ?? null) === null ? "characters.identity" : "characters.persona", { seed: character.seed }),
      " · ",
      t("characters.version", { version: character.version }),
    ),
    shown,
    h(
      "p",
      { class: "buttons" },
      action(t("characters.render"), again, { said }),
      character.set && h("a", { class: "button", href: `#/library?set=${character.set}` }, t("characters.set")),
    ),
  );
}

/** Those who play a character are changed too: who of them agreed. Gives true once the jobs are accepted. */
function askWhoPlays(character) {
  return dialog(t("characters.render.title", { name: character.name }), (close, signal) => {
    const question = consentQuestion({ signal });
    const said = h("div", {});
    question.ask(t("characters.render.asked", { name: character.name }));
    const start = async () => {
      const agreed = question.read();
      if (!agreed) return;
      await ask("POST", `/v1/characters/${character.id}/render`, agreed, { signal });
      close(true);
    };
    return [
      question.node,
      said,
      h("p", { class: "buttons" }, action(t("characters.render"), start, { kind: "main", said })),
    ];
  });
}

function newCharacter() {
  return dialog(t("characters.add"), (close, signal) => {
    const name = h("input", { type: "text", maxlength: 100, "data-first": true });
    const seed = h("input", { type: "number", min: 0, step: 1, value: Math.floor(Math.random() * 10000) });
    const pictures = [];
    const shown = h("div", { class: "pictures" });
    const question = consentQuestion({ signal });
    question.ask(t("characters.asked"));
    let way = "persona";
    const { group } = radios(
      t("characters.who"),
      [
        [
          "persona",
          t("characters.who.persona"),
          h("div", { class: "more" }, field(t("characters.seed"), seed, t("characters.seed.hint"))),
        ],
        [
          "identity",
          t("characters.who.identity"),
          h(
            "div",
            { class: "more" },
            pick({
              title: t("characters.pictures"),
              several: true,
              compact: true,
              signal,
              got: (item) => {
                pictures.push(item);
                redraw(
                  shown,
                  pictures.map((one) => small(one)),
                );
              },
            }),
            shown,
            question.node,
          ),
        ],
      ],
      way,
      (value) => (way = value),
    );
    const said = h("div", {});
    const make = async () => {
      if (!name.value.trim()) throw new Error(t("characters.noname"));
      const body = { name: name.value.trim() };
      if (way === "persona") body.seed = Number(seed.value);
      else {
        if (!pictures.length) throw new Error(t("characters.nopictures"));
        const agreed = question.read();
        if (!agreed) return;
        Object.assign(body, { sources: pictures.map((item) => item.id), consent: agreed.consent });
      }
      close(await ask("POST", "/v1/characters", body, { signal }));
    };
    return [
      field(t("characters.name"), name),
      group,
      said,
      h("p", { class: "buttons" }, action(t("characters.make"), make, { kind: "main", said })),
    ];
  });
}
