import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine, Program } from '../machine.ts';
import type { Network, NodeName } from '../network.ts';
import type { Tools } from '../requirements.ts';
import { etcdHosts } from './etcd.ts';
import type { UserIds } from './user-ids.ts';

export const scope = 'millrace-lab';
export const databaseUser = { name: 'millrace', password: 'millrace-lab' };
const passwords = { superuser: 'lab-superuser', replication: 'lab-replication', rewind: 'lab-rewind' };
const restPort = 8008;
const requestMs = 5_000;

/**
 * loop_wait + 2 × retry_timeout is at most ttl, as Patroni asks. `synchronous_mode_strict`: without it a new primary
 * acknowledges alone until a standby has attached (measured: 2 to 6 s after each promotion).
 */
export const clusterSettings = {
  ttl: 8,
  loop_wait: 1,
  retry_timeout: 3,
  maximum_lag_on_failover: 1_048_576,
  synchronous_mode: true,
  synchronous_mode_strict: true,
  check_timeline: true,
  postgresql: {
    use_pg_rewind: true,
    use_slots: true,
    remove_data_directory_on_rewind_failure: true,
    parameters: {
      wal_level: 'replica',
      hot_standby: 'on',
      max_connections: 100,
      max_wal_senders: 10,
      max_replication_slots: 10,
      wal_log_hints: 'on',
      wal_keep_size: '128MB',
      shared_buffers: '64MB',
      wal_sender_timeout: '5s',
      wal_receiver_timeout: '5s',
      // Of the default, 5 s, a standby comes back up to that much later, and COMMIT waits for it.
      wal_retrieve_retry_interval: '500ms',
      tcp_user_timeout: '5s',
      max_locks_per_transaction: 256,
      password_encryption: 'scram-sha-256',
    },
  },
};

export interface PatroniSettings {
  machine: Machine;
  tools: Tools;
  network: Network;
  user: UserIds;
  /** A device that restarts the machine when Patroni does not write to it. */
  watchdog: string | undefined;
}

/** Where PostgreSQL's socket is: it can be reached also when the node's cable is cut. */
export function socketDirectory({ directory }: Machine): string {
  return join(directory, 'socket');
}

export async function configurePatroni(settings: PatroniSettings): Promise<Program> {
  const { machine, tools, user } = settings;
  const file = join(machine.directory, 'patroni.yml');
  for (const directory of ['socket', 'etcd']) {
    await mkdir(join(machine.directory, directory), {
      recursive: true,
      mode: directory === 'etcd' ? 0o700 : 0o755,
    });
    await chown(join(machine.directory, directory), user.uid, user.gid);
  }
  await chown(machine.directory, user.uid, user.gid);
  // Every JSON text is YAML.
  await writeFile(file, JSON.stringify(nodeSettings(settings), null, 2));
  return {
    command: tools.programs.patroni,
    args: [file],
    user: 'postgres',
    env: { PATH: `${process.env.PATH}:${tools.postgresDir}` },
  };
}

function nodeSettings({ machine, tools, network, watchdog }: PatroniSettings) {
  const { name, address, directory } = machine;
  const everyNode = `${address.replace(/\.\d+$/, '.0')}/24`;
  return {
    scope,
    name,
    restapi: { listen: `${address}:${restPort}`, connect_address: `${address}:${restPort}` },
    etcd: { hosts: etcdHosts(network) },
    bootstrap: {
      dcs: clusterSettings,
      initdb: [
        { encoding: 'UTF8' },
        { locale: 'C.UTF-8' },
        'data-checksums',
        { 'auth-local': 'trust' },
        { 'auth-host': 'scram-sha-256' },
      ],
      pg_hba: [
        `host replication replicator ${everyNode} scram-sha-256`,
        `host all all ${everyNode} scram-sha-256`,
        'host all all 127.0.0.1/32 scram-sha-256',
        'local all all trust',
      ],
      users: { [databaseUser.name]: { password: databaseUser.password, options: ['createdb'] } },
    },
    postgresql: {
      listen: `${address},127.0.0.1:5432`,
      connect_address: `${address}:5432`,
      data_dir: join(directory, 'data'),
      bin_dir: tools.postgresDir,
      pgpass: join(directory, 'pgpass'),
      authentication: {
        superuser: { username: 'postgres', password: passwords.superuser },
        replication: { username: 'replicator', password: passwords.replication },
        rewind: { username: 'rewind', password: passwords.rewind },
      },
      parameters: { unix_socket_directories: socketDirectory(machine) },
    },
    watchdog: watchdog === undefined ? { mode: 'off' } : { mode: 'automatic', device: watchdog },
    tags: { nofailover: false, noloadbalance: false, clonefrom: false, nosync: false },
  };
}

/** Asks a node's Patroni to do something, and answers what it says. */
export async function askPatroni(
  network: Network,
  { node, method, path, body }: { node: NodeName; method: 'POST' | 'PATCH'; path: string; body: unknown },
): Promise<string> {
  const response = await fetch(`http://${network.addressOf(node)}:${restPort}${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(requestMs * (path === '/switchover' ? 12 : 1)),
  });
  const text = (await response.text()).trim();
  if (!response.ok) throw new Error(`Patroni of ${node} answered ${response.status} to ${path}: ${text}`);
  return text;
}
