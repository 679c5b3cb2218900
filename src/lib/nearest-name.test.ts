import { expect, it } from 'vitest';
import { nearestName } from './nearest-name.ts';

const names = ['port', 'host', 'retentionDays', 'tlsCert', 'tlsKey'];

it.each([
  ['prot', 'port'],
  ['retention-days', 'retentionDays'],
  ['retentionday', 'retentionDays'],
  ['TLSCERT', 'tlsCert'],
  ['tlsKye', 'tlsKey'],
])('finds what %s meant', (typed, meant) => {
  expect(nearestName(typed, names)).toBe(meant);
});

it.each(['banana', 'x', '', 'foo', 'pot1', 'sort-of', 'completely different'])(
  'finds nothing near %j',
  (typed) => {
    expect(nearestName(typed, names)).toBeUndefined();
  },
);

it('finds nothing among nothing', () => {
  expect(nearestName('port', [])).toBeUndefined();
});
