import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';
import { runTool } from './run-tool.ts';

export interface FailingDisk {
  directory: string;
  /** From now on what is written is lost, and the sync that follows it ends with EIO; so does a read that is not cached. */
  fail(): void;
  /** What was there before can be read again, and be written. */
  mend(): void;
  /** Nothing that is written ends before `thaw`. */
  freeze(): void;
  thaw(): void;
}

/** In MiB: of the disk, of the tmpfs that has room for the image and a copy of its end, and of what stays of a disk that fails. */
const sizeMib = { disk: 700, memory: 1_400, left: 16 };
const mib = 1_048_576;
const testMs = 300_000;

/**
 * `test` with a disk that fails when it is told to: a file system on a loop device whose file, in a tmpfs, is cut to
 * the first MiB of it. The kernel answers EIO for whatever lies beyond, as for a disk that is broken. Where none can be
 * mounted the test is skipped under a name that says so; with MILLRACE_TEST_ALL=1 it fails instead.
 */
export function withFailingDisk(name: string, body: (disk: FailingDisk) => Promise<void>): void {
  if (process.env.MILLRACE_TEST_ALL !== '1' && !canMake()) {
    test.skip(`${name} [needs root, who may mount a loop device]`, () => {});
    return;
  }
  test(
    name,
    async () => {
      const { disk, remove } = makeDisk();
      onTestFinished(remove);
      await body(disk);
    },
    testMs,
  );
}

function canMake(): boolean {
  try {
    makeDisk().remove();
    return true;
  } catch {
    return false;
  }
}

function makeDisk(): { disk: FailingDisk; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'millrace-failing-disk-'));
  const [backing, directory] = [join(root, 'backing'), join(root, 'disk')];
  const undo: (() => void)[] = [() => rmdirSync(root)];
  const remove = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    for (const place of [backing, directory]) {
      mkdirSync(place);
      undo.push(() => rmdirSync(place));
    }
    runTool(['mount', '-t', 'tmpfs', '-o', `size=${sizeMib.memory}m`, 'tmpfs', backing]);
    undo.push(() => runTool(['umount', '-l', backing]));
    const image = join(backing, 'image');
    closeSync(openSync(image, 'w'));
    truncateSync(image, sizeMib.disk * mib);
    // With a journal the file system would go read-only at the first error, and stay so until it is mounted again. Its own
    // blocks lie in the part that stays.
    const own = ['-O', '^has_journal', '-E', 'nodiscard,packed_meta_blocks=1'];
    runTool(['mkfs.ext4', '-q', '-F', ...own, image]);
    const device = runTool(['losetup', '--find', '--show', image]).trim();
    undo.push(() => runTool(['losetup', '--detach', device]));
    runTool(['mount', '-o', 'nodiscard', device, directory]);
    // Lazily: a server that is killed may hold it for a moment.
    undo.push(() => runTool(['umount', '-l', directory]));
    runTool(['chmod', '0711', root, directory]);
    return { disk: controls({ directory, device, image }), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function controls(of: { directory: string; device: string; image: string }): FailingDisk {
  const { directory, device, image } = of;
  const copy = `${image}.copy`;
  let frozen = false;
  const thaw = () => {
    if (frozen) runTool(['fsfreeze', '--unfreeze', directory]);
    frozen = false;
  };
  const freeze = () => {
    runTool(['fsfreeze', '--freeze', directory]);
    frozen = true;
  };
  const resize = (toMib: number) => {
    truncateSync(image, toMib * mib);
    runTool(['losetup', '--set-capacity', device]);
  };
  return {
    directory,
    fail() {
      // What is written between the copy and the cut would be gone though its sync had succeeded.
      freeze();
      runTool(['cp', '--sparse=always', image, copy]);
      resize(sizeMib.left);
      thaw();
    },
    mend() {
      truncateSync(image, sizeMib.disk * mib);
      const place = [`skip=${sizeMib.left}`, `seek=${sizeMib.left}`];
      runTool(['dd', `if=${copy}`, `of=${image}`, 'bs=1M', ...place, 'conv=notrunc,sparse', 'status=none']);
      resize(sizeMib.disk);
      rmSync(copy);
    },
    freeze() {
      freeze();
      // What is frozen cannot be unmounted, nor its processes be killed.
      onTestFinished(thaw);
    },
    thaw,
  };
}
