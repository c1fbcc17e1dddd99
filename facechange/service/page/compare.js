// Before and after: one over the other with a line that is moved by pointer or keys, and both at full size.
import { h, icon, unique } from "./dom.js";
import { dialog } from "./parts.js";
import { clock, t } from "./words.js";

/** Two pictures (or videos) of one size; the line between them is a range input that covers them. */
export function compare(before, after, { tools = [] } = {}) {
  const range = h("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    value: 50,
    class: "divider",
    "aria-label": t("compare.slider"),
    input: () => set(Number(range.value)),
  });
  const handle = h("span", { class: "handle", "aria-hidden": "true" });
  const top = h("div", { class: "top" }, after);
  const pair = h(
    "div",
    { class: "pair" },
    before,
    top,
    handle,
    range,
    h("span", { class: "tag left", "aria-hidden": "true" }, t("compare.before")),
    h("span", { class: "tag right", "aria-hidden": "true" }, t("compare.after")),
  );
  const set = (percent) => {
    pair.style.setProperty("--cut", `${percent}%`);
    range.setAttribute("aria-valuetext", t("compare.value", { before: percent, after: 100 - percent }));
  };
  set(50);
  return h("figure", { class: "compare" }, pair, tools.length > 0 && h("figcaption", { class: "buttons" }, tools));
}

export function fullSize(title, make) {
  return h(
    "button",
    {
      type: "button",
      click: () =>
        dialog(
          title,
          () => {
            const whole = h("input", {
              type: "checkbox",
              id: unique("fit"),
              "data-first": true,
              change: () => stage.classList.toggle("actual", whole.checked),
            });
            const stage = h("div", { class: "stage", tabindex: 0, role: "group", "aria-label": title }, make());
            return [h("p", {}, h("label", { class: "radio" }, whole, h("span", {}, t("compare.actual")))), stage];
          },
          { kind: "full" },
        ),
    },
    icon("full"),
    t("compare.full"),
  );
}

export function comparePictures(before, after, alt, tools = []) {
  const make = () =>
    compare(
      h("img", { src: before, alt: t("compare.before.alt", { name: alt }) }),
      h("img", { src: after, alt: t("compare.after.alt", { name: alt }) }),
    );
  const shown = make();
  shown.append(h("figcaption", { class: "buttons" }, fullSize(t("compare.title", { name: alt }), make), tools));
  return shown;
}

/** Two videos that play together, with one scrubber for both. */
export function compareVideos(before, after, alt, tools = []) {
  const video = (source, words) =>
    h("video", { src: source, muted: true, playsInline: true, preload: "auto", "aria-label": words });
  const first = video(before, t("compare.before.alt", { name: alt }));
  const second = video(after, t("compare.after.alt", { name: alt }));
  second.muted = false; // the sound is the same: one of them is heard
  const said = h("p", { class: "problem", hidden: true }, t("video.unplayable"));
  const time = h("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.001,
    value: 0,
    "aria-label": t("video.time"),
    class: "time",
  });
  const shown = h("span", { class: "hint clock" }, clock(0));
  const play = h("button", { type: "button", click: () => (second.paused ? start() : stop()) }, t("video.play"));
  const start = () => {
    first.currentTime = second.currentTime;
    first.play();
    second.play();
  };
  const stop = () => {
    first.pause();
    second.pause();
    first.currentTime = second.currentTime;
  };
  time.addEventListener("input", () => {
    for (const one of [first, second]) if (one.duration) one.currentTime = Number(time.value) * one.duration;
  });
  second.addEventListener("timeupdate", () => {
    time.value = second.currentTime / (second.duration || 1);
    shown.textContent = `${clock(second.currentTime)} / ${clock(second.duration)}`;
    time.setAttribute("aria-valuetext", shown.textContent);
    if (!second.paused && Math.abs(first.currentTime - second.currentTime) > 0.12)
      first.currentTime = second.currentTime;
  });
  for (const event of ["play", "pause", "ended"]) {
    second.addEventListener(event, () => (play.textContent = t(second.paused ? "video.play" : "video.pause")));
  }
  second.addEventListener("pause", () => first.pause());
  for (const one of [first, second]) one.addEventListener("error", () => (said.hidden = false));
  const figure = compare(first, second);
  figure.append(h("div", { class: "player" }, play, time, shown), said, h("figcaption", { class: "buttons" }, tools));
  return figure;
}
