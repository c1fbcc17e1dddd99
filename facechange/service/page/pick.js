// How pictures come in: dropped, chosen, pasted, taken with the camera, or from the library.
import { announce, h, icon, redraw } from "./dom.js";
import { chooseFromLibrary, dialog, problemBox, progressBar } from "./parts.js";
import { upload } from "./uploads.js";
import { t } from "./words.js";

export const PHOTOGRAPHS = "image/*,.heic,.heif,.avif,.jxl";
export const ANYTHING = `${PHOTOGRAPHS},video/*,.mkv,.mov`;

/** A place to drop files in. `got` is called with each item of the library as it is there. */
export function pick({
  title,
  hint = "",
  accept = PHOTOGRAPHS,
  several = false,
  kind = "photograph",
  fields = () => ({}),
  compact = false,
  fromLibrary = true,
  id,
  got,
  signal,
}) {
  const state = h("div", { class: "state" });
  const send = async (files) => {
    redraw(state);
    for (const file of several ? files : files.slice(0, 1)) await sendOne(file, fields(), state, got, signal);
  };
  const input = h("input", {
    type: "file",
    accept,
    multiple: several,
    class: "unseen",
    id: id ?? null,
    change: () => {
      const files = [...input.files];
      input.value = "";
      send(files);
    },
  });
  const fromCamera = h("input", {
    type: "file",
    accept: "image/*",
    capture: "environment",
    class: "unseen",
    tabindex: -1,
    "aria-hidden": "true",
    change: () => send([...fromCamera.files]),
  });
  const photograph = async () => {
    if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices?.getUserMedia) return fromCamera.click();
    const file = await takePhotograph();
    if (file) await send([file]);
  };
  const library = async () => {
    for (const item of await chooseFromLibrary({ kind, several })) await got(item);
  };
  const zone = h(
    "div",
    {
      class: `drop${compact ? " compact" : ""}`,
      role: "group",
      "aria-label": title,
      dragover: (event) => event.preventDefault() || zone.classList.add("over"),
      dragleave: () => zone.classList.remove("over"),
      drop: (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        send([...event.dataTransfer.files]);
      },
    },
    h("p", { class: "title" }, !compact && icon("picture"), title),
    hint && h("p", { class: "hint" }, hint),
    h(
      "div",
      { class: "buttons" },
      h("label", { class: "button" }, input, icon("add"), t(several ? "pick.files" : "pick.file")),
      h("button", { type: "button", click: photograph }, icon("camera"), t("pick.camera")),
      fromCamera,
      fromLibrary && h("button", { type: "button", click: library }, t("pick.kept")),
    ),
    state,
  );
  document.addEventListener(
    "paste",
    (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (
        files.length &&
        zone.isConnected &&
        !document.querySelector("dialog[open]") &&
        zone === document.querySelector(".drop")
      )
        send(files);
    },
    { signal },
  );
  return zone;
}

async function sendOne(file, fields, state, got, signal) {
  const stopping = new AbortController();
  signal?.addEventListener("abort", () => stopping.abort());
  const bar = progressBar(t("pick.sending", { name: file.name }));
  const row = h(
    "div",
    { class: "row" },
    bar.node,
    h("button", { class: "quiet", type: "button", click: () => stopping.abort() }, t("pick.stop")),
  );
  state.append(row);
  bar.set(0, t("pick.sending", { name: file.name }));
  const progress = (share) =>
    bar.set(share < 1 ? share : null, t(share < 1 ? "pick.sending" : "pick.checking", { name: file.name }));
  try {
    const item = await upload(file, fields, { progress, signal: stopping.signal });
    row.remove();
    announce(t("pick.done", { name: file.name }));
    await got(item);
  } catch (error) {
    row.remove();
    if (error.name !== "AbortError") state.append(problemBox(error));
  }
}

/** A photograph by the camera of this device, as a file; null where none was taken. */
function takePhotograph() {
  let stream = null;
  return dialog(t("camera.title"), (close, signal) => {
    const video = h("video", { muted: true, playsInline: true, autoplay: true, "aria-label": t("camera.view") });
    const said = h("div", {});
    const take = h(
      "button",
      {
        class: "main",
        type: "button",
        disabled: true,
        "data-first": true,
        click: () => grab(video, 0, "photograph.jpg").then(close),
      },
      icon("camera"),
      t("camera.take"),
    );
    navigator.mediaDevices
      .getUserMedia({ video: { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1080 } } })
      .then((given) => {
        stream = given;
        if (signal.aborted) return stop();
        video.addEventListener(
          "loadeddata", // before that there is nothing to take
          () => {
            take.disabled = false;
            take.focus();
          },
          { once: true },
        );
        video.srcObject = given;
      })
      .catch(() => redraw(said, problemBox({ message: t("camera.none"), remedy: t("camera.none.remedy") })));
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    signal.addEventListener("abort", stop);
    return [video, said, h("p", { class: "buttons" }, take)];
  });
}

/** The picture that `video` shows, as a JPEG file. */
export function grab(video, quality, name) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((done) =>
    canvas.toBlob((blob) => done(new File([blob], name, { type: "image/jpeg" })), "image/jpeg", quality || 0.95),
  );
}
