// What a file is: its marks and credentials, read by the service; the file is not kept.
import { ask } from "../api.js";
import { announce, h, icon, redraw } from "../dom.js";
import { problemBox } from "../parts.js";
import { ANYTHING } from "../pick.js";
import { t } from "../words.js";

export async function show(root, { signal }) {
  const said = h("div", { "aria-live": "polite" });
  const check = async (files) => {
    for (const file of files) {
      const place = h(
        "section",
        { class: "card" },
        h("h2", {}, file.name),
        h("p", { class: "hint" }, t("verify.reading")),
      );
      said.prepend(place);
      const form = new FormData();
      form.append("file", file, file.name);
      try {
        const findings = await ask("POST", "/v1/verify", form, { signal });
        redraw(
          place,
          h("h2", {}, file.name),
          h(
            "ul",
            { class: "outcomes" },
            (findings.sentences ?? []).map((sentence) => h("li", {}, sentence)),
          ),
        );
        announce(t("verify.done", { name: file.name }));
      } catch (error) {
        redraw(place, h("h2", {}, file.name), problemBox(error));
      }
    }
  };
  const input = h("input", {
    type: "file",
    class: "unseen",
    accept: ANYTHING,
    multiple: true,
    id: "verify-file",
    change: () => {
      const files = [...input.files];
      input.value = "";
      check(files);
    },
  });
  const zone = h(
    "div",
    {
      class: "drop",
      role: "group",
      "aria-label": t("verify.drop"),
      dragover: (event) => event.preventDefault() || zone.classList.add("over"),
      dragleave: () => zone.classList.remove("over"),
      drop: (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        check([...event.dataTransfer.files]);
      },
    },
    h("p", { class: "title" }, icon("picture"), t("verify.drop")),
    h("p", { class: "hint" }, t("verify.hint")),
    h("div", { class: "buttons" }, h("label", { class: "button" }, input, icon("add"), t("pick.files"))),
  );
  root.append(h("p", { class: "lead" }, t("verify.lead")), zone, said);
}
