import type { Scope } from '../../../message/api-key.ts';
import { accessKeyOf } from './access-key.ts';

/** How an endpoint of the classic API is registered: it reads its query itself, and has a description of its own. */
export function classicRoute(scope: Scope) {
  return { config: { scope, classic: true as const, keyOf: accessKeyOf }, schema: { hide: true } };
}
