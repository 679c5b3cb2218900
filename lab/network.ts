import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Claim } from './claim.ts';
import type { Tools } from './requirements.ts';
import { runCommand } from './run-command.ts';

export const nodeNames = ['n1', 'n2', 'n3'] as const;
export type NodeName = (typeof nodeNames)[number];
export type MachineName = NodeName | 'proxy';
export const machineNames: readonly MachineName[] = [...nodeNames, 'proxy'];

const lastOctet: Record<MachineName, number> = { proxy: 10, n1: 11, n2: 12, n3: 13 };

/** One bridge, and a namespace with a cable to it for each machine. */
export interface Network {
  /** Of the host on the bridge. */
  hostAddress: string;
  addressOf(name: MachineName): string;
  namespaceOf(name: MachineName): string;
  /** Pulls the cable on the far side: the machine keeps its address, and its peers meet silence, not a refusal. */
  cut(name: MachineName): Promise<void>;
  mend(name: MachineName): Promise<void>;
  /** Drops what comes from a peer's PostgreSQL, and nothing else: replication stops, all else goes on. */
  dropReplication(name: NodeName, from: NodeName): Promise<void>;
  passReplication(name: NodeName): Promise<void>;
}

const postgresPort = 5432;

export async function buildNetwork({ programs: { ip, nft } }: Tools, claim: Claim): Promise<Network> {
  const { prefix, network } = claim;
  const bridge = `${prefix}br`;
  const addressOf = (name: MachineName) => `${network}.${lastOctet[name]}`;
  const namespaceOf = (name: MachineName) => `${prefix}${name}`;
  const linkOf = (name: MachineName) => `${prefix}v${lastOctet[name]}`;
  const hostAddress = `${network}.1`;
  const run = (args: string) => runCommand(ip, args.split(' '));

  await run(`link add ${bridge} type bridge`);
  await run(`addr add ${hostAddress}/24 dev ${bridge}`);
  await run(`link set ${bridge} up`);
  for (const name of machineNames) {
    const namespace = namespaceOf(name);
    await nameHosts(namespace, {
      ...Object.fromEntries(machineNames.map((peer) => [peer, addressOf(peer)])),
    });
    await run(`netns add ${namespace}`);
    await run(`link add ${linkOf(name)} type veth peer name eth0 netns ${namespace}`);
    await run(`link set ${linkOf(name)} master ${bridge} up`);
    await run(`-n ${namespace} addr add ${addressOf(name)}/24 dev eth0`);
    await run(`-n ${namespace} link set lo up`);
    await run(`-n ${namespace} link set eth0 up`);
  }
  const inside = (name: MachineName, args: string[]) =>
    runCommand(ip, ['netns', 'exec', namespaceOf(name), nft, ...args]);
  return {
    hostAddress,
    addressOf,
    namespaceOf,
    cut: async (name) => void (await run(`link set ${linkOf(name)} down`)),
    mend: async (name) => void (await run(`link set ${linkOf(name)} up`)),
    async dropReplication(name, from) {
      const rule = `ip saddr ${addressOf(from)} tcp sport ${postgresPort} drop`;
      await inside(name, ['add', 'table', 'ip', 'lab']);
      await inside(name, ['add', 'chain', 'ip', 'lab', 'in', '{ type filter hook input priority 0; }']);
      await inside(name, ['add', 'rule', 'ip', 'lab', 'in', ...rule.split(' ')]);
    },
    passReplication: async (name) => void (await inside(name, ['delete', 'table', 'ip', 'lab'])),
  };
}

/** Without names every start of Patroni waits ten seconds for a resolver (measured: 18.4 instead of 8.9 s). */
async function nameHosts(namespace: string, addresses: Record<string, string>): Promise<void> {
  const directory = join('/etc/netns', namespace);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const lines = Object.entries({ localhost: '127.0.0.1', ...addresses }).map(
    ([name, address]) => `${address} ${name}\n`,
  );
  await writeFile(join(directory, 'hosts'), lines.join(''));
  await writeFile(join(directory, 'resolv.conf'), '');
}
