import { Readable } from 'node:stream';
import type { LineSource } from '../../client/client.ts';
import { createRandom, type Random } from './random.ts';

/** Lines made at once: one write to the socket of some 130 kB. */
const blockLines = 1_000;

const firstNames =
  'Anna Ben Chiara David Elif Farid Grace Hugo Ines Jonas Kofi Lena Mehmet Noor Olga Pedro Quinn Rosa Sven Tara Umar Vera Wim Xenia Yusuf Zoë'.split(
    ' ',
  );
const shops = [
  'Lindqvist',
  'Baker & Sons',
  'Orchidée',
  'Northwind',
  'Casa Verde',
  'Polder',
  'Fjord',
  'Saffron',
];

const texts: ((random: Random) => string)[] = [
  (random) =>
    `Hi ${pick(random, firstNames)}, your order ${digits(random, 7)} from ${pick(random, shops)} is on its way to you. Track it in our app.`,
  (random) =>
    `${pick(random, firstNames)}, your parcel arrives today between ${8 + random(9)}:00 and 18:00. Not at home? Reply LATER.`,
  (random) =>
    `Your ${pick(random, shops)} code is ${digits(random, 6)}. It is valid for ${5 + random(10)} minutes. Never share it.`,
  (random) =>
    `Dear ${pick(random, firstNames)}, we received your payment of € ${1 + random(400)}.${digits(random, 2)}. Thank you!`,
  (random) =>
    `${pick(random, firstNames)}, ${10 + random(50)} % off everything at ${pick(random, shops)} until Sunday. Reply STOP to opt out.`,
];

/**
 * `count` messages as NDJSON, about 128 bytes each and no two alike. They are made while they are sent and kept
 * nowhere; the same seed gives the same lines, from whichever line on an upload is resumed.
 */
export function demoMessages({ count, seed }: { count: number; seed: number }): LineSource {
  return {
    contentType: 'application/x-ndjson',
    open: (line) =>
      Readable.from(blocks({ count, seed, line }), { objectMode: false, highWaterMark: 262_144 }),
  };
}

function* blocks({ count, seed, line }: { count: number; seed: number; line: number }): Generator<Buffer> {
  let skip = (line - 1) % blockLines;
  for (let first = line - 1 - skip; first < count; first += blockLines) {
    const random = createRandom(seed + first);
    const lines: string[] = [];
    for (let index = 0; index < Math.min(blockLines, count - first); index++)
      lines.push(makeLine(random, first + index));
    const rest = skip > 0 ? lines.slice(skip) : lines;
    if (rest.length > 0) yield Buffer.from(`${rest.join('\n')}\n`);
    skip = 0;
  }
}

/** By hand and not by JSON.stringify: nothing in the texts needs escaping. */
function makeLine(random: Random, index: number): string {
  return `{"to":"+316${digits(random, 8)}","body":"${pick(random, texts)(random)}","ref":"demo-${index}-${digits(random, 4)}"}`;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)]!;
}

/** A number of exactly `count` digits. */
function digits(random: Random, count: number): number {
  const least = leastOf[count]!;
  return least + random(least * 9);
}

const leastOf = [0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
