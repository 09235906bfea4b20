// Asks a bridge on this machine which instance it is. Must not send a secret: any program may listen there.

/** Return the JSON of `url`, or null. Throws an Error for a port to which no `fetch` connects, OpenClaw's neither. */
export async function health(url) {
  try {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(2000) });
    return await response.json();
  } catch (error) {
    if (error.cause?.message === "bad port") throw new Error("OpenClaw does not connect to this port; set another port");
    return null;
  }
}
