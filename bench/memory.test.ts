import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { sampleMemory } from './memory.ts';

const megabyte = 1 << 20;

it('memory is summed over a process and its children, each of them counted', async () => {
  // The parent fills 40 MB and starts a child that fills 60 MB; both say when they have.
  const fill = (size: number) =>
    `globalThis.kept = Buffer.alloc(${size} * ${megabyte}, 1); console.log('filled');`;
  const script = `
    require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(`${fill(60)} setInterval(() => {}, 1000)`)}], { stdio: 'inherit' });
    ${fill(40)}
    process.on('SIGTERM', () => process.exit());
  `;
  const parent = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  try {
    for (let filled = 0; filled < 2; ) {
      const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
      filled += chunk.toString().split('filled').length - 1;
    }
    const sampler = sampleMemory(parent.pid ?? 0);
    const peak = await sampler.stop();
    expect(peak.samples).toBeGreaterThan(0);
    expect(peak.residentBytes).toBeGreaterThan(100 * megabyte);
    expect(peak.residentBytes).toBeLessThan(1_000 * megabyte);
  } finally {
    // Its own process group: the child goes with it.
    process.kill(-(parent.pid ?? 0), 'SIGKILL');
  }
});
