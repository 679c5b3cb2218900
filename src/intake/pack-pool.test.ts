import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openPackPool } from './pack-pool.ts';
import { packSlot } from './pack-slot.ts';
import { SlotBuffers } from './slot-buffers.ts';
import { openCutter } from './slot-cutter.ts';

const body = Buffer.from(`${'{"to":"+31612345678","ref":"r"}\n'.repeat(2_500)}bad\n`);
const settings = { accountId: 7, batch: true };

test('threads pack slots as the main thread does, and take their buffers along', async () => {
  const pool = openPackPool({ threads: 2 });
  try {
    const slots = cut();
    const packed = await Promise.all(slots.map((slot) => pool.pack(slot, settings)));
    expect(packed).toEqual(cut().map((slot) => packSlot(slot, settings)));
    expect(slots.map(({ bytes }) => bytes.byteLength)).toEqual([0, 0, 0]);
  } finally {
    await pool.close();
  }
});

test('buffers that were packed are cut into again, and nothing of the slot before is left in the next', async () => {
  const buffers = new SlotBuffers();
  const pool = openPackPool({ threads: 1, buffers });
  const memory = new Set<ArrayBufferLike>();
  const times = 8;
  try {
    for (let time = 0; time < times; time++) {
      const number = time * 1_000;
      const lines = Buffer.from(`{"to":"+31612345678","ref":"${'r'.repeat(time)}"}\n`.repeat(500 + number));
      const plain = cut(lines).map((slot) => packSlot(slot, settings));
      const slots = cut(lines, buffers);
      for (const { bytes } of slots) memory.add(bytes.buffer);
      expect(await Promise.all(slots.map((slot) => pool.pack(slot, settings)))).toEqual(plain);
    }
  } finally {
    await pool.close();
  }
  const largest = Math.ceil((500 + (times - 1) * 1_000) / 1_000);
  expect(memory.size).toBeLessThan(2 * largest);
});

test('the buffer of a slot that could not be packed is not used again: its thread may still write to it', async () => {
  const buffers = new SlotBuffers();
  const pool = openPackPool({ threads: 1, buffers });
  const [slot] = cut(body, buffers);
  await pool.close();
  await expect(pool.pack(slot!, settings)).rejects.toThrow('closed');
  const taken = Array.from({ length: 10 }, () => buffers.take(1).buffer);
  expect(taken).not.toContain(slot!.bytes.buffer);
});

test('a process ends by itself once its pool is closed', async () => {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const code = `
    import { openPackPool } from ${module('./pack-pool.ts')};
    import { openCutter } from ${module('./slot-cutter.ts')};
    const pool = openPackPool({ threads: 1 });
    const cutter = openCutter('ndjson', { firstLine: 1 });
    cutter.push(Buffer.from('{"to":"+31612345678"}'));
    const packed = await pool.pack(cutter.end()[0], ${JSON.stringify(settings)});
    await pool.close();
    console.log('packed', packed.count);`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 100_000 });
  expect(stdout).toBe('packed 1\n');
});

function cut(lines = body, buffers?: SlotBuffers) {
  const cutter = openCutter('ndjson', { firstLine: 1, ...(buffers && { buffers }) });
  return [...cutter.push(lines), ...cutter.end()];
}
