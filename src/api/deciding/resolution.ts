import { type Static, Type } from 'typebox';
import type { InboxFilter } from '../../message/decision-request.ts';

/** What an operator has found out about uncertain sends. */
export const Resolution = Type.Object(
  { as: Type.Union([Type.Literal('sent'), Type.Literal('failed')]) },
  { additionalProperties: false },
);

const resolvedAsFailed = {
  errorCode: 'resolved',
  detail: 'An operator settled the uncertain send as failed',
};

export function resolutionFilter({ as: state }: Static<typeof Resolution>): InboxFilter {
  return { state, ...(state === 'failed' && resolvedAsFailed) };
}
