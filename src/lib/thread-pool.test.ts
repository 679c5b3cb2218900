import { afterEach, expect, test } from 'vitest';
import { ThreadPool, type ThreadPoolSettings } from './thread-pool.ts';

/** Answers a number's double, echoes a buffer's length, throws at `throw`, dies at `die`, and waits at `wait`. */
const script = dataScript(`
  import { parentPort, threadId } from 'node:worker_threads';
  parentPort.on('message', ({ id, task }) => {
    if (task === 'die') process.exit(3);
    if (task === 'throw') return parentPort.postMessage({ id, error: new Error('no') });
    if (task === 'thread') return parentPort.postMessage({ id, result: threadId });
    if (task instanceof Int32Array) Atomics.wait(task, 0, 0, 20_000);
    parentPort.postMessage({ id, result: typeof task === 'number' ? 2 * task : (task.byteLength ?? 0) });
  });
`);

let pool: ThreadPool<unknown, number>;
afterEach(() => pool.close());

test('tasks are answered, each with its own result', async () => {
  open({ threads: 2 });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, number) => pool.run(number)));
  expect(answers).toEqual(Array.from({ length: 50 }, (_, number) => 2 * number));
});

test('buffers move to the thread', async () => {
  open({});
  const buffer = new ArrayBuffer(100);
  expect(await pool.run(buffer, [buffer])).toBe(100);
  expect(buffer.byteLength).toBe(0);
});

test('what a task throws rejects that task alone', async () => {
  open({});
  const failing = pool.run('throw');
  const next = pool.run(4);
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe(8);
});

test('a thread that dies fails the tasks it had and is replaced', async () => {
  open({});
  const first = await pool.run('thread');
  const failed = [pool.run('die'), pool.run(1)].map((task) => expect(task).rejects.toThrow('a thread died'));
  const waiting = pool.run(21);
  await Promise.all(failed);
  expect(await waiting).toBe(42);
  expect(await pool.run('thread')).not.toBe(first);
});

test('a task that cannot be sent is refused, and the next one is not', async () => {
  open({});
  await expect(pool.run(() => {})).rejects.toThrow('could not be cloned');
  expect(await pool.run(1)).toBe(2);
});

test('no more tasks wait than may', async () => {
  open({ waitingMax: 1 });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const taken = [pool.run(gate), pool.run(1), pool.run(2)];
  await expect(pool.run(3)).rejects.toThrow('1 tasks wait for a thread already');
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  expect(await Promise.all(taken)).toEqual([4, 2, 4]);
});

test('closing lets what runs end, fails what waits, and takes nothing more', async () => {
  open({ waitingMax: 5 });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const running = pool.run(gate);
  const behind = pool.run(1);
  const waiting = expect(pool.run(2)).rejects.toThrow('the threads are closed');
  const closed = pool.close();
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  expect(await Promise.all([running, behind])).toEqual([4, 2]);
  await Promise.all([waiting, closed, pool.close()]);
  await expect(pool.run(1)).rejects.toThrow('the threads are closed');
});

test('a script that cannot start fails its tasks with the reason', async () => {
  open({ script: dataScript(`import 'node:no-such-module';`) });
  await expect(pool.run(1)).rejects.toThrow('no-such-module');
});

function open(settings: Partial<ThreadPoolSettings>): void {
  pool = new ThreadPool({ script, threads: 1, waitingMax: 100, ...settings });
}

function dataScript(code: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}
