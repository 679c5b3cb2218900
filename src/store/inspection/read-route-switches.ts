import type { SendWindow } from '../../message/send-window/send-window.ts';
import type { Queryable } from '../database.ts';

export interface RouteSwitch {
  route: string;
  paused: boolean;
  /** Null for none; and what time it is by the clock of the database. */
  sendWindow: SendWindow | null;
  now: Date;
}

const statement = {
  name: 'read_route_switches',
  text: `SELECT name AS route, paused, send_window AS "sendWindow", now() AS now
    FROM route WHERE deleted_at IS NULL ORDER BY name`,
};

/** Of each route, what somebody wants to keep it from sending. */
export async function readRouteSwitches(database: Queryable): Promise<RouteSwitch[]> {
  return (await database.query<RouteSwitch & Record<string, unknown>>(statement)).rows;
}
