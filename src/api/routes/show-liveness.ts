import { Type } from 'typebox';
import type { ApiInstance } from '../context.ts';

/** The process answers, whatever the database does: restarting it would not bring the database back. */
export function showLiveness(app: ApiInstance): void {
  for (const path of ['/livez', '/healthz']) {
    app.get(
      path,
      {
        config: { scope: 'none' },
        schema: {
          summary: 'Is the process alive?',
          tags: ['server'],
          response: { 200: Type.Object({ status: Type.Literal('alive') }) },
        },
      },
      async () => ({ status: 'alive' as const }),
    );
  }
}
