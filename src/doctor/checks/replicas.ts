import { openDatabase, type Queryable } from '../../store/database.ts';
import { misplaced } from '../../store/replicas/obstacle.ts';
import { readReplicaPosition, readWalEnd } from '../../store/replicas/read-positions.ts';
import { replicaName } from '../../store/replicas/replica-name.ts';
import type { Check, DoctorContext, Finding } from '../check.ts';

/** A standby of this many bytes behind is told of; a flood of 4,000,000 messages writes a few hundred MiB. */
const behindBytesMax = 1_073_741_824;

/** Whether each configured replica is one, and how far it is behind. */
export const replicas: Check = {
  name: 'replicas',
  async run(context) {
    const { replicaUrls } = context;
    if (replicaUrls.length === 0)
      return [{ severity: 'ok', summary: 'none are configured: the database answers all reads' }];
    return await Promise.all(replicaUrls.map((url) => look(url, context)));
  },
};

async function look(url: string, { database: primary, namedStatements }: DoctorContext): Promise<Finding> {
  const name = replicaName(url);
  const database = openDatabase({ url, name: 'doctor', poolSize: 1, namedStatements });
  try {
    return await judge({ name, role: new URL(url).username || 'its role', primary, replica: database });
  } catch (error) {
    return {
      severity: 'error',
      summary: `${name} does not answer: ${(error as Error).message}`,
      mend: 'Start it, or take it out of replicaUrls. Until then it is left out of reads.',
    };
  } finally {
    await database.close();
  }
}

async function judge(at: {
  name: string;
  role: string;
  primary: Queryable;
  replica: Queryable;
}): Promise<Finding> {
  const { name, role, primary, replica } = at;
  const [of, found] = await Promise.all([readReplicaPosition(primary), readReplicaPosition(replica)]);
  const wrong = misplaced(found, of);
  if (wrong !== undefined) return { severity: 'error', summary: `${name} ${wrong.says}`, mend: takeOut };
  const end = await readWalEnd(primary);
  const { timeline, position } = found.replayed!;
  if (timeline !== end.timeline) {
    return {
      severity: 'warning',
      summary: `${name} is on timeline ${timeline} and the primary on ${end.timeline}, as far as this role may see`,
      mend: `Let its role see it: GRANT pg_read_all_stats TO ${role}; if it stays, the standby does not follow the failover, and its log tells why.`,
    };
  }
  const bytes = end.position > position ? Number(end.position - position) : 0;
  const summary = `${name} is ${bytes} bytes behind`;
  if (bytes <= behindBytesMax) return { severity: 'ok', summary };
  return {
    severity: 'warning',
    summary,
    mend: `Is recovery_min_apply_delay set there (SHOW recovery_min_apply_delay;), or does replay wait for a long read?`,
  };
}

const takeOut = 'Take it out of replicaUrls, and name standbys of the database there.';
