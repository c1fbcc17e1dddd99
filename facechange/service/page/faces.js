// The faces found in a picture, as boxes to press, and the question whom each becomes.
import { ask } from "./api.js";
import { announce, h, redraw } from "./dom.js";
import { picture, problemBox, radios, small } from "./parts.js";
import { count, t } from "./words.js";

export const STAYS = -1;
const TALLEST_REM = 34; // of a picture with its faces
export const letter = (index) => String.fromCharCode(65 + (index % 26));

export function findFaces(item, signal) {
  return ask("POST", "/v1/faces", { picture: item.id }, { signal });
}

export const mark = (index) => h("span", { class: `mark mark-${index % 6}`, "aria-hidden": "true" }, letter(index));

/** Whose a face is to become: what was chosen, else the only person there is, else nobody's. */
export function becomes(face, given, people) {
  if (face.skipped || people.length === 0) return STAYS;
  const chosen = given.get(face.number);
  if (chosen !== undefined && chosen < people.length) return chosen;
  return face.number <= people.length || people.length === 1 ? Math.min(face.number, people.length) - 1 : STAYS;
}

/**
 * A picture with its faces. `people()` are the persons to choose from, `given` is a Map from a face's number to a
 * person's index; `changed` is told of each choice. `update()` draws anew after the people have changed.
 */
export function facePicker(item, found, people, given, changed) {
  let chosen = found.faces.find((face) => !face.skipped)?.number ?? 1;
  const boxes = h("div", { class: "boxes", role: "group", "aria-label": t("faces.label") });
  const panel = h("div", { class: "panel" });
  const asked = () => found.faces.find((face) => face.number === chosen);
  const words = (face) => {
    if (face.skipped) return t("faces.skipped", { number: face.number, reason: face.skipped });
    const index = becomes(face, given, people());
    const key = index === STAYS ? "faces.stays" : "faces.becomes";
    return t(face.doubtful ? `${key}.doubtful` : key, {
      number: face.number,
      person: index === STAYS ? "" : people()[index].name,
    });
  };
  const draw = () => {
    redraw(
      boxes,
      found.faces.map((face) => {
        const index = becomes(face, given, people());
        const [x, y, width, height] = face.box;
        const box = h(
          "button",
          {
            type: "button",
            id: `face-${face.number}`,
            "aria-pressed": String(face.number === chosen),
            "aria-label": words(face),
            class: `box${face.skipped ? " skipped" : ""}${index === STAYS ? " stays" : ` mark-${index % 6}`}`,
            click: () => {
              chosen = face.number;
              draw();
              panel.querySelector("input:checked, input")?.focus();
            },
          },
          h(
            "span",
            { class: "number", "aria-hidden": "true" },
            index === STAYS ? String(face.number) : `${face.number} → ${letter(index)}`,
          ),
        );
        box.style.left = `${(100 * x) / found.width}%`;
        box.style.top = `${(100 * y) / found.height}%`;
        box.style.width = `${(100 * width) / found.width}%`;
        box.style.height = `${(100 * height) / found.height}%`;
        return box;
      }),
    );
    redraw(panel, question());
  };
  const question = () => {
    const face = asked();
    if (!face) return null;
    if (face.skipped) return h("p", { class: "hint" }, words(face));
    if (!people().length) return h("p", { class: "hint" }, t("faces.nobody"));
    const options = people().map((person, index) => [
      String(index),
      [mark(index), person.items[0] && small(person.items[0]), h("span", {}, person.name)],
    ]);
    options.push([String(STAYS), t("faces.stay")]);
    const { group, inputs } = radios(
      t("faces.question", { number: face.number }),
      options,
      String(becomes(face, given, people())),
      (value) => {
        given.set(face.number, Number(value));
        announce(words(face));
        draw();
        changed();
      },
      { kind: "who" },
    );
    inputs.forEach((input, index) => (input.id = `who-${index}`));
    for (const label of group.querySelectorAll("label.radio")) label.htmlFor = label.querySelector("input").id;
    return group;
  };
  draw();
  const none = found.faces.length === 0 && problemBox({ message: t("faces.none"), remedy: t("faces.none.remedy") });
  const node = h(
    "div",
    { class: "faces" },
    h("div", { class: "picture" }, picture(item, t("faces.picture")), boxes),
    none || h("p", { class: "hint" }, count("faces.found", found.faces.length)),
    panel,
  );
  const { style } = node.querySelector(".picture");
  style.aspectRatio = `${found.width} / ${found.height}`;
  style.width = `min(100%, ${(TALLEST_REM * found.width) / found.height}rem)`;
  return { node, update: draw };
}

/** What is asked for, as the service takes it: for each person with a face, their sources and the faces' numbers. */
export function rulesOf(found, given, people) {
  return people
    .map((person, index) => {
      const numbers = found.faces.filter((face) => becomes(face, given, people) === index).map((face) => face.number);
      return { sources: person.sources(), selector: numbers.join(","), numbers, person };
    })
    .filter((rule) => rule.numbers.length);
}
