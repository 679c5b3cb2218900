/**
 * The signal, raised also when the parent process ends, however it ends: the kernel closes the IPC channel that
 * the parent opened when it started this process.
 */
export function stopWithParent(signal: AbortSignal): AbortSignal {
  const parent = new AbortController();
  if (!process.connected) parent.abort(new Error('there is no parent to stop with'));
  process.once('disconnect', () => parent.abort(new Error('the parent process has ended')));
  // The channel must not be what keeps this process alive.
  process.channel?.unref();
  return AbortSignal.any([signal, parent.signal]);
}

/** Resolves when the signal is raised. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
