/**
 * What `work` comes to, or the signal's reason as soon as it is aborted. Not everything can be called off: what hangs is left behind,
 * and nobody hears then what it comes to.
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Heard by the race below, unless the signal was aborted before.
  work.catch(() => {});
  let giveUp = () => {};
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
