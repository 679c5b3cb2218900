import { randomUUID } from 'node:crypto';
import { readMessages } from './data.ts';
import { createPoster, type PosterSettings } from './poster.ts';

/** What the loop is told, as the one JSON argument of its command line. */
export interface BareLoopTask extends PosterSettings {
  ndjson: string;
  count: number;
}

await main(JSON.parse(process.argv[2] ?? '{}') as BareLoopTask);

/**
 * The most that undici can do on this machine with nothing else to care for: bodies are rendered beforehand,
 * no answer is kept, nothing is recorded. A process of its own, as Millrace is one.
 */
async function main(task: BareLoopTask): Promise<void> {
  const messages = await readMessages(task.ndjson, task.count);
  const posts = messages.map((message) => {
    const id = randomUUID();
    return { id, body: JSON.stringify({ id, ...message }) };
  });
  const poster = createPoster(task);
  await postAll(poster, posts.slice(0, Math.ceil(posts.length / 10)), task.connections);
  const startedMs = performance.now();
  await postAll(poster, posts, task.connections);
  process.send?.({ postedMs: performance.now() - startedMs });
  await poster.close();
  process.disconnect();
}

async function postAll(
  poster: ReturnType<typeof createPoster>,
  posts: { id: string; body: string }[],
  connections: number,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let post = posts[next++]; post; post = posts[next++]) await poster.post(post.body, post.id);
  };
  await Promise.all(Array.from({ length: connections }, lane));
}
