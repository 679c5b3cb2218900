import { describe, expect, it } from 'vitest';
import { demoMessages } from './demo-messages.ts';

async function read(count: number, line: number, seed = 1): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of demoMessages({ count, seed }).open(line)) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

describe('the messages of the demonstration', () => {
  it('are valid, no two alike, and about 128 bytes long', async () => {
    const text = await read(5_000, 1);
    const lines = text.trimEnd().split('\n');
    expect(lines).toHaveLength(5_000);
    expect(new Set(lines).size).toBe(5_000);
    for (const line of lines) {
      const { to, body, ref } = JSON.parse(line) as Record<string, string>;
      expect(to).toMatch(/^\+316\d{8}$/);
      expect(body?.length).toBeGreaterThan(10);
      expect(ref).toMatch(/^demo-\d+-\d{4}$/);
    }
    const average = Buffer.byteLength(text) / 5_000;
    expect(average).toBeGreaterThan(115);
    expect(average).toBeLessThan(141);
  });

  it.each([1, 2, 999, 1_000, 1_001, 1_002, 2_500, 2_501])(
    'are the same from line %d on when sent again',
    async (line) => {
      const all = (await read(2_500, 1)).split('\n');
      expect(await read(2_500, line)).toBe(all.slice(line - 1).join('\n'));
    },
  );

  it('differ with the seed', async () => {
    expect(await read(10, 1, 1)).not.toBe(await read(10, 1, 2));
  });
});
