import { onePartEach } from '../message/allowance.ts';
import type { SlotRow } from '../store/intake/store-slots.ts';
import type { KeyedLines } from './keyed-lines.ts';
import type { PackedSlot } from './pack-slot.ts';

/** A slot that is to be stored, and what it was made of. */
export interface GatheredSlot {
  row: SlotRow;
  packed: PackedSlot;
}

/** Makes the row of what is left of a slot without its lines from `endLine` on. */
export type CutRow = (slot: GatheredSlot, endLine: number) => GatheredSlot;

/** Slots that are stored together, in the order of their lines. */
export class GroupOfSlots {
  readonly slots: readonly GatheredSlot[];
  readonly #cut: CutRow;

  constructor(slots: readonly GatheredSlot[], cut: CutRow) {
    this.slots = slots;
    this.#cut = cut;
  }

  get rows(): SlotRow[] {
    return this.slots.map(({ row }) => row);
  }

  /** The messages with ordering keys, slot by slot. */
  get keyed(): KeyedLines[] {
    return this.slots.flatMap(({ packed }) => packed.keyed ?? []);
  }

  /** The parts of each message without an ordering key. */
  get parts(): number[] {
    return this.slots.flatMap(({ packed }) => [...partsOf(packed)]);
  }

  /** The parts of each message, with an ordering key or without. */
  get partsOfAll(): number[] {
    return this.slots.flatMap(({ packed }) => {
      const { keyed, messageLines } = packed;
      const plain = Array.from(partsOf(packed), (parts, index) => ({
        line: messageLines?.[index] ?? 0,
        parts,
      }));
      const others = Array.from(keyed?.parts ?? [], (parts, index) => ({
        line: keyed!.lines[index]!,
        parts,
      }));
      return [...plain, ...others].sort((a, b) => a.line - b.line).map(({ parts }) => parts);
    });
  }

  /** The slots of the first messages without ordering keys, the last of them cut behind its last one. */
  first(messages: number): GroupOfSlots {
    let left = messages;
    for (const [index, { packed }] of this.slots.entries()) {
      if (packed.count < left) left -= packed.count;
      else if (packed.count === left && left > 0) return this.#upTo(index + 1);
      else return this.#cutAt(index, left === 0 ? undefined : packed.messageLines?.[left - 1]);
    }
    return this;
  }

  /** The same of all messages, with ordering keys or without. */
  firstOfAll(messages: number): GroupOfSlots {
    let left = messages;
    for (const [index, { packed }] of this.slots.entries()) {
      if (messagesOf(packed) > left) {
        const lines = [...(packed.messageLines ?? []), ...(packed.keyed?.lines ?? [])].sort((a, b) => a - b);
        const isCut = left > 0 && lines.length === messagesOf(packed);
        return this.#cutAt(index, isCut ? lines[left - 1] : undefined);
      }
      left -= messagesOf(packed);
    }
    return this;
  }

  /** Slots before this one, and this one up to its last line, if there is any. */
  #cutAt(index: number, lastLine: number | undefined): GroupOfSlots {
    if (lastLine === undefined) return this.#upTo(index);
    const last = this.#cut(this.slots[index]!, lastLine + 1);
    return new GroupOfSlots([...this.slots.slice(0, index), last], this.#cut);
  }

  #upTo(slots: number): GroupOfSlots {
    return new GroupOfSlots(this.slots.slice(0, slots), this.#cut);
  }
}

function partsOf({ count, messageParts }: PackedSlot): Uint16Array {
  return messageParts ?? onePartEach(count);
}

function messagesOf({ count, keyed }: PackedSlot): number {
  return count + (keyed?.lines.length ?? 0);
}
