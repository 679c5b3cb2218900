import { useEffect, useRef, useState } from 'preact/hooks';
import { type CallOptions, call } from './call.ts';
import { asProblem, type Problem } from './problem.ts';
import { actsFor } from './session.ts';

export interface Polled<Answer> {
  data: Answer | undefined;
  /** Why the last look failed; `data` is then of an earlier one. */
  problem: Problem | undefined;
  /** When `data` was read, in monotonic milliseconds. */
  readMs: number | undefined;
  again: () => void;
}

/** What a path answers, looked at again and again while the page is visible. `null` for nothing to look at. */
export function usePolled<Answer>(
  path: string | null,
  { everyMs, asSelf }: { everyMs?: number } & Pick<CallOptions, 'asSelf'> = {},
): Polled<Answer> {
  const [state, setState] = useState<Omit<Polled<Answer>, 'again'> & { of: string | null }>(nothing(null));
  const look = useRef<() => void>(() => {});
  // What one account was shown is nothing to show of another.
  const of = `${actsFor.value} ${path}`;

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
        const data = await call<Answer>('GET', path, { signal: stopped.signal, ...(asSelf && { asSelf }) });
        setState({ of, data, problem: undefined, readMs: performance.now() });
      } catch (error) {
        if (stopped.signal.aborted) return;
        setState((before) => ({
          ...(before.of === of ? before : nothing<Answer>(of)),
          problem: asProblem(error),
        }));
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
  }, [path, everyMs, of, asSelf]);

  const shown = state.of === of ? state : nothing<Answer>(of);
  const { data, problem, readMs } = shown;
  return { data, problem, readMs, again: () => look.current() };
}

function nothing<Answer>(of: string | null): Omit<Polled<Answer>, 'again'> & { of: string | null } {
  return { of, data: undefined, problem: undefined, readMs: undefined };
}
