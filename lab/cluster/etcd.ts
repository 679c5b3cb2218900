import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine, Program } from '../machine.ts';
import { type Network, type NodeName, nodeNames } from '../network.ts';

const [clientPort, peerPort] = [2379, 2380];
const heartbeatMs = 100;
const electionMs = 1_000;
const readyMs = 60_000;
const requestMs = 1_000;
const pollMs = 100;

/**
 * The API version 2, which writes with compare-and-set. Over version 3, Debian's Patroni 3.0.2 overwrites the leader key
 * of another node when it comes back, which lost acknowledged messages (Patroni's pull request 2689 mended that later).
 * Pre-vote keeps a node that was cut off from deposing the leader when it returns.
 */
export function etcdProgram(etcd: string, machine: Machine, network: Network): Program {
  const { name, address, directory } = machine;
  const at = (node: NodeName) => `http://${network.addressOf(node)}:${peerPort}`;
  return {
    command: etcd,
    user: 'postgres',
    args: [
      ...['--name', name, '--data-dir', `${directory}/etcd`],
      ...['--heartbeat-interval', String(heartbeatMs), '--election-timeout', String(electionMs)],
      ...['--listen-peer-urls', `http://${address}:${peerPort}`],
      ...['--initial-advertise-peer-urls', `http://${address}:${peerPort}`],
      ...['--listen-client-urls', `http://${address}:${clientPort},http://127.0.0.1:${clientPort}`],
      ...['--advertise-client-urls', `http://${address}:${clientPort}`],
      ...['--initial-cluster', nodeNames.map((node) => `${node}=${at(node)}`).join(',')],
      ...['--initial-cluster-state', 'new', '--initial-cluster-token', 'millrace-lab'],
      ...['--auto-compaction-retention', '1', '--log-level', 'warn', '--enable-v2=true', '--pre-vote=true'],
    ],
  };
}

export function etcdHosts(network: Network): string[] {
  return nodeNames.map((node) => `${network.addressOf(node)}:${clientPort}`);
}

/** Resolves when the members have a leader. */
export async function etcdIsReady(network: Network, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + readyMs;
  for (;;) {
    const healths = await Promise.all(etcdHosts(network).map(isHealthy));
    if (healths.every(Boolean)) return;
    if (performance.now() > deadline) throw new Error('etcd has no leader');
    await sleep(pollMs, undefined, { signal });
  }
}

/** Patroni takes its settings from there from its first round on, as if a cluster had been here before. */
export async function seedSettings(network: Network, scope: string, settings: unknown): Promise<void> {
  const response = await fetch(`http://${etcdHosts(network)[0]}/v2/keys/service/${scope}/config`, {
    method: 'PUT',
    body: new URLSearchParams({ value: JSON.stringify(settings) }),
    signal: AbortSignal.timeout(readyMs),
  });
  if (!response.ok) throw new Error(`etcd does not take the settings: ${await response.text()}`);
}

async function isHealthy(host: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${host}/health`, { signal: AbortSignal.timeout(requestMs) });
    return ((await response.json()) as { health: string }).health === 'true';
  } catch {
    return false;
  }
}
