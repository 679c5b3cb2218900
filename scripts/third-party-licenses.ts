import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'rolldown';

/** Adds `third-party-licenses.txt` to a bundle: most licenses ask that their text goes along with a copy. */
export function thirdPartyLicenses(): Plugin {
  return {
    name: 'third-party-licenses',
    generateBundle(_options, bundle) {
      const directories = new Set<string>();
      for (const output of Object.values(bundle)) {
        if (output.type !== 'chunk') continue;
        for (const id of output.moduleIds) {
          const directory = packageOf(id);
          if (directory !== undefined) directories.add(directory);
        }
      }
      // One package may be installed twice.
      const texts = new Set([...directories].map(licenseIn).sort());
      this.emitFile({
        type: 'asset',
        fileName: 'third-party-licenses.txt',
        source: [...texts].join(`\n${'-'.repeat(80)}\n\n`),
      });
    },
  };
}

/** The directory of the package that a module belongs to; undefined for Millrace's own. */
function packageOf(id: string): string | undefined {
  return /^(?:.*[\\/])?node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id.replace(/^\0/, ''))?.[0];
}

function licenseIn(directory: string): string {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
  const { name, version, license } = manifest;
  if (license === undefined)
    throw new Error(`${name} ${version} does not say by which license it may be used`);
  const texts = readdirSync(directory)
    .filter((file) => /^(licen[cs]e|notice)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(directory, file), 'utf8').trim());
  return `${[`${name} ${version} (${license})`, ...texts].join('\n\n')}\n`;
}

interface Manifest {
  name: string;
  version: string;
  license?: string;
}
