import { adviseFault } from '../store/advise-fault.ts';
import { faultThrown } from '../store/database-error.ts';
import { readOnlyCode } from '../store/fault.ts';
import type { Check, DoctorContext, Finding } from './check.ts';
import { writable } from './checks/writable.ts';
import { checks } from './checks.ts';

export interface Diagnosis {
  /** No error and no warning. */
  ok: boolean;
  findings: (Finding & { check: string })[];
}

/** No single check may keep the others waiting for longer. */
const checkMaxMs = 30_000;

/** Looks at everything there is to look at, one check after the other. */
export async function examine(context: DoctorContext): Promise<Diagnosis> {
  const findings: Diagnosis['findings'] = [];
  const away = await unreachable(context);
  if (away) return { ok: false, findings: [{ check: 'connection', ...away }] };
  let isWritable = true;
  for (const check of checks) {
    context.signal.throwIfAborted();
    if (!isWritable && check.onlyWhileWritable) continue;
    const found = await findingsOf(check, { ...context, isWritable });
    if (check === writable) isWritable = found.every(({ severity }) => severity === 'ok');
    for (const finding of found) findings.push({ check: check.name, ...finding });
  }
  return { ok: findings.every(({ severity }) => severity === 'ok' || severity === 'info'), findings };
}

async function unreachable({ database }: DoctorContext): Promise<Finding | undefined> {
  try {
    await database.query({ name: 'doctor_connect', text: 'SELECT 1' });
    return undefined;
  } catch (error) {
    const fault = faultThrown(error);
    // A host name with several addresses fails with an error for each, and none of its own.
    const summary = `the database cannot be reached: ${fault.message || fault.code}`;
    return { severity: 'error', summary, mend: adviseFault(fault) ?? psqlTells };
  }
}

const psqlTells = 'See what psql URL says, and the log of PostgreSQL.';

async function findingsOf(
  check: Check,
  context: DoctorContext & { isWritable: boolean },
): Promise<Finding[]> {
  const done = new AbortController();
  const late = context.clock.sleep(checkMaxMs, done.signal).then((): Finding[] => [
    {
      severity: 'warning',
      summary: `no answer within ${checkMaxMs / 1_000} s`,
      mend: 'Look at what keeps the database busy: SELECT * FROM pg_stat_activity;',
    },
  ]);
  late.catch(() => {});
  try {
    return await Promise.race([check.run(context), late]);
  } catch (error) {
    if (!context.isWritable && faultThrown(error).code === readOnlyCode) return [];
    const reason = error instanceof Error ? error.message : String(error);
    return [
      {
        severity: 'warning',
        summary: `could not be looked at: ${reason}`,
        mend: 'Mend what the message names, and run millrace doctor again.',
      },
    ];
  } finally {
    done.abort();
  }
}
