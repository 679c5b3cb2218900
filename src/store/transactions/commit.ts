import type pg from 'pg';
import { DatabaseError } from '../database-error.ts';
import type { Fault } from '../fault.ts';

/**
 * A COMMIT succeeds only when the server says COMMIT and nothing else. It says ROLLBACK, and calls that no error,
 * when a statement of the transaction had failed.
 */
export async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await withoutWarning(client, () => client.query('COMMIT'));
  if (command !== 'COMMIT') throw new DatabaseError(rolledBack, undefined);
}

/**
 * What commits, a COMMIT or a statement by itself, is answered with a warning when the wait for the synchronous standby
 * was cut short: then the transaction is in this server alone, and a failover may lose it.
 */
export async function withoutWarning<Result>(
  client: pg.PoolClient,
  work: () => Promise<Result>,
): Promise<Result> {
  let warning: { code: string | undefined; message: string | undefined } | undefined;
  const onNotice = ({ code, message }: { code: string | undefined; message: string | undefined }) => {
    if (code !== noticeCode) warning = { code, message };
  };
  client.on('notice', onNotice);
  try {
    const result = await work();
    if (!warning) return result;
    const { code = '', message = '' } = warning;
    const fault: Fault = { kind: 'unavailable', code, message, connectionLost: false, ambiguous: true };
    throw new DatabaseError(fault, undefined);
  } finally {
    client.off('notice', onNotice);
  }
}

/** Of messages that are no warning: `successful_completion`. */
const noticeCode = '00000';

const rolledBack: Fault = {
  kind: 'invalid',
  code: '25P02',
  message: 'a statement of the transaction had failed, so that COMMIT rolled it back',
  connectionLost: false,
  ambiguous: false,
};
