import { useEffect, useRef, useState } from 'preact/hooks';
import { type CallOptions, call } from './call.ts';
import { asProblem, type Problem, triedAgain } from './problem.ts';
import { actsFor } from './session.ts';

export interface Polled<Answer> {
  data: Answer | undefined;
  /** Why the last look failed; `data` is then of an earlier one. */
  problem: Problem | undefined;
  /** When `data` was read, in monotonic milliseconds. */
  readMs: number | undefined;
  again: () => void;
}

/** A path that moves with time; `of` says what it is of, whichever time it is. */
export interface MovingPath {
  of: string;
  now: () => string;
}

/** What a path answers, looked at again and again while the page is visible. `null` for nothing to look at. */
export function usePolled<Answer>(
  path: string | MovingPath | null,
  { everyMs, asSelf }: { everyMs?: number } & Pick<CallOptions, 'asSelf'> = {},
): Polled<Answer> {
  const [state, setState] = useState<Omit<Polled<Answer>, 'again'> & { of: string | null }>(nothing(null));
  const look = useRef<() => void>(() => {});
  // What one account was shown is nothing to show of another.
  const key = path !== null && typeof path === 'object' ? path.of : path;
  const of = `${actsFor.value} ${key}`;

  useEffect(() => {
    if (path === null) return;
    const stopped = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running = false;
    const run = async () => {
      clearTimeout(timer);
      if (running) return;
      running = true;
      try {
        const pathNow = typeof path === 'string' ? path : path.now();
        const data = await call<Answer>('GET', pathNow, {
          signal: stopped.signal,
          ...(asSelf && { asSelf }),
        });
        setState({ of, data, problem: undefined, readMs: performance.now() });
      } catch (error) {
        if (stopped.signal.aborted) return;
        const told = asProblem(error, { isRead: true });
        const problem = everyMs === undefined ? told : triedAgain(told);
        setState((before) => ({ ...(before.of === of ? before : nothing<Answer>(of)), problem }));
      } finally {
        running = false;
      }
      if (everyMs !== undefined && !stopped.signal.aborted) {
        timer = setTimeout(() => (document.hidden ? wait() : void run()), everyMs);
      }
    };
    const wait = () => document.addEventListener('visibilitychange', () => void run(), { once: true });
    look.current = () => void run();
    void run();
    return () => {
      stopped.abort();
      clearTimeout(timer);
    };
  }, [key, everyMs, of, asSelf]);

  const shown = state.of === of ? state : nothing<Answer>(of);
  const { data, problem, readMs } = shown;
  return { data, problem, readMs, again: () => look.current() };
}

function nothing<Answer>(of: string | null): Omit<Polled<Answer>, 'again'> & { of: string | null } {
  return { of, data: undefined, problem: undefined, readMs: undefined };
}
