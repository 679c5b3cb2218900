import type { PaceDecision, PaceGrant, PaceReport, PaceState } from '../../src/store/delivery/pace-grants.ts';
import type { ModelClient, Reply } from './model-client.ts';
import { write } from './model-database.ts';
import type { StoreFaults } from './model-store.ts';

/** Demands and grants, on the model. */
export function modelPace(client: ModelClient, faults: StoreFaults) {
  const { database } = client.server;
  const { owners, workers, paceGrants, paceReports, locks } = database;
  return {
    readPaceGrant: (id: string) =>
      client.query('read_pace_grant', (_, reply: Reply<PaceGrant | undefined>) => {
        reply(structuredClone(paceGrants.get(id)));
      }),

    reportPace: ({ workerId, ...report }: PaceReport & { workerId: string; seq: number }) => {
      const row = structuredClone(report);
      client.server.trace.note(workerId.slice(-2), 'reports', JSON.stringify(row));
      return client.query<void>('report_pace', (session, reply) => {
        locks.lock(session, {
          key: `pace ${workerId}`,
          mode: 'exclusive',
          granted: () => {
            if ((paceReports.get(workerId)?.seq ?? -1) < row.seq) {
              write(session, () => paceReports.set(workerId, row));
            }
            reply();
          },
        });
      });
    },

    async readPace(): Promise<PaceState> {
      const round = await client.query('read_pace_round', (_, reply: Reply<number>) =>
        reply(database.paceRound),
      );
      const grants = await client.query('read_pace_grants', (_, reply: Reply<Map<string, PaceGrant>>) =>
        reply(structuredClone(paceGrants)),
      );
      const reports = await client.query('read_pace_demands', (_, reply: Reply<Map<string, PaceReport>>) =>
        reply(structuredClone(paceReports)),
      );
      const rows = await client.query('read_pace_workers', (_, reply: Reply<[string, boolean][]>) =>
        reply([...workers].map(([id, { leaving }]) => [id, leaving])),
      );
      const told = new Map(
        [...reports].map(([id, { demand, used }]) => {
          return [id, { demand, used: (faults.unconfirmed && grants.get(id)) || used }];
        }),
      );
      return {
        round,
        grants,
        workers: rows.map(([id, leaving]) => ({ id, leaving, report: told.get(id) })),
        reporters: [...told.keys()],
      };
    },

    grantPace(decision: PaceDecision): Promise<boolean> {
      const { epoch, round, grants, gone } = structuredClone(decision);
      return client.transaction('grant_pace', async (connection) => {
        const isOwner = await connection.call<boolean>((session, reply) => {
          const granted = () => reply(owners[0]!.epoch === epoch);
          locks.lock(session, { key: 'shard 0', mode: 'share', granted });
        });
        if (!isOwner) return false;
        const isRound = await connection.call<boolean>((session, reply) => {
          const granted = () => {
            if (database.paceRound === round) {
              write(session, () => {
                database.paceRound = round + 1;
              });
            }
            reply(database.paceRound === round);
          };
          locks.lock(session, { key: 'pace round', mode: 'exclusive', granted });
        });
        if (!isRound) return false;
        await connection.call<void>((session, reply) => {
          for (const { workerId, version, shares } of grants) {
            client.server.trace.note(
              session.name,
              `grants ${workerId.slice(-2)}`,
              `${version} ${JSON.stringify(shares)}`,
            );
          }
          for (const { workerId, ...grant } of grants) write(session, () => paceGrants.set(workerId, grant));
          for (const id of gone) {
            write(session, () => {
              paceGrants.delete(id);
              paceReports.delete(id);
            });
          }
          reply();
        });
        return true;
      });
    },
  };
}
