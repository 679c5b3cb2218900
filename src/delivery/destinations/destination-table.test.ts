import { expect, test } from 'vitest';
import { DestinationTable } from './destination-table.ts';

const share = { match: '*', ratePerSecond: 10, concurrency: undefined };

function tableOf(hostsMax: number): DestinationTable {
  const table = new DestinationTable({ isReady: () => false, hostsMax });
  table.change([share, { ...share, match: '+31' }], 0);
  return table;
}

test('* limits each host for itself, and a number not at all', () => {
  const table = tableOf(10);
  const one = table.find('a@one.example', 0);
  expect(table.find('https://one.example/hook', 0)).toBe(one);
  expect(table.find('a@two.example', 0)).not.toBe(one);
  expect(table.find('+4915112345678', 0)).toBeUndefined();
  expect(table.find('+31612345678', 0)).toBe(table.find('+31201234567', 0));
});

test('as many hosts are remembered as there is room for: first those at rest are forgotten', () => {
  const table = tableOf(2);
  const [one, two] = ['a@one.example', 'a@two.example'].map((to) => table.find(to, 0)!);
  one!.take();
  const three = table.find('a@three.example', 0);
  expect([...table.all()]).toEqual([one, three]);
  expect(two!.isAtRest(0)).toBe(true);
});

test('hosts for which there is no room share one limit, and keep to it until it is at rest', () => {
  const table = tableOf(2);
  for (const to of ['a@one.example', 'a@two.example']) table.find(to, 0)!.take();
  const crowd = table.find('a@three.example', 0)!;
  crowd.take();
  expect(table.find('a@four.example', 0)).toBe(crowd);
  // By then the first two are at rest and could be forgotten.
  crowd.inFlight = 1;
  expect(table.find('a@three.example', 1_000)).toBe(crowd);
  crowd.inFlight = 0;
  expect(table.find('a@three.example', 1_000)).not.toBe(crowd);
});

test('busy hosts hide none at rest, however many they are', () => {
  const table = tableOf(40);
  const hosts = Array.from({ length: 40 }, (_, n) => `a@host${n}.example`);
  for (const to of hosts) table.find(to, 0);
  for (const to of hosts.slice(0, 30)) table.find(to, 0)!.inFlight = 1;
  // Those found last come last, so that the busy ones are looked at first.
  for (const to of hosts.slice(30)) table.find(to, 0);
  const crowd = table.find('a@new.example', 0);
  expect(table.find('a@newer.example', 0)).not.toBe(crowd);
  expect(table.find('a@newest.example', 0)).not.toBe(crowd);
  expect([...table.all()]).toHaveLength(41);
});
