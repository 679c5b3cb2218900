import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { cpuSecondsOf } from './processes.ts';

const busy = (ms: number) => `const end = Date.now() + ${ms}; while (Date.now() < end);`;

test.runIf(process.platform === 'linux')(
  'CPU seconds are those of a process and of its children, also of those that have ended',
  async () => {
    const child = `require('node:child_process').spawnSync(process.execPath, ['-e', '${busy(300)}']);`;
    const script = `${busy(300)} ${child} console.log('done'); process.stdin.resume();`;
    const parent = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => {
      parent.kill('SIGKILL');
    });
    await once(parent.stdout, 'data');
    const seconds = await cpuSecondsOf(parent.pid!);
    // Nothing but the two loops and two starts of Node is in it, however slow the machine: a loop that waits for a core uses none.
    expect(seconds).toBeGreaterThan(0.1);
    const own = await cpuSecondsOf(process.pid);
    expect(own).toBeGreaterThan(seconds);
  },
);
