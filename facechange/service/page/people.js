// The persons whose faces are given: pictures of each, or a kept character.
import { get } from "./api.js";
import { h, icon, redraw } from "./dom.js";
import { mark, letter } from "./faces.js";
import { dialog, emptyPlace, label, problemBox, small } from "./parts.js";
import { pick } from "./pick.js";
import { count, t } from "./words.js";

/** The persons, drawn into `place`; `changed` is told when there are more or fewer. */
export function peopleList(signal, changed) {
  const people = [];
  const place = h("div", { class: "people" });
  const rename = () =>
    people.forEach((person, index) => {
      if (!person.character) person.name = t("people.name", { letter: letter(index) });
    });
  const update = () => {
    rename();
    draw();
    changed();
  };
  const add = (person) => {
    person.sources = () => (person.character ? [person.character.id] : person.items.map((item) => item.id));
    people.push(person);
    update();
  };
  const remove = (person) => {
    people.splice(people.indexOf(person), 1);
    update();
    place.querySelector("input, button")?.focus();
  };
  const addTo = (person) =>
    dialog(t("people.more", { name: person.name }), (close, inner) => [
      pick({
        title: t("people.another"),
        several: true,
        signal: inner,
        got: (item) => {
          person.items.push(item);
          update();
          close();
        },
      }),
    ]);
  const card = (person, index) =>
    h(
      "li",
      { class: "person" },
      mark(index),
      h(
        "div",
        { class: "pictures" },
        person.items.map((item) => small(item, label(item))),
      ),
      h(
        "div",
        { class: "words" },
        h("strong", {}, person.name),
        h(
          "span",
          { class: "hint" },
          person.character ? t("people.character") : count("people.pictures", person.items.length),
        ),
      ),
      !person.character &&
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            id: `more-${index}`,
            "aria-label": t("people.more", { name: person.name }),
            click: () => addTo(person),
          },
          icon("add"),
          h("span", { class: "long" }, t("people.more.short")),
        ),
      h(
        "button",
        {
          type: "button",
          class: "quiet icon-only",
          "aria-label": t("people.remove", { name: person.name }),
          click: () => remove(person),
        },
        icon("close"),
      ),
    );
  const zone = pick({
    title: t("people.add"),
    hint: t("people.add.hint"),
    compact: true,
    signal,
    several: true,
    id: "add-person",
    got: (item) => add({ items: [item], character: null, name: "" }),
  });
  zone.querySelector(".buttons").append(
    h(
      "button",
      {
        type: "button",
        click: () =>
          chooseCharacter().then(
            (character) =>
              character &&
              add({ items: character.picture ? [character.picture] : [], character, name: character.name }),
          ),
      },
      t("people.characters"),
    ),
  );
  const list = h("ul", { class: "plain" });
  const draw = () => redraw(list, people.map(card));
  place.append(list, zone);
  return { node: place, people, add };
}

function chooseCharacter() {
  return dialog(
    t("people.characters.title"),
    (close, signal) => {
      const list = h("ul", { class: "plain list" });
      get("/v1/characters", { signal })
        .then(({ items }) => {
          list.append(
            ...items.map((character) =>
              h(
                "li",
                {},
                h("button", { type: "button", class: "wide", click: () => close(character) }, character.name),
              ),
            ),
          );
          if (!items.length)
            list.append(
              h(
                "li",
                {},
                emptyPlace(
                  t("characters.empty"),
                  t("characters.empty.text"),
                  h("a", { href: "#/characters" }, t("characters.add")),
                ),
              ),
            );
        })
        .catch((error) => list.append(h("li", {}, problemBox(error))));
      return list;
    },
    { kind: "narrow" },
  );
}
