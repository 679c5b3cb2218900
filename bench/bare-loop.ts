import { createHmac, createSecretKey, type KeyObject, randomUUID } from 'node:crypto';
import { readMessages } from './data.ts';
import { createPoster, type PosterSettings } from './poster.ts';

/** What the loop is told, as the one JSON argument of its command line. */
export interface BareLoopTask extends PosterSettings {
  ndjson: string;
  count: number;
  /** Base64: what is posted is the payload of each message, signed as a webhook. */
  signedWith?: string;
}

await main(JSON.parse(process.argv[2] ?? '{}') as BareLoopTask);

/**
 * The most that undici can do on this machine with nothing else to care for: bodies are rendered beforehand,
 * no answer is kept, nothing is recorded. A process of its own, as Millrace is one.
 */
async function main(task: BareLoopTask): Promise<void> {
  const messages = await readMessages(task.ndjson, task.count);
  const { signedWith } = task;
  const posts = messages.map((message) => {
    const id = randomUUID();
    const { payload } = message as { payload?: unknown };
    return { id, body: JSON.stringify(signedWith === undefined ? { id, ...message } : payload) };
  });
  const poster = createPoster(task);
  const key = signedWith === undefined ? undefined : createSecretKey(signedWith, 'base64');
  const post = ({ id, body }: Post) => poster.post(body, id, key && signed(key, { id, body }));
  await postAll(post, posts.slice(0, Math.ceil(posts.length / 10)), task.connections);
  const startedMs = performance.now();
  await postAll(post, posts, task.connections);
  process.send?.({ postedMs: performance.now() - startedMs });
  await poster.close();
  process.disconnect();
}

interface Post {
  id: string;
  body: string;
}

/** The headers of Standard Webhooks. */
function signed(key: KeyObject, { id, body }: Post): Record<string, string> {
  const timestamp = Math.floor(Date.now() / 1_000);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
}

async function postAll(
  post: (one: Post) => Promise<void>,
  posts: readonly Post[],
  connections: number,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let one = posts[next++]; one; one = posts[next++]) await post(one);
  };
  await Promise.all(Array.from({ length: connections }, lane));
}
