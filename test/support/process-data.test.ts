import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { processData, removeLeftData } from './process-data.ts';

test('what a killed process left is removed, and nothing of one that lives or is no data of a process', () => {
  const parent = mkdtempSync(join(tmpdir(), 'millrace-left-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  const { pid } = spawnSync(process.execPath, ['--version']);
  const kept = [`millrace-process-${process.pid}-a`, 'millrace-process-old', `millrace-tests-${pid}-a`];
  for (const name of [...kept, `millrace-process-${pid}-a`]) {
    mkdirSync(join(parent, name));
    writeFileSync(join(parent, name, 'admin.key'), 'key');
  }
  removeLeftData(parent);
  expect(readdirSync(parent).sort()).toEqual([...kept].sort());
});

test('servers of this process have one place, which is kept while it lives', () => {
  const place = processData();
  removeLeftData();
  expect(processData()).toBe(place);
  expect(existsSync(place)).toBe(true);
});
