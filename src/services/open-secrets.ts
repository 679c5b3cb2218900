import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { OwnFileError } from '../lib/own-file-error.ts';
import {
  createSecretBox,
  parseSecretKeys,
  type SecretBox,
  SecretBoxError,
  secretKeyBytes,
} from '../lib/secret-box.ts';
import { writePrivately } from '../lib/write-privately.ts';
import { changeControl } from '../store/control/change-control.ts';
import { type SealedRoutes, sealRoutes } from '../store/control/seal-routes.ts';
import { sealWebhooks } from '../store/control/seal-webhooks.ts';
import {
  readSecretKeyCheck,
  type SecretKeyCheck,
  writeSecretKeyCheck,
} from '../store/control/secret-key-check.ts';
import { sealSigningKeys } from '../store/control/signing-keys.ts';
import type { Database } from '../store/database.ts';

export interface SecretsSettings {
  /** The configured keys; without them those in the file count. */
  configured?: string;
  /** The file that keeps the key where none is configured: one key a line, the first encrypts. */
  path: string;
}

export interface OpenedSecrets {
  /** The keys as they were read: for threads, which make a box of their own. */
  keys: string;
  secrets: SecretBox;
  /** A key was made and written to the file just now. */
  made: boolean;
  sealed: SealedRoutes;
}

/** The secrets that the database holds cannot be opened, and a person must act. */
class SecretKeyError extends Error {
  override readonly name = 'SecretKeyError';
}

const checkText = 'millrace';
const checkAbout = 'secret_key_check';

/**
 * Finds the installation's secret key, or makes it where the database has none yet, and shows that it is the right
 * one before anything relies on it. Seals what is plain or sealed by an older key.
 * @throws SecretKeyError or UnopenedRouteError when the database holds secrets that these keys do not open; OwnFileError
 * when the file cannot be read or written.
 */
export async function openSecrets(database: Database, settings: SecretsSettings): Promise<OpenedSecrets> {
  const opened = await changeControl(database, async (transaction) => {
    const check = await readSecretKeyCheck(transaction);
    const present = settings.configured ?? (await readKeyFile(settings.path));
    if (check && present === undefined) throw keyMissing(check, settings);
    const keys = present ?? randomBytes(secretKeyBytes).toString('base64');
    const secrets = boxOf(keys, settings);
    if (check) proveKey(secrets, { check, settings });
    if (!check || !secrets.isCurrent(check.sealed)) {
      const madeBy = `${settings.configured === undefined ? settings.path : 'MILLRACE_SECRET_KEY'} on ${hostname()}`;
      await writeSecretKeyCheck(transaction, { sealed: secrets.seal(checkText, checkAbout), madeBy });
    }
    // Before the commit: a key that the database relies on and nobody has would be worse than a stale file.
    if (present === undefined) await writePrivately(settings.path, `${keys}\n`);
    return { keys, secrets, made: present === undefined };
  });
  const sealed = await sealRoutes(database, opened.secrets);
  await sealWebhooks(database, opened.secrets);
  await sealSigningKeys(database, opened.secrets);
  return { ...opened, sealed };
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new OwnFileError(path, { doing: 'read', cause: error });
  }
}

function boxOf(keys: string, { path }: SecretsSettings): SecretBox {
  const parsed = parseSecretKeys(keys);
  if (parsed) return createSecretBox(parsed);
  throw new SecretKeyError(`${path} does not hold keys of 32 bytes in base64 or hexadecimal, one a line`);
}

function proveKey(
  secrets: SecretBox,
  { check, settings }: { check: SecretKeyCheck; settings: SecretsSettings },
): void {
  try {
    if (secrets.open(check.sealed, checkAbout) === checkText) return;
  } catch (error) {
    if (!(error instanceof SecretBoxError)) throw error;
  }
  const source = settings.configured === undefined ? settings.path : 'MILLRACE_SECRET_KEY';
  throw new SecretKeyError(
    `the secret key in ${source} is not the one that the database's secrets are encrypted with. ${whereKeyIs(check)} ` +
      'Give this process the same key, also as a second one while keys are changed.',
  );
}

function keyMissing(check: SecretKeyCheck, { path }: SecretsSettings): SecretKeyError {
  return new SecretKeyError(
    `the database holds secrets, and this process has no key to open them. ${whereKeyIs(check)} ` +
      `Put the same key into MILLRACE_SECRET_KEY or into ${path} (mode 0600).`,
  );
}

function whereKeyIs({ madeBy }: SecretKeyCheck): string {
  return `They were last encrypted with the key in ${madeBy}.`;
}
