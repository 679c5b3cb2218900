import type { CommandContext } from '../command-context.ts';
import { connect } from '../server-access.ts';
import type { NamedThing } from './complete-words.ts';

/** Whoever presses a key does not wait longer. */
const waitMs = 1_000;
const namesMax = 50;

/** The names that the server has, as far as it tells them at once: none where it is away or wants another key. */
export async function lookUpNames(context: CommandContext, kind: NamedThing): Promise<string[]> {
  try {
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(waitMs)]);
    const client = connect({ ...context, signal }, {});
    if (kind === 'batch') {
      const { data } = await client.batches.page({ limit: namesMax });
      return data.map(({ id }) => id);
    }
    const lists = { route: client.routes, template: client.templates, webhook: client.webhooks };
    const names: string[] = [];
    for await (const { name } of lists[kind].all()) {
      names.push(name);
      if (names.length === namesMax) break;
    }
    return names;
  } catch {
    return [];
  }
}
