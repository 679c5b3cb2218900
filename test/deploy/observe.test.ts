import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from '../support/find-program.ts';
import { needs } from '../support/needs.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name: string) => readFile(pathOf(name), 'utf8');

interface Rule {
  alert: string;
  annotations: { summary: string; description: string; runbook: string };
}

async function readRules(): Promise<Rule[]> {
  const { groups } = parse(await read('deploy/observe/alerts.yml')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

needs('promtool')('each alert fires when it should, and not when it should not', async () => {
  const promtool = promisify(execFile);
  const run = (...args: string[]) => promtool(findProgram('promtool')!, args, { timeout: 20_000 });
  await run('check', 'config', pathOf('deploy/observe/prometheus.yml'));
  await run('test', 'rules', pathOf('test/deploy/alerts.yml'));
});

test('each alert has been tried both ways, says what to do, and leads to a section of the page on operations', async () => {
  const page = await read('docs/operations.md');
  const sections = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  const { tests } = parse(await read('test/deploy/alerts.yml')) as {
    tests: { promql_expr_test: { expr: string; exp_samples: unknown[] }[] }[];
  };
  const tried = tests.flatMap(({ promql_expr_test: each }) => each);
  const rules = await readRules();
  expect(rules.length).toBeGreaterThan(10);
  for (const { alert, annotations } of rules) {
    const own = tried.filter(({ expr }) => expr.includes(`"${alert}"`));
    expect([alert, ...new Set(own.map(({ exp_samples: samples }) => samples.length))].sort()).toEqual([
      0,
      1,
      alert,
    ]);
    expect(annotations.summary).not.toBe('');
    expect(annotations.description).toMatch(/\w{2}/);
    const [file, section] = annotations.runbook.split('#');
    expect([alert, file]).toEqual([alert, 'docs/operations.md']);
    expect(sections).toContain(section);
  }
});

test('the dashboard is one that Grafana takes: panels apart, each with a query, a unit and words', async () => {
  const board = JSON.parse(await read('deploy/observe/grafana-dashboard.json'));
  const ids = new Set<number>();
  for (const panel of board.panels) {
    expect(ids.has(panel.id)).toBe(false);
    ids.add(panel.id);
    expect(panel.gridPos.x + panel.gridPos.w).toBeLessThanOrEqual(24);
    if (panel.type === 'row') continue;
    expect(panel.description).not.toBe('');
    expect(panel.fieldConfig.defaults.unit).not.toBe('');
    expect(panel.targets.length).toBeGreaterThan(0);
  }
});
