// The page's texts, all of which are in en.json, and numbers, sizes and times as the reader writes them.
// Another language is another file beside it, named here.
const LANGUAGES = ["en"];
const language = navigator.languages.map((name) => name.slice(0, 2)).find((name) => LANGUAGES.includes(name)) ?? "en";
const answer = await fetch(new URL(`${language}.json`, import.meta.url));
const words = await answer.json();
const plural = new Intl.PluralRules(language);

/** The text of `key`, with `{name}` replaced by `values.name`. A key that is missing shows itself. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The text of `key` for `number` things, whose forms are `key.one`, `key.other` and so on. */
export function count(key, number, values = {}) {
  const form = `${key}.${plural.select(number)}`;
  return t(form in words ? form : `${key}.other`, {
    number: new Intl.NumberFormat(language).format(number),
    ...values,
  });
}

export const has = (key) => key in words;

export function when(iso) {
  return iso
    ? new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso))
    : "";
}

export function day(iso) {
  return iso ? new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(iso)) : "";
}

export function bytes(number) {
  const large = number >= 1e6;
  const unit = large ? "megabyte" : "kilobyte";
  const shown = number / (large ? 1e6 : 1e3);
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: shown < 10 ? 1 : 0 }).format(
    shown,
  );
}

/** Seconds as 1:05, for videos. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Seconds in words: "about 2 minutes". */
export function duration(seconds) {
  if (seconds < 90) return count("time.seconds", Math.max(1, Math.round(seconds)));
  if (seconds < 5400) return count("time.minutes", Math.round(seconds / 60));
  return count("time.hours", Math.round(seconds / 3600));
}

document.documentElement.lang = language;
