import { asProblem, type Problem } from '../../api/problem.ts';

const waitsMs = [500, 1_000, 2_000, 5_000, 10_000];

/**
 * Does what may safely be done twice until it is done; between two tries `onWait` is told why.
 * @throws Problem where the server refuses, or when it was stopped
 */
export async function keepTrying<Answer>(
  attempt: () => Promise<Answer>,
  { signal, onWait }: { signal: AbortSignal; onWait: (problem: Problem) => void },
): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    try {
      signal.throwIfAborted();
      return await attempt();
    } catch (error) {
      if (signal.aborted) throw asProblem(signal.reason);
      const problem = asProblem(error);
      if (!mayTryAgain(problem)) throw problem;
      onWait(problem);
      await pause(waitsMs[Math.min(tries, waitsMs.length - 1)]!, signal);
    }
  }
}

/** What the way broke on, what is busy, what came too slowly, and what another upload has changed. */
function mayTryAgain({ status, code }: Problem): boolean {
  const passing = ['unreachable', 'overloaded', 'rate_limited', 'upload_line_mismatch'];
  return status === 408 || status >= 500 || passing.includes(code);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
