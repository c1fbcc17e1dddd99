// The library: pictures and videos, in sets or not; and one of them with what can be done with it.
import { ask, content, get } from "../api.js";
import { announce, h, icon, redraw } from "../dom.js";
import {
  action,
  choice,
  confirm,
  dialog,
  emptyPlace,
  field,
  label,
  listItems,
  measures,
  picture,
  problemBox,
  small,
} from "../parts.js";
import { ANYTHING, pick } from "../pick.js";
import { bytes, t, when } from "../words.js";

export async function show(root, context) {
  return context.id ? showOne(root, context) : showAll(root, context);
}

const getSets = async (signal) => (await get("/v1/sets", { signal })).items;
const setName = (sets, id) => sets.find((set) => set.id === id)?.name ?? "";

async function showAll(root, { signal, query }) {
  let sets = await getSets(signal);
  const tiles = h("div", { class: "tiles" });
  const said = h("div", {});
  const more = h("p", { class: "buttons" });
  const inSet = h("select", { change: () => redo() });
  const kind = choice(
    ["", "photograph", "video"].map((name) => [name, t(`library.kind.${name || "all"}`)]),
    "",
    { change: () => redo() },
  );
  const drawSets = (chosen) =>
    redraw(
      inSet,
      h("option", { value: "" }, t("library.set.all")),
      sets.map((set) =>
        h(
          "option",
          { value: set.id, selected: set.id === chosen },
          t("library.set.name", { name: set.name, kind: t(`set.kind.${set.kind}`) }),
        ),
      ),
    );
  const draw = async (before = null) => {
    const asked = { ...(inSet.value && { set: inSet.value }), ...(before && { before }) };
    const { items, next } = await listItems(kind.value, signal, asked);
    if (!before) tiles.replaceChildren();
    tiles.append(...items.map(tile));
    if (!tiles.children.length)
      tiles.append(emptyPlace(t(inSet.value ? "library.set.empty" : "library.empty"), t("library.empty.text")));
    redraw(more, next && action(t("list.more"), () => draw(next), { said }));
  };
  const redo = () => draw().catch((error) => redraw(said, problemBox(error)));
  const zone = pick({
    title: t("library.add"),
    hint: t("library.add.hint"),
    accept: ANYTHING,
    several: true,
    compact: true,
    kind: "",
    fromLibrary: false,
    signal,
    fields: () => (inSet.value ? { set: inSet.value } : {}), // as it is chosen when a file is dropped
    got: redo,
  });
  const newSet = async () => {
    const made = await askForSet();
    if (!made) return;
    sets = await getSets(signal);
    drawSets(made.id);
    announce(t("set.made", { name: made.name }));
    await draw();
  };
  drawSets(query.get("set"));
  root.append(
    zone,
    h(
      "div",
      { class: "filters" },
      field(t("library.set"), inSet),
      field(t("library.kind"), kind),
      action(t("set.new"), newSet, { said, symbol: "add" }),
    ),
    said,
    tiles,
    more,
  );
  await draw();
}

function tile(item) {
  return h(
    "a",
    { class: "tile", href: `#/library/${item.id}` },
    small(item),
    h("span", { class: "name" }, label(item)),
    h("span", { class: "hint" }, measures(item)),
  );
}

function askForSet() {
  return dialog(
    t("set.new"),
    (close, signal) => {
      const name = h("input", { type: "text", maxlength: 100, required: true, "data-first": true });
      const kind = choice(
        [
          ["person", t("set.kind.person")],
          ["character", t("set.kind.character")],
        ],
        "person",
      );
      const said = h("div", {});
      const make = async () => {
        if (!name.value.trim()) throw new Error(t("set.noname"));
        close(await ask("POST", "/v1/sets", { name: name.value.trim(), kind: kind.value }, { signal }));
      };
      return [
        field(t("set.name"), name),
        field(t("set.kind"), kind, t("set.kind.hint")),
        said,
        h("p", { class: "buttons" }, action(t("set.make"), make, { kind: "main", said })),
      ];
    },
    { kind: "narrow" },
  );
}

async function showOne(root, { id, signal, heading }) {
  const [item, sets] = await Promise.all([get(`/v1/library/${encodeURIComponent(id)}`, { signal }), getSets(signal)]);
  heading.textContent = label(item);
  const shown =
    item.kind === "video"
      ? h("video", {
          src: content(item),
          controls: true,
          preload: "metadata",
          playsInline: true,
          "aria-label": label(item),
        })
      : picture(item, t("library.picture", { name: label(item) }));
  const facts = [
    ["library.fact.size", [measures(item), bytes(item.bytes)].filter(Boolean).join(" · ")],
    ["library.fact.kind", item.media_type],
    ["library.fact.set", setName(sets, item.set) || t("library.set.none")],
    ["library.fact.created", when(item.created)],
    ["library.fact.expires", item.expires ? when(item.expires) : t("library.keeps")],
    ["library.fact.hash", h("code", {}, item.sha256)],
  ];
  const said = h("div", {});
  const remove = async () => {
    if (
      !(await confirm(
        t("library.delete.title"),
        t("library.delete.text", { name: label(item) }),
        t("library.delete.yes"),
      ))
    )
      return;
    const record = await ask("DELETE", `/v1/library/${item.id}`, null, { signal });
    heading.textContent = t("library.deleted");
    redraw(
      body,
      h("p", {}, t("library.deleted.text", { when: when(record?.deleted) })),
      h(
        "dl",
        { class: "facts" },
        h("div", {}, h("dt", {}, t("library.fact.hash")), h("dd", {}, h("code", {}, record?.sha256 ?? item.sha256))),
      ),
      h("p", {}, h("a", { class: "button", href: "#/library" }, t("library.back"))),
    );
    heading.focus();
  };
  const body = h(
    "div",
    { class: "columns even" },
    h("div", { class: "card shown" }, shown),
    h(
      "div",
      { class: "stack" },
      h(
        "section",
        { class: "card" },
        h("h2", {}, t("library.use")),
        h(
          "p",
          { class: "buttons" },
          h("a", { class: "button main", href: `#/change?target=${item.id}` }, t("library.use.target")),
          item.kind !== "video" &&
            h("a", { class: "button", href: `#/change?source=${item.id}` }, t("library.use.source")),
          h("a", { class: "button", href: `#/anonymise?target=${item.id}` }, t("library.use.anonymise")),
          h(
            "a",
            { class: "button", href: `${content(item)}?download=1`, download: "" },
            icon("download"),
            t("job.download"),
          ),
        ),
      ),
      h(
        "section",
        { class: "card" },
        h("h2", {}, t("library.facts")),
        h(
          "dl",
          { class: "facts" },
          facts.map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value))),
        ),
        edit(item, sets, said, signal),
        said,
        h("p", { class: "buttons" }, action(t("library.delete"), remove, { kind: "danger", said })),
      ),
    ),
  );
  root.prepend(h("p", { class: "back" }, h("a", { href: "#/library" }, t("library.back"))));
  root.append(body);
}

function edit(item, sets, said, signal) {
  const name = h("input", { type: "text", maxlength: 200, value: item.name ?? "" });
  const set = choice([["", t("library.set.none")], ...sets.map((one) => [one.id, one.name])], item.set ?? "");
  const expires = h("input", { type: "date", value: item.expires?.slice(0, 10) ?? "" });
  const save = async () => {
    const body = {
      ...(name.value.trim() && { name: name.value.trim() }),
      set: set.value || null,
      expires: expires.value ? `${expires.value}T23:59:59Z` : null,
    };
    await ask("PATCH", `/v1/library/${item.id}`, body, { signal });
    redraw(said, h("p", { class: "good" }, icon("good"), t("library.saved")));
    announce(t("library.saved"));
  };
  return h(
    "details",
    {},
    h("summary", {}, t("library.edit")),
    field(t("library.name"), name),
    field(t("library.set"), set),
    field(t("library.expires"), expires, t("library.expires.hint")),
    h("p", { class: "buttons" }, action(t("library.save"), save, { said })),
  );
}
