import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openPackPool } from './pack-pool.ts';
import { packSlot } from './pack-slot.ts';
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

function cut() {
  const cutter = openCutter('ndjson', { firstLine: 1 });
  return [...cutter.push(body), ...cutter.end()];
}
