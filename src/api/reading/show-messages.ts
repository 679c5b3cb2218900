import { turns } from '../../lib/turns.ts';
import { isTestChunk } from '../../message/chunk-codec.ts';
import { foldOutcomes, type OutcomeRow } from '../../message/fold-outcomes.ts';
import { type ChunkView, type MessageView, viewMessage } from '../../message/message-view.ts';
import { templateIdsOf } from '../../message/templates/templated-text.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import { loadTemplateVersions } from '../../store/control/templates.ts';
import type { Queryable } from '../../store/database.ts';
import { findBatchDefaults } from '../../store/reading/find-batch-defaults.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';
import { knowRoutes, routeName } from '../routes/batch-fields.ts';
import type { FoundMessage } from './read-lines.ts';

export interface ShowSettings {
  database: Queryable;
  control: ControlCache;
  accountId: number;
  /** Outcomes that were read before, by chunk. */
  outcomes?: ReadonlyMap<string, readonly OutcomeRow[]>;
}

/** Messages as their account is shown them: what was sent in, the batch's defaults, what became of them. */
export async function showMessages(
  found: readonly FoundMessage[],
  settings: ShowSettings,
): Promise<MessageView[]> {
  const { database, control, accountId } = settings;
  const chunks = new Map(found.map(({ chunk }) => [chunk.id, chunk]));
  const batches = new Set(found.flatMap(({ chunk }) => chunk.batch ?? []));
  const [outcomes, defaults] = await Promise.all([
    settings.outcomes ?? readOutcomes(database, [...chunks.keys()].sort()),
    findBatchDefaults(database, { accountId, ids: [...batches] }),
  ]);
  await knowRoutes(
    control,
    [...chunks.values()].map(({ routeId }) => routeId),
  );
  const defaultsOf = (batch: string | null) => (batch === null ? undefined : defaults.get(batch));
  const needed = templateIdsOf(
    [...chunks.values()].map(({ batch, templates }) => ({ defaults: defaultsOf(batch), pins: templates })),
  );
  // From where the messages were read: it has what they need, also while the primary does not answer.
  const byId = await control.templates.load(needed, (keys) => loadTemplateVersions(database, keys));
  const views = new Map<string, ChunkView>();
  for (const { id, batch, routeId, count, codec, templates: pins } of chunks.values()) {
    views.set(id, {
      id,
      batch,
      route: routeName(control, routeId),
      defaults: defaultsOf(batch) ?? {},
      templates: { pins, byId },
      test: isTestChunk(codec),
      folded: foldOutcomes(count, outcomes.get(id) ?? []),
    });
  }
  const shown: MessageView[] = [];
  const turn = turns();
  for (const { chunk, offset, line } of found) {
    shown.push(viewMessage(views.get(chunk.id)!, offset, line));
    await turn();
  }
  return shown;
}
