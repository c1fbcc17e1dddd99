// The frame around the views: who is signed in, where one is, and how one gets elsewhere.
import { ask, get, onSignedOut } from "./api.js";
import { announce, h, icon, redraw } from "./dom.js";
import { problemBox } from "./parts.js";
import { t } from "./words.js";

const VIEWS = ["change", "anonymise", "library", "characters", "jobs", "consents", "verify"];
const app = document.getElementById("app");
let session = null;
let leaving = new AbortController();

function place() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id = ""] = path.split("/");
  return { name: VIEWS.includes(name) ? name : "change", id, query: new URLSearchParams(search) };
}

function frame() {
  const menu = h(
    "button",
    {
      class: "quiet menu",
      type: "button",
      "aria-expanded": "false",
      "aria-controls": "nav",
      click: () => menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true")),
      keydown: (event) => event.key === "Escape" && menu.setAttribute("aria-expanded", "false"),
    },
    icon("menu"),
    t("nav.menu"),
  );
  const links = VIEWS.map((name) => h("li", {}, h("a", { href: `#/${name}`, id: `nav-${name}` }, t(`${name}.nav`))));
  redraw(
    app,
    h("a", { class: "skip", href: "#main", click: skip }, t("nav.skip")),
    h(
      "header",
      {},
      h(
        "a",
        { class: "brand", href: "#/change" },
        h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }),
        "facechange",
      ),
      menu,
      h(
        "nav",
        { id: "nav", "aria-label": t("nav.label") },
        h(
          "ul",
          {},
          links,
          h("li", { class: "last" }, h("button", { class: "quiet", type: "button", click: signOut }, t("nav.out"))),
        ),
      ),
    ),
    h("main", { id: "main", tabindex: -1 }),
    h("p", { id: "announcer", class: "unseen", role: "status" }),
  );
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

async function signOut() {
  await ask("DELETE", "/v1/session").catch(() => {});
  session = null;
  location.hash = "";
  askForKey();
}

/** Show the view that the address names, and lead the focus to its heading. */
async function show() {
  if (!session) return;
  leaving.abort();
  leaving = new AbortController();
  const { name, id, query } = place();
  const root = h("div", { class: `view ${name}` });
  const heading = h("h1", { tabindex: -1 }, t(`${name}.title`));
  root.append(heading);
  document.querySelector(".menu").setAttribute("aria-expanded", "false");
  for (const view of VIEWS) {
    const link = document.getElementById(`nav-${view}`);
    if (view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${t(`${name}.title`)} · facechange`;
  redraw(document.getElementById("main"), root);
  window.scrollTo(0, 0);
  heading.focus({ preventScroll: true });
  const { signal } = leaving;
  try {
    const view = await import(`./views/${name}.js`);
    await view.show(root, { id, query, signal, session, heading });
  } catch (error) {
    if (!signal.aborted) root.append(problemBox(error));
  }
}

function askForKey(key = "") {
  leaving.abort();
  document.title = `${t("signin.title")} · facechange`;
  const said = h("div", { id: "signin-said" });
  const field = h("input", {
    id: "key",
    name: "key",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
    value: key,
    "aria-describedby": "key-help signin-said",
  });
  const send = async (event) => {
    event?.preventDefault();
    if (!field.value.trim()) {
      redraw(said, h("p", { class: "problem", role: "alert" }, t("signin.empty")));
      return field.focus();
    }
    try {
      await ask("POST", "/v1/session", { key: field.value.trim() }, { quiet: true });
      await begin();
    } catch (error) {
      redraw(said, problemBox(error));
      field.setAttribute("aria-invalid", "true");
      field.select();
    }
  };
  redraw(
    app,
    h(
      "main",
      { class: "signin", id: "main" },
      h(
        "form",
        { class: "card", submit: send, novalidate: true },
        h("p", { class: "brand" }, h("img", { src: "icon.svg", alt: "", width: 36, height: 36 }), "facechange"),
        h("h1", { tabindex: -1 }, t("signin.title")),
        h("p", {}, t("signin.what")),
        h("label", { for: "key" }, t("signin.key")),
        field,
        h("p", { class: "hint", id: "key-help" }, t("signin.help")),
        said,
        h("button", { class: "main", type: "submit" }, t("signin.enter")),
      ),
    ),
  );
  if (key) send();
  else field.focus();
}

async function begin() {
  session = await get("/v1/session", { quiet: true });
  frame();
  announce(t("signin.done"));
  await show();
}

function start() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key"); // a link with the key: it stays on this machine
  if (key) history.replaceState(null, "", location.pathname);
  if (key) return askForKey(key);
  return begin().catch((error) => {
    askForKey();
    if (error.status !== 401) redraw(document.getElementById("signin-said"), problemBox(error));
  });
}

onSignedOut(() => session && ((session = null), askForKey()));
addEventListener("hashchange", show);
// A file that is dropped beside the frame does not replace the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
start();
