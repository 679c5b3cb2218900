import { DatabaseError, openDatabase } from '../../store/database.ts';
import type { Check } from '../check.ts';

/** A pooler may give the first few a connection of the server each. */
const looks = 4;
/** One that gives each transaction another connection has the name already where another look left it, or has lost it. */
const forgottenCodes = new Set(['26000', '42P05']);

/** Whether what a connection prepares is its own: PgBouncer before 1.21 gives it away with the connection. */
export const namedStatements: Check = {
  name: 'named-statements',
  async run({ databaseUrl, namedStatements: wanted }) {
    if (!wanted)
      return [
        { severity: 'ok', summary: 'none are used (namedStatements is off), so any pooler may be between' },
      ];
    for (let look = 0; look < looks; look++) {
      if (await isForgotten(databaseUrl)) {
        return [
          {
            severity: 'error',
            summary:
              'a pooler stands before the database that forgets prepared statements: servers fail at random',
            mend: 'Set MILLRACE_NAMED_STATEMENTS=false for every server, or use PgBouncer 1.21 with max_prepared_statements',
          },
        ];
      }
    }
    return [{ severity: 'ok', summary: 'what a connection prepares is its own' }];
  },
};

async function isForgotten(url: string): Promise<boolean> {
  const database = openDatabase({ url, poolSize: 1, name: 'doctor' });
  try {
    await database.query({ name: 'doctor_named', text: 'SELECT 1' });
    return false;
  } catch (error) {
    if (error instanceof DatabaseError && forgottenCodes.has(error.fault.code)) return true;
    throw error;
  } finally {
    await database.close();
  }
}
