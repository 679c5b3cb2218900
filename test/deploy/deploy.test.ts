import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { flagOf, type OptionName, optionNames, optionOf, variablesOf } from '../../src/config/options.ts';
import { findProgram } from '../support/find-program.ts';
import { needs } from '../support/needs.ts';

/** Read by client commands, not by a server. */
const clientVariables = ['MILLRACE_URL', 'MILLRACE_KEY'];

const read = (name: string) => readFile(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');

interface Service {
  image?: string;
  build?: string;
  profiles?: string[];
  depends_on?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  stop_grace_period?: string;
}

const readCompose = async () =>
  parse(await read('compose.yml'), { merge: true }) as {
    services: Record<string, Service>;
    volumes: Record<string, unknown>;
  };

/** `name=value` lines of one section of a unit; a key may come more than once. */
function settingsOf(unit: string, section: string): [string, string][] {
  const body = unit.split(`[${section}]\n`)[1]!.split('\n[')[0]!;
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
}

function unknownFlags(command: readonly string[]): string[] {
  const known = optionNames.filter((name) => !optionOf(name).withoutFlag).map((name) => `--${flagOf(name)}`);
  return command.filter((word) => word.startsWith('--') && !known.includes(word));
}

it.each([
  'compose.yml',
  'Dockerfile',
  'deploy/millrace.service',
  'deploy/millrace.env.example',
  'docs/deploy.md',
])('%s names no variable that the server does not know', async (name) => {
  const known = new Set([...optionNames.flatMap((option) => variablesOf(option)), ...clientVariables]);
  const named = (await read(name)).match(/\bMILLRACE_[A-Z_]+\b/g) ?? [];
  expect(named.filter((variable) => !known.has(variable))).toEqual([]);
  expect(named).not.toEqual([]);
});

it('the unit starts a server with flags that exist, and waits for longer than a stop takes', async () => {
  const settings = settingsOf(await read('deploy/millrace.service'), 'Service');
  const one = Object.fromEntries(settings);
  const words = one.ExecStart!.split(' ');
  expect(words.slice(1, 3)).toEqual(['millrace', 'serve']);
  expect(unknownFlags(words)).toEqual([]);
  // Only the main process is told: it ends its children in order.
  expect(one).toMatchObject({ KillMode: 'mixed', Restart: 'always', NoNewPrivileges: 'true' });
  const example = await read('deploy/millrace.env.example');
  const delayMs = Number(/^MILLRACE_SHUTDOWN_DELAY_MS=(\d+)$/m.exec(example)![1]);
  expect(Number(one.TimeoutStopSec) * 1_000).toBeGreaterThan(delayMs + (await stopMaxMs()));
});

it('the image starts a server with flags that exist, as a user of its own, and copies only what is there', async () => {
  const dockerfile = await read('Dockerfile');
  const command = JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)![1]!) as string[];
  expect(command[0]).toBe('serve');
  expect(unknownFlags(command)).toEqual([]);
  // Only a number shows Kubernetes that it is not root.
  expect(dockerfile).toMatch(/^USER [1-9]\d*(:\d+)?$/m);
  const ignored = (await read('.dockerignore')).split('\n').filter((line) => line.startsWith('!'));
  const allowed = ignored.map((line) => line.slice(1));
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) =>
    files!.split(' '),
  );
  expect(copied.map((file) => file.replace('./', '')).filter((file) => !allowed.includes(file))).toEqual([]);
  expect(copied.length).toBeGreaterThan(allowed.length - 1);
});

it('the compose file fits together: variables of servers, services, volumes and the time that a stop takes', async () => {
  const { services, volumes } = await readCompose();
  const servers = Object.values(services).filter(({ image }) => image === 'millrace');
  expect(servers).toHaveLength(4);
  const known = optionNames.flatMap((option: OptionName) => variablesOf(option));
  for (const { environment, stop_grace_period: grace } of servers) {
    expect(Object.keys(environment!).filter((name) => !known.includes(name))).toEqual([]);
    const delayMs = Number(environment!.MILLRACE_SHUTDOWN_DELAY_MS);
    expect(Number.parseInt(grace!, 10) * 1_000).toBeGreaterThan(delayMs + (await stopMaxMs()));
  }
  for (const [name, service] of Object.entries(services)) {
    const absent = (service.depends_on ?? []).filter((other) => services[other] === undefined);
    expect([name, absent]).toEqual([name, []]);
    const named = (service.volumes ?? []).map((volume) => volume.split(':')[0]!);
    for (const volume of named) {
      if (volume.startsWith('./')) await read(volume.slice(2));
      else expect(Object.keys(volumes)).toContain(volume);
    }
    expect(Boolean(service.profiles?.includes('patroni'))).toBe(/patroni|etcd/.test(name));
  }
});

it('the compose file’s own words on how to start it name every variable that it needs', async () => {
  const compose = await read('compose.yml');
  const needed = new Set([...compose.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name!));
  expect(needed.size).toBeGreaterThan(0);
  for (const words of [compose.split('x-millrace')[0]!, await read('docs/deploy.md')]) {
    expect([...needed].filter((name) => !words.includes(`${name}=$(openssl `))).toEqual([]);
  }
});

it('both proxies ask /readyz of every server of the compose file, and Patroni’s asks for the primary', async () => {
  const { services } = await readCompose();
  const [plain, patroni] = [await read('deploy/haproxy.cfg'), await read('deploy/patroni/haproxy.cfg')];
  for (const [name, { image }] of Object.entries(services)) {
    if (image !== 'millrace') continue;
    const file = name.startsWith('patroni-') ? patroni : plain;
    expect(file).toContain(`server ${name} ${name}:8080 check`);
  }
  for (const file of [plain, patroni]) expect(file).toContain('option httpchk GET /readyz');
  expect(patroni.match(/server patroni-\d patroni-\d:5432 .*check port 8008/g)).toHaveLength(3);
  const node = parse(await read('deploy/patroni/patroni.yml')) as { etcd: { hosts: string[] } };
  expect(node.etcd.hosts.map((host) => host.split(':')[0])).toEqual(
    Object.keys(services).filter((name) => name.startsWith('etcd-')),
  );
});

const withHaproxy = needs('haproxy');

for (const name of ['deploy/haproxy.cfg', 'deploy/patroni/haproxy.cfg']) {
  withHaproxy(`HAProxy takes ${name}`, async () => {
    const file = fileURLToPath(new URL(`../../${name}`, import.meta.url));
    await expect(promisify(execFile)(findProgram('haproxy')!, ['-c', '-f', file])).resolves.toBeDefined();
  });
}

async function stopMaxMs(): Promise<number> {
  const source = await read('src/cli/commands/serve.ts');
  return Number(/const stopMaxMs = ([\d_]+);/.exec(source)![1]!.replaceAll('_', ''));
}
