// Parts that several views are made of: problems, empty places, pictures, dialogs, fields.
import { get, thumbnail, content } from "./api.js";
import { h, icon, unique } from "./dom.js";
import { clock, t } from "./words.js";

/** What went wrong and what to do about it; read out at once. */
export function problemBox(error) {
  const stated = error?.message || error?.detail || String(error);
  return h(
    "div",
    { class: "problem", role: "alert" },
    icon("warning"),
    h("div", {}, h("p", {}, stated), error?.remedy && h("p", { class: "remedy" }, error.remedy)),
  );
}

/** A place with nothing in it yet, and how something comes into it. */
export function emptyPlace(title, text, ...actions) {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "title" }, title),
    h("p", {}, text),
    actions.length > 0 && h("p", {}, actions),
  );
}

/** A button that cannot be pressed twice while what it does goes on, and shows in `said` what went wrong. */
export function action(label, then, { kind = "", said = null, id = null, symbol = null } = {}) {
  const button = h("button", { class: kind, type: "button", id }, symbol && icon(symbol), label);
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    said?.replaceChildren();
    try {
      await then();
    } catch (error) {
      if (error.name !== "AbortError") said?.replaceChildren(problemBox(error));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return button;
}

/** A labelled control; `hint` is read with it. */
export function field(label, control, hint = "") {
  control.id ||= unique("field");
  const help = hint && h("p", { class: "hint", id: `${control.id}-hint` }, hint);
  if (help) control.setAttribute("aria-describedby", help.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, help);
}

export function choice(options, chosen, properties = {}) {
  return h(
    "select",
    properties,
    options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)),
  );
}

/** A group of radio buttons; `options` are [value, label, what is shown while it is chosen]. */
export function radios(legend, options, chosen, changed, { kind = "", help = "" } = {}) {
  const name = unique("radio");
  const hint = help && h("p", { class: "hint", id: `${name}-hint` }, help);
  const rows = options.map(([value, label, more, disabled]) => {
    const input = h("input", {
      type: "radio",
      name,
      value,
      id: `${name}-${value}`,
      checked: value === chosen,
      disabled: Boolean(disabled),
      change: () => {
        for (const row of rows) row.more?.toggleAttribute("hidden", row.value !== value);
        changed(value);
      },
    });
    more?.toggleAttribute("hidden", value !== chosen);
    return { value, more, input, node: [h("label", { class: "radio" }, input, h("span", {}, label)), more] };
  });
  const group = h(
    "fieldset",
    { class: kind, "aria-describedby": hint ? hint.id : null },
    h("legend", {}, legend),
    hint,
    h(
      "div",
      { class: "radios" },
      rows.map((row) => row.node),
    ),
  );
  return { group, inputs: rows.map((row) => row.input) };
}

/** A picture that shows its thumbnail where the browser cannot show its format. */
export function picture(item, alt, properties = {}) {
  const image = h("img", {
    src: content(item),
    alt,
    decoding: "async",
    width: item.width,
    height: item.height,
    ...properties,
  });
  image.addEventListener("error", () => image.getAttribute("src") !== thumbnail(item) && (image.src = thumbnail(item)));
  return image;
}

export function small(item, alt = "") {
  const image = h("img", { src: thumbnail(item), alt, loading: "lazy", decoding: "async", class: "thumb" });
  image.addEventListener("error", () =>
    image.replaceWith(h("span", { class: "thumb none" }, icon(item.kind === "video" ? "film" : "picture"))),
  );
  return image;
}

export function label(item) {
  return item.name || t("library.unnamed", { id: String(item.id).slice(0, 8) });
}

export function measures(item) {
  const size = item.width ? `${item.width} × ${item.height}` : "";
  return [item.kind === "video" ? clock(item.seconds) : "", size].filter(Boolean).join(" · ");
}

/** A dialog over the page; gives what `close` was called with, null where it was dismissed. */
export function dialog(title, build, { kind = "" } = {}) {
  const heading = h("h2", { id: unique("title"), tabindex: -1 }, title);
  const box = h("dialog", { class: kind, "aria-labelledby": heading.id });
  const back = document.activeElement;
  const leaving = new AbortController();
  return new Promise((done) => {
    let given = null;
    const close = (value = null) => {
      given = value;
      box.close();
    };
    box.addEventListener("close", () => {
      leaving.abort();
      box.remove();
      back?.isConnected && back.focus({ preventScroll: true });
      done(given);
    });
    addEventListener("hashchange", () => close(), { signal: leaving.signal });
    box.append(
      h(
        "div",
        { class: "bar" },
        heading,
        h(
          "button",
          { class: "quiet icon-only", type: "button", "aria-label": t("dialog.close"), click: () => close() },
          icon("close"),
        ),
      ),
      h("div", { class: "inside" }, build(close, leaving.signal)),
    );
    document.body.append(box);
    box.showModal();
    (box.querySelector("[data-first]") ?? heading).focus();
  });
}

/** Ask before something that cannot be undone; gives true where it is meant. */
export function confirm(title, text, yes) {
  return dialog(
    title,
    (close) => [
      h("p", {}, text),
      h(
        "p",
        { class: "buttons" },
        h("button", { class: "danger", type: "button", click: () => close(true) }, yes),
        h("button", { type: "button", "data-first": true, click: () => close() }, t("dialog.no")),
      ),
    ],
    { kind: "narrow" },
  );
}

/** Choose from the library; gives items, or an empty list. */
export async function chooseFromLibrary({ kind = "", several = false } = {}) {
  const chosen = new Map();
  const picked = await dialog(
    t(several ? "pick.several" : "pick.single"),
    (close, signal) => {
      const list = h("div", { class: "tiles", "aria-busy": "true" });
      const take = h(
        "button",
        { class: "main", type: "button", hidden: !several, click: () => close([...chosen.values()]) },
        t("pick.take"),
      );
      listItems(kind, signal)
        .then(({ items }) => {
          list.removeAttribute("aria-busy");
          if (!items.length) list.append(emptyPlace(t("library.empty"), t("pick.empty")));
          list.append(
            ...items.map((item) => {
              const toggle = () => {
                if (!several) return close([item]);
                if (!chosen.delete(item.id)) chosen.set(item.id, item);
                button.setAttribute("aria-pressed", String(chosen.has(item.id)));
              };
              const button = h(
                "button",
                { class: "tile", type: "button", "aria-pressed": several ? "false" : null, click: toggle },
                small(item),
                h("span", { class: "name" }, label(item)),
                h("span", { class: "hint" }, measures(item)),
              );
              return button;
            }),
          );
        })
        .catch((error) => list.append(problemBox(error)));
      return [list, h("p", { class: "buttons" }, take)];
    },
    { kind: "wide" },
  );
  return picked ?? [];
}

export function listItems(kind, signal, more = {}) {
  const query = new URLSearchParams({ limit: "60", ...more });
  if (kind) query.set("kind", kind);
  return get(`/v1/library?${query}`, { signal });
}

/** Progress of something whose share may be unknown, in words beside the bar. */
export function progressBar(name) {
  const bar = h("progress", { max: 1, "aria-label": name });
  const text = h("p", { class: "hint" });
  return {
    node: h("div", { class: "progress" }, bar, text),
    set(share, words) {
      if (share === null) bar.removeAttribute("value");
      else bar.value = share;
      if (text.textContent !== words) text.textContent = words;
    },
  };
}
