import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate, lineBytes, makeData, readMessages } from './data.ts';

describe('generated messages', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'bench-data-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('take exactly 128 bytes a line on average, whatever their number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), (count) => {
        let bytes = 0;
        for (const { line } of generate(count)) bytes += Buffer.byteLength(line) + 1;
        expect(bytes).toBe(count * lineBytes);
      }),
      { numRuns: 50 },
    );
  });

  it('are JSON objects with a number in E.164, a text and a reference', () => {
    for (const { line, to, body, ref } of generate(5_000)) {
      expect(JSON.parse(line)).toEqual({ to, body, ref });
      expect(to).toMatch(/^\+[1-9]\d{6,14}$/);
      expect(body.length).toBeGreaterThan(0);
      expect(ref).toMatch(/^ORD-\d{7}$/);
    }
  });

  it('are the same on every machine', async () => {
    const { ndjson } = await makeData({ dir, count: 1_000 });
    const digest = createHash('sha256').update(readFileSync(ndjson)).digest('hex');
    expect(digest).toBe('f3653bcd9346abdd015dfc6bce1e862f3f09a14c413f90a6bfe03f0e4f354af6');
  });

  it('have the same rows for psql as lines for Millrace, and samples that name their lines', async () => {
    const data = await makeData({ dir, count: 500 });
    const messages = await readMessages(data.ndjson, 500);
    const rows = readFileSync(data.tsv, 'utf8').trimEnd().split('\n');
    expect(rows).toHaveLength(500);
    for (const [index, row] of rows.entries()) {
      const { to, body, ref } = messages[index] ?? { to: '', body: '', ref: '' };
      expect(row.split('\t')).toEqual([String(index + 1), '1', to, body, ref]);
    }
    for (const { line, to, ref } of data.samples) expect(messages[line - 1]).toMatchObject({ to, ref });
  });
});
