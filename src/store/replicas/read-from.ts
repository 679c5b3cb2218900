import { DatabaseError, type Queryable } from '../database.ts';
import type { Fault } from '../fault.ts';

/**
 * The statements of one read, all on one replica, as its `read` makes them. When one fails there, it and those after it are made on the primary,
 * which has everything that the replica showed, and more: to the read it is as if time had passed in between.
 */
export function readFrom(
  replica: Queryable,
  { primary, onRepeat }: { primary: Queryable; onRepeat: () => void },
): Queryable {
  let target = replica;
  return {
    async query(statement, values) {
      const asked = target;
      if (asked === primary) return await primary.query(statement, values);
      try {
        return await asked.query(statement, values);
      } catch (error) {
        if (!(error instanceof DatabaseError) || isTooSlow(error.fault)) throw error;
      }
      target = primary;
      onRepeat();
      return await primary.query(statement, values);
    },
  };
}

/** The statement's own time was over: it would take as long again, and the primary has other work. */
function isTooSlow({ code, message }: Fault): boolean {
  return code === '57014' && message.includes('statement timeout');
}
