import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from './find-program.ts';

export interface Haproxy {
  url: string;
  stop(): Promise<void>;
}

/** Checks often, so that a test need not wait: a server is out after two of them, and in again after one. */
const checkEveryMs = 300;

/**
 * HAProxy before servers on these ports of this machine, as docs/deploy.md has it: those whose /readyz says 200 get
 * requests, and a connection that is refused is made to another server.
 */
export async function startHaproxy(settings: {
  directory: string;
  port: number;
  serverPorts: readonly number[];
}): Promise<Haproxy> {
  const file = join(settings.directory, 'haproxy.cfg');
  await writeFile(file, configuration(settings));
  const program = findProgram('haproxy');
  if (program === undefined) throw new Error('haproxy is not installed');
  const child = spawn(program, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'ignore'] });
  const exited = once(child, 'exit');
  // It does not end with its parent by itself.
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    url: `http://127.0.0.1:${settings.port}`,
    async stop() {
      process.off('exit', kill);
      kill();
      await exited;
    },
  };
}

function configuration({ port, serverPorts }: { port: number; serverPorts: readonly number[] }): string {
  const servers = serverPorts.map((serverPort, n) => `  server m${n + 1} 127.0.0.1:${serverPort} check`);
  return `global
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 5m
  timeout server 5m
  timeout check 10s
  timeout queue 30s
  retries 3
  option redispatch 1
frontend millrace
  bind 127.0.0.1:${port}
  default_backend servers
backend servers
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server inter ${checkEveryMs} fall 2 rise 1
${servers.join('\n')}
`;
}
