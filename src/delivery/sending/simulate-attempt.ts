import type { Sender } from '../../connectors/connector.ts';
import type { Route } from '../../message/route.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';
import { judge, type SliceSettling } from './settle-slice.ts';
import type { TakenMessage } from './slice.ts';

/**
 * What becomes of a message that a test key has sent: its request is formed, and no provider gets it. It takes no slot and nothing of the
 * pace of its route, and says nothing of the provider.
 */
export function simulateAttempt(
  taken: TakenMessage,
  { route, sender, nowMs }: { route: Route; sender: Sender; nowMs: number },
  context: Pick<SliceSettling, 'random' | 'windows' | 'databaseNowMs'>,
): MessageOutcome {
  const { work, offset, message } = taken;
  const { attempt } = message;
  const answer = sender.rehearse(message);
  return judge(answer, { work, offset, attempt, route, beganAtMs: nowMs, nowMs }, context);
}
