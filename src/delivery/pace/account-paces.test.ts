import { expect, test } from 'vitest';
import { Lane } from '../backlog/lane.ts';
import { AccountPaces } from './account-paces.ts';

const ratePerSecond = 10;
const batchMax = 1;

/** The account's lane sends all that it may at the moment. */
function send(paces: AccountPaces, accountId: number, nowMs: number): number {
  const lane = new Lane({ accountId, routeId: 1, priority: 1 }, 1);
  const pace = paces.of(accountId, nowMs)!;
  let sent = 0;
  for (; pace.room(lane, { batchMax, nowMs }) > 0; sent++) pace.take(lane, 1);
  return sent;
}

test('of the accounts that have a limit, those that have sent nothing for long are not kept', () => {
  const paces = new AccountPaces(() => ratePerSecond);
  let keptMost = 0;
  for (let account = 0; account < 10_000; account++) {
    paces.of(account, account * 10);
    send(paces, account, account * 10 + 200);
    for (const _ of paces.takeUses());
    keptMost = Math.max(keptMost, paces.kept);
  }
  expect(keptMost).toBeLessThanOrEqual(2_100);
});

test('an account that is forgotten or kept sends within its limit, however many others come', () => {
  const paces = new AccountPaces(() => ratePerSecond);
  let sent = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 2) {
    if (nowMs % 700 === 0) sent += send(paces, 0, nowMs);
    paces.of(1 + nowMs, nowMs);
    for (const _ of paces.takeUses());
  }
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThanOrEqual(ratePerSecond * 10 + 1);
});
