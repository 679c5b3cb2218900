import { readdir, readlink } from 'node:fs/promises';
import pg from 'pg';
import { WebSocket } from 'undici';

/** What a process keeps in memory after a collection of garbage. */
export interface MemoryUse {
  /** Of its first thread. */
  heapBytes: number;
  /** Of the first thread's buffers and what else it holds outside its heap. */
  externalBytes: number;
  /** Of all threads, with what the allocator does not give back. */
  residentBytes: number;
}

/** What a server holds at a moment of rest. */
export interface ServerUse extends MemoryUse {
  sockets: number;
  databaseConnections: number;
}

export async function serverUse(of: {
  pid: number;
  inspectorPort: number;
  databaseUrl: string;
}): Promise<ServerUse> {
  return {
    ...(await memoryUse(of.inspectorPort)),
    sockets: await countSockets(of.pid),
    databaseConnections: await countDatabaseConnections(of.databaseUrl),
  };
}

const readMemory = `(() => {
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, residentBytes: rss };
})()`;

/** Through the inspector (nodejs.org/api/inspector.html): nothing of the server itself is changed for it. */
export async function memoryUse(port: number): Promise<MemoryUse> {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(target!.webSocketDebuggerUrl);
  const answers = new Map<number, (answer: { result: { value: MemoryUse } }) => void>();
  let calls = 0;
  const call = (method: string, params: object = {}) =>
    new Promise<{ result: { value: MemoryUse } }>((resolve) => {
      answers.set(++calls, resolve);
      socket.send(JSON.stringify({ id: calls, method, params }));
    });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', reject, { once: true });
  });
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data));
    answers.get(id)?.(result);
  });
  // What the first one frees may let go of more.
  await call('HeapProfiler.collectGarbage');
  await call('HeapProfiler.collectGarbage');
  const { result } = await call('Runtime.evaluate', { expression: readMemory, returnByValue: true });
  socket.close();
  return result.value;
}

async function countSockets(pid: number): Promise<number> {
  const directory = `/proc/${pid}/fd`;
  const links = await Promise.allSettled(
    (await readdir(directory)).map((name) => readlink(`${directory}/${name}`)),
  );
  return links.filter((link) => link.status === 'fulfilled' && link.value.startsWith('socket:')).length;
}

async function countDatabaseConnections(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'`,
    );
    return rows[0]!.count;
  } finally {
    await client.end();
  }
}
