import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { faultWarning } from '../../observe/fault-limit.ts';
import { DatabaseError } from '../../store/database.ts';
import { describeFault, readOnly } from '../../store/describe-fault.ts';
import { isReadOnly } from '../../store/is-read-only.ts';
import {
  type Acknowledgement,
  acknowledgements,
  readAcknowledgement,
} from '../../store/read-acknowledgement.ts';
import { schemaMisfit, schemaVersions } from '../../store/schema-fit.ts';
import type { ApiInstance, ProbeContext } from '../context.ts';

/** Probes come from several places at once: they share one question to the database. */
const answerKeptMs = 1_000;
/** Probes have short time limits themselves; no answer by then is an answer. */
const checkTimeoutMs = 3_000;
const retryAfterSeconds = 2;

export function showReadiness(app: ApiInstance, context: ProbeContext): void {
  const warn = faultWarning(context.log, 'readiness check failed');
  const check = shared(() => checkDatabase(context, warn));
  app.get(
    '/readyz',
    {
      config: { scope: 'none', errors: ['unavailable', 'stopping'] },
      schema: {
        summary: 'Can this server accept messages?',
        tags: ['server'],
        response: {
          200: Type.Object({
            status: Type.Literal('ready'),
            acknowledged: Type.Enum([...acknowledgements], {
              description:
                'what a message survives that is acknowledged now: `replicated`, the loss of the primary as well, as a ' +
                'synchronous standby has it on its disk; `replicated-in-memory`, the same while the standby keeps its power, as ' +
                '`synchronous_commit` is `remote_write`; `on-primary-only`, that of its processes, but with its machine it may be lost; ' +
                '`unknown` for a distributed database. It is of this moment: whoever manages the cluster may change it',
            }),
            writes: Type.Optional(
              Type.Literal('elsewhere', {
                description: 'of a server that has its writes made by another one',
              }),
            ),
          }),
        },
      },
    },
    async () => {
      if (context.lifecycle.leaving) {
        throw new ProblemError('stopping', 'this server is stopping', { retryAfterSeconds });
      }
      const { obstacle, acknowledged } = await check();
      if (obstacle !== null) throw new ProblemError('unavailable', obstacle, { retryAfterSeconds });
      const writes = context.elsewhere && { writes: 'elsewhere' as const };
      return { status: 'ready' as const, acknowledged, ...writes };
    },
  );
}

interface Readiness extends Pick<Acknowledgement, 'acknowledged'> {
  /** Null when messages could be written. */
  obstacle: string | null;
}

async function checkDatabase(context: ProbeContext, warn: (error: unknown) => void): Promise<Readiness> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Readiness>((resolve) => {
    timer = setTimeout(() => resolve(notReady('the database did not answer in time')), checkTimeoutMs);
  });
  const asked = readinessOf(context).catch((err: unknown) => {
    warn(err);
    return notReady(
      err instanceof DatabaseError ? describeFault(err.fault) : 'the database is not reachable',
    );
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

function notReady(obstacle: string): Readiness {
  return { obstacle, acknowledged: 'unknown' };
}

async function readinessOf(context: ProbeContext): Promise<Readiness> {
  const obstacle = await obstacleTo(context);
  if (obstacle !== null) return notReady(obstacle);
  const { acknowledged, waiting } = await readAcknowledgement(context.database);
  return waiting ? notReady(noStandby) : { obstacle: null, acknowledged };
}

const noStandby =
  'no standby is connected that the database waits for at a COMMIT (synchronous_standby_names)';

async function obstacleTo({ database, full }: ProbeContext): Promise<string | null> {
  const misfit = schemaMisfit(await schemaVersions(database));
  if (misfit) return misfit;
  if (await isReadOnly(database)) return readOnly;
  const fault = full?.();
  return fault ? describeFault(fault) : null;
}

function shared<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let answer: Promise<Value> | undefined;
  return () => {
    if (!answer) {
      answer = ask();
      const forget = () => {
        setTimeout(() => {
          answer = undefined;
        }, answerKeptMs).unref();
      };
      answer.then(forget, forget);
    }
    return answer;
  };
}
