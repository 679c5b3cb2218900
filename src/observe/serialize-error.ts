import { pino } from 'pino';
import { databaseFault } from './database-fault.ts';

/** Where a statement was made tells nothing of a database that is away, refuses everybody or is full. */
const withoutStack = new Set(['unavailable', 'refused', 'full']);

/** An error as the log has it. The cause of one of the database says the same again, so pino may not append it. */
export function serializeError(error: unknown): unknown {
  const fault = databaseFault(error);
  if (!fault) return pino.stdSerializers.err(error as Error);
  const { name: type, message, stack } = error as Error;
  const { kind, code } = fault;
  return { type, message, kind, code, ...(!withoutStack.has(kind) && { stack }) };
}
