// A video to change: its faces at a moment, whom each becomes, and a look at a few moments before the long run.
import { OVER, content, patiently, result, watch } from "./api.js";
import { comparePictures } from "./compare.js";
import { announce, h, redraw } from "./dom.js";
import { STAYS, becomes, facePicker, findFaces } from "./faces.js";
import { action, problemBox } from "./parts.js";
import { grab } from "./pick.js";
import { upload } from "./uploads.js";
import { clock, t } from "./words.js";

const MOMENTS = 3; // evenly apart, drawn by the service, so that the browser need not play what is previewed
const hour = () => new Date(Date.now() + 3600e3).toISOString();

function seek(video, seconds, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error(t("video.unplayable"))), 20000);
    signal?.addEventListener("abort", () => failed(new DOMException("stopped", "AbortError")));
    video.addEventListener(
      "seeked",
      () => {
        clearTimeout(timer);
        done();
      },
      { once: true },
    );
    video.currentTime = Math.min(seconds, Math.max(0, video.duration - 0.05));
  });
}

/** The video `item`: `rules()` gives what is asked for; a person is told by a picture of the face as it was found. */
export function targetVideo(item, people, given, { signal, retell, question, model, found }) {
  const video = h("video", {
    src: content(item),
    muted: true,
    playsInline: true,
    preload: "auto",
    controls: true,
    "aria-label": t("video.label", { name: item.name }),
  });
  const place = h("div", {});
  const said = h("div", {});
  const previews = h("div", { class: "previews", "aria-live": "polite" });
  const state = { found: null, frame: null, at: 0, crops: new Map() };
  const every = h("input", { type: "checkbox", id: "everybody", checked: true, change: () => retell() });
  const frameAt = async () => {
    const name = `${item.name || "video"} ${clock(video.currentTime)}.jpg`;
    return upload(await grab(video, 0.95, name), { expires: hour() }, { signal });
  };
  const look = async () => {
    redraw(place, h("p", { class: "hint" }, t("faces.looking")));
    state.frame = await frameAt();
    state.at = video.currentTime;
    state.crops.clear();
    given.clear();
    state.found = await findFaces(state.frame, signal);
    const picker = facePicker(state.frame, state.found, () => people, given, retell);
    redraw(place, h("h3", {}, t("video.moment", { time: clock(state.at) })), picker.node);
    found(state.found, picker);
    announce(t("video.moment", { time: clock(state.at) }));
  };

  /** One person in everybody's place needs no likeness; else each face is named by its own picture. */
  const everybody = () => people.length === 1 && every.checked;
  const rules = async () => {
    if (everybody()) return [{ sources: people[0].sources(), selector: "all" }];
    const asked = [];
    for (const face of state.found?.faces ?? []) {
      const index = becomes(face, given, people);
      if (index !== STAYS) asked.push({ sources: people[index].sources(), selector: `like:${await cropOf(face)}` });
    }
    return asked;
  };
  const cropOf = async (face) => {
    if (!state.crops.has(face.number)) state.crops.set(face.number, (await uploadCrop(video, state, face, signal)).id);
    return state.crops.get(face.number);
  };

  const preview = async () => {
    const agreed = people.length ? question.read() : null;
    if (!people.length)
      throw Object.assign(new Error(t("change.need.source")), { remedy: t("change.need.source.remedy") });
    if (!agreed) return;
    const asked = await rules();
    redraw(previews, h("p", { class: "hint" }, t("video.previewing")));
    const change = { target: item.id, rules: asked, ...model(), ...agreed };
    const { frames } = await patiently("POST", "/v1/previews", { frames: MOMENTS, change }, { signal });
    const shown = [];
    for (const frame of frames) {
      shown.push(await previewOf(frame, signal));
      redraw(previews, h("h3", {}, t("video.previews")), shown);
    }
  };

  video.addEventListener(
    "loadeddata",
    async () => {
      try {
        await seek(video, video.duration / 3, signal);
        await look();
      } catch (error) {
        if (!signal.aborted) redraw(said, problemBox(error));
      }
    },
    { once: true },
  );
  video.addEventListener("error", () =>
    redraw(said, problemBox({ message: t("video.unplayable"), remedy: t("video.unplayable.remedy") })),
  );
  const node = h(
    "div",
    { class: "video" },
    video,
    said,
    h(
      "p",
      { class: "buttons" },
      action(t("video.look"), look, { said }),
      action(t("video.preview"), preview, { said, id: "preview" }),
    ),
    h("p", {}, h("label", { class: "radio", for: "everybody" }, every, h("span", {}, t("video.everybody")))),
    place,
    previews,
  );
  return { node, rules, everybody };
}

/** A moment with its faces changed, beside itself. */
async function previewOf(frame, signal) {
  const time = clock(frame.seconds);
  const over = await new Promise((done) =>
    watch(frame.job.id, (seen) => OVER.includes(seen.state) && done(seen), signal),
  );
  const seen =
    over.state === "done"
      ? comparePictures(content(frame.target), result(over), time)
      : problemBox({ message: over.problem?.detail ?? t("job.state.cancelled"), remedy: over.problem?.remedy });
  return h("div", { class: "preview" }, h("p", { class: "hint" }, time), seen);
}

/** The face with some room around it, from the frame that was looked at, as a picture of the library for an hour. */
async function uploadCrop(video, state, face, signal) {
  await seek(video, state.at, signal);
  const [x, y, width, height] = face.box;
  const room = 0.6 * Math.max(width, height);
  const scale = video.videoWidth / state.found.width;
  const from = [Math.max(0, x - room), Math.max(0, y - room)];
  const to = [Math.min(state.found.width, x + width + room), Math.min(state.found.height, y + height + room)];
  const [wide, high] = [to[0] - from[0], to[1] - from[1]];
  const canvas = h("canvas", { width: Math.round(wide * scale), height: Math.round(high * scale) });
  canvas
    .getContext("2d")
    .drawImage(video, from[0] * scale, from[1] * scale, wide * scale, high * scale, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  return upload(new File([blob], `face-${face.number}.jpg`, { type: "image/jpeg" }), { expires: hour() }, { signal });
}
