import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { packageRoot } from '../../lib/package-root.ts';

export interface BuiltFile {
  /** Below the root of the dashboard, such as `assets/index-1a2b.js`. */
  path: string;
  mediaType: string;
  bytes: Buffer;
  /** Made when it is asked for the first time. */
  gzipped(): Buffer;
  etag: string;
  /** Its name changes with what is in it. */
  immutable: boolean;
}

const mediaTypes: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

/** What `npm run build` made of `dashboard/`. */
const root = join(packageRoot, 'dist', 'dashboard');

/** All files of the dashboard, in memory: together they are smaller than one answer of the API may be. */
export function readBuiltFiles(): BuiltFile[] {
  if (!existsSync(join(root, 'index.html'))) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll('\\', '/');
      const mediaType = mediaTypes[path.slice(path.lastIndexOf('.') + 1)];
      return mediaType === undefined ? [] : [builtFile(path, mediaType, readFileSync(join(root, path)))];
    });
}

function builtFile(path: string, mediaType: string, bytes: Buffer): BuiltFile {
  const digest = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  let gzipped: Buffer | undefined;
  return {
    ...{ path, mediaType, bytes },
    gzipped: () => (gzipped ??= gzipSync(bytes, { level: 9 })),
    etag: `"${digest}"`,
    immutable: path.startsWith('assets/'),
  };
}
