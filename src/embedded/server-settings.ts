/** PostgreSQL's settings by name, as postgresql.conf takes them. */
export type ServerSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * Fully durable (fsync, synchronous_commit and full_page_writes keep their default, on), sized for a flood
 * on a machine of 2 cores and 4 GB. What is not named here keeps PostgreSQL's default.
 */
export const serverSettings: ServerSettings = {
  // Only this machine, only with the password; no socket file, whose path would limit the data directory's.
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  max_connections: 100,

  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '8MB',
  maintenance_work_mem: '128MB',

  // No checkpoint because of its volume in a flood: measured, 4,000,000 messages write 0.15 GB of WAL as
  // chunks and 1.1 GB as rows with a primary key. wal_compression stays off: payloads are compressed already.
  wal_buffers: '16MB',
  checkpoint_timeout: '15min',
  max_wal_size: '4GB',
  min_wal_size: '512MB',
  // Filling a new segment with zeros and syncing it holds up every commit for 100 ms and more on an ordinary disk, each 16 MB
  // of a young cluster's first gigabyte. A commit to a file that grows took no longer than one to a file of zeros.
  wal_init_zero: false,

  // The pending rows turn over within seconds; dead ones are cleared before they slow their index.
  autovacuum_naptime: '15s',
  // Two cores belong to the flood, not to one report; nor does a query then need /dev/shm, 64 MB in a container.
  max_parallel_workers_per_gather: 0,
  jit: false,
  max_logical_replication_workers: 0,
  random_page_cost: 1.1,
  // Partitions by day, eight weeks of them, times tables times indexes.
  max_locks_per_transaction: 256,

  timezone: 'UTC',
  log_timezone: 'UTC',
  // A week of files by weekday, each overwritten a week later. Terse: a DETAIL line can quote a recipient.
  logging_collector: true,
  log_directory: 'log',
  log_filename: 'postgresql-%a.log',
  log_rotation_age: '1d',
  log_rotation_size: 0,
  log_truncate_on_rotation: true,
  log_error_verbosity: 'terse',
  log_line_prefix: '%m [%p] %a ',
  log_checkpoints: false,
};

/** Renders settings as the text of postgresql.conf. */
export function renderSettings(settings: ServerSettings): string {
  const lines = Object.entries(settings).map(([name, value]) => {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name))
      throw new TypeError(`not the name of a PostgreSQL setting: ${name}`);
    return `${name} = '${settingText(value).replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`;
  });
  return `# Written by Millrace at every start. Your own: ALTER SYSTEM SET …\n${lines.join('')}`;
}

function settingText(value: string | number | boolean): string {
  const text = typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
  if (/[\r\n\0]/.test(text)) throw new TypeError('a PostgreSQL setting is one line');
  return text;
}
