import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine, Program } from '../machine.ts';
import { type Network, nodeNames } from '../network.ts';

export const proxyPorts = { primary: 5000, replicas: 5001, statistics: 7000 } as const;

/** Asks each node's Patroni what it is. A server that is none any more loses its connections at once. */
export async function configureHaproxy(
  haproxy: string,
  machine: Machine,
  network: Network,
): Promise<Program> {
  const file = join(machine.directory, 'haproxy.cfg');
  const servers = nodeNames.map(
    (node) => `    server ${node} ${network.addressOf(node)}:5432 maxconn 100 check port 8008`,
  );
  const nodes = [
    '    http-check expect status 200',
    '    default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions',
    ...servers,
  ];
  const lines = [
    'global',
    '    maxconn 1000',
    'defaults',
    '    mode tcp',
    '    retries 2',
    '    timeout connect 2s',
    '    timeout client 30m',
    '    timeout server 30m',
    '    timeout check 2s',
    'listen statistics',
    '    mode http',
    `    bind *:${proxyPorts.statistics}`,
    '    stats enable',
    '    stats uri /',
    'listen primary',
    `    bind *:${proxyPorts.primary}`,
    '    option httpchk OPTIONS /primary',
    ...nodes,
    'listen replicas',
    `    bind *:${proxyPorts.replicas}`,
    '    balance roundrobin',
    '    option httpchk OPTIONS /replica',
    ...nodes,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return { command: haproxy, args: ['-f', file, '-db'] };
}
