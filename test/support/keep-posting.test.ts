import { expect, onTestFinished, test } from 'vitest';
import { keepPosting } from './keep-posting.ts';
import { answerJson, startScriptedServer } from './scripted-server.ts';

test('single messages of a pace go on while none is answered, and their time counts from when they were due', async () => {
  const held: (() => void)[] = [];
  let letGo = false;
  let count = 0;
  const server = await startScriptedServer((request, response) => {
    if (!request.url!.startsWith('/v1/messages')) return answerJson(response, 201, {});
    const answer = () => answerJson(response, 202, { messages: [{ id: `m${count++}` }] });
    if (letGo) answer();
    else held.push(answer);
  });
  onTestFinished(() => server.stop());
  const posting = keepPosting({ key: 'k', targets: [server], singlesEveryMs: 5 });
  onTestFinished(() => posting.stop());
  await expect.poll(() => held.length).toBeGreaterThan(20);
  expect(posting.singles.size).toBe(0);
  const nowMs = performance.timeOrigin + performance.now();
  letGo = true;
  for (const answer of held) answer();
  await posting.stop();
  expect(posting.failures).toEqual([]);
  const early = [...posting.singles.values()].filter((dueMs) => dueMs < nowMs);
  expect(early.length).toBeGreaterThan(20);
});
