import { type MillraceProcess, startProcess } from '../support/start-process.ts';

export interface DashboardSite {
  url: string;
  key: string;
  server: MillraceProcess;
  sink: MillraceProcess;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape are looked into.
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<any>;
  stop(): Promise<void>;
}

const key = 'dashboard-administrator-key-0123456789';

/** A server as users run it, and a provider. Without `database` it starts the PostgreSQL that comes along. */
export async function startDashboardSite({
  data,
  database,
}: {
  data: string;
  database?: string;
}): Promise<DashboardSite> {
  const sink = await startProcess(['sink', '--port', '0']);
  const where = database === undefined ? [] : ['--database', database];
  const server = await startProcess(
    ['serve', '--port', '0', ...where, '--data', data, '--log-level', 'warn'],
    {
      MILLRACE_ADMIN_KEY: key,
    },
  );
  return {
    url: server.url,
    key,
    server,
    sink,
    async call(method, path, body, headers = {}) {
      const isText = typeof body === 'string';
      const response = await fetch(server.url + path, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body !== undefined && !isText && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    async stop() {
      await server.stop();
      await sink.stop();
    },
  };
}

/** So many lines to one recipient each. */
export function floodLines(count: number, prefix: string): string {
  return Array.from({ length: count }, (_, n) => {
    const number = String(600_000_000 + n).padStart(9, '0');
    return `{"to":"+31${number}","body":"Your parcel ${n} arrives today","ref":"${prefix}-${n}"}\n`;
  }).join('');
}
