import type { LiveView } from '../../src/api/live/live-view.ts';

export interface LiveEvents {
  status: number;
  headers: Headers;
  /** The next event, or undefined when the server has ended the stream. */
  next(): Promise<{ name: string; data: LiveView } | undefined>;
  /** The first snapshot that is as wanted. */
  until(condition: (view: LiveView) => boolean): Promise<LiveView>;
  close(): void;
}

const waitMs = 30_000;

/** Reads `GET /v1/live` as a page does. */
export async function openLive(url: string, headers: Record<string, string>): Promise<LiveEvents> {
  const abort = new AbortController();
  const response = await fetch(`${url}/v1/live`, { headers, signal: abort.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';

  async function next() {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end >= 0) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(event)!;
        return { name: name!, data: JSON.parse(data!) as LiveView };
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
    }
  }

  return {
    status: response.status,
    headers: response.headers,
    next,
    async until(condition) {
      const endMs = performance.now() + waitMs;
      for (;;) {
        const event = await next();
        if (!event) throw new Error('the stream has ended');
        if (event.name === 'snapshot' && condition(event.data)) return event.data;
        if (performance.now() > endMs) {
          throw new Error(`no such snapshot came in time, but ${JSON.stringify(event)}`);
        }
      }
    },
    close() {
      reader.cancel().catch(() => {});
      abort.abort();
    },
  };
}
