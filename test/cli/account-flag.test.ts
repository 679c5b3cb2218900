import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { answerJson, type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

let server: ScriptedServer;
const accounts: unknown[] = [];

beforeAll(async () => {
  server = await startScriptedServer(({ headers }, response) => {
    accounts.push(headers['millrace-account']);
    answerJson(response, 200, { data: [{ id: 'ID', name: 'billing' }], next: null });
  });
});

afterAll(() => server.stop());

beforeEach(() => {
  accounts.length = 0;
});

test.each([
  'batch list',
  'message find --ref r',
  'lanes',
  'template list',
  'template show code',
  'template create code --channel sms --body x',
  'template set code --body x',
  'template delete code',
  'template preview code',
  'signing-key show',
  'signing-key set',
  'suppression list',
  'suppression add +31612345678',
  'suppression show +31612345678',
  'suppression remove +31612345678',
  'webhook list',
  'webhook show ID',
  'webhook create billing https://example.com/',
  'webhook set ID --name bills',
  'webhook enable ID',
  'webhook rotate ID',
  'webhook delete ID',
])('%s --account 7 asks for what is that account’s', async (line) => {
  // What is answered is nothing that all of them can show.
  await runCli([...line.split(' '), '--account', '7'], { MILLRACE_URL: server.url, MILLRACE_KEY: 'key' });
  expect(new Set(accounts)).toEqual(new Set(['7']));
});
