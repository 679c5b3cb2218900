import type { Account } from '../message/account.ts';
import type { Channel } from '../message/fields.ts';
import { mayUseRoute, type Route } from '../message/route.ts';
import type { ChooseRoute } from './parse-messages.ts';
import { quoted } from './rejection.ts';

/** What choosing needs to know of the installation. */
export interface RouteDirectory {
  accountById(id: number): Account | undefined;
  routeByName(name: string): Route | undefined;
}

/** Of messages that no route was found for. */
export const noRouteCodes: ReadonlySet<string> = new Set(['no_default_route', 'unknown_route']);

/** The route that a single message names, or its account's default for the channel that its recipient tells. */
export function routeChooser(directory: RouteDirectory, accountId: number): ChooseRoute {
  return (asked, to) => {
    const channel = channelOf(to);
    const name = asked ?? directory.accountById(accountId)?.defaultRoutes[channel];
    if (name === undefined) {
      return {
        code: 'no_default_route',
        detail: `the message names no route, and the account has no default route for ${channel}`,
      };
    }
    const route = directory.routeByName(name);
    if (!route || !mayUseRoute(route, accountId)) {
      return { code: 'unknown_route', detail: `there is no route ${quoted(name)} that this account may use` };
    }
    return { id: route.id, ...(route.channel && { channel: route.channel }) };
  };
}

function channelOf(to: string): Channel {
  if (/^https?:/i.test(to)) return 'webhook';
  return to.includes('@') ? 'email' : 'sms';
}
