import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { freePort } from '../test/support/free-port.ts';
import { type Server, startServer } from './child.ts';
import { requireProgram } from './requirements.ts';

const readyTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;

/** nginx on a loopback port of its own, answering every POST with `{}`: a sink that is not the limit. */
export async function startNginx(dir: string): Promise<Server & { url: string }> {
  const port = await freePort();
  const prefix = join(dir, `nginx-${port}`);
  mkdirSync(prefix, { recursive: true });
  const configFile = join(prefix, 'nginx.conf');
  writeFileSync(configFile, config({ port, prefix }));
  const url = `http://127.0.0.1:${port}/`;
  const server = await startServer({
    command: requireProgram('nginx'),
    args: ['-p', prefix, '-c', configFile, '-e', join(prefix, 'error.log')],
    ready: async () => {
      const { statusCode, body } = await request(url, { method: 'POST', body: '{}' });
      await body.dump();
      return statusCode === 200;
    },
    readyTimeoutMs,
    stopTimeoutMs,
  });
  return { ...server, url };
}

function config({ port, prefix }: { port: number; prefix: string }): string {
  return `daemon off;
worker_processes 1;
pid ${prefix}/nginx.pid;
error_log ${prefix}/error.log error;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path ${prefix}/body;
  proxy_temp_path ${prefix}/proxy;
  fastcgi_temp_path ${prefix}/fastcgi;
  uwsgi_temp_path ${prefix}/uwsgi;
  scgi_temp_path ${prefix}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / { return 200 '{}'; }
  }
}
`;
}
