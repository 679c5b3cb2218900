import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { type Server, startServer } from './child.ts';
import { requireProgram } from './requirements.ts';

const readyTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;
const pingTimeoutMs = 500;

/** A Redis as BullMQ's guide wants it in production: an append-only file synced every second, nothing evicted. */
export async function startRedis(dir: string): Promise<Server & { url: string }> {
  const port = await freePort();
  const data = join(dir, `redis-${port}`);
  mkdirSync(data, { recursive: true });
  const options = {
    port: String(port),
    bind: '127.0.0.1',
    dir: data,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const server = await startServer({
    command: requireProgram('redis-server'),
    args: Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ready: () => ping(port),
    readyTimeoutMs,
    stopTimeoutMs,
  });
  return { ...server, url: `redis://127.0.0.1:${port}` };
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(pingTimeoutMs, () => socket.destroy());
    socket.once('data', (answer) => {
      resolve(answer.toString().startsWith('+PONG'));
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(false));
  });
}
