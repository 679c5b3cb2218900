import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { leaks } from './leaks.ts';
import { memoryUse, type ServerUse } from './server-use.ts';

const requests = 2_000;
const bytesEach = 65_536;

let child: ChildProcess | undefined;

afterEach(() => void child?.kill('SIGKILL'));

/** What is found of a process that does this with each of its requests, of which it is told one by one. */
async function findIn(onRequest: string): Promise<string[]> {
  const inspectorPort = await freePort();
  const program = `const kept = []; process.on('message', (n) => { ${onRequest}; process.send(n); });`;
  child = spawn(process.execPath, [`--inspect=127.0.0.1:${inspectorPort}`, '-e', program], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const send = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const answered = once(child!, 'message');
      child!.send(n);
      await answered;
    }
  };
  const use = async (): Promise<ServerUse> => ({
    ...(await memoryUse(inspectorPort)),
    ...{ sockets: 1, databaseConnections: 1 },
  });
  await send(1);
  const before = await use();
  await send(requests);
  return leaks({ before, after: await use(), requests, connections: 1 });
}

test('a process that keeps a buffer of each request is found out, though its heap hardly grows', async () => {
  const found = await findIn(`kept.push(Buffer.alloc(${bytesEach}, 1))`);
  expect(found).toContainEqual(expect.stringMatching(/^what is outside the heap grew by/));
  expect(found).not.toContainEqual(expect.stringMatching(/^the heap grew by/));
});

test('a process that keeps an object of each request is found out', async () => {
  const found = await findIn(`kept.push(Array(${bytesEach / 8}).fill({ n }))`);
  expect(found).toContainEqual(expect.stringMatching(/^the heap grew by/));
});

test('a process that lets go of what it was sent keeps nothing', async () => {
  expect(await findIn(`Buffer.alloc(${bytesEach}, n); Array(${bytesEach / 8}).fill({ n })`)).toEqual([]);
});

test('connections that are left open are found out, on either side of the server', () => {
  const before: ServerUse = {
    ...{ heapBytes: 0, externalBytes: 0, residentBytes: 0 },
    ...{ sockets: 10, databaseConnections: 10 },
  };
  const find = (after: Partial<ServerUse>) =>
    leaks({ before, after: { ...before, ...after }, requests: 0, connections: 8 });
  expect(find({ sockets: 18, databaseConnections: 18 })).toEqual([]);
  expect(find({ sockets: 19 })).toEqual([expect.stringContaining('19 sockets')]);
  expect(find({ databaseConnections: 19 })).toEqual([expect.stringContaining('19 database connections')]);
});
