// Files into the library: small ones at once, large ones in parts (tus 1.0.0): a broken connection costs one part.
import { get, send } from "./api.js";

const PART = 8 << 20; // bytes; a larger file goes in parts
const TRIES = 8; // without any progress, each waiting longer than the one before
const AGAIN = [0, 408, 409, 423, 429, 502, 503, 504]; // 0: no answer came
const TUS = { "Tus-Resumable": "1.0.0" };

/** Put a file into the library, telling `progress` the share that has left; gives the library's item. */
export async function upload(file, fields = {}, { progress = () => {}, signal } = {}) {
  const given = Object.entries({ name: file.name, ...fields }).filter(([, value]) => value);
  if (file.size > PART) return uploadInParts(file, Object.fromEntries(given), progress, signal);
  const form = new FormData();
  for (const [name, value] of given) form.append(name, value);
  form.append("file", file, file.name || "photograph.jpg");
  const sent = (bytes) => file.size && progress(Math.min(1, bytes / file.size));
  return JSON.parse((await send("POST", "/v1/library", form, { sent, signal })).text);
}

async function uploadInParts(file, { name, ...fields }, progress, signal) {
  const told = Object.entries({ filename: name, ...fields }).map(([key, value]) => `${key} ${base64(value)}`);
  const headers = { ...TUS, "Upload-Length": String(file.size), "Upload-Metadata": told.join(",") };
  const place = (await send("POST", "/v1/uploads", null, { headers, signal })).header("Location");
  try {
    return await get(`/v1/library/${await sendParts(place, file, progress, signal)}`, { signal });
  } catch (error) {
    if (signal?.aborted) send("DELETE", place, null, { headers: TUS }).catch(() => {});
    throw error;
  }
}

/** Send part after part, and ask how far it is after whatever went wrong; gives the identifier of the item. */
async function sendParts(place, file, progress, signal) {
  let [offset, tries] = [0, 0];
  for (;;) {
    const headers = { ...TUS, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    const sent = (bytes) => progress((offset + bytes) / file.size);
    try {
      const answer = await send("PATCH", place, file.slice(offset, offset + PART), { headers, sent, signal });
      const item = answer.header("X-Facechange-Item");
      if (item) return item;
      [offset, tries] = [Number(answer.header("Upload-Offset")), 0];
    } catch (error) {
      if (tries === TRIES || error.name === "AbortError" || !AGAIN.includes(error.status)) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
      const before = offset;
      offset = await send("HEAD", place, null, { headers: TUS, signal }).then(
        (answer) => Number(answer.header("Upload-Offset")),
        (failure) => (AGAIN.includes(failure.status) ? before : Promise.reject(failure)),
      );
      tries = offset === before ? tries + 1 : 0;
    }
  }
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
