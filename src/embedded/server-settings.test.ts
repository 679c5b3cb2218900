import { expect, test } from 'vitest';
import { renderSettings, serverSettings } from './server-settings.ts';

test('settings are rendered as one quoted line each', () => {
  const text = renderSettings({
    work_mem: '8MB',
    jit: false,
    random_page_cost: 1.1,
    search_path: `it's \\ "here"`,
  });
  expect(text.split('\n').slice(1)).toEqual([
    "work_mem = '8MB'",
    "jit = 'off'",
    "random_page_cost = '1.1'",
    `search_path = 'it''s \\\\ "here"'`,
    '',
  ]);
});

test.each([[{ 'work_mem = 1\nfsync': 'off' }], [{ work_mem: '1\nfsync = off' }], [{ work_mem: 'a\0b' }]])(
  'a setting that would be more than one is refused: %j',
  (settings) => {
    expect(() => renderSettings(settings)).toThrow(TypeError);
  },
);

test('Millrace weakens no setting that keeps an accepted message', () => {
  const names = Object.keys(serverSettings);
  for (const name of [
    'fsync',
    'synchronous_commit',
    'full_page_writes',
    'zero_damaged_pages',
    'ignore_checksum_failure',
  ]) {
    expect(names).not.toContain(name);
  }
});
