import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Raised whenever the generated text changes, so that a file of an older bench is not taken for this one's. */
const dataVersion = 2;
const seed = 0x4d31_1ace;
const writeChars = 1 << 20;

/** What issue 1 states its figures for: bytes of a line, its newline included, averaged over the file. */
export const lineBytes = 128;

export interface Sample {
  /** Counts from 1, as everywhere. */
  line: number;
  to: string;
  ref: string;
}

export interface Data {
  count: number;
  /** One JSON object a line: `to`, `body`, `ref`. Exactly `count` times `lineBytes` bytes. */
  ndjson: string;
  /** The same messages for `\copy`: id, account, to, body, ref, parted by tabs. */
  tsv: string;
  /** Evenly spread over the file. */
  samples: Sample[];
}

const samplesMax = 1_000;

/** Makes the messages once per size and seed; a later call finds the files. The same count gives the same bytes. */
export async function makeData({ dir, count }: { dir: string; count: number }): Promise<Data> {
  mkdirSync(dir, { recursive: true });
  const base = join(dir, `messages-v${dataVersion}-${count}`);
  const data = { count, ndjson: `${base}.ndjson`, tsv: `${base}.tsv` };
  // The samples are written last: where they are, the other two are whole.
  const samplesFile = `${base}.samples.json`;
  if (existsSync(samplesFile) && existsSync(data.ndjson) && existsSync(data.tsv)) {
    return { ...data, samples: JSON.parse(readFileSync(samplesFile, 'utf8')) as Sample[] };
  }
  const samples: Sample[] = [];
  const sampleEvery = Math.max(1, Math.floor(count / samplesMax));
  const ndjson = openPart(data.ndjson);
  const tsv = openPart(data.tsv);
  for (const message of generate(count)) {
    if (ndjson.add(`${message.line}\n`)) await ndjson.write();
    if (tsv.add(`${message.id}\t1\t${message.to}\t${message.body}\t${message.ref}\n`)) await tsv.write();
    if (message.id % sampleEvery === 0 && samples.length < samplesMax) {
      samples.push({ line: message.id, to: message.to, ref: message.ref });
    }
  }
  await Promise.all([ndjson.finish(), tsv.finish()]);
  await writeFile(samplesFile, JSON.stringify(samples));
  return { ...data, samples };
}

/** The first `count` lines of the file, parsed. For what holds its messages in memory: peers and loops. */
export async function readMessages(
  ndjson: string,
  count: number,
): Promise<{ to: string; body: string; ref: string }[]> {
  const messages: { to: string; body: string; ref: string }[] = [];
  const input = createReadStream(ndjson);
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    messages.push(JSON.parse(line));
    if (messages.length === count) break;
  }
  input.destroy();
  return messages;
}

export interface GeneratedMessage {
  /** Counts from 1. */
  id: number;
  to: string;
  body: string;
  ref: string;
  /** The message as a line of NDJSON, without its newline. */
  line: string;
}

export function* generate(count: number): Generator<GeneratedMessage> {
  const random = seededRandom(seed);
  let bytesDue = 0;
  for (let id = 1; id <= count; id++) {
    bytesDue += lineBytes;
    const to = phoneNumber(random);
    const ref = `ORD-${1_000_000 + random(9_000_000)}`;
    // A line longer or shorter than the average is made good by the choice of the next text.
    let body = text(random, bytesDue < lineBytes ? 'short' : 'long');
    if (id === count)
      body = fitLast(body, bytesDue - Buffer.byteLength(renderLine({ to, body: '', ref })) - 1);
    const line = renderLine({ to, body, ref });
    bytesDue -= Buffer.byteLength(line) + 1;
    yield { id, to, body, ref, line };
  }
}

function renderLine({ to, body, ref }: { to: string; body: string; ref: string }): string {
  // None of the texts holds a character that JSON escapes.
  return `{"to":"${to}","body":"${body}","ref":"${ref}"}`;
}

type Random = (below: number) => number;

/** mulberry32: 32 bits of state are enough for 40,000,000 draws, and the same seed gives the same file anywhere. */
function seededRandom(start: number): Random {
  let state = start >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * below);
  };
}

/** Each with the digits that follow. */
const dialling = [
  ...[['+316', 8] as const, ['+4915', 9] as const, ['+447', 9] as const, ['+336', 8] as const],
  ...[['+346', 8] as const, ['+3247', 7] as const, ['+1415', 7] as const, ['+4670', 7] as const],
];

function phoneNumber(random: Random): string {
  const [prefix, digits] = dialling[random(dialling.length)]!;
  const lowest = 10 ** (digits - 1);
  return prefix + String(lowest + random(9 * lowest));
}

const names = (
  'Anna Bram Chloë Daan Emma Finn Greta Hugo Iris Jan Katja Lars Maja Noah Olivia Pieter Quinten Rosa Sem Tess ' +
  'Ulrike Victor Willem Xenia Yara Zoë Aïcha Björn Céline Diego Elif Fatima Giulia Hannah Ibrahim José Kees Lucía ' +
  'Mehmet Naïma Oskar Paula Ruben Sofía Thijs Uma Vera Wout Youssef Zeynep'
).split(' ');
const shops = [
  'Bakker & Co',
  'Fietsenhuis',
  'Nordlys',
  'Casa Verde',
  'Linde Apotheke',
  'Maison Roux',
] as const;
const streets = [
  'Dorpsstraat',
  'High Street',
  'Hauptstrasse',
  'Rue Haute',
  'Calle Mayor',
  'Storgatan',
] as const;

type Text = (random: Random) => string;

const shortTexts: readonly Text[] = [
  (r) => `Your ${pick(r, shops)} code is ${code(r)}. Never share it.`,
  (r) => `Hi ${pick(r, names)}, your table for ${2 + r(7)} is confirmed at ${time(r)}.`,
  (r) => `${pick(r, shops)}: payment of EUR ${amount(r)} received, thank you.`,
  (r) => `Parcel ${code(r)}${code(r)} arrives today between ${time(r)} and ${time(r)}.`,
  (r) => `Hej ${pick(r, names)}, din tid är bokad kl ${time(r)}. Svara AVBOKA för att avboka.`,
  (r) => `Beste ${pick(r, names)}, uw afspraak is op ${date(r)} om ${time(r)}.`,
];

const longTexts: readonly Text[] = [
  (r) =>
    `Hi ${pick(r, names)}, your order from ${pick(r, shops)} (EUR ${amount(r)}) leaves at ${time(r)}, code ${code(r)}.`,
  (r) =>
    `Beste ${pick(r, names)}, uw pakket ligt klaar op ${pick(r, streets)} ${1 + r(240)}. Afhaalcode ${code(r)}, tot ${date(r)}.`,
  (r) =>
    `Hallo ${pick(r, names)}, Ihre Rechnung über EUR ${amount(r)} ist am ${date(r)} fällig. Ihre ${pick(r, shops)}.`,
  (r) =>
    `${pick(r, names)}, only until ${date(r)}: ${5 + r(60)}% off at ${pick(r, shops)} with code ${code(r)}. Stop: reply STOP`,
  (r) =>
    `Bonjour ${pick(r, names)}, rendez-vous le ${date(r)} à ${time(r)}, ${1 + r(240)} ${pick(r, streets)}. Code ${code(r)}.`,
  (r) =>
    `Hola ${pick(r, names)}, tu pedido ${code(r)} de ${pick(r, shops)} llega el ${date(r)} a las ${time(r)}. Gracias.`,
];

function text(random: Random, length: 'short' | 'long'): string {
  const texts = length === 'short' ? shortTexts : longTexts;
  return (texts[random(texts.length)] as Text)(random);
}

function pick(random: Random, from: readonly string[]): string {
  return from[random(from.length)] as string;
}

function code(random: Random): string {
  return String(100_000 + random(900_000));
}

function amount(random: Random): string {
  return `${1 + random(400)}.${String(random(100)).padStart(2, '0')}`;
}

function time(random: Random): string {
  return `${String(7 + random(15)).padStart(2, '0')}:${String(5 * random(12)).padStart(2, '0')}`;
}

function date(random: Random): string {
  return `${1 + random(28)}/${1 + random(12)}`;
}

/** The last line brings the whole file to its exact size, so its text is plain ASCII of the length that is left. */
function fitLast(body: string, bytes: number): string {
  if (bytes < 0)
    throw new Error(`the last line would need ${bytes} bytes of text: correct the lengths of the texts`);
  return body
    .normalize('NFD')
    .replace(/[^ -~]/g, '')
    .padEnd(bytes, '.')
    .slice(0, bytes);
}

interface PartFile {
  /** Whether enough is waiting to be written. */
  add(text: string): boolean;
  write(): Promise<void>;
  finish(): Promise<void>;
}

function openPart(file: string): PartFile {
  const part = `${file}.part`;
  // On the disk before anything is measured: the kernel writes a gigabyte 30 s later otherwise, and every commit waits for 1.8 s.
  const stream = createWriteStream(part, { flush: true });
  let pending = '';
  const write = async () => {
    const drained = stream.write(pending);
    pending = '';
    if (!drained) await once(stream, 'drain');
  };
  return {
    add(text) {
      pending += text;
      return pending.length >= writeChars;
    },
    write,
    async finish() {
      await write();
      stream.end();
      await once(stream, 'close');
      renameSync(part, file);
    },
  };
}
