import { describe, expect, test } from 'vitest';
import { bitmapOf } from './bitmap.ts';
import { chunkCodec, encodeChunk, testChunk } from './chunk-codec.ts';
import { type ChunkToRender, csvHeader, renderChunks } from './render-chunk.ts';
import { stateNumber } from './state.ts';

const id = '0199aaaa-bbbb-7c07-8000-000000000000';

function chunk(lines: string[], more: Partial<ChunkToRender> = {}): ChunkToRender {
  return {
    format: 'ndjson',
    id,
    batch: null,
    route: 'sms',
    defaults: {},
    count: lines.length,
    ...encodeChunk(Buffer.from(lines.join('\n'))),
    outcomes: [],
    fromOffset: 0,
    ...more,
  };
}

function text(...chunks: ChunkToRender[]): string {
  return Buffer.from(renderChunks(chunks)).toString();
}

describe('an exported message', () => {
  test('is one line of JSON with what was sent and what became of it', () => {
    const outcomes = [
      {
        at: new Date(0x0199aaaacccc),
        dueAt: null,
        state: stateNumber.failed,
        attempt: 3,
        offsets: bitmapOf(2, [1]),
        errorCode: 'refused',
        details: ['no such number'],
        providerRefs: null,
      },
    ];
    const lines = text(chunk(['{"to":"+1"}', '{"to":"+2","body":"a\\nb"}'], { outcomes })).split('\n');
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      id,
      to: '+1',
      state: 'queued',
      attempts: 0,
      batchId: null,
      stateAt: new Date(0x0199aaaabbbb).toISOString(),
    });
    expect(JSON.parse(lines[1]!)).toMatchObject({
      body: 'a\nb',
      state: 'failed',
      attempts: 3,
      error: { code: 'refused', detail: 'no such number' },
      createdAt: new Date(0x0199aaaabbbb).toISOString(),
      stateAt: new Date(0x0199aaaacccc).toISOString(),
    });
  });

  test('is one record of CSV, quoted where it must be', () => {
    const lines = ['{"to":"+1","body":"say \\"hi\\",\\nthen","tags":["a","b"],"metadata":{"n":1}}'];
    const created = new Date(0x0199aaaabbbb).toISOString();
    expect(text(chunk(lines, { format: 'csv' }))).toBe(
      `${id},,sms,+1,,,"say ""hi"",\nthen",,,,,"{""n"":1}",a|b,queued,0,,,,${created},,,,,,,${created},\r\n`,
    );
    const codec = chunkCodec.none | testChunk;
    expect(text(chunk(['{"to":"+1"}'], { format: 'csv', codec }))).toMatch(/,true\r\n$/);
    expect(csvHeader.split(',')).toHaveLength(27);
  });

  test('begins behind an offset when the export goes on', () => {
    const lines = ['{"to":"+1"}', '{"to":"+2"}', '{"to":"+3"}'];
    const whole = text(chunk(lines));
    const cut = whole.indexOf('\n', whole.indexOf('\n') + 1) + 1;
    expect(text(chunk(lines, { fromOffset: 2 }))).toBe(whole.slice(cut));
    expect(text(chunk(lines, { fromOffset: 3 }))).toBe('');
  });

  test('is refused when its chunk does not hold as many messages as it should', () => {
    expect(() => text(chunk(['{"to":"+1"}'], { count: 2 }))).toThrow('holds 1 messages instead of 2');
  });
});
