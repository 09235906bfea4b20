// Asks a bridge on this machine which instance it is. Must not send a secret: any program may listen there.

/** Return the JSON of `url`, or null. */
export async function health(url) {
  try {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(2000) });
    return await response.json();
  } catch {
    return null;
  }
}
