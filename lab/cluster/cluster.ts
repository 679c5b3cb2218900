import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim } from '../claim.ts';
import { Machine, type Program } from '../machine.ts';
import {
  buildNetwork,
  type MachineName,
  machineNames,
  type Network,
  type NodeName,
  nodeNames,
} from '../network.ts';
import type { Tools } from '../requirements.ts';
import { etcdIsReady, etcdProgram, seedSettings } from './etcd.ts';
import { configureHaproxy, proxyPorts } from './haproxy.ts';
import { NodeWatch, probeDatabase } from './node-watch.ts';
import {
  askPatroni,
  clusterSettings,
  configurePatroni,
  databaseUser,
  scope,
  socketDirectory,
} from './patroni.ts';
import { userIds } from './user-ids.ts';

const startMs = 180_000;
/** A node that was cut off or rewound has to come back within it. */
export const settleMs = 90_000;
const pollMs = 200;
/** Two looks in a row: what a node said may be a moment old. */
const settledLooks = 3;
const millraceDatabase = 'millrace';

/** Three nodes, each with etcd, Patroni and PostgreSQL, and HAProxy before them. */
export interface Cluster {
  network: Network;
  machines: Record<MachineName, Machine>;
  watches: Record<NodeName, NodeWatch>;
  /** By way of HAProxy: the primary, or the replicas in turn. */
  databaseUrl(port: 'primary' | 'replicas', database?: string): string;
  /** Without HAProxy: all nodes, one of which takes writes. */
  hostsUrl(): string;
  /** Whom the nodes themselves take for the primary: the one of the highest timeline. */
  primary(): NodeName | undefined;
  /** Starts etcd and Patroni on a machine that was booted again. */
  startNode(name: NodeName): void;
  startProgram(name: NodeName, program: 'etcd' | 'patroni'): void;
  patroni(path: string, body: unknown, method?: 'POST' | 'PATCH'): Promise<string>;
  /** Resolves when there is one primary with both replicas, and COMMIT waits for a standby or for none, as asked. */
  settled(options: { synchronous: boolean; signal: AbortSignal }): Promise<void>;
  describe(): string;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  tools: Tools;
  claim: Claim;
  watchdog: string | undefined;
  signal: AbortSignal;
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { tools, claim, signal } = options;
  const network = await buildNetwork(tools, claim);
  const machines = {} as Record<MachineName, Machine>;
  for (const name of machineNames) {
    machines[name] = new Machine({ name, directory: join(claim.directory, name), tools, network });
    await machines[name].boot();
  }
  const programs = await configure({ ...options, network, machines });
  machines.proxy.start('haproxy', programs.haproxy);
  for (const name of nodeNames) machines[name].start('etcd', programs[name].etcd);
  await etcdIsReady(network, signal);
  await seedSettings(network, scope, clusterSettings);
  for (const name of nodeNames) machines[name].start('patroni', programs[name].patroni);
  const cluster = compose({ network, machines, programs });
  try {
    await prepareDatabases(cluster, signal);
    await cluster.settled({ synchronous: true, signal });
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

type Programs = Record<NodeName, { etcd: Program; patroni: Program }> & { haproxy: Program };

async function configure(
  given: ClusterOptions & { network: Network; machines: Record<MachineName, Machine> },
): Promise<Programs> {
  const { tools, network, machines, watchdog } = given;
  const user = await userIds('postgres');
  const programs = {
    haproxy: await configureHaproxy(tools.programs.haproxy, machines.proxy, network),
  } as Programs;
  for (const name of nodeNames) {
    const machine = machines[name];
    programs[name] = {
      patroni: await configurePatroni({ machine, tools, network, user, watchdog }),
      etcd: etcdProgram(tools.programs.etcd, machine, network),
    };
  }
  return programs;
}

function compose(given: {
  network: Network;
  machines: Record<MachineName, Machine>;
  programs: Programs;
}): Cluster {
  const { network, machines, programs } = given;
  const watches = {} as Record<NodeName, NodeWatch>;
  for (const name of nodeNames) watches[name] = new NodeWatch(name, socketDirectory(machines[name]));
  const primary = () => primaryOf(watches);
  const { name: user, password } = databaseUser;
  const startProgram = (name: NodeName, program: 'etcd' | 'patroni') =>
    machines[name].start(program, programs[name][program]);
  return {
    network,
    machines,
    watches,
    primary,
    startProgram,
    databaseUrl: (port, database = millraceDatabase) =>
      `postgres://${user}:${password}@${network.addressOf('proxy')}:${proxyPorts[port]}/${database}`,
    hostsUrl: () =>
      `postgres://${user}:${password}@${nodeNames.map(network.addressOf).join()}/${millraceDatabase}`,
    startNode(name) {
      startProgram(name, 'etcd');
      startProgram(name, 'patroni');
    },
    async patroni(path, body, method = 'POST') {
      const node = primary();
      if (!node) throw new Error('there is no primary to ask');
      return await askPatroni(network, { node, method, path, body });
    },
    settled: (options) => settled(watches, options),
    describe: () => describe(watches),
    async stop() {
      await Promise.all(nodeNames.map((name) => watches[name].stop()));
      await Promise.all(machineNames.map((name) => machines[name].halt()));
    },
  };
}

function primaryOf(watches: Record<NodeName, NodeWatch>): NodeName | undefined {
  const primaries = nodeNames.filter((name) => watches[name].state.role === 'primary');
  return primaries.sort((a, b) => (watches[b].state.timeline ?? 0) - (watches[a].state.timeline ?? 0))[0];
}

async function settled(
  watches: Record<NodeName, NodeWatch>,
  { synchronous, signal }: { synchronous: boolean; signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + settleMs;
  for (let looks = 0; looks < settledLooks; ) {
    looks = isSettled(watches, synchronous) ? looks + 1 : 0;
    if (performance.now() > deadline) throw new Error(`the cluster does not settle: ${describe(watches)}`);
    await sleep(pollMs, undefined, { signal });
  }
}

function isSettled(watches: Record<NodeName, NodeWatch>, synchronous: boolean): boolean {
  const states = nodeNames.map((name) => watches[name].state);
  const primaries = states.filter(({ role }) => role === 'primary');
  const primary = primaries[0];
  if (primaries.length !== 1 || !primary) return false;
  const replicas = states.filter(({ role }) => role === 'replica');
  if (replicas.length !== 2 || primary.streaming !== 2) return false;
  if (replicas.some(({ timeline }) => timeline !== primary.timeline)) return false;
  return synchronous ? primary.inSync === 1 && primary.waitsFor !== '*' : primary.waitsFor === '';
}

function describe(watches: Record<NodeName, NodeWatch>): string {
  return nodeNames
    .map((name) => {
      const { role, timeline, streaming, inSync, waitsFor } = watches[name].state;
      const standbys =
        role === 'primary' ? `, ${streaming} standbys, ${inSync} in sync, waits for "${waitsFor}"` : '';
      return `${name} ${role} on timeline ${timeline ?? 'unknown'}${standbys}`;
    })
    .join('; ');
}

/** The users come a moment after the first primary. */
async function prepareDatabases(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + startMs;
  const statements = [
    // So that its doctor sees who is in sync.
    `GRANT pg_monitor TO ${databaseUser.name}`,
    `CREATE DATABASE ${millraceDatabase} OWNER ${databaseUser.name}`,
    `CREATE DATABASE ${probeDatabase}`,
  ];
  for (const statement of statements) {
    for (;;) {
      const failure = await tryOnPrimary(cluster, statement);
      if (failure === undefined) break;
      if (performance.now() > deadline) throw new Error(`the cluster does not come up: ${failure}`);
      await sleep(pollMs, undefined, { signal });
    }
  }
  const table = `CREATE TABLE probe (node text, timeline integer); GRANT SELECT ON probe TO ${databaseUser.name}`;
  await cluster.watches[cluster.primary()!].ask(table, probeDatabase);
}

async function tryOnPrimary(cluster: Cluster, statement: string): Promise<string | undefined> {
  const primary = cluster.primary();
  if (!primary) return 'there is no primary';
  try {
    await cluster.watches[primary].ask(statement);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    return message.includes('already exists') ? undefined : message;
  }
}
