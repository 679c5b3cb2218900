import { LookupHashes } from '../message/lookup-hash.ts';
import type { OrderingKey } from '../message/ordering.ts';
import type { TemplatePins } from '../message/templates/pins.ts';
import { compactRecord } from './compact-record.ts';
import type { MessageScanner } from './message-scanner.ts';

/**
 * The valid messages of a slot that have ordering keys: they are stored beside those of other slots, on the shards of
 * their keys. Lists side by side, in the order of their lines; a thread hands them over.
 */
export interface KeyedLines {
  records: Uint8Array<ArrayBuffer>;
  /** Where each record ends in `records`. */
  ends: Uint32Array;
  /** The line of the batch that each is. */
  lines: Float64Array;
  hashes: Int32Array;
  shards: Uint16Array;
  toHashes: BigInt64Array;
  /** Of those that have a reference, which `hasRef` says. */
  refHashes: BigInt64Array;
  hasRef: Uint8Array;
  /** 1 where the message names times of its own. */
  timed: Uint8Array;
  /** When it is to be sent, in Unix milliseconds; -Infinity for at once. */
  dueAtMs: Float64Array;
  /** What the templates mean that lines of the slot name. */
  templates?: TemplatePins;
  /** The SMS that it takes, where they are counted; else one. */
  parts: Uint16Array;
}

/** Those of lines before `endLine`. */
export function keyedBefore(keyed: KeyedLines, endLine: number): KeyedLines {
  const behind = keyed.lines.findIndex((line) => line >= endLine);
  if (behind === -1) return keyed;
  const hasRef = keyed.hasRef.slice(0, behind);
  return {
    records: keyed.records.slice(0, behind === 0 ? 0 : keyed.ends[behind - 1]),
    ends: keyed.ends.slice(0, behind),
    lines: keyed.lines.slice(0, behind),
    hashes: keyed.hashes.slice(0, behind),
    shards: keyed.shards.slice(0, behind),
    toHashes: keyed.toHashes.slice(0, behind),
    refHashes: keyed.refHashes.slice(
      0,
      hasRef.reduce((sum, one) => sum + one, 0),
    ),
    hasRef,
    timed: keyed.timed.slice(0, behind),
    dueAtMs: keyed.dueAtMs.slice(0, behind),
    parts: keyed.parts.slice(0, behind),
    ...(keyed.templates && { templates: keyed.templates }),
  };
}

/** Gathers them while a slot is packed. */
export class KeyedLinesBuilder {
  readonly #toHashes: LookupHashes;
  readonly #refHashes: LookupHashes;
  readonly #records: Buffer[] = [];
  readonly #ends: number[] = [];
  readonly #lines: number[] = [];
  readonly #keys: OrderingKey[] = [];
  readonly #hasRef: boolean[] = [];
  readonly #timed: boolean[] = [];
  readonly #dueAtMs: number[] = [];
  readonly #parts: number[] = [];
  #bytes = 0;

  constructor(settings: { accountId: number; max: number }) {
    this.#toHashes = new LookupHashes('to', settings);
    this.#refHashes = new LookupHashes('ref', settings);
  }

  /** Takes the record that was scanned last. */
  add(scanner: MessageScanner, of: { line: number; key: OrderingKey; dueAtMs: number; parts: number }): void {
    const record = compactRecord(scanner.record());
    this.#records.push(record);
    this.#bytes += record.length;
    this.#ends.push(this.#bytes);
    this.#lines.push(of.line);
    this.#keys.push(of.key);
    this.#toHashes.add(scanner.toBytes, scanner.toStart, scanner.toEnd);
    const hasRef = scanner.refStart !== -1;
    if (hasRef) this.#refHashes.add(scanner.refBytes, scanner.refStart, scanner.refEnd);
    this.#hasRef.push(hasRef);
    this.#timed.push(scanner.hasTimes);
    this.#dueAtMs.push(of.dueAtMs);
    this.#parts.push(of.parts);
  }

  /** Undefined when there are none. */
  build(templates?: TemplatePins): KeyedLines | undefined {
    if (this.#lines.length === 0) return undefined;
    const records = new Uint8Array(this.#bytes);
    let at = 0;
    for (const record of this.#records) {
      records.set(record, at);
      at += record.length;
    }
    return {
      records,
      ends: Uint32Array.from(this.#ends),
      lines: Float64Array.from(this.#lines),
      hashes: Int32Array.from(this.#keys, ({ hash }) => hash),
      shards: Uint16Array.from(this.#keys, ({ shard }) => shard),
      toHashes: BigInt64Array.from(this.#toHashes.toBigInts()),
      refHashes: BigInt64Array.from(this.#refHashes.toBigInts()),
      hasRef: Uint8Array.from(this.#hasRef, Number),
      timed: Uint8Array.from(this.#timed, Number),
      dueAtMs: Float64Array.from(this.#dueAtMs),
      ...(templates && { templates }),
      parts: Uint16Array.from(this.#parts),
    };
  }
}
