// What this tab asked for, so that a finished job can offer its control masks: nothing of it outlives the tab.
export function remember(id, request) {
  try {
    sessionStorage.setItem(`request-${id}`, JSON.stringify(request));
  } catch {
    // a full or forbidden store: the masks are not offered
  }
}

export function recall(id) {
  try {
    return JSON.parse(sessionStorage.getItem(`request-${id}`));
  } catch {
    return null;
  }
}
